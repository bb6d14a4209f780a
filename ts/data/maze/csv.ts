import { ArgumentError, FormatError } from '../../error';
import { describe } from '../../io/arguments';
import { readOptions, requireCallback, requireInteger } from '../check';
import { readCsv, type BadRow } from '../csv';
import { mazeProblem, mazeSizeOf, requireMazeSize, type MazeGrid } from './grid';
import { mazeViolations } from './rules';
import { searchOf } from './search';
import { MazeSet } from './set';
import { parseMaze } from './text';

const COLUMNS = ['source', 'q', 'a', 'rating'] as const;
const OPTIONS = ['size', 'badRows', 'maxRows', 'maxBytes', 'onProgress'] as const;
/** How many bad rows are described; the rest are only counted. */
const MAX_REPORTED = 20;

export interface MazeImportOptions {
  /** Default: that of the first row. */
  readonly size?: number;
  /** 'throw' (default): the first bad row ends the import. 'skip': bad rows are left out and counted. */
  readonly badRows?: 'throw' | 'skip';
  /** Stops after so many good rows. */
  readonly maxRows?: number;
  /** Largest decompressed size, see CsvOptions. */
  readonly maxBytes?: number;
  /** Called now and then with the rows read so far. */
  readonly onProgress?: (rows: number) => void;
}

export interface MazeImportResult {
  readonly set: MazeSet;
  /** The first bad rows, at most 20. */
  readonly bad: readonly BadRow[];
  /** All bad rows. */
  readonly nBad: number;
}

/**
 * Reads mazes in the official format: csv, plain or gzip, columns `source,q,a,rating` (maze and answer as one line each of
 * `# SGo`). A row is good when the maze has a path and the answer marks a shortest one, whichever.
 *
 * @throws FormatError naming file and line: bad header or gzip data always, a bad row unless `badRows` is 'skip', a file
 *   without a good row
 * @throws FileError when the file cannot be read
 */
export async function importMazeCsv(file: string, options: MazeImportOptions = {}): Promise<MazeImportResult> {
  const op = 'importMazeCsv';
  const given = readOptions(op, options, OPTIONS);
  const { badRows = 'throw', maxRows = Infinity, maxBytes } = given;
  let { size } = given;
  if (size !== undefined) requireMazeSize(op, size);
  requireCallback(op, 'onProgress', given.onProgress);
  if (maxBytes !== undefined) requireInteger(op, 'maxBytes', maxBytes, 1, Number.MAX_SAFE_INTEGER);
  if (maxRows !== Infinity) requireInteger(op, 'maxRows', maxRows, 1, Number.MAX_SAFE_INTEGER);
  if (badRows !== 'throw' && badRows !== 'skip') {
    throw new ArgumentError(`${op}: badRows must be 'throw' or 'skip', got ${describe(badRows)}`);
  }
  let set: MazeSet | undefined;
  const bad: BadRow[] = [];
  let nBad = 0;
  for await (const lines of readCsv(file, { columns: COLUMNS, ...(maxBytes === undefined ? {} : { maxBytes }) })) {
    for (const { line, fields, problem } of lines) {
      const row = fields === undefined ? problem : readRow(fields, size);
      if (typeof row === 'string') {
        if (badRows === 'throw') throw new FormatError(`${op}: ${file}: line ${line}: ${row}`);
        if (nBad++ < MAX_REPORTED) bad.push({ line, reason: row });
        continue;
      }
      size = Math.sqrt(row.maze.length);
      set ??= new MazeSet(size);
      set.push(row.maze, row.answer, row.rating);
      if (set.length >= maxRows) return { set, bad, nBad };
    }
    given.onProgress?.((set?.length ?? 0) + nBad);
  }
  set ??= size === undefined ? undefined : new MazeSet(size);
  if (set !== undefined) return { set, bad, nBad };
  const reason = bad[0] === undefined ? 'none' : `line ${bad[0].line}: ${bad[0].reason}`;
  throw new FormatError(`${op}: ${file}: must have a good row, got ${reason}`);
}

interface Row {
  readonly maze: MazeGrid;
  readonly answer: MazeGrid;
  readonly rating: number;
}

/** A row's maze, answer and rating, or why it has none. */
function readRow(fields: readonly string[], size: number | undefined): Row | string {
  const [, q, a, rating] = fields as [string, string, string, string];
  if (!/^\d{1,9}$/.test(rating)) return `rating must be an integer from 0 to 999999999, got ${describe(rating)}`;
  const side = size ?? mazeSizeOf(q.length);
  if (side === undefined) return `q must have a square number of cells, got ${q.length}`;
  for (const [name, text] of [
    ['q', q],
    ['a', a],
  ] as const) {
    // A cell is a character here: what parseMaze also takes elsewhere would be damage.
    if (text.length !== side * side) return `${name} must have ${side} x ${side} cells, got ${text.length}`;
    const wrong = /[^# SGo]/.exec(text);
    if (wrong) return `${name}: character ${wrong.index + 1} must be one of "# SGo", got ${describe(wrong[0])}`;
  }
  const [maze, answer] = [parseMaze(q, side, 'q'), parseMaze(a, side, 'a')];
  const problem = examineMaze(maze, answer);
  return problem ?? { maze, answer, rating: Number(rating) };
}

/** Why a maze and its answer are no good: no maze, no path, or an answer that is no shortest path; undefined when they are. */
export function examineMaze(maze: MazeGrid, answer: MazeGrid): string | undefined {
  const problem = mazeProblem(maze);
  if (problem !== undefined) return problem;
  if (searchOf(Math.sqrt(maze.length)).moves(maze) < 0) return 'the maze has no path from S to G';
  const [fault] = mazeViolations(maze, answer);
  return fault === undefined ? undefined : `the answer is wrong: ${fault}`;
}
