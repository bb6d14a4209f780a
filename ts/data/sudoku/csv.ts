import { ArgumentError, FormatError } from '../../error';
import { describe } from '../../io/arguments';
import { readOptions, requireCallback, requireInteger } from '../check';
import { readCsv, type BadRow } from '../csv';
import { geometryOf, requireGeometry, type Geometry } from './geometry';
import { findConflicts, describeViolation, isSolved, keepsClues } from './rules';
import { SudokuSet } from './set';
import { solverOf } from './solver';
import { parseGrid } from './text';

const COLUMNS = ['source', 'q', 'a', 'rating'] as const;
const OPTIONS = ['geometry', 'badRows', 'unique', 'maxRows', 'maxBytes', 'onProgress'] as const;
/** How many bad rows are described; the rest are only counted. */
const MAX_REPORTED = 20;
/** A puzzle whose uniqueness needs more guesses than this is refused; hard 9x9 puzzles need some hundreds. */
const MAX_GUESSES = 1_000_000;

export interface ImportOptions {
  /** Default 9x9. */
  readonly geometry?: Geometry;
  /** 'throw' (default): the first bad row ends the import. 'skip': bad rows are left out and counted. */
  readonly badRows?: 'throw' | 'skip';
  /** Proves that every puzzle has one solution (default true): the expensive part, see docs/data.md. */
  readonly unique?: boolean;
  /** Stops after so many good rows. */
  readonly maxRows?: number;
  /** Largest decompressed size, see CsvOptions. */
  readonly maxBytes?: number;
  /** Called now and then with the rows read so far. */
  readonly onProgress?: (rows: number) => void;
}

export interface ImportResult {
  readonly set: SudokuSet;
  /** The first bad rows, at most 20. */
  readonly bad: readonly BadRow[];
  /** All bad rows. */
  readonly nBad: number;
}

/**
 * Reads puzzles in the Sudoku-Extreme format: csv, plain or gzip, columns `source,q,a,rating` (puzzle and answer as one
 * line each, `.` or `0` for blanks). A row is good when the answer keeps the clues, breaks no rule and is the only one.
 *
 * @throws FormatError naming file and line: bad header or gzip data always, a bad row unless `badRows` is 'skip'
 * @throws FileError when the file cannot be read
 */
export async function importSudokuCsv(file: string, options: ImportOptions = {}): Promise<ImportResult> {
  const op = 'importSudokuCsv';
  const given = readOptions(op, options, OPTIONS);
  const { geometry = geometryOf(3, 3), badRows = 'throw', unique = true, maxRows = Infinity, maxBytes } = given;
  requireGeometry(op, geometry);
  requireCallback(op, 'onProgress', given.onProgress);
  if (maxBytes !== undefined) requireInteger(op, 'maxBytes', maxBytes, 1, Number.MAX_SAFE_INTEGER);
  if (maxRows !== Infinity) requireInteger(op, 'maxRows', maxRows, 1, Number.MAX_SAFE_INTEGER);
  if (typeof unique !== 'boolean') throw new ArgumentError(`${op}: unique must be a boolean, got ${describe(unique)}`);
  if (badRows !== 'throw' && badRows !== 'skip') {
    throw new ArgumentError(`importSudokuCsv: badRows must be 'throw' or 'skip', got ${describe(badRows)}`);
  }
  const set = new SudokuSet(geometry);
  const bad: BadRow[] = [];
  let nBad = 0;
  for await (const lines of readCsv(file, { columns: COLUMNS, ...(maxBytes === undefined ? {} : { maxBytes }) })) {
    for (const { line, fields, problem } of lines) {
      const reason = fields === undefined ? problem : pushRow(set, fields, unique);
      if (reason !== undefined) {
        if (badRows === 'throw') throw new FormatError(`importSudokuCsv: ${file}: line ${line}: ${reason}`);
        if (nBad++ < MAX_REPORTED) bad.push({ line, reason });
      }
      if (set.length >= maxRows) return { set, bad, nBad };
    }
    given.onProgress?.(set.length + nBad);
  }
  return { set, bad, nBad };
}

/** Adds a row to the set, or says why not. */
function pushRow(set: SudokuSet, fields: readonly string[], unique: boolean): string | undefined {
  const { geometry } = set;
  const [, q, a, rating] = fields as [string, string, string, string];
  if (!/^\d{1,9}$/.test(rating)) return `rating must be an integer from 0 to 999999999, got ${describe(rating)}`;
  const puzzle = readGrid(q, geometry, 'q');
  if (typeof puzzle === 'string') return puzzle;
  const solution = readGrid(a, geometry, 'a');
  if (typeof solution === 'string') return solution;
  const { problem } = examineRow(puzzle, solution, geometry, unique);
  if (problem === undefined) set.push(puzzle, solution, Number(rating));
  return problem;
}

function readGrid(text: string, geometry: Geometry, column: string): Uint8Array | string {
  // A cell is a character here: layout that parseGrid skips elsewhere would be damage.
  if (text.length !== geometry.cells) return `${column} must have ${geometry.cells} cells, got ${text.length}`;
  try {
    return parseGrid(text, geometry, column).grid;
  } catch (error) {
    if (error instanceof FormatError) return error.message;
    throw error;
  }
}

/** What {@link examineRow} found. */
export interface RowFinding {
  /** Why the puzzle and its answer are no good; undefined when they are. */
  readonly problem: string | undefined;
  /** Guesses to the solution, when uniqueness was looked at. */
  readonly guesses: number | undefined;
}

/** Checks a puzzle with its answer: rules, clues and, on request, that it is the only answer. */
export function examineRow(puzzle: Uint8Array, solution: Uint8Array, geometry: Geometry, unique: boolean): RowFinding {
  if (!isSolved(solution, geometry)) {
    const [conflict] = findConflicts(solution, geometry);
    const reason =
      conflict === undefined ? 'has blank cells' : `breaks a rule: ${describeViolation(conflict, geometry)}`;
    return { problem: `the answer ${reason}`, guesses: undefined };
  }
  if (!keepsClues(puzzle, solution)) {
    const cell = puzzle.findIndex((digit, i) => digit !== 0 && digit !== solution[i]);
    const clue = { rule: 'clue', index: cell, digit: puzzle[cell]!, cells: [cell] } as const;
    const problem = `the answer does not match the puzzle: ${describeViolation(clue, geometry)}`;
    return { problem, guesses: undefined };
  }
  if (!unique) return { problem: undefined, guesses: undefined };
  const { solutions, complete, guesses } = solverOf(geometry).solve(puzzle, { limit: 2, maxGuesses: MAX_GUESSES });
  if (solutions > 1) return { problem: 'the puzzle is ambiguous: it has several solutions', guesses };
  const problem = complete ? undefined : `uniqueness could not be decided within ${MAX_GUESSES} guesses`;
  return { problem, guesses };
}
