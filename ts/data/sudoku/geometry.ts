import { types } from 'node:util';
import { ArgumentError } from '../../error';
import { describe } from '../../io/arguments';

/** Digits are bits of an int32 mask and one text character each, so the alphabet 1..9, A..V ends here. */
export const MAX_SIZE = 31;

/** A grid: row-major, `cells` long, 0 for a blank, digits 1..size. */
export type Grid = Uint8Array;

/** Rows, columns and boxes of a Sudoku with boxes of boxRows x boxCols cells. Immutable; one object per shape. */
export interface Geometry {
  readonly boxRows: number;
  readonly boxCols: number;
  /** Cells a row, column or box has; also the number of digits. */
  readonly size: number;
  /** size * size */
  readonly cells: number;
  /** Index of the box of each cell, boxes counted row-major. */
  readonly boxOf: Uint8Array;
  /** Cell indices of unit u, `size` each: rows 0..size-1, then columns, then boxes. */
  readonly units: readonly Int16Array[];
  /** Cells that share a row, column or box with cell i, without i. */
  readonly peers: readonly Int16Array[];
}

const known = new Map<string, Geometry>();
const made = new WeakSet<Geometry>();

/**
 * The geometry with boxes of boxRows x boxCols cells (9x9: 3, 3; 6x6: 2, 3).
 * @throws ArgumentError unless both are positive integers and 2 <= boxRows * boxCols <= {@link MAX_SIZE}
 */
export function geometryOf(boxRows: number, boxCols: number): Geometry {
  const valid = Number.isInteger(boxRows) && Number.isInteger(boxCols) && boxRows > 0 && boxCols > 0;
  const size = valid ? boxRows * boxCols : 0;
  if (size < 2 || size > MAX_SIZE) {
    throw new ArgumentError(
      `sudoku: a box must be rows x columns with 2 to ${MAX_SIZE} cells, got ${describe(boxRows)} x ${describe(boxCols)}`,
    );
  }
  const key = `${boxRows}x${boxCols}`;
  let geometry = known.get(key);
  if (geometry === undefined) {
    geometry = build(boxRows, boxCols);
    known.set(key, geometry);
    made.add(geometry);
  }
  return geometry;
}

/**
 * The geometry of a size x size Sudoku with the most nearly square boxes, wider than tall (6 -> 2x3, 12 -> 3x4).
 * @throws ArgumentError when the size is prime or out of range
 */
export function geometryOfSize(size: number): Geometry {
  if (Number.isInteger(size) && size >= 4 && size <= MAX_SIZE) {
    for (let rows = Math.floor(Math.sqrt(size)); rows > 1; rows--) {
      if (size % rows === 0) return geometryOf(rows, size / rows);
    }
  }
  throw new ArgumentError(
    `sudoku: size must be a product of two box sides, 4 to ${MAX_SIZE}, got ${describe(size)}; give the box shape instead`,
  );
}

/** The geometry whose grids have `cells` cells, see {@link geometryOfSize}; undefined when there is none. */
export function geometryOfCells(cells: number): Geometry | undefined {
  const size = Math.sqrt(cells);
  try {
    return geometryOfSize(size);
  } catch (error) {
    if (error instanceof ArgumentError) return undefined;
    throw error;
  }
}

function build(boxRows: number, boxCols: number): Geometry {
  const size = boxRows * boxCols;
  const cells = size * size;
  const boxOf = new Uint8Array(cells);
  const units: Int16Array[] = [];
  for (let u = 0; u < 3 * size; u++) units.push(new Int16Array(size));
  const boxFill = new Uint8Array(size);
  for (let cell = 0; cell < cells; cell++) {
    const row = Math.floor(cell / size);
    const col = cell % size;
    const box = Math.floor(row / boxRows) * boxRows + Math.floor(col / boxCols);
    boxOf[cell] = box;
    units[row]![col] = cell;
    units[size + col]![row] = cell;
    units[2 * size + box]![boxFill[box]!++] = cell;
  }
  const peers = Array.from({ length: cells }, (_, cell) => {
    const seen = new Set<number>();
    for (const u of unitsOf(cell, size, boxOf[cell]!)) for (const peer of units[u]!) seen.add(peer);
    seen.delete(cell);
    return Int16Array.from([...seen].sort((a, b) => a - b));
  });
  return Object.freeze({ boxRows, boxCols, size, cells, boxOf, units, peers });
}

function unitsOf(cell: number, size: number, box: number): readonly [number, number, number] {
  return [Math.floor(cell / size), size + (cell % size), 2 * size + box];
}

/**
 * Checks that a value is a grid of this geometry, as every public function here does with its input.
 * @throws ArgumentError naming the first bad cell
 */
export function assertGrid(grid: unknown, geometry: Geometry, what: string): asserts grid is Grid {
  if (!types.isUint8Array(grid)) {
    throw new ArgumentError(`${what}: a grid must be a Uint8Array of digits, got ${describe(grid)}`);
  }
  const digits = grid;
  if (digits.length !== geometry.cells) {
    throw new ArgumentError(
      `${what}: a ${geometry.size}x${geometry.size} grid must have ${geometry.cells} cells, got ${digits.length}`,
    );
  }
  for (let cell = 0; cell < digits.length; cell++) {
    if (digits[cell]! > geometry.size) {
      throw new ArgumentError(`${what}: cell ${cell} must be 0 to ${geometry.size}, got ${digits[cell]}`);
    }
  }
}

/**
 * Checks that a value is a geometry from {@link geometryOf}: one made by hand might not hang together.
 * @throws ArgumentError otherwise
 */
export function requireGeometry(op: string, value: unknown): Geometry {
  if (typeof value === 'object' && value !== null && made.has(value as Geometry)) return value as Geometry;
  throw new ArgumentError(`${op}: geometry must come from geometryOf(boxRows, boxCols), got ${describe(value)}`);
}
