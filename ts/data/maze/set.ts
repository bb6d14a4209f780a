import { ArgumentError } from '../../error';
import { describe } from '../../io/arguments';
import { isInstance, readArray } from '../../tensor/arguments';
import { requireGrid, requireMaze, requireMazeSize, type MazeGrid } from './grid';

/** A maze, its label and the moves of its shortest path. */
interface MazeRow {
  readonly maze: MazeGrid;
  readonly answer: MazeGrid;
  readonly rating: number;
}

/** Mazes of one size with their answers, a shortest path marked in each. */
export class MazeSet {
  readonly #rows: MazeRow[] = [];

  /** @throws ArgumentError unless the size is an integer from 2 to 128 */
  constructor(readonly size: number) {
    requireMazeSize('MazeSet', size);
  }

  get length(): number {
    return this.#rows.length;
  }

  /**
   * Copies a row in. The caller has checked that the answer is one.
   * @param rating moves of the shortest path
   * @throws ArgumentError for anything but a maze and a grid of this size
   */
  push(maze: MazeGrid, answer: MazeGrid, rating: number): void {
    const op = 'MazeSet.push';
    requireMaze(op, maze, this.size);
    requireGrid(op, answer, this.size);
    if (typeof rating !== 'number') throw new ArgumentError(`${op}: rating must be a number, got ${describe(rating)}`);
    this.#rows.push({ maze: maze.slice(), answer: answer.slice(), rating });
  }

  /** Maze i: do not write to it. */
  maze(i: number): MazeGrid {
    return this.#row(i).maze;
  }

  /** The label of maze i: do not write to it. */
  answer(i: number): MazeGrid {
    return this.#row(i).answer;
  }

  /** Moves of a shortest path, or the rating column of a csv. */
  rating(i: number): number {
    return this.#row(i).rating;
  }

  /** The rows with these indices, in that order, as a set of their own. */
  select(indices: ArrayLike<number>): MazeSet {
    const rows = ArrayBuffer.isView(indices) ? indices : readArray('MazeSet.select', 'indices', indices);
    const picked = new MazeSet(this.size);
    for (let k = 0; k < rows.length; k++) picked.#rows.push(this.#row(rows[k] as number));
    return picked;
  }

  #row(i: number): MazeRow {
    if (Number.isInteger(i) && i >= 0 && i < this.#rows.length) return this.#rows[i]!;
    throw new ArgumentError(`MazeSet: index must be 0 to ${this.#rows.length - 1}, got ${describe(i)}`);
  }
}

/** @throws ArgumentError unless the value is a set made by this package */
export function requireMazeSet(op: string, value: unknown): MazeSet {
  if (isInstance(value, MazeSet)) return value;
  throw new ArgumentError(`${op}: set must be a MazeSet, got ${describe(value)}`);
}
