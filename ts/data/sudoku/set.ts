import { ArgumentError } from '../../error';
import { describe } from '../../io/arguments';
import type { Geometry, Grid } from './geometry';

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
    this.#puzzles = new Uint8Array(capacity * geometry.cells);
    this.#solutions = new Uint8Array(capacity * geometry.cells);
    this.#ratings = new Int32Array(capacity);
  }

  get length(): number {
    return this.#count;
  }

  /** Copies a row in. The caller has checked the grids. */
  push(puzzle: Grid, solution: Grid, rating: number): void {
    const { cells } = this.geometry;
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
    const picked = new SudokuSet(this.geometry, Math.max(1, indices.length));
    for (let k = 0; k < indices.length; k++) {
      const i = indices[k]!;
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
  if (value instanceof SudokuSet) return value;
  throw new ArgumentError(`${op}: set must be a SudokuSet, got ${describe(value)}`);
}
