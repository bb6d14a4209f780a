import { types } from 'node:util';
import { ArgumentError } from '../../error';
import { describe } from '../../io/arguments';
import { readArray, requireInteger } from '../../tensor/arguments';
import { MAX_SIDE, N_COLOURS, requireArcGrid, type ArcGrid } from './grid';

/** Tokens (HRM section 6): 0 padding, 1 end of the grid, 2..11 the colours. */
export const PAD = 0;
export const EOS = 1;
export const COLOUR_OFFSET = 2;
export const VOCAB_SIZE = COLOUR_OFFSET + N_COLOURS;

/** Where a grid lies on the canvas. */
export interface ArcPlace {
  /** Side of the square canvas; official 30. */
  readonly canvas: number;
  readonly row: number;
  readonly col: number;
}

/**
 * Writes a grid as the canvas^2 tokens at `offset`: colours + 2 at its place; the row below and the column to the right of
 * it hold end tokens along the grid (not at their corner) and are left out where the canvas ends; padding elsewhere.
 */
export function encodeInto(grid: ArcGrid, { canvas, row, col }: ArcPlace, to: Uint8Array | Int32Array, offset: number) {
  const { rows, cols, cells } = grid;
  to.fill(PAD, offset, offset + canvas * canvas);
  const first = offset + row * canvas + col;
  for (let i = 0, from = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) to[first + i * canvas + j] = cells[from++]! + COLOUR_OFFSET;
    if (col + cols < canvas) to[first + i * canvas + cols] = EOS;
  }
  if (row + rows < canvas) to.fill(EOS, first + rows * canvas, first + rows * canvas + cols);
}

/**
 * The largest rectangle of colours alone with its top left corner at (row, col) of the canvas at `offset`; among equals the
 * one with fewest rows; empty where there is none. (The official `crop`.)
 */
export function decodeFrom(tokens: ArrayLike<number>, { canvas, row, col }: ArcPlace, offset: number): ArcGrid {
  let [rows, cols] = [0, 0];
  let width = canvas - col;
  for (let height = 1; row + height <= canvas && width > 0; height++) {
    const first = offset + (row + height - 1) * canvas + col;
    for (let j = 0; j < width; j++) {
      const token = tokens[first + j]!;
      if (!(token >= COLOUR_OFFSET && token < VOCAB_SIZE)) width = j;
    }
    if (height * width > rows * cols) [rows, cols] = [height, width];
  }
  const cells = new Uint8Array(rows * cols);
  for (let i = 0, to = 0; i < rows; i++) {
    const first = offset + (row + i) * canvas + col;
    for (let j = 0; j < cols; j++) cells[to++] = tokens[first + j]! - COLOUR_OFFSET;
  }
  return { rows, cols, cells };
}

/** The top left corner of an encoded grid: the first token that is no padding; null on an empty canvas. */
export function findCorner(tokens: ArrayLike<number>, canvas: number, offset: number): ArcPlace | null {
  for (let i = 0; i < canvas * canvas; i++) {
    if (tokens[offset + i]! > PAD) return { canvas, row: Math.floor(i / canvas), col: i % canvas };
  }
  return null;
}

/** Side of the square canvas of so many tokens; undefined where they are no square of at most 30. */
export function canvasOf(seqLen: number): number | undefined {
  const canvas = Math.round(Math.sqrt(seqLen));
  return canvas * canvas === seqLen && canvas <= MAX_SIDE ? canvas : undefined;
}

/**
 * A grid as canvas^2 tokens (HRM section 6), by default in the top left corner of the official 30 x 30 canvas.
 * @throws ArgumentError when it does not fit
 */
export function encodeArcGrid(grid: ArcGrid, canvas: number = MAX_SIDE, row = 0, col = 0): Uint8Array {
  const op = 'encodeArcGrid';
  const checked = requireArcGrid(op, grid);
  requireInteger(op, 'canvas', canvas, 1, MAX_SIDE);
  requireInteger(op, 'row', row, 0, canvas - 1);
  requireInteger(op, 'col', col, 0, canvas - 1);
  if (row + checked.rows > canvas || col + checked.cols > canvas) {
    throw new ArgumentError(
      `${op}: the grid must fit on the canvas of side ${canvas} at (${row}, ${col}), got ${checked.rows} x ${checked.cols}`,
    );
  }
  const tokens = new Uint8Array(canvas * canvas);
  encodeInto(checked, { canvas, row, col }, tokens, 0);
  return tokens;
}

/**
 * The grid that tokens of a square canvas say, such as a model's argmax: the largest rectangle of colours from the top left
 * corner on, possibly empty.
 * @throws ArgumentError when the tokens are no square canvas
 */
export function decodeArcGrid(tokens: ArrayLike<number>): ArcGrid {
  const known = types.isUint8Array(tokens) || types.isInt32Array(tokens);
  // What is no number is no colour.
  const read: ArrayLike<number> = known
    ? tokens
    : readArray('decodeArcGrid', 'tokens', tokens).map((token) => (typeof token === 'number' ? token : PAD));
  const canvas = canvasOf(read.length);
  if (canvas === undefined || canvas === 0) {
    throw new ArgumentError(`decodeArcGrid: tokens must be a square canvas of side 1 to 30, got ${describe(tokens)}`);
  }
  return decodeFrom(read, { canvas, row: 0, col: 0 }, 0);
}
