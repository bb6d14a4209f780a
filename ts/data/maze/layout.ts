import { dihedralTables } from './dihedral';
import { WALL, type MazeGrid } from './grid';

/** The walls of a maze under the symmetry that a table of source cells gives, packed: equal texts are equal layouts. */
function wallsOf(grid: ArrayLike<number>, offset: number, source: Uint16Array): string {
  const bits = Buffer.alloc((source.length + 7) >> 3);
  for (let cell = 0; cell < source.length; cell++) {
    if (grid[offset + source[cell]!] === WALL) bits[cell >> 3]! |= 1 << (cell & 7);
  }
  return bits.toString('latin1');
}

/** Which cells are walls, as a text to compare: the layout, without start and goal. */
export function layoutOf(grid: ArrayLike<number>, size: number, offset = 0): string {
  return wallsOf(grid, offset, dihedralTables(size)[0]!);
}

/** The layout and its images under the symmetries of the square. */
export function layoutImages(grid: MazeGrid, size: number): string[] {
  return dihedralTables(size).map((source) => wallsOf(grid, 0, source));
}

/** The same text for all images of a layout, and for nothing else. */
export function layoutClass(grid: MazeGrid, size: number): string {
  return layoutImages(grid, size).reduce((least, text) => (text < least ? text : least));
}
