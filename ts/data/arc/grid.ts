import { types } from 'node:util';
import { ArgumentError } from '../../error';
import { describe } from '../../io/arguments';
import { readFields, requireInteger } from '../../tensor/arguments';

/** Colours of a cell, 0 (black) to 9. */
export const N_COLOURS = 10;
/** Rows and columns that a grid of a task can have at most, and the side of the official canvas. */
export const MAX_SIDE = 30;

/** A grid of colours, row-major. A decoded prediction may be empty (0 x 0). */
export interface ArcGrid {
  readonly rows: number;
  readonly cols: number;
  /** [rows * cols], 0..9 */
  readonly cells: Uint8Array;
}

/** A pair of a task; the output is null where it is not published. */
export interface ArcPair {
  readonly input: ArcGrid;
  readonly output: ArcGrid | null;
}

/** Checks a grid that a caller may have put together. @throws ArgumentError */
export function requireArcGrid(op: string, value: unknown): ArcGrid {
  const { rows, cols, cells } = readFields(op, 'grid', value as ArcGrid, ['rows', 'cols', 'cells']);
  requireInteger(op, 'grid.rows', rows, 0, MAX_SIDE);
  requireInteger(op, 'grid.cols', cols, 0, MAX_SIDE);
  if (!types.isUint8Array(cells) || cells.length !== rows * cols || hasOther(cells)) {
    throw new ArgumentError(
      `${op}: grid.cells must be a Uint8Array of ${rows} x ${cols} colours from 0 to 9, got ${describe(cells)}`,
    );
  }
  return { rows, cols, cells };
}

function hasOther(cells: Uint8Array): boolean {
  for (let i = 0; i < cells.length; i++) if (cells[i]! >= N_COLOURS) return true;
  return false;
}

/** A text that only equal grids share. */
export function gridKey({ rows, cols, cells }: ArcGrid): string {
  const text = Buffer.from(cells.buffer, cells.byteOffset, cells.length).toString('latin1');
  return String.fromCharCode(rows, cols) + text;
}

/** A text that only equal pairs share: a grid's key says how long it is. */
export function pairKey({ input, output }: ArcPair): string {
  return gridKey(input) + (output === null ? '' : gridKey(output));
}

/** The rows of a grid as lists of colours, as task files have them. */
export function rowsOf({ rows, cols, cells }: ArcGrid): number[][] {
  return Array.from({ length: rows }, (_, row) => Array.from(cells.subarray(row * cols, (row + 1) * cols)));
}
