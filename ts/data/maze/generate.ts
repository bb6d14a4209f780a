import { types } from 'node:util';
import { ArgumentError } from '../../error';
import { describe, readArgument } from '../../io/arguments';
import { readOptions, requireInteger } from '../check';
import { Philox, streamOf } from '../philox';
import { finish } from '../turns';
import { MazeDraw } from './draw';
import { requireMazeSize } from './grid';
import { layoutClass } from './layout';
import { searchOf, withPath } from './search';
import { MazeSet } from './set';

/** Inclusive range of walls in percent of the cells. */
export interface WallPercent {
  readonly min: number;
  readonly max: number;
}

/** Of the published procedure: 270 to 450 of the 900 cells of 30x30. */
export const WALL_PERCENT: WallPercent = { min: 30, max: 50 };

/** What to generate; see {@link generateMazes}. */
export interface MazeOptions {
  /** Cells a side, 2 to 128; published: 30. */
  readonly size: number;
  /** How many mazes. */
  readonly count: number;
  /** Safe integer or bigint in [0, 2^64). */
  readonly seed: number | bigint;
  /** A maze is kept when its shortest path has *more* than so many moves; published: 110. */
  readonly minPath: number;
  /** Default {@link WALL_PERCENT}. The number of walls is drawn uniformly from the whole numbers of cells in it. */
  readonly wallPercent?: WallPercent;
  /** Layouts (as `layoutClass` texts) that no maze may have. */
  readonly avoidLayouts?: ReadonlySet<string>;
  /** Number of the part, 0 to 14, so that several parts made from one seed draw numbers of their own. */
  readonly part?: number;
}

const OPTIONS = ['size', 'count', 'seed', 'minPath', 'wallPercent', 'avoidLayouts', 'part'] as const;
/** Purpose of Philox streams under a generator's seed, as for generated Sudokus. */
const MAZE_STREAM = 1;
const MAX_PARTS = 15;
/** Mazes drawn for one that is kept before the request counts as impossible: so many a cell, and no more than that. */
const ATTEMPTS_PER_CELL = 5000;
const MAX_ATTEMPTS = 5_000_000;
const ATTEMPTS_PER_TURN = 100;

/**
 * Mazes by the published procedure, no two of one layout even up to symmetry, the same for the same options.
 *
 * Each draw: the number of walls, then the cells that are walls, start and goal among the rest, all uniformly and without a
 * border. The first whose shortest path has more than `minPath` moves is kept, and labelled by `shortestPath`.
 *
 * @throws ArgumentError for bad options, and when the request cannot be met
 */
export function generateMazes(options: MazeOptions): MazeSet {
  return finish(generatingMazes(options));
}

/** {@link generateMazes} as a loop that can pause; yields the number of mazes made. */
export function* generatingMazes(options: MazeOptions): Generator<number, MazeSet> {
  const op = 'generateMazes';
  const {
    size,
    count,
    seed,
    minPath,
    wallPercent = WALL_PERCENT,
    avoidLayouts,
    part = 0,
  } = readOptions(op, options, OPTIONS);
  const cells = requireMazeSize(op, size) ** 2;
  requireInteger(op, 'count', count, 0, Math.floor(2 ** 31 / cells));
  requireInteger(op, 'minPath', minPath, 0, cells - 2);
  requireInteger(op, 'part', part, 0, MAX_PARTS - 1);
  const [fewest, most] = wallRange(wallPercent, cells);
  if (avoidLayouts !== undefined && !types.isSet(avoidLayouts)) {
    throw new ArgumentError(`${op}: avoidLayouts must be a Set of texts, got ${describe(avoidLayouts)}`);
  }
  const taken = new Set<string>();
  const set = new MazeSet(size);
  const rng = new Philox(seed);
  const search = searchOf(size);
  const drawn = new MazeDraw(size);
  const attempts = Math.min(MAX_ATTEMPTS, ATTEMPTS_PER_CELL * cells);
  for (let i = 0; i < count; i++) {
    rng.seek(streamOf(MAZE_STREAM + part, i));
    let attempt = 0;
    for (; attempt < attempts; attempt++) {
      if (attempt % ATTEMPTS_PER_TURN === 0) yield i;
      const maze = drawn.next(rng, fewest + rng.below(most - fewest + 1), minPath);
      if (maze === undefined) continue;
      const layout = layoutClass(maze, size);
      if (taken.has(layout) || avoidLayouts?.has(layout) === true) continue;
      taken.add(layout);
      const path = search.shortestPath(maze)!;
      set.push(maze, withPath(maze, path), path.length - 1);
      break;
    }
    if (attempt === attempts) {
      throw new ArgumentError(
        `${op}: no new ${size}x${size} maze of ${fewest} to ${most} walls with more than ${minPath} moves in ` +
          `${attempts} tries, ${i} of ${count} made; ask for a shorter path or fewer mazes`,
      );
    }
  }
  return set;
}

/** The fewest and the most walls of a percentage. @throws ArgumentError when no whole number lies in it */
function wallRange(percent: unknown, cells: number): [fewest: number, most: number] {
  const { min, max } = readArgument('generateMazes', 'wallPercent', () => ({
    ...(typeof percent === 'object' && percent !== null ? (percent as Partial<WallPercent>) : {}),
  }));
  const valid = typeof min === 'number' && typeof max === 'number' && min >= 0 && min <= max && max <= 100;
  const fewest = valid ? Math.ceil((min * cells) / 100) : 1;
  const most = valid ? Math.min(Math.floor((max * cells) / 100), cells - 2) : 0;
  if (fewest <= most) return [fewest, most];
  throw new ArgumentError(
    `generateMazes: wallPercent must be 0 <= min <= max <= 100 with a number of ${cells} cells in it that leaves two free, ` +
      `got ${describe(min)} to ${describe(max)}`,
  );
}
