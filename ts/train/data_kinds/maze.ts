/** Mazes from csv files, or generated. */
import { z } from 'zod';
import { importMazeCsv } from '../../data/maze/csv';
import { WALL_PERCENT } from '../../data/maze/generate';
import { MAX_MAZE_SIZE } from '../../data/maze/grid';
import { layoutImages, layoutOf } from '../../data/maze/layout';
import { nearestPathLabels } from '../../data/maze/nearest';
import type { MazeSet } from '../../data/maze/set';
import { mazeDataset, mazeMetadata, mazeSampler } from '../../data/maze/source';
import { generatingMazeSplits, mazeOverlapOf, type MazeOverlap } from '../../data/maze/split';
import { finishInTurns } from '../../data/turns';
import { ConfigError } from '../../error';
import { OverlapGuard } from '../overlap_guard';
import type { RunData } from '../run_data';
import { defineDataKind, puzzles, seed, unchecked } from './kind';

/** Mazes of a run. */
export interface MazeRunSplits {
  readonly size: number;
  readonly train: MazeSet;
  readonly valid: MazeSet | undefined;
  readonly test: MazeSet;
  /** Layouts that training and test share. */
  readonly overlap: MazeOverlap;
}

/** Each training maze is turned or mirrored at random whenever it comes up; the official recipe does not. */
const dihedral = z.boolean().default(false);
/**
 * What a training maze is held to: its label, or the shortest path that the model finds most probable (nearestPathLabels).
 * The latter is an algorithm change, for who wants *a* shortest path.
 */
const targets = z.enum(['label', 'nearestPath']).default('label');
const percent = z.number().min(0).max(100);

/** Csv files in the official format (plain or .gz). */
export const mazeCsv = defineDataKind({
  schema: z.strictObject({
    kind: z.literal('mazeCsv'),
    train: z.string().min(1).default('data/maze/train.csv.gz'),
    test: z.string().min(1).default('data/maze/test.csv.gz'),
    dihedral,
    targets,
    /** Only the first so many training mazes; null = all. */
    trainPuzzles: puzzles.nullable().default(null),
  }),
  task: 'maze',
  // The file's.
  seqLen: () => undefined,
  check: unchecked,
  open: async (data, { signal }) => {
    const onProgress = (): void => signal?.throwIfAborted();
    const limit = data.trainPuzzles === null ? {} : { maxRows: data.trainPuzzles };
    const { set: train } = await importMazeCsv(data.train, { onProgress, ...limit });
    const { set: test } = await importMazeCsv(data.test, { onProgress, size: train.size });
    return mazeRun({ train, valid: undefined, test }, data, undefined);
  },
});

/** Generated here from a seed by the published procedure; no layout in two splits, even up to symmetry. */
export const mazeGenerated = defineDataKind({
  schema: z.strictObject({
    kind: z.literal('mazeGenerated'),
    size: z.int().min(2).max(MAX_MAZE_SIZE).default(30),
    /** Mazes whose shortest path has more than so many moves are kept. */
    minPath: z
      .int()
      .min(0)
      .max(MAX_MAZE_SIZE ** 2)
      .default(110),
    /** Walls, in percent of the cells: from here ... */
    minWallPercent: percent.default(WALL_PERCENT.min),
    /** ... to here. */
    maxWallPercent: percent.default(WALL_PERCENT.max),
    trainPuzzles: puzzles.default(1000),
    validPuzzles: puzzles.default(200),
    testPuzzles: puzzles.default(500),
    dihedral,
    targets,
    seed: seed.default(0),
  }),
  task: 'maze',
  seqLen: ({ size }) => size ** 2,
  check: ({ size, minPath, minWallPercent, maxWallPercent }) => {
    if (minPath > size * size - 2) {
      throw new ConfigError(
        `config: data.minPath must be at most size * size - 2 = ${size * size - 2}, got ${minPath}`,
      );
    }
    if (minWallPercent <= maxWallPercent) return;
    throw new ConfigError(
      `config: data.minWallPercent must be at most data.maxWallPercent = ${maxWallPercent}, got ${minWallPercent}`,
    );
  },
  open: async (data, { signal }) => {
    const { size, minPath, minWallPercent, maxWallPercent, trainPuzzles, validPuzzles, testPuzzles } = data;
    const wallPercent = { min: minWallPercent, max: maxWallPercent };
    const counts = { trainPuzzles, validPuzzles, testPuzzles };
    const generating = generatingMazeSplits({ size, seed: data.seed, minPath, wallPercent, ...counts });
    const { train, valid, test } = await finishInTurns(generating, { signal });
    return mazeRun({ train, valid, test }, data, mazeGuard(size, [valid, test]));
  },
});

function mazeRun(
  splits: Pick<MazeRunSplits, 'train' | 'valid' | 'test'>,
  { dihedral, targets }: { dihedral: boolean; targets: 'label' | 'nearestPath' },
  guard: OverlapGuard | undefined,
): RunData {
  const { train, valid, test } = splits;
  const { size } = train;
  return {
    metadata: mazeMetadata(size, train.length),
    sampler: (options) => mazeSampler(train, { dihedral }, options),
    targets: targets === 'nearestPath' ? (rows) => nearestPathLabels(size, rows) : undefined,
    valid: valid && mazeDataset(valid),
    test: mazeDataset(test),
    sudoku: undefined,
    maze: { size, ...splits, overlap: mazeOverlapOf(train, test) },
    arc: undefined,
    overlap: undefined,
    guard,
  };
}

/** Watches for layouts of the held-out splits, turned and mirrored ones too. */
function mazeGuard(size: number, sets: readonly MazeSet[]): OverlapGuard {
  const heldOut = new Set<string>();
  for (const set of sets) {
    for (let i = 0; i < set.length; i++) for (const layout of layoutImages(set.maze(i), size)) heldOut.add(layout);
  }
  return new OverlapGuard(heldOut, ({ inputs }, row) => [layoutOf(inputs, size, row * size * size)]);
}
