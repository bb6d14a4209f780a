import { types } from 'node:util';
import { ArgumentError } from '../../error';
import { describe, readArgument } from '../../io/arguments';
import { readArray } from '../../tensor/arguments';
import { readOptions, requireInteger } from '../check';
import { Philox, streamOf } from '../philox';
import { finish } from '../turns';
import { assertGrid, requireGeometry, type Geometry, type Grid } from './geometry';
import { isSolved } from './rules';
import { SudokuSet } from './set';
import { solverOf, type SudokuSolver } from './solver';
import { formatGrid } from './text';

/** What to generate; see {@link generateSudoku}. */
export interface GenerateOptions {
  readonly geometry: Geometry;
  /** How many puzzles. */
  readonly count: number;
  /** Safe integer or bigint in [0, 2^64). */
  readonly seed: number | bigint;
  /**
   * Inclusive range of blank cells, the number drawn uniformly for each puzzle; or 'minimal': no clue can go without
   * losing uniqueness.
   */
  readonly blanks: { readonly min: number; readonly max: number } | 'minimal';
  /** Solution grids to use, one drawn for each puzzle; without it every puzzle gets a random grid of its own. */
  readonly solutions?: readonly Grid[];
  /** Solution grids (as `formatGrid` texts) that no puzzle may have. */
  readonly avoidSolutions?: ReadonlySet<string>;
  /** Number of the part, 0 to 14, so that several parts made from one seed draw numbers of their own. */
  readonly part?: number;
}

const OPTIONS = ['geometry', 'count', 'seed', 'blanks', 'solutions', 'avoidSolutions', 'part'] as const;
/** Purposes of Philox streams under a generator's seed. */
const PUZZLE_STREAM = 1;
const MAX_PARTS = 15;
/** Tries a puzzle gets (each with a fresh grid and order of removal) before the request counts as impossible. */
const MAX_ATTEMPTS = 2000;
/** A random fill that needs more guesses than this is restarted: the search got stuck, not the grid. */
const FILL_GUESSES = 200;
/** A uniqueness proof that needs more guesses keeps the clue instead (only seen above 16x16). */
const PROOF_GUESSES = 100_000;

/**
 * Puzzles with exactly one solution, no two alike, the same for the same options.
 *
 * Each starts from a random solved grid, from which clues are removed in random order while the solution stays unique.
 * The difficulty ratings are `SolveResult.guesses`.
 *
 * @throws ArgumentError for bad options, and when the request cannot be met (too many blanks, or all puzzles used up)
 */
export function generateSudoku(options: GenerateOptions): SudokuSet {
  return finish(generatingSudoku(options));
}

/** {@link generateSudoku} as a loop that can pause; yields the number of puzzles made. */
export function* generatingSudoku(options: GenerateOptions): Generator<number, SudokuSet> {
  const op = 'generateSudoku';
  const { geometry, count, seed, blanks, solutions, avoidSolutions, part = 0 } = readOptions(op, options, OPTIONS);
  requireGeometry(op, geometry);
  const wanted = blanks === 'minimal' ? undefined : checkedRange(blanks, geometry);
  requireInteger(op, 'count', count, 0, Math.floor(2 ** 31 / geometry.cells));
  if (solutions !== undefined) checkSolutions(solutions, geometry);
  requireInteger(op, 'part', part, 0, MAX_PARTS - 1);
  if (avoidSolutions !== undefined && !types.isSet(avoidSolutions)) {
    throw new ArgumentError(`${op}: avoidSolutions must be a Set of texts, got ${describe(avoidSolutions)}`);
  }
  const taken = new Set<string>();
  const solver = solverOf(geometry);
  const set = new SudokuSet(geometry);
  const rng = new Philox(seed);
  for (let i = 0; i < count; i++) {
    yield i;
    rng.seek(streamOf(PUZZLE_STREAM + part, i));
    const target = wanted === undefined ? geometry.cells : wanted.min + rng.below(wanted.max - wanted.min + 1);
    let attempt = 0;
    for (; attempt < MAX_ATTEMPTS; attempt++) {
      const solution = solutions?.[rng.below(solutions.length)] ?? randomSolution(geometry, rng);
      if (avoidSolutions?.has(formatGrid(solution)) === true) continue;
      const puzzle = dig(solver, solution, target, rng);
      if (wanted !== undefined && blanksOf(puzzle) !== target) continue;
      const text = formatGrid(puzzle);
      if (taken.has(text)) continue;
      taken.add(text);
      set.push(puzzle, solution, solver.solve(puzzle, { limit: 1 }).guesses);
      break;
    }
    if (attempt === MAX_ATTEMPTS) {
      throw new ArgumentError(
        `generateSudoku: no new ${geometry.size}x${geometry.size} puzzle with ` +
          `${wanted === undefined ? 'minimal clues' : `${target} blanks`} in ${MAX_ATTEMPTS} tries, ` +
          `${i} of ${count} made; ask for fewer blanks or fewer puzzles`,
      );
    }
  }
  return set;
}

function checkedRange(blanks: unknown, geometry: Geometry): { min: number; max: number } {
  const { min, max } = readArgument('generateSudoku', 'blanks', () => ({
    ...(typeof blanks === 'object' && blanks !== null ? (blanks as { min?: number; max?: number }) : {}),
  }));
  const valid = Number.isInteger(min) && Number.isInteger(max) && Number(min) >= 0 && Number(min) <= Number(max);
  if (!valid || Number(max) > geometry.cells) {
    throw new ArgumentError(
      `generateSudoku: blanks must be 'minimal' or 0 <= min <= max <= ${geometry.cells}, ` +
        `got ${describe(min)} to ${describe(max)}`,
    );
  }
  return { min: Number(min), max: Number(max) };
}

function checkSolutions(solutions: readonly Grid[], geometry: Geometry): void {
  const list = readArray('generateSudoku', 'solutions', solutions, 'an array of grids');
  if (list.length === 0) throw new ArgumentError('generateSudoku: solutions must not be empty');
  list.forEach((solution, i) => {
    assertGrid(solution, geometry, `generateSudoku: solution ${i}`);
    if (!isSolved(solution, geometry)) throw new ArgumentError(`generateSudoku: solution ${i} must be a solved grid`);
  });
}

/**
 * A random solved grid. Not exactly uniform, but every grid can come out.
 * @throws ArgumentError when the search keeps getting stuck (not seen up to 30x30)
 */
export function randomSolution(geometry: Geometry, rng: Philox): Grid {
  const solver = solverOf(geometry);
  const empty = new Uint8Array(geometry.cells);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    // A random first row spreads the draw over all relabellings; the rest is random search with restarts.
    const row = rng.permutation(geometry.size);
    for (let col = 0; col < geometry.size; col++) empty[col] = row[col]! + 1;
    const { solution } = solver.solve(empty, { limit: 1, rng, maxGuesses: FILL_GUESSES + geometry.cells });
    if (solution !== null) return solution;
  }
  throw new ArgumentError(
    `generateSudoku: no ${geometry.size}x${geometry.size} grid found in ${MAX_ATTEMPTS} searches; use a smaller size`,
  );
}

/** Removes clues in random order while the solution stays unique, until `target` cells are blank or none can go. */
function dig(solver: SudokuSolver, solution: Grid, target: number, rng: Philox): Grid {
  const puzzle = solution.slice();
  let blanks = 0;
  for (const cell of rng.permutation(puzzle.length)) {
    if (blanks === target) break;
    const digit = puzzle[cell]!;
    puzzle[cell] = 0;
    // The puzzle was unique with this clue, so another solution must differ in this cell.
    const other = solver.solve(puzzle, { limit: 1, forbid: { cell, digit }, maxGuesses: PROOF_GUESSES });
    if (other.solutions === 0 && other.complete) blanks++;
    else puzzle[cell] = digit;
  }
  return puzzle;
}

/** Number of blank cells. */
export function blanksOf(puzzle: Grid): number {
  if (!types.isUint8Array(puzzle))
    throw new ArgumentError(`blanksOf: puzzle must be a Uint8Array, got ${describe(puzzle)}`);
  let blanks = 0;
  for (const digit of puzzle) if (digit === 0) blanks++;
  return blanks;
}

/**
 * All solved grids of a small geometry in lexicographic order (4x4: 288).
 * @throws ArgumentError when there are more than `limit`
 */
export function enumerateSolutions(geometry: Geometry, limit = 10_000): Grid[] {
  const grids: Grid[] = [];
  requireGeometry('enumerateSolutions', geometry);
  requireInteger('enumerateSolutions', 'limit', limit, 1, 2 ** 24);
  solverOf(geometry).solve(new Uint8Array(geometry.cells), {
    limit: limit + 1,
    onSolution: (solution) => grids.push(solution.slice()),
  });
  if (grids.length > limit) {
    throw new ArgumentError(`enumerateSolutions: more than ${limit} grids of ${geometry.size}x${geometry.size}`);
  }
  return grids.sort(compareGrids);
}

function compareGrids(a: Grid, b: Grid): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}
