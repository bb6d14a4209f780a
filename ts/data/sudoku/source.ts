import { types } from 'node:util';
import { ArgumentError } from '../../error';
import { describe } from '../../io/arguments';
import { readArgument, readArray } from '../../tensor/arguments';
import { readOptions, requireCallback } from '../check';
import { tokenArrays, type PuzzleDataset } from '../dataset';
import type { DatasetMetadata } from '../metadata';
import { Philox, streamOf } from '../philox';
import { TrainSampler, type ExampleGroups, type SamplerOptions } from '../sampler';
import { finish } from '../turns';
import { type Geometry, type Grid, requireGeometry } from './geometry';
import { requireSudokuSet, type SudokuSet } from './set';
import { SudokuTransform } from './transform';

/** Tokens are digits + 1: 0 is padding, 1 a blank cell. */
const TOKEN_OFFSET = 1;
const SET_NAME = 'all';
/** Philox stream of augmentations; its index is the puzzle. */
const AUGMENT_STREAM = 2048;
/** Words set aside for one random transform (at most 91 for 31x31, were no draw rejected). */
const WORDS_PER_DRAW = 256;
const MAX_ATTEMPTS = 4096;
/** Largest number of augmentations of a puzzle: its position times attempts times words is a safe integer. */
export const MAX_AUGMENTATIONS = 2 ** 31 - 1;

export interface AugmentOptions {
  /** Augmented versions beside the original, each a fixed symmetry drawn from the seed. */
  readonly augmentations: number;
  /** Safe integer or bigint in [0, 2^64). */
  readonly seed: number | bigint;
  /** An augmented row is drawn again until this accepts it; the arrays are reused. Default: all. */
  readonly accept?: (solution: Grid, puzzle: Grid) => boolean;
}

/** The metadata of Sudoku data (HRM section 6): vocabulary size + 2, one puzzle identifier, every cell scored. */
export function sudokuMetadata(geometry: Geometry, nGroups: number): DatasetMetadata {
  return {
    padId: 0,
    ignoreLabelId: 0,
    blankIdentifierId: 0,
    vocabSize: geometry.size + TOKEN_OFFSET + 1,
    seqLen: geometry.cells,
    numPuzzleIdentifiers: 1,
    totalGroups: nGroups,
    meanPuzzleExamples: 1,
    sets: [SET_NAME],
  };
}

/** Writes a grid as tokens at an offset. */
export function writeTokens(grid: Grid, to: { [index: number]: number }, offset: number): void {
  if (!types.isUint8Array(grid) || typeof offset !== 'number')
    throw new ArgumentError(`writeTokens: expected a grid and an offset, got ${describe(grid)}, ${describe(offset)}`);
  const write = (): void => {
    for (let cell = 0; cell < grid.length; cell++) to[offset + cell] = grid[cell]! + TOKEN_OFFSET;
  };
  if (ArrayBuffer.isView(to)) {
    write();
    return;
  }
  readArgument('writeTokens', 'to', () => {
    if (!Array.isArray(to)) throw new ArgumentError(`writeTokens: to must be an array, got ${describe(to)}`);
    write();
  });
}

/** Reads `cells` tokens back into digits; anything that is no digit token (padding, -100) becomes 0. */
export function readTokens(tokens: ArrayLike<number>, offset: number, geometry: Geometry): Grid {
  const { size, cells } = requireGeometry('readTokens', geometry);
  if (typeof offset !== 'number')
    throw new ArgumentError(`readTokens: offset must be a number, got ${describe(offset)}`);
  // A typed array cannot run code when it is read.
  const from = ArrayBuffer.isView(tokens) ? tokens : readArray('readTokens', 'tokens', tokens);
  const grid = new Uint8Array(cells);
  for (let cell = 0; cell < grid.length; cell++) {
    const token = from[offset + cell];
    const digit = typeof token === 'number' ? token - TOKEN_OFFSET : 0;
    grid[cell] = digit >= 1 && digit <= size ? digit : 0;
  }
  return grid;
}

/** Draws augmentation k >= 1 of puzzle i as a function of (seed, i, k) alone; 0 is the original. */
export class SudokuAugmenter {
  readonly options: AugmentOptions;
  readonly #rng: Philox;
  readonly #puzzle: Grid;
  readonly #solution: Grid;

  /** @throws ArgumentError when an option is out of range */
  constructor(
    readonly set: SudokuSet,
    options: AugmentOptions,
  ) {
    requireSudokuSet('sudoku', set);
    this.options = readOptions('sudoku', options, ['augmentations', 'seed', 'accept']);
    const { augmentations, seed, accept } = this.options;
    requireCallback('sudoku', 'accept', accept);
    if (!Number.isInteger(augmentations) || augmentations < 0 || augmentations > MAX_AUGMENTATIONS) {
      throw new ArgumentError(
        `sudoku: augmentations must be an integer from 0 to ${MAX_AUGMENTATIONS}, got ${describe(augmentations)}`,
      );
    }
    this.#rng = new Philox(seed);
    this.#puzzle = new Uint8Array(set.geometry.cells);
    this.#solution = new Uint8Array(set.geometry.cells);
  }

  /**
   * Version k of puzzle i, in arrays that the next call overwrites.
   * @throws ArgumentError when `accept` refuses thousands of draws in a row
   */
  version(i: number, k: number): { readonly puzzle: Grid; readonly solution: Grid } {
    const { set } = this;
    if (k === 0) return { puzzle: set.puzzle(i), solution: set.solution(i) };
    const { accept } = this.options;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      this.#rng.seek(streamOf(AUGMENT_STREAM, i), (k * MAX_ATTEMPTS + attempt) * WORDS_PER_DRAW);
      const transform = SudokuTransform.random(set.geometry, this.#rng);
      const puzzle = transform.apply(set.puzzle(i), this.#puzzle);
      const solution = transform.apply(set.solution(i), this.#solution);
      if (accept === undefined || accept(solution, puzzle)) return { puzzle, solution };
    }
    throw new ArgumentError(
      `sudoku: accept must let some augmentation of puzzle ${i} pass, got ${MAX_ATTEMPTS} refusals in a row`,
    );
  }
}

/**
 * Training batches from puzzles in memory, augmented as they are drawn: the batches that a dataset made by
 * {@link sudokuDataset} with the same options would give, without its memory.
 */
export function sudokuSampler(set: SudokuSet, augment: AugmentOptions, options: SamplerOptions): TrainSampler {
  const augmenter = new SudokuAugmenter(set, augment);
  const nVersions = augmenter.options.augmentations + 1;
  const groups: ExampleGroups = {
    name: SET_NAME,
    nGroups: set.length,
    nPuzzles: () => nVersions,
    nExamples: () => 1,
    identifier: () => 0,
    write: (group, version, _example, inputs, labels, offset) => {
      const { puzzle, solution } = augmenter.version(group, version);
      writeTokens(puzzle, inputs, offset);
      writeTokens(solution, labels, offset);
    },
  };
  return new TrainSampler(sudokuMetadata(set.geometry, set.length), [groups], options);
}

/**
 * A split in the official layout: one group for each puzzle, in it the original and its augmentations, one example each.
 * @throws ArgumentError for an empty set, bad options, or more than 2^31 - 1 tokens
 */
export function sudokuDataset(set: SudokuSet, augment?: AugmentOptions): PuzzleDataset {
  return finish(makingDataset(set, augment));
}

/** {@link sudokuDataset} as a loop that can pause; yields the number of rows made. */
export function* makingDataset(set: SudokuSet, augment?: AugmentOptions): Generator<number, PuzzleDataset> {
  const augmenter = new SudokuAugmenter(set, augment ?? { augmentations: 0, seed: 0 });
  const { geometry } = set;
  const versions = augmenter.options.augmentations + 1;
  const nExamples = set.length * versions;
  if (set.length === 0) throw new ArgumentError('sudokuDataset: there must be at least one puzzle');
  if (nExamples * geometry.cells > MAX_AUGMENTATIONS) {
    throw new ArgumentError(
      `sudokuDataset: at most ${MAX_AUGMENTATIONS} cells fit, got ${set.length} puzzles x ${versions} versions x ` +
        `${geometry.cells} cells; use fewer augmentations, or draw them while training`,
    );
  }
  const metadata = sudokuMetadata(geometry, set.length);
  const { inputs, labels } = tokenArrays(nExamples * geometry.cells, metadata.vocabSize);
  for (let row = 0; row < nExamples; row++) {
    yield row;
    const { puzzle, solution } = augmenter.version(Math.floor(row / versions), row % versions);
    writeTokens(puzzle, inputs, row * geometry.cells);
    writeTokens(solution, labels, row * geometry.cells);
  }
  const puzzleIndices = Int32Array.from({ length: nExamples + 1 }, (_, i) => i);
  const groupIndices = Int32Array.from({ length: set.length + 1 }, (_, i) => i * versions);
  const puzzleIdentifiers = new Int32Array(nExamples);
  return {
    metadata,
    sets: [{ name: SET_NAME, nExamples, inputs, labels, puzzleIdentifiers, puzzleIndices, groupIndices }],
  };
}
