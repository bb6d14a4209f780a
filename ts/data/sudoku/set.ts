import { types } from 'node:util';
import { ArgumentError } from '../../error';
import { describe } from '../../io/arguments';
import { isInstance, readArray } from '../../tensor/arguments';
import { type Geometry, type Grid, requireGeometry } from './geometry';

/** Largest packed array: what one typed array can hold on every supported platform. */
const MAX_BYTES = 2 ** 32;

/** Puzzles of one geometry with their solutions and ratings, packed: two bytes a cell and four a rating. */
export class SudokuSet {
  #count = 0;
  #puzzles: Uint8Array;
  #solutions: Uint8Array;
  #ratings: Int32Array;

  constructor(
    readonly geometry: Geometry,
    capacity = 64,
  ) {
    const { cells } = requireGeometry('SudokuSet', geometry);
    if (!Number.isSafeInteger(capacity) || capacity < 0 || capacity * cells > MAX_BYTES) {
      throw new ArgumentError(
        `SudokuSet: capacity must be an integer from 0 to ${Math.floor(MAX_BYTES / cells)}, got ${describe(capacity)}`,
      );
    }
    this.#puzzles = new Uint8Array(capacity * cells);
    this.#solutions = new Uint8Array(capacity * cells);
    this.#ratings = new Int32Array(capacity);
  }

  get length(): number {
    return this.#count;
  }

  /** Copies a row in. The caller has checked the digits. @throws ArgumentError for anything but grids of the geometry */
  push(puzzle: Grid, solution: Grid, rating: number): void {
    const { cells } = this.geometry;
    for (const grid of [puzzle, solution]) {
      if (!types.isUint8Array(grid) || grid.length !== cells) {
        throw new ArgumentError(`SudokuSet.push: expected Uint8Arrays of ${cells} digits, got ${describe(grid)}`);
      }
    }
    if (typeof rating !== 'number')
      throw new ArgumentError(`SudokuSet.push: rating must be a number, got ${describe(rating)}`);
    if (this.#count === this.#ratings.length) this.#grow();
    this.#puzzles.set(puzzle, this.#count * cells);
    this.#solutions.set(solution, this.#count * cells);
    this.#ratings[this.#count] = rating;
    this.#count++;
  }

  #grow(): void {
    const { cells } = this.geometry;
    const capacity = Math.max(64, 2 * this.#ratings.length);
    if (capacity * cells > MAX_BYTES) {
      throw new ArgumentError(`SudokuSet: at most ${Math.floor(MAX_BYTES / cells)} puzzles of ${cells} cells fit`);
    }
    const puzzles = new Uint8Array(capacity * cells);
    const solutions = new Uint8Array(capacity * cells);
    const ratings = new Int32Array(capacity);
    puzzles.set(this.#puzzles);
    solutions.set(this.#solutions);
    ratings.set(this.#ratings);
    this.#puzzles = puzzles;
    this.#solutions = solutions;
    this.#ratings = ratings;
  }

  /** Puzzle i as a view: do not write to it. */
  puzzle(i: number): Grid {
    return this.#row(this.#puzzles, i);
  }

  /** Solution i as a view: do not write to it. */
  solution(i: number): Grid {
    return this.#row(this.#solutions, i);
  }

  /** Guesses of the solver, or the rating column of a csv. */
  rating(i: number): number {
    this.#check(i);
    return this.#ratings[i]!;
  }

  /** The rows with these indices, in that order, as a set of their own. */
  select(indices: ArrayLike<number>): SudokuSet {
    const rows = ArrayBuffer.isView(indices)
      ? indices
      : readArray('SudokuSet.select', 'indices', indices, 'an array of integers');
    const picked = new SudokuSet(this.geometry, Math.max(1, rows.length));
    for (let k = 0; k < rows.length; k++) {
      const i = rows[k] as number;
      picked.push(this.puzzle(i), this.solution(i), this.rating(i));
    }
    return picked;
  }

  #row(grids: Uint8Array, i: number): Grid {
    this.#check(i);
    const { cells } = this.geometry;
    return grids.subarray(i * cells, (i + 1) * cells);
  }

  #check(i: number): void {
    if (!(Number.isInteger(i) && i >= 0 && i < this.#count)) {
      throw new ArgumentError(`SudokuSet: index must be 0 to ${this.#count - 1}, got ${describe(i)}`);
    }
  }
}

/** @throws ArgumentError unless the value is a set made by this package */
export function requireSudokuSet(op: string, value: unknown): SudokuSet {
  if (isInstance(value, SudokuSet)) return value;
  throw new ArgumentError(`${op}: set must be a SudokuSet, got ${describe(value)}`);
}
