import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildArcDataset } from '../../ts/data/arc/build';
import { Philox } from '../../ts/data/philox';
import { arcNamesOf, evaluateArc, requireTrainedPuzzles } from '../../ts/train/arc';
import { evaluate } from '../../ts/train/evaluate';
import { loadModel } from '../../ts/train/load_model';
import { openRunData } from '../../ts/train/run_data';
import { train } from '../../ts/train/train';
import { writeTasks } from '../support/arc_tasks';
import { runCli } from '../support/run_cli';
import { tinyRun } from '../support/tiny_run';

const root = mkdtempSync(path.join(tmpdir(), 'hrm-arc-run-'));
const set = path.join(root, 'set');
const run = path.join(root, 'run');
const config = {
  ...tinyRun,
  model: { ...tinyRun.model, posEncodings: 'rope' },
  data: { kind: 'npy', dir: set },
  train: { ...tinyRun.train, steps: 6 },
  eval: { everySteps: 4, puzzles: 8 },
};
beforeAll(async () => {
  const source = writeTasks(path.join(root, 'source'), new Philox(21), [3, 2], 4);
  await buildArcDataset({ out: set, inputs: [source], augmentations: 3, seed: 2, canvas: 5 });
  await train({ config, out: run });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('a run on an ARC folder', () => {
  it('trains, goes on to the same weights, and votes in the evaluation', async () => {
    const halves = path.join(root, 'halves');
    await train({ config: { ...config, train: { ...config.train, steps: 6, checkpointEverySteps: 3 } }, out: halves });
    const metrics = (place: string): string => readFileSync(path.join(place, 'metrics.jsonl'), 'utf8');
    expect(metrics(halves)).toBe(metrics(run));

    const loaded = loadModel(run);
    const data = await openRunData(loaded.config);
    const names = arcNamesOf(data)!;
    expect(names).toHaveLength(1 + 5 * 4);
    expect(loaded.model.config).toMatchObject({ seqLen: 25, vocabSize: 12, numPuzzleIdentifiers: 21 });
    requireTrainedPuzzles(loaded.model, loaded.config.data, data);
    const { evaluation, result } = await evaluateArc(loaded.model, data.test!, names, { batchSize: 5 });
    expect(evaluation).toEqual(await evaluate(loaded.model, data.test!, { batchSize: 5 }));
    expect(result).toMatchObject({ scored: 2, votes: 16 });
    expect(result.tasks.flatMap(({ tests }) => tests.map(({ votes }) => votes))).toEqual([4, 4, 4, 4]);
    const adaptive = await evaluateArc(loaded.model, data.test!, names, { adaptive: true });
    expect(adaptive.result.votes).toBe(16);
  });

  it('prints pass@1 and pass@2 and writes the submission', async () => {
    const file = path.join(root, 'submission.json');
    const { stdout, exitCode } = await runCli(['eval', run, '--submission', file]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/\npass@1 0\.0%, pass@2 0\.0% of 2 tasks; 16 rows voted\n$/);
    const submission = JSON.parse(readFileSync(file, 'utf8')) as Record<string, { attempt_1: number[][] }[]>;
    expect(Object.keys(submission)).toEqual(['e0', 'e1']);
    for (const tests of Object.values(submission))
      expect(tests.map((test) => Object.keys(test))).toEqual(Array(2).fill(['attempt_1', 'attempt_2']));
    const nowhere = await runCli(['eval', run, '--submission', path.join(root, 'none', 'x.json')]);
    expect(nowhere).toMatchObject({ exitCode: 2, stdout: '' });
    expect(nowhere.stderr).toContain('--submission: must be a file in a directory that exists');
  });

  it('refuses tasks that the model does not know', async () => {
    const loaded = loadModel(run);
    const source = writeTasks(path.join(root, 'other'), new Philox(22), [3, 2], 4);
    const same = path.join(root, 'same');
    // As many identifiers, but under another seed other augmentations.
    await buildArcDataset({ out: same, inputs: [source], augmentations: 3, seed: 3, canvas: 5 });
    const more = path.join(root, 'more');
    await buildArcDataset({ out: more, inputs: [source], augmentations: 4, seed: 2, canvas: 5 });
    const open = (dir: string) => openRunData({ ...loaded.config, data: { kind: 'npy', dir } });
    const [other, larger] = [await open(same), await open(more)];
    expect(() => requireTrainedPuzzles(loaded.model, loaded.config.data, other)).toThrow(
      /puzzle e0_t\d_0\d{9} must be identifier 2 of/,
    );
    expect(() => requireTrainedPuzzles(loaded.model, loaded.config.data, larger)).toThrow(
      'eval: the data must have at most 21 puzzle identifiers as the model, got 26; a model knows the tasks it was trained on',
    );
    const moved = path.join(root, 'moved');
    cpSync(set, moved, { recursive: true });
    requireTrainedPuzzles(loaded.model, loaded.config.data, await open(moved));
  });
});

describe('hrm data arc', () => {
  it('makes a folder that hrm data verify finds good', async () => {
    const out = path.join(root, 'cli');
    const input = path.join(root, 'source');
    const made = await runCli(['data', 'arc', '--input', input, '--canvas', '6', '--augmentations', '2', '--out', out]);
    expect(made).toMatchObject({ exitCode: 0, stderr: '' });
    expect(made.stdout).toMatch(
      /^train: 5 tasks, 15 puzzles with their augmentations, 48 rows\ntest: 2 tasks, 6 puzzles/,
    );
    const checked = await runCli(['data', 'verify', out]);
    expect(checked.exitCode).toBe(0);
    expect(checked.stdout).toMatch(/training has the input: 0, the input with its output: 0\n.* is good\n$/);
  });

  it('reports leaks in both directions', async () => {
    const [one, two] = [path.join(root, 'source'), path.join(root, 'leaky')];
    cpSync(path.join(one, 'evaluation', 'e1.json'), path.join(two, 'training', 'e1.json'));
    const { stdout, exitCode } = await runCli(['data', 'arc-leaks', '--input', one, '--input', two]);
    expect(exitCode).toBe(1);
    expect(stdout).toBe(
      `evaluation tasks of ${one} that are in ${two}: 1 (1 by name, 0 by a test pair under another name) of 2\n` +
        `  in ${path.join(two, 'training')}: 1: e1\n` +
        `evaluation tasks of ${two} that are in ${one}: 0 (0 by name, 0 by a test pair under another name) of 0\n`,
    );
    const same = await runCli(['data', 'arc', '--input', one, '--input', two, '--out', path.join(root, 'x')]);
    expect(same.exitCode).toBe(2);
    expect(same.stderr).toContain('--exclude-leaks');
  });
});
