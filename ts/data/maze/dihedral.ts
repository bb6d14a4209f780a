import { ArgumentError } from '../../error';
import { describe } from '../../io/arguments';
import { requireInteger } from '../check';
import { requireGrid, type MazeGrid } from './grid';

/** Symmetries of the square. */
export const N_DIHEDRAL = 8;

/** Which symmetry undoes symmetry i. */
const INVERSES = [0, 3, 2, 1, 4, 5, 6, 7] as const;

const tables = new Map<number, readonly Uint16Array[]>();

/**
 * Source cell of every target cell under each symmetry, with the ids of HRM section 6: identity, quarter turns
 * counter-clockwise x1, x2, x3, left-right flip, up-down flip, transpose, left-right flip after a quarter turn.
 */
export function dihedralTables(size: number): readonly Uint16Array[] {
  let made = tables.get(size);
  if (made === undefined) tables.set(size, (made = build(size)));
  return made;
}

function build(size: number): Uint16Array[] {
  const end = size - 1;
  const at = (row: number, column: number): number => row * size + column;
  const sources: readonly ((row: number, column: number) => number)[] = [
    at,
    (row, column) => at(column, end - row),
    (row, column) => at(end - row, end - column),
    (row, column) => at(end - column, row),
    (row, column) => at(row, end - column),
    (row, column) => at(end - row, column),
    (row, column) => at(column, row),
    (row, column) => at(end - column, end - row),
  ];
  return sources.map((source) =>
    Uint16Array.from({ length: size * size }, (_, cell) => source(Math.floor(cell / size), cell % size)),
  );
}

/**
 * The image of a maze under a symmetry of the square. Shortest paths stay shortest.
 * @param id 0 to 7, see HRM section 6; 0 is the identity
 * @throws ArgumentError
 */
export function dihedralImage(maze: MazeGrid, id: number): MazeGrid {
  const grid = requireGrid('dihedralImage', maze);
  requireInteger('dihedralImage', 'id', id, 0, N_DIHEDRAL - 1);
  const source = dihedralTables(Math.sqrt(grid.length))[id]!;
  return Uint8Array.from(source, (cell) => grid[cell]!);
}

/** The id of the symmetry that undoes another. @throws ArgumentError */
export function dihedralInverse(id: number): number {
  const inverse = typeof id === 'number' ? INVERSES[id] : undefined;
  if (inverse !== undefined) return inverse;
  throw new ArgumentError(`dihedralInverse: id must be an integer in [0, 7], got ${describe(id)}`);
}
