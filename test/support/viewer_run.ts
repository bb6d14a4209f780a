/** Runs to look at, made in a second: metrics and checkpoints of the smallest network. */
import path from 'node:path';
import { writeDataset } from '../../ts/data/dataset';
import { startViewer, type Viewer, type ViewerOptions } from '../../ts/viz/server';
import { train } from '../../ts/train/train';
import { tinyRun } from './tiny_run';

/** The page as the build made it. */
export const pageDir = path.resolve(__dirname, '../../../dist/viewer');

export async function trainTiny(dir: string): Promise<void> {
  const run = await train({ config: tinyRun, out: dir });
  run.model.dispose();
}

/** A run of one step on examples of any task: rows of tokens that are their own labels. */
export async function trainTokens(dir: string, vocabSize: number, rows: readonly (readonly number[])[]): Promise<void> {
  const seqLen = rows[0]!.length;
  const tokens = rows.flat();
  const counts = Int32Array.from({ length: rows.length + 1 }, (_, i) => i);
  const set = {
    ...{ name: 'all', nExamples: rows.length, inputs: Uint8Array.from(tokens), labels: Int16Array.from(tokens) },
    ...{ puzzleIdentifiers: new Int32Array(rows.length), puzzleIndices: counts, groupIndices: counts },
  };
  const metadata = {
    ...{ padId: 0, ignoreLabelId: null, blankIdentifierId: 0, vocabSize, seqLen, numPuzzleIdentifiers: 1 },
    ...{ totalGroups: rows.length, meanPuzzleExamples: 1, sets: ['all'] },
  };
  const dataset = { metadata, sets: [set] };
  const data = path.join(dir, 'data');
  writeDataset(data, { train: dataset, test: dataset }, ['<i>puzzle']);
  const run = await train({
    config: {
      ...{ model: tinyRun.model, optim: tinyRun.optim },
      data: { kind: 'npy', dir: data },
      train: { steps: 1, batchSize: 1, tensorboard: false },
      eval: { everySteps: null, finalPuzzles: 0 },
    },
    out: path.join(dir, 'run'),
  });
  run.model.dispose();
}

export function viewRun(dir: string, changes: Partial<ViewerOptions> = {}): Promise<Viewer> {
  return startViewer({ dir, pageDir, port: 0, ...changes });
}
