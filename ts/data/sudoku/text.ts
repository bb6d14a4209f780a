import { types } from 'node:util';
import { ArgumentError, FormatError } from '../../error';
import { describe } from '../../io/arguments';
import { assertGrid, geometryOfCells, requireGeometry, type Geometry, type Grid } from './geometry';

const DIGITS = '.123456789ABCDEFGHIJKLMNOPQRSTUV';
/** Longest accepted text: the largest grid, pretty-printed, several times over. */
const MAX_TEXT = 65_536;

/** A grid and the geometry it was read with. */
export interface ParsedGrid {
  readonly grid: Grid;
  readonly geometry: Geometry;
}

/** Digit 0..31 of one character; -1 for what is no digit. */
function digitOf(code: number): number {
  if (code === 0x2e) return 0;
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code & ~0x20;
  return letter >= 0x41 && letter <= 0x56 ? letter - 0x41 + 10 : -1;
}

/** White space, ASCII and Unicode (U+2500..U+257F) box drawing. */
function isLayout(code: number): boolean {
  if (code === 0x20 || (code >= 0x09 && code <= 0x0d) || code === 0xa0 || code === 0xfeff) return true;
  if (code === 0x7c || code === 0x2b || code === 0x2d || code === 0x3d) return true;
  return code >= 0x2500 && code <= 0x257f;
}

/**
 * Reads one grid: digits 1-9, letters from A for 10 upward (either case), `.` or `0` for a blank; white space and box
 * drawing (`|`, `+`, `-`, `=`, and the Unicode block) are skipped.
 *
 * @param text at most 64 KiB
 * @param geometry what the text must be; without it the number of cells decides (see `geometryOfCells`)
 * @param what names the text in errors
 * @throws FormatError for a wrong number of cells or a character or digit that does not belong
 */
export function parseGrid(text: string, geometry?: Geometry, what = 'parseGrid'): ParsedGrid {
  if (typeof what !== 'string' || what === '')
    throw new ArgumentError(`parseGrid: what must be a name, got ${describe(what)}`);
  if (geometry !== undefined) requireGeometry('parseGrid', geometry);
  if (typeof text !== 'string') throw new ArgumentError(`${what}: expected text, got ${describe(text)}`);
  if (text.length > MAX_TEXT) {
    throw new FormatError(`${what}: a grid has at most ${MAX_TEXT} characters, got ${text.length}`);
  }
  const digits: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (isLayout(code)) continue;
    const digit = digitOf(code);
    if (digit < 0) {
      throw new FormatError(
        `${what}: character ${i + 1} must be a digit, letter, '.' or '0', got ${describe(text[i])}`,
      );
    }
    digits.push(digit);
  }
  const shape = geometry ?? geometryOfCells(digits.length);
  if (shape === undefined) {
    throw new FormatError(`${what}: expected a square grid such as 16, 36 or 81 cells, got ${digits.length} cells`);
  }
  if (digits.length !== shape.cells) {
    throw new FormatError(
      `${what}: a ${shape.size}x${shape.size} grid must have ${shape.cells} cells, got ${digits.length}; a blank is . or 0`,
    );
  }
  const tooLarge = digits.findIndex((digit) => digit > shape.size);
  if (tooLarge >= 0) {
    throw new FormatError(
      `${what}: cell ${tooLarge + 1} must be at most ${DIGITS[shape.size]} in a ${shape.size}x${shape.size} grid, ` +
        `got ${DIGITS[digits[tooLarge]!]}`,
    );
  }
  return { grid: Uint8Array.from(digits), geometry: shape };
}

/** One line, `.` for blanks; {@link parseGrid} reads it back. */
export function formatGrid(grid: Grid): string {
  if (!types.isUint8Array(grid))
    throw new ArgumentError(`formatGrid: grid must be a Uint8Array, got ${describe(grid)}`);
  let text = '';
  for (let cell = 0; cell < grid.length; cell++) text += DIGITS[grid[cell]!] ?? '?';
  return text;
}

/**
 * Several lines with the boxes drawn in ASCII; {@link parseGrid} reads it back.
 * @throws ArgumentError when the grid does not fit the geometry
 */
export function prettyGrid(grid: Grid, geometry: Geometry): string {
  assertGrid(grid, requireGeometry('prettyGrid', geometry), 'prettyGrid');
  const { size, boxRows, boxCols } = geometry;
  const rule = `+${`${'-'.repeat(2 * boxCols + 1)}+`.repeat(size / boxCols)}`;
  const lines = [rule];
  for (let row = 0; row < size; row++) {
    let line = '|';
    for (let col = 0; col < size; col++) {
      line += ` ${DIGITS[grid[row * size + col]!]}${col % boxCols === boxCols - 1 ? ' |' : ''}`;
    }
    lines.push(line);
    if (row % boxRows === boxRows - 1) lines.push(rule);
  }
  return lines.join('\n');
}

/** The character of a digit, `.` for 0. */
export function digitText(digit: number): string {
  return DIGITS[digit] ?? '?';
}
