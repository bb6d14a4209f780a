/** Sudokus from csv files, or generated. */
import { z } from 'zod';
import { importSudokuCsv } from '../../data/sudoku/csv';
import { geometryOf, type Geometry, type Grid } from '../../data/sudoku/geometry';
import {
  type AugmentOptions,
  readTokens,
  sudokuDataset,
  sudokuMetadata,
  sudokuSampler,
} from '../../data/sudoku/source';
import type { SudokuSet } from '../../data/sudoku/set';
import { assertDisjoint, generatingSplits, gridsOf, overlapOf } from '../../data/sudoku/split';
import { formatGrid } from '../../data/sudoku/text';
import { finishInTurns } from '../../data/turns';
import { ConfigError } from '../../error';
import { OverlapGuard } from '../overlap_guard';
import type { RunData } from '../run_data';
import { defineDataKind, puzzles, seed, unchecked } from './kind';

/** Puzzles of a Sudoku run. */
export interface SudokuRunSplits {
  readonly geometry: Geometry;
  readonly train: SudokuSet;
  readonly valid: SudokuSet | undefined;
  readonly test: SudokuSet;
}

const box = z.int().min(1).max(8);
/** Distinct augmentations of a training puzzle; 0 = none. */
const augmentations = z
  .int()
  .min(0)
  .max(2 ** 31 - 1)
  .default(1000);

/** Csv files (plain or .gz), with augmentations drawn on the fly. */
export const sudokuCsv = defineDataKind({
  schema: z.strictObject({
    kind: z.literal('sudokuCsv'),
    train: z.string().min(1).default('data/sudoku/train.csv.gz'),
    test: z.string().min(1).default('data/sudoku/test.csv.gz'),
    boxRows: box.default(3),
    boxCols: box.default(3),
    augmentations,
    /** Only the first so many training puzzles; null = all. */
    trainPuzzles: puzzles.nullable().default(null),
    /** Proves, as a puzzle is read, that it has one solution: half a second for 1,000 hard 9x9 ones. */
    unique: z.boolean().default(true),
  }),
  task: 'sudoku',
  seqLen: ({ boxRows, boxCols }) => geometryOf(boxRows, boxCols).cells,
  check: unchecked,
  open: async (data, { seed: runSeed, unique, signal }) => {
    const geometry = geometryOf(data.boxRows, data.boxCols);
    const options = { geometry, unique: unique ?? data.unique, onProgress: () => signal?.throwIfAborted() };
    const limit = data.trainPuzzles === null ? {} : { maxRows: data.trainPuzzles };
    const { set } = await importSudokuCsv(data.train, { ...options, ...limit });
    const { set: test } = await importSudokuCsv(data.test, options);
    const testGrids = gridsOf(test);
    const accept = (solution: Grid): boolean => !testGrids.has(formatGrid(solution));
    const augment = { augmentations: data.augmentations, seed: runSeed, accept };
    return sudokuRun({ geometry, train: set, valid: undefined, test }, augment, undefined);
  },
});

/** Generated here from a seed, split by solution grid before augmentation. */
export const sudokuGenerated = defineDataKind({
  schema: z.strictObject({
    kind: z.literal('sudokuGenerated'),
    boxRows: box.default(2),
    boxCols: box.default(2),
    trainPuzzles: puzzles.default(1000),
    validPuzzles: puzzles.default(200),
    testPuzzles: puzzles.default(500),
    minBlanks: z.int().min(1).max(4096).default(8),
    maxBlanks: z.int().min(1).max(4096).default(12),
    augmentations,
    seed: seed.default(0),
  }),
  task: 'sudoku',
  seqLen: ({ boxRows, boxCols }) => geometryOf(boxRows, boxCols).cells,
  check: ({ boxRows, boxCols, minBlanks, maxBlanks }) => {
    const nCells = (boxRows * boxCols) ** 2;
    if (minBlanks <= maxBlanks && maxBlanks < nCells) return;
    throw new ConfigError(
      `config: data.minBlanks <= data.maxBlanks < ${nCells} cells, got ${minBlanks} and ${maxBlanks}`,
    );
  },
  open: async (data, { signal }) => {
    const { boxRows, boxCols, seed: dataSeed, minBlanks, maxBlanks, trainPuzzles, validPuzzles, testPuzzles } = data;
    const geometry = geometryOf(boxRows, boxCols);
    const counts = { trainPuzzles, validPuzzles, testPuzzles };
    const blanks = { min: minBlanks, max: maxBlanks };
    const generating = generatingSplits({ geometry, seed: dataSeed, blanks, ...counts });
    const parts = await finishInTurns(generating, { signal });
    assertDisjoint(parts.train, parts.test, 'training and test puzzles');
    assertDisjoint(parts.train, parts.valid, 'training and validation puzzles');
    assertDisjoint(parts.valid, parts.test, 'validation and test puzzles');
    const splits = { geometry, train: parts.train, valid: parts.valid, test: parts.test };
    const augment = { augmentations: data.augmentations, seed: dataSeed, accept: parts.accept };
    return sudokuRun(splits, augment, sudokuGuard(splits));
  },
});

function sudokuRun(splits: SudokuRunSplits, augment: AugmentOptions, guard: OverlapGuard | undefined): RunData {
  const { geometry, train, valid, test } = splits;
  if (train.length === 0 || test.length === 0) {
    throw new ConfigError(`data: training and test puzzles must not be empty, got ${train.length} and ${test.length}`);
  }
  return {
    metadata: sudokuMetadata(geometry, train.length),
    sampler: (options) => sudokuSampler(train, augment, options),
    targets: undefined,
    valid: valid && sudokuDataset(valid),
    test: sudokuDataset(test),
    sudoku: splits,
    maze: undefined,
    arc: undefined,
    overlap: overlapOf(train, test),
    guard,
  };
}

/** Watches for puzzles and solution grids of the held-out splits. */
function sudokuGuard({ geometry, valid, test }: SudokuRunSplits): OverlapGuard {
  const keysOf = (puzzle: Grid, solution: Grid): string[] => [
    `puzzle ${formatGrid(puzzle)}`,
    `solution ${formatGrid(solution)}`,
  ];
  const heldOut = new Set<string>();
  for (const set of [valid, test]) {
    for (let i = 0; i < (set?.length ?? 0); i++) {
      for (const key of keysOf(set!.puzzle(i), set!.solution(i))) heldOut.add(key);
    }
  }
  return new OverlapGuard(heldOut, ({ inputs, labels }, row) => {
    const read = (tokens: Int32Array): Grid => readTokens(tokens, row * geometry.cells, geometry);
    return keysOf(read(inputs), read(labels));
  });
}
