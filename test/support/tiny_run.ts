import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ConfigValues } from '../../ts/train/config';

/** A run that takes milliseconds a step: a few generated 4x4 puzzles and the smallest network. */
export const tinyRun = {
  model: {
    hidden: 16,
    nHeads: 2,
    hLayers: 1,
    lLayers: 1,
    hCycles: 1,
    lCycles: 2,
    posEncodings: 'learned',
    haltMaxSteps: 2,
    haltExplorationProb: 0.5,
  },
  optim: { lr: 1e-3, puzzleEmbLr: 1e-3, lrWarmupSteps: 4, lrMinRatio: 0.1, ema: 0.9 },
  data: {
    kind: 'sudokuGenerated',
    trainPuzzles: 48,
    validPuzzles: 12,
    testPuzzles: 12,
    minBlanks: 4,
    maxBlanks: 6,
    augmentations: 3,
  },
  train: { steps: 12, batchSize: 8, logEverySteps: 3, checkpointEverySteps: 4, tensorboard: false },
  eval: { everySteps: 5, puzzles: 8 },
} as const satisfies ConfigValues;

/** The same as `--set` arguments. */
export function tinyArguments(changes: Readonly<Record<string, string | number>> = {}): string[] {
  const flat: Record<string, unknown> = {};
  for (const [group, values] of Object.entries(tinyRun)) {
    for (const [key, value] of Object.entries(values)) flat[`${group}.${key}`] = value;
  }
  return Object.entries({ ...flat, ...changes }).flatMap(([key, value]) => ['--set', `${key}=${String(value)}`]);
}

/** Runs `body` with a directory that is gone afterwards. */
export async function withDirectory<R>(body: (dir: string) => Promise<R> | R): Promise<R> {
  const dir = mkdtempSync(path.join(tmpdir(), 'hrm-run-'));
  try {
    return await body(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
