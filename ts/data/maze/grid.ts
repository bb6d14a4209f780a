import { types } from 'node:util';
import { ArgumentError } from '../../error';
import { describe } from '../../io/arguments';

/**
 * A square maze: row-major tokens, one a cell, as they are on disk (HRM section 6: charset `# SGo` stored +1). A puzzle has
 * walls, free cells, one start and one goal; an answer also has path cells. 0 is padding and stands for no cell.
 */
export type MazeGrid = Uint8Array;

export const WALL = 1;
export const FREE = 2;
export const START = 3;
export const GOAL = 4;
export const PATH = 5;
/** Padding and the five kinds of cells. */
export const MAZE_VOCAB_SIZE = 6;
/** Largest side; a model reads size * size tokens. */
export const MAX_MAZE_SIZE = 128;

/** @throws ArgumentError unless the value is an integer in [2, {@link MAX_MAZE_SIZE}] */
export function requireMazeSize(op: string, value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 2 && value <= MAX_MAZE_SIZE) return value;
  throw new ArgumentError(`${op}: size must be an integer in [2, ${MAX_MAZE_SIZE}], got ${describe(value)}`);
}

/** The side of a square maze of so many cells; undefined when there is none. */
export function mazeSizeOf(cells: number): number | undefined {
  const size = Math.sqrt(cells);
  return Number.isInteger(size) && size >= 2 && size <= MAX_MAZE_SIZE ? size : undefined;
}

/** The cell above (way 0), below, left or right (3) of one in `column`; -1 outside. */
export function neighbourOf(cell: number, column: number, way: number, size: number): number {
  if (way === 0) return cell - size;
  if (way === 1) return cell + size < size * size ? cell + size : -1;
  if (way === 2) return column > 0 ? cell - 1 : -1;
  return column < size - 1 ? cell + 1 : -1;
}

/** Checks that a value is a grid of tokens, square, and of `size` where that is given. @throws ArgumentError */
export function requireGrid(op: string, value: unknown, size?: number): MazeGrid {
  if (!types.isUint8Array(value)) {
    throw new ArgumentError(`${op}: a maze must be a Uint8Array of tokens, got ${describe(value)}`);
  }
  const side = mazeSizeOf(value.length);
  if (side === undefined || (size !== undefined && side !== size)) {
    const expected = size === undefined ? 'size * size cells, 2 to 128 a side' : `${size} x ${size} cells`;
    throw new ArgumentError(`${op}: a maze must have ${expected}, got ${value.length}`);
  }
  const wrong = value.findIndex((token) => token >= MAZE_VOCAB_SIZE);
  if (wrong >= 0) throw new ArgumentError(`${op}: cell ${wrong} must be a token 0 to 5, got ${value[wrong]}`);
  return value;
}

/** Why a grid is no maze to solve, `puzzle` or `answer` naming it; undefined when it is one. A path need not exist. */
export function mazeProblem(grid: MazeGrid): string | undefined {
  const counts = new Uint32Array(MAZE_VOCAB_SIZE);
  for (const token of grid) counts[token]!++;
  if (counts[START] !== 1) return `a maze has one start S, got ${counts[START]}`;
  if (counts[GOAL] !== 1) return `a maze has one goal G, got ${counts[GOAL]}`;
  if (counts[PATH] !== 0) return `a maze to solve has no path cells, got ${counts[PATH]}`;
  return counts[0] === 0 ? undefined : `a maze has no padding, got ${counts[0]} cells of it`;
}

/** Checks that a value is a maze to solve: walls, free cells, one start, one goal. @throws ArgumentError */
export function requireMaze(op: string, value: unknown, size?: number): MazeGrid {
  const grid = requireGrid(op, value, size);
  const problem = mazeProblem(grid);
  if (problem !== undefined) throw new ArgumentError(`${op}: ${problem}`);
  return grid;
}

/** How many cells of a grid have a token. */
export function countOf(grid: MazeGrid, token: number): number {
  let count = 0;
  for (const cell of grid) if (cell === token) count++;
  return count;
}

/** `row 3 column 12`, counted from 1. */
export function cellText(cell: number, size: number): string {
  return `row ${Math.floor(cell / size) + 1} column ${(cell % size) + 1}`;
}
