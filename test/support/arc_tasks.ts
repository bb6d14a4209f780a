/** ARC tasks of random grids. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ArcGrid } from '../../ts/data/arc/grid';
import { rowsOf } from '../../ts/data/arc/grid';
import type { Philox } from '../../ts/data/philox';

/** A random grid of 1 to `side` rows and columns. */
export function randomGrid(rng: Philox, side: number): ArcGrid {
  const [rows, cols] = [rng.below(side) + 1, rng.below(side) + 1];
  return { rows, cols, cells: Uint8Array.from({ length: rows * cols }, () => rng.below(10)) };
}

export interface TaskJson {
  train: { input: number[][]; output: number[][] }[];
  test: { input: number[][]; output?: number[][] }[];
}

export function randomTask(rng: Philox, side: number, nTrain = 3, nTest = 1): TaskJson {
  const pair = (): { input: number[][]; output: number[][] } => ({
    input: rowsOf(randomGrid(rng, side)),
    output: rowsOf(randomGrid(rng, side)),
  });
  return { train: Array.from({ length: nTrain }, pair), test: Array.from({ length: nTest }, pair) };
}

export function writeTask(directory: string, name: string, task: unknown): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(path.join(directory, `${name}.json`), JSON.stringify(task));
}

/** `training` and `evaluation` folders of random tasks named a0, a1, ... and e0, e1, ...; evaluation tasks have two tests. */
export function writeTasks(directory: string, rng: Philox, counts: readonly [number, number], side: number): string {
  for (let i = 0; i < counts[0]; i++) writeTask(path.join(directory, 'training'), `a${i}`, randomTask(rng, side));
  for (let i = 0; i < counts[1]; i++)
    writeTask(path.join(directory, 'evaluation'), `e${i}`, randomTask(rng, side, 2, 2));
  return directory;
}
