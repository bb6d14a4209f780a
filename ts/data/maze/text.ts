import { ArgumentError, FormatError } from '../../error';
import { describe, requireString } from '../../io/arguments';
import { FREE, mazeSizeOf, requireGrid, requireMazeSize, type MazeGrid } from './grid';

/** Character of each token (HRM section 6); `?` is padding, which no text has. */
const CHARACTERS = '?# SGo';
/** Longest accepted text: the largest maze with line ends. */
const MAX_TEXT = 65_536;

function tokenOf(character: string): number {
  return character === '.' ? FREE : CHARACTERS.indexOf(character, 1);
}

/**
 * Reads one maze: `#` a wall, space or `.` a free cell, `S` the start, `G` the goal, `o` a path cell. Either all cells on one
 * line, or one line a row (`|` ends a row, too); spaces at the end of a row may be missing, as editors cut them off.
 *
 * @param size what the maze must be; without it the text decides
 * @param what names the text in errors
 * @throws FormatError for a wrong number of cells or another character
 */
export function parseMaze(text: string, size?: number, what = 'parseMaze'): MazeGrid {
  if (typeof what !== 'string' || what === '') {
    throw new ArgumentError(`parseMaze: what must be a name, got ${describe(what)}`);
  }
  if (size !== undefined) requireMazeSize('parseMaze', size);
  requireString(what, 'a maze', text);
  if (text.length > MAX_TEXT) {
    throw new FormatError(`${what}: a maze has at most ${MAX_TEXT} characters, got ${text.length}`);
  }
  const rows = text.split(/\r?\n|\|/);
  if (rows.length > 1 && rows.at(-1) === '') rows.pop();
  return rows.length === 1 ? parseLine(rows[0]!, size, what) : parseRows(rows, size, what);
}

function parseLine(line: string, size: number | undefined, what: string): MazeGrid {
  const side = size ?? mazeSizeOf(line.length);
  if (side === undefined || line.length !== side * side) {
    const expected = side === undefined ? 'a square number of' : `${side} x ${side} = ${side * side}`;
    throw new FormatError(`${what}: a maze on one line must have ${expected} cells, got ${line.length}`);
  }
  return tokensOf(line, what, (at) => `character ${at + 1}`);
}

function parseRows(rows: readonly string[], size: number | undefined, what: string): MazeGrid {
  const side = size ?? mazeSizeOf(rows.length ** 2);
  if (side === undefined || rows.length !== side) {
    throw new FormatError(`${what}: a maze must have ${side ?? '2 to 128'} rows, got ${rows.length}`);
  }
  const long = rows.findIndex((row) => row.length > side);
  if (long >= 0) {
    throw new FormatError(`${what}: row ${long + 1} must have ${side} cells, got ${rows[long]!.length}`);
  }
  const cells = rows.map((row) => row.padEnd(side)).join('');
  return tokensOf(cells, what, (at) => `row ${Math.floor(at / side) + 1} character ${(at % side) + 1}`);
}

function tokensOf(cells: string, what: string, where: (at: number) => string): MazeGrid {
  return Uint8Array.from({ length: cells.length }, (_, at) => {
    const token = tokenOf(cells[at]!);
    if (token > 0) return token;
    throw new FormatError(
      `${what}: ${where(at)} must be '#', a space or '.', 'S', 'G' or 'o', got ${describe(cells[at])}`,
    );
  });
}

/** One line of the csv format, a space for a free cell; {@link parseMaze} reads it back. @throws ArgumentError */
export function formatMaze(grid: MazeGrid): string {
  let text = '';
  for (const token of requireGrid('formatMaze', grid)) text += CHARACTERS[token]!;
  return text;
}

/** One line a row, `.` for a free cell, so that every cell shows; {@link parseMaze} reads it back. @throws ArgumentError */
export function prettyMaze(grid: MazeGrid): string {
  const text = formatMaze(grid).replaceAll(' ', '.');
  const size = Math.sqrt(grid.length);
  return Array.from({ length: size }, (_, row) => text.slice(row * size, (row + 1) * size)).join('\n');
}
