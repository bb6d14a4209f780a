/** What a run trains, validates and tests on, opened from its configuration. */
import { ArgumentError, ConfigError } from '../error';
import { isArcMetadata } from '../data/arc/folder';
import { loadDataset, type PuzzleDataset } from '../data/dataset';
import type { DatasetMetadata } from '../data/metadata';
import type { Batch, SamplerOptions, TrainSampler } from '../data/sampler';
import { openDataset, storedSampler } from '../data/stored';
import { importSudokuCsv } from '../data/sudoku/csv';
import { geometryOf, type Geometry, type Grid } from '../data/sudoku/geometry';
import { type AugmentOptions, readTokens, sudokuDataset, sudokuMetadata, sudokuSampler } from '../data/sudoku/source';
import type { SudokuSet } from '../data/sudoku/set';
import { assertDisjoint, generatingSplits, gridsOf, type Overlap, overlapOf } from '../data/sudoku/split';
import { formatGrid } from '../data/sudoku/text';
import { finishInTurns } from '../data/turns';
import { readOptions, requireSignal } from '../tensor/arguments';
import { requireDataConfig, type RunConfig } from './config';
import type { DataLength } from './length';
import type { DataShape } from '../hrm/config';

/** Puzzles of a Sudoku run. */
export interface SudokuRunSplits {
  readonly geometry: Geometry;
  readonly train: SudokuSet;
  readonly valid: SudokuSet | undefined;
  readonly test: SudokuSet;
}

/** Where an ARC run's data is from. */
export interface ArcRun {
  /** Directory of the data set; a million identifiers have their names there (see arcNames). */
  readonly directory: string;
}

export interface RunData {
  /** Of the training split. */
  readonly metadata: DatasetMetadata;
  readonly sampler: (options: SamplerOptions) => TrainSampler;
  readonly valid: PuzzleDataset | undefined;
  readonly test: PuzzleDataset | undefined;
  readonly sudoku: SudokuRunSplits | undefined;
  readonly arc: ArcRun | undefined;
  /** What the training and test puzzles share; undefined for data on disk, see `hrm data verify`. */
  readonly overlap: Overlap | undefined;
  /** Watches that no training row is held out; undefined where the data came already split. */
  readonly guard: OverlapGuard | undefined;
}

/** The sizes that a model needs to know. */
export function dataShape({ metadata }: RunData): DataShape {
  const { seqLen, vocabSize, numPuzzleIdentifiers } = metadata;
  return { seqLen, vocabSize, numPuzzleIdentifiers };
}

/** What the length of an epoch depends on. */
export function dataLength({ metadata }: RunData): DataLength {
  return { totalGroups: metadata.totalGroups, meanPuzzleExamples: metadata.meanPuzzleExamples };
}

/** How {@link openRunData} is watched. */
export interface OpenDataOptions {
  /** Overrules `data.unique`. */
  readonly unique?: boolean;
  /** Ends the work early. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens the data of a run: reads, imports or generates it.
 * @throws FileError, FormatError for what is on disk, ArgumentError where generation cannot give what was asked for; the
 *   signal's reason when it is aborted
 */
export async function openRunData(
  config: Pick<RunConfig, 'data' | 'train'>,
  options: OpenDataOptions = {},
): Promise<RunData> {
  const { unique, signal } = readOptions('openRunData', options, ['unique', 'signal']);
  requireSignal('openRunData', signal);
  const { data, seed } = requireDataConfig('openRunData', config);
  switch (data.kind) {
    case 'npy': {
      const dataset = openDataset(data.dir, 'train');
      return {
        metadata: dataset.metadata,
        sampler: (options) => storedSampler(dataset, options),
        valid: undefined,
        test: loadDataset(data.dir, 'test'),
        sudoku: undefined,
        arc: isArcMetadata(dataset.metadata) ? { directory: data.dir } : undefined,
        overlap: undefined,
        guard: undefined,
      };
    }
    case 'sudokuCsv': {
      const geometry = geometryOf(data.boxRows, data.boxCols);
      const options = { geometry, unique: unique ?? data.unique, onProgress: () => signal?.throwIfAborted() };
      const limit = data.trainPuzzles === null ? {} : { maxRows: data.trainPuzzles };
      const { set } = await importSudokuCsv(data.train, { ...options, ...limit });
      const { set: test } = await importSudokuCsv(data.test, options);
      const testGrids = gridsOf(test);
      const accept = (solution: Grid): boolean => !testGrids.has(formatGrid(solution));
      const augment = { augmentations: data.augmentations, seed, accept };
      return sudokuRun({ geometry, train: set, valid: undefined, test }, augment, undefined);
    }
    case 'sudokuGenerated': {
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
      return sudokuRun(splits, augment, new OverlapGuard(splits));
    }
  }
}

function sudokuRun(splits: SudokuRunSplits, augment: AugmentOptions, guard: OverlapGuard | undefined): RunData {
  const { geometry, train, valid, test } = splits;
  if (train.length === 0 || test.length === 0) {
    throw new ConfigError(`data: training and test puzzles must not be empty, got ${train.length} and ${test.length}`);
  }
  return {
    metadata: sudokuMetadata(geometry, train.length),
    sampler: (options) => sudokuSampler(train, augment, options),
    valid: valid && sudokuDataset(valid),
    test: sudokuDataset(test),
    sudoku: splits,
    arc: undefined,
    overlap: overlapOf(train, test),
    guard,
  };
}

/** Looks at the rows that training really uses for held-out puzzles and rows with held-out solutions. */
export class OverlapGuard {
  readonly #solutions = new Set<string>();
  readonly #puzzles = new Set<string>();
  readonly #geometry: Geometry;
  #nRows = 0;
  #nOverlaps = 0;

  constructor({ geometry, valid, test }: SudokuRunSplits) {
    this.#geometry = geometry;
    for (const set of [valid, test]) {
      for (let i = 0; i < (set?.length ?? 0); i++) {
        this.#solutions.add(formatGrid(set!.solution(i)));
        this.#puzzles.add(formatGrid(set!.puzzle(i)));
      }
    }
  }

  /** Whether a solution grid belongs to validation or test. */
  holdsOut(solution: Grid): boolean {
    return this.#solutions.has(formatGrid(solution));
  }

  /** Rows of training batches that were looked at, and how many of them a held-out split has. */
  get seen(): { readonly nRows: number; readonly nOverlaps: number } {
    return { nRows: this.#nRows, nOverlaps: this.#nOverlaps };
  }

  /** Looks at every row of a training batch. @throws ArgumentError when one is held out */
  check(batch: Batch): void {
    const { cells } = this.#geometry;
    for (let row = 0; row < batch.nValid; row++) {
      const solution = readTokens(batch.labels, row * cells, this.#geometry);
      const puzzle = readTokens(batch.inputs, row * cells, this.#geometry);
      this.#nRows++;
      if (this.holdsOut(solution) || this.#puzzles.has(formatGrid(puzzle))) this.#nOverlaps++;
    }
    if (this.#nOverlaps > 0) {
      throw new ArgumentError(`train: no training row must be held out, got ${this.#nOverlaps} of ${this.#nRows}`);
    }
  }
}
