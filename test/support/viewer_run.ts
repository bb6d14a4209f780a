/** A run to look at, made in a second: metrics and checkpoints of the smallest network. */
import path from 'node:path';
import { startViewer, type Viewer, type ViewerOptions } from '../../ts/viz/server';
import { train } from '../../ts/train/train';
import { tinyRun } from './tiny_run';

/** The page as the build made it. */
export const pageDir = path.resolve(__dirname, '../../../dist/viewer');

export async function trainTiny(dir: string): Promise<void> {
  const run = await train({ config: tinyRun, out: dir });
  run.model.dispose();
}

export function viewRun(dir: string, changes: Partial<ViewerOptions> = {}): Promise<Viewer> {
  return startViewer({ dir, pageDir, port: 0, ...changes });
}
