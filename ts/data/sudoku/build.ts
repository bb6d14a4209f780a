import { ArgumentError } from '../../error';
import { describe, requirePath } from '../../io/arguments';
import { requireSignal } from '../../tensor/arguments';
import { readOptions, requireCallback } from '../check';
import { writeDataset } from '../dataset';
import { Philox } from '../philox';
import { finishInTurns } from '../turns';
import { importSudokuCsv, type ImportResult } from './csv';
import type { GenerateOptions } from './generate';
import { requireGeometry, type Geometry } from './geometry';
import type { SudokuSet } from './set';
import { makingDataset, sudokuDataset } from './source';
import { assertDisjoint, blanksHistogram, generatingSplits, gridsOf, splitByGrid } from './split';
import { formatGrid } from './text';

/** Where the puzzles come from. */
export type SudokuOrigin =
  | {
      readonly kind: 'generate';
      readonly trainPuzzles: number;
      readonly testPuzzles: number;
      readonly blanks: GenerateOptions['blanks'];
    }
  | {
      readonly kind: 'csv';
      readonly train: string;
      /** Test file; without it `testFraction` of the training file's solution grids are set aside. */
      readonly test?: string;
      /** Default 0.1, only without a test file. */
      readonly testFraction?: number;
      /** Takes so many training puzzles, chosen by the seed (official: 1000); default all. */
      readonly trainPuzzles?: number;
      /** See ImportOptions. Default 'throw'. */
      readonly badRows?: 'throw' | 'skip';
      /** See ImportOptions. Default true. */
      readonly unique?: boolean;
    };

const ORIGIN_KEYS = [
  'kind',
  'trainPuzzles',
  'testPuzzles',
  'blanks',
  'train',
  'test',
  'testFraction',
  'badRows',
  'unique',
] as readonly (keyof SudokuOrigin)[];

export interface BuildOptions {
  /** Directory to make; nothing may be there yet. */
  readonly out: string;
  readonly geometry: Geometry;
  readonly seed: number | bigint;
  /** Augmented versions of each training puzzle (official: 1000); test puzzles have none. */
  readonly augmentations: number;
  readonly origin: SudokuOrigin;
  readonly onProgress?: (what: string, rows: number) => void;
  /** Ends the work early; nothing is left behind then. */
  readonly signal?: AbortSignal;
}

export interface BuildReport {
  readonly train: SplitSummary;
  readonly test: SplitSummary;
  /** Training puzzles left out because a test puzzle has their solution grid. */
  readonly droppedTrain: number;
  /** Bad rows of the csv files that were skipped. */
  readonly bad: { readonly train: number; readonly test: number };
}

export interface SplitSummary {
  readonly puzzles: number;
  /** Rows in the files: puzzles times versions. */
  readonly examples: number;
  /** Puzzles by number of blanks. */
  readonly blanks: ReadonlyMap<number, number>;
  readonly meanRating: number;
}

/**
 * Makes a dataset directory in the official layout (`hrm data sudoku`): generated or imported puzzles, split by solution
 * grid before augmentation; augmented rows that land on a test grid are drawn again.
 *
 * @throws ArgumentError, FormatError, FileError as the parts do, the signal's reason when it is aborted; no directory is left behind then
 */
export async function buildSudokuDataset(options: BuildOptions): Promise<BuildReport> {
  const op = 'buildSudokuDataset';
  const given = readOptions(op, options, [
    'out',
    'geometry',
    'seed',
    'augmentations',
    'origin',
    'onProgress',
    'signal',
  ]);
  const { out, seed, augmentations, onProgress, signal } = given;
  requirePath(op, 'out', out);
  requireGeometry(op, given.geometry);
  requireCallback(op, 'onProgress', onProgress);
  requireSignal(op, signal);
  const origin = readOptions(op, given.origin, ORIGIN_KEYS);
  const { train, test, droppedTrain, bad } = await partsOf(given, origin);
  if (train.length === 0 || test.length === 0) {
    throw new ArgumentError(
      `buildSudokuDataset: both splits must have puzzles, got ${train.length} for training, ${test.length} for test`,
    );
  }
  assertDisjoint(train, test, 'buildSudokuDataset: training and test');
  const testGrids = gridsOf(test);
  const accept = (solution: Uint8Array): boolean => !testGrids.has(formatGrid(solution));
  const trainData = await finishInTurns(makingDataset(train, { augmentations, seed, accept }), {
    signal,
    onProgress: (rows) => onProgress?.('augment', rows),
  });
  signal?.throwIfAborted();
  onProgress?.('write', trainData.sets[0]!.nExamples);
  writeDataset(out, { train: trainData, test: sudokuDataset(test) }, ['<blank>']);
  return {
    train: summary(train, augmentations + 1),
    test: summary(test, 1),
    droppedTrain,
    bad,
  };
}

interface Parts {
  readonly train: SudokuSet;
  readonly test: SudokuSet;
  readonly droppedTrain: number;
  readonly bad: BuildReport['bad'];
}

async function partsOf(options: BuildOptions, origin: SudokuOrigin): Promise<Parts> {
  switch (origin.kind) {
    case 'csv':
      return imported(options, origin);
    case 'generate': {
      const { geometry, seed, onProgress, signal } = options;
      const { trainPuzzles, testPuzzles, blanks } = origin;
      const splits = await finishInTurns(
        generatingSplits({ geometry, seed, blanks, trainPuzzles, validPuzzles: 0, testPuzzles }),
        { signal, onProgress: (rows) => onProgress?.('generate', rows) },
      );
      return { train: splits.train, test: splits.test, droppedTrain: 0, bad: { train: 0, test: 0 } };
    }
    default:
      throw new ArgumentError(`buildSudokuDataset: origin.kind must be 'generate' or 'csv', got ${describe(origin)}`);
  }
}

async function imported(options: BuildOptions, origin: SudokuOrigin & { kind: 'csv' }): Promise<Parts> {
  const { geometry, seed, onProgress, signal } = options;
  const { badRows = 'throw', unique = true, testFraction = 0.1, trainPuzzles } = origin;
  if (trainPuzzles !== undefined && (!Number.isSafeInteger(trainPuzzles) || trainPuzzles < 1)) {
    throw new ArgumentError(
      `buildSudokuDataset: trainPuzzles must be a positive integer, got ${describe(trainPuzzles)}`,
    );
  }
  const read = (file: string, what: string): Promise<ImportResult> =>
    importSudokuCsv(file, {
      geometry,
      badRows,
      unique,
      onProgress: (rows) => {
        onProgress?.(what, rows);
        signal?.throwIfAborted();
      },
    });
  const first = await read(origin.train, 'import train');
  const second = origin.test === undefined ? undefined : await read(origin.test, 'import test');
  const [pool, test] = second === undefined ? splitByGrid(first.set, testFraction, seed) : [first.set, second.set];
  const testGrids = gridsOf(test);
  const allowed: number[] = [];
  for (let i = 0; i < pool.length; i++) if (!testGrids.has(formatGrid(pool.solution(i)))) allowed.push(i);
  const droppedTrain = pool.length - allowed.length;
  if (trainPuzzles !== undefined && trainPuzzles > allowed.length) {
    throw new ArgumentError(
      `buildSudokuDataset: trainPuzzles must be at most the ${allowed.length} usable rows, got ${trainPuzzles}`,
    );
  }
  const chosen =
    trainPuzzles === undefined
      ? allowed
      : Array.from(new Philox(seed, 1).choose(allowed.length, trainPuzzles).sort(), (k) => allowed[k]!);
  return { train: pool.select(chosen), test, droppedTrain, bad: { train: first.nBad, test: second?.nBad ?? 0 } };
}

function summary(set: SudokuSet, versions: number): SplitSummary {
  let ratings = 0;
  for (let i = 0; i < set.length; i++) ratings += set.rating(i);
  return {
    puzzles: set.length,
    examples: set.length * versions,
    blanks: blanksHistogram(set),
    meanRating: set.length === 0 ? 0 : ratings / set.length,
  };
}
