import { ArgumentError } from '../../error';
import { describe } from '../../io/arguments';
import { readOptions, requireInteger } from '../check';
import { Philox } from '../philox';
import { finish } from '../turns';
import { blanksOf, enumerateSolutions, generatingSudoku, type GenerateOptions } from './generate';
import { requireGeometry, type Geometry, type Grid } from './geometry';
import { requireSudokuSet, type SudokuSet } from './set';
import { formatGrid } from './text';

/** Up to this many cells all solved grids are listed and divided; above, there are too many to meet one twice. */
const MAX_ENUMERATED_CELLS = 16;
const OPTIONS = ['geometry', 'seed', 'blanks', 'trainPuzzles', 'validPuzzles', 'testPuzzles'] as const;
const VALID_SHARE = 1 / 12;
const TEST_SHARE = 1 / 6;

/** What to make; see {@link generateSplits}. */
export interface SplitOptions extends Pick<GenerateOptions, 'geometry' | 'seed' | 'blanks'> {
  readonly trainPuzzles: number;
  readonly validPuzzles: number;
  readonly testPuzzles: number;
}

/** Three sets without a puzzle or solution grid in common, and the guard that keeps augmentation from making one. */
export interface SudokuSplits {
  readonly train: SudokuSet;
  readonly valid: SudokuSet;
  readonly test: SudokuSet;
  /** For AugmentOptions: refuses grids of the validation and test side. */
  readonly accept: (solution: Grid) => boolean;
}

/**
 * Generates training, validation and test puzzles split by solution grid, before any augmentation.
 *
 * Relabelling and symmetries map grids onto each other (the 288 4x4 grids are two orbits), so an augmented training row can
 * land on a held-out grid: `accept` refuses it.
 *
 * @throws ArgumentError when the request cannot be met
 */
export function generateSplits(options: SplitOptions): SudokuSplits {
  return finish(generatingSplits(options));
}

/** {@link generateSplits} as a loop that can pause; yields the number of puzzles made of the part at hand. */
export function* generatingSplits(options: SplitOptions): Generator<number, SudokuSplits> {
  const op = 'generateSplits';
  const { geometry, seed, blanks, trainPuzzles, validPuzzles, testPuzzles } = readOptions(op, options, OPTIONS);
  requireGeometry(op, geometry);
  const counts = [trainPuzzles, validPuzzles, testPuzzles];
  for (const count of counts) requireInteger(op, 'the number of puzzles', count, 0, 2 ** 31 - 1);
  const held = new Set<string>();
  const grids = geometry.cells <= MAX_ENUMERATED_CELLS ? divideGrids(geometry, seed) : undefined;
  // The test side first: it decides what the others must keep clear of.
  const parts: SudokuSet[] = [];
  for (const part of [2, 1, 0]) {
    const solutions = grids?.[part];
    const set = yield* generatingSudoku({
      geometry,
      seed,
      blanks,
      part,
      count: counts[part]!,
      avoidSolutions: held,
      ...(solutions === undefined ? {} : { solutions }),
    });
    if (part > 0) for (const text of solutions?.map(formatGrid) ?? gridsOf(set)) held.add(text);
    parts.push(set);
  }
  const [test, valid, train] = parts as [SudokuSet, SudokuSet, SudokuSet];
  return { train, valid, test, accept: (solution) => !held.has(formatGrid(solution)) };
}

/** All grids, divided at random into those for training, validation and test. */
function divideGrids(geometry: Geometry, seed: number | bigint): readonly [Grid[], Grid[], Grid[]] {
  const grids = new Philox(seed).shuffle(enumerateSolutions(geometry));
  const nTest = Math.round(grids.length * TEST_SHARE);
  const nValid = Math.round(grids.length * VALID_SHARE);
  if (nTest < 1 || nValid < 1) {
    throw new ArgumentError(
      `generateSplits: ${geometry.size}x${geometry.size} has only ${grids.length} grids to split`,
    );
  }
  return [grids.slice(nTest + nValid), grids.slice(nTest, nTest + nValid), grids.slice(0, nTest)];
}

/** Texts of the distinct solution grids of a set. */
export function gridsOf(set: SudokuSet): Set<string> {
  const texts = new Set<string>();
  for (let i = 0; i < set.length; i++) texts.add(formatGrid(set.solution(i)));
  return texts;
}

/**
 * Divides a set in two so that no solution grid is on both sides: about `fraction` of the distinct grids, chosen by the
 * seed, with all their puzzles go to the second.
 * @throws ArgumentError unless 0 < fraction < 1 leaves grids on both sides
 */
export function splitByGrid(set: SudokuSet, fraction: number, seed: number | bigint): [SudokuSet, SudokuSet] {
  const grids = [...gridsOf(requireSudokuSet('splitByGrid', set))];
  const nSecond = typeof fraction === 'number' ? Math.round(grids.length * fraction) : 0;
  if (typeof fraction !== 'number' || !(fraction > 0 && fraction < 1) || nSecond < 1 || nSecond >= grids.length) {
    throw new ArgumentError(
      `splitByGrid: fraction must leave some of ${grids.length} grids on both sides, got ${describe(fraction)}`,
    );
  }
  const second = new Set(new Philox(seed).shuffle(grids).slice(0, nSecond));
  const sides: [number[], number[]] = [[], []];
  for (let i = 0; i < set.length; i++) sides[second.has(formatGrid(set.solution(i))) ? 1 : 0].push(i);
  return [set.select(sides[0]), set.select(sides[1])];
}

/** Distinct puzzles and solution grids that two sets share. */
export interface Overlap {
  readonly puzzles: number;
  readonly solutions: number;
}

/** Counts the distinct puzzles and solution grids that two sets share. @throws ArgumentError */
export function overlapOf(a: SudokuSet, b: SudokuSet): Overlap {
  requireSudokuSet('overlapOf', a);
  requireSudokuSet('overlapOf', b);
  const puzzles = new Set<string>();
  for (let i = 0; i < a.length; i++) puzzles.add(formatGrid(a.puzzle(i)));
  const shared = new Set<string>();
  for (let i = 0; i < b.length; i++) {
    const text = formatGrid(b.puzzle(i));
    if (puzzles.has(text)) shared.add(text);
  }
  const grids = gridsOf(a);
  const solutions = [...gridsOf(b)].filter((text) => grids.has(text)).length;
  return { puzzles: shared.size, solutions };
}

/** @throws ArgumentError when two sets share a puzzle or a solution grid */
export function assertDisjoint(a: SudokuSet, b: SudokuSet, what: string): void {
  if (typeof what !== 'string' || what === '')
    throw new ArgumentError(`assertDisjoint: what must be a name, got ${describe(what)}`);
  const { puzzles, solutions } = overlapOf(a, b);
  if (puzzles + solutions > 0) {
    throw new ArgumentError(
      `${what}: must share nothing, got ${puzzles} puzzles and ${solutions} solution grids in both`,
    );
  }
}

/** How many puzzles have how many blanks, by ascending number of blanks. */
export function blanksHistogram(set: SudokuSet): Map<number, number> {
  requireSudokuSet('blanksHistogram', set);
  const counts = new Map<number, number>();
  for (let i = 0; i < set.length; i++) {
    const blanks = blanksOf(set.puzzle(i));
    counts.set(blanks, (counts.get(blanks) ?? 0) + 1);
  }
  return new Map([...counts].sort(([a], [b]) => a - b));
}
