import { ArgumentError } from '../../error';
import { describe } from '../../io/arguments';
import { readOptions, requireInteger } from '../check';
import { Philox } from '../philox';
import { finish } from '../turns';
import { generatingMazes, type MazeOptions } from './generate';
import { layoutClass, layoutOf } from './layout';
import { countOf, PATH } from './grid';
import { requireMazeSet, type MazeSet } from './set';
import { spreadOf, type Spread } from './spread';

const OPTIONS = ['size', 'seed', 'minPath', 'wallPercent', 'trainPuzzles', 'validPuzzles', 'testPuzzles'] as const;

/** What to make; see {@link generateMazeSplits}. */
export interface MazeSplitOptions extends Pick<MazeOptions, 'size' | 'seed' | 'minPath' | 'wallPercent'> {
  readonly trainPuzzles: number;
  readonly validPuzzles: number;
  readonly testPuzzles: number;
}

/** Three sets without a layout in common, even up to symmetry, so that augmentation cannot make one either. */
export interface MazeSplits {
  readonly train: MazeSet;
  readonly valid: MazeSet;
  readonly test: MazeSet;
}

/**
 * Generates training, validation and test mazes that share no layout up to symmetry.
 * @throws ArgumentError when the request cannot be met
 */
export function generateMazeSplits(options: MazeSplitOptions): MazeSplits {
  return finish(generatingMazeSplits(options));
}

/** {@link generateMazeSplits} as a loop that can pause; yields the number of mazes made of the part at hand. */
export function* generatingMazeSplits(options: MazeSplitOptions): Generator<number, MazeSplits> {
  const op = 'generateMazeSplits';
  const { size, seed, minPath, wallPercent, ...counts } = readOptions(op, options, OPTIONS);
  const { trainPuzzles, validPuzzles, testPuzzles } = counts;
  for (const [name, count] of Object.entries(counts)) requireInteger(op, name, count, 0, 2 ** 31 - 1);
  const avoidLayouts = new Set<string>();
  function* part(number: number, count: number): Generator<number, MazeSet> {
    const walls = wallPercent === undefined ? {} : { wallPercent };
    const set = yield* generatingMazes({ size, seed, minPath, ...walls, count, part: number, avoidLayouts });
    for (const layout of layoutsOf(set)) avoidLayouts.add(layout);
    return set;
  }
  // The test side first: how many mazes there are to train with does not change it.
  const test = yield* part(2, testPuzzles);
  const valid = yield* part(1, validPuzzles);
  return { train: yield* part(0, trainPuzzles), valid, test };
}

/** The layouts of a set up to symmetry. */
export function layoutsOf(set: MazeSet): Set<string> {
  return new Set(Array.from({ length: set.length }, (_, i) => layoutClass(set.maze(i), set.size)));
}

/**
 * Divides a set in two so that no layout, up to symmetry, is on both sides: about `fraction` of the layouts, chosen by the
 * seed, with all their mazes go to the second.
 * @throws ArgumentError unless 0 < fraction < 1 leaves layouts on both sides
 */
export function splitByLayout(set: MazeSet, fraction: number, seed: number | bigint): [MazeSet, MazeSet] {
  const layouts = [...layoutsOf(requireMazeSet('splitByLayout', set))];
  const nSecond = typeof fraction === 'number' ? Math.round(layouts.length * fraction) : 0;
  if (typeof fraction !== 'number' || !(fraction > 0 && fraction < 1) || nSecond < 1 || nSecond >= layouts.length) {
    throw new ArgumentError(
      `splitByLayout: fraction must leave some of ${layouts.length} layouts on both sides, got ${describe(fraction)}`,
    );
  }
  const second = new Set(new Philox(seed).shuffle(layouts).slice(0, nSecond));
  const sides: [number[], number[]] = [[], []];
  for (let i = 0; i < set.length; i++) sides[second.has(layoutClass(set.maze(i), set.size)) ? 1 : 0].push(i);
  return [set.select(sides[0]), set.select(sides[1])];
}

/** Distinct layouts of a second set that a first one has. */
export interface MazeOverlap {
  /** Literally. */
  readonly layouts: number;
  /** Or turned or mirrored. */
  readonly symmetric: number;
}

/** Counts the layouts that two sets share. @throws ArgumentError unless they are sets of one size */
export function mazeOverlapOf(a: MazeSet, b: MazeSet): MazeOverlap {
  const { size } = requireMazeSet('mazeOverlapOf', a);
  if (requireMazeSet('mazeOverlapOf', b).size !== size) {
    throw new ArgumentError(`mazeOverlapOf: the sets must have mazes of one size, got ${size} and ${b.size}`);
  }
  const literally = (set: MazeSet): Set<string> =>
    new Set(Array.from({ length: set.length }, (_, i) => layoutOf(set.maze(i), size)));
  const shared = (first: Set<string>, second: Set<string>): number =>
    [...second].filter((layout) => first.has(layout)).length;
  return { layouts: shared(literally(a), literally(b)), symmetric: shared(layoutsOf(a), layoutsOf(b)) };
}

/** Moves of the answers' paths; null for an empty set. */
export function movesOf(set: MazeSet): Spread | null {
  return spreadOf(Array.from({ length: set.length }, (_, i) => countOf(set.answer(i), PATH) + 1));
}
