import { ArgumentError } from '../../error';
import { describe, requirePath } from '../../io/arguments';
import { requireSignal } from '../../tensor/arguments';
import { readOptions, requireCallback, requireInteger } from '../check';
import { writeDataset } from '../dataset';
import { Philox } from '../philox';
import { finishInTurns } from '../turns';
import { importMazeCsv, type MazeImportResult } from './csv';
import type { MazeOptions } from './generate';
import { layoutClass } from './layout';
import type { MazeSet } from './set';
import { mazeDataset } from './source';
import { generatingMazeSplits, layoutsOf, movesOf, splitByLayout } from './split';
import type { Spread } from './spread';

/** Where the mazes come from. */
export type MazeOrigin =
  | ({
      readonly kind: 'generate';
      readonly trainPuzzles: number;
      readonly testPuzzles: number;
    } & Pick<MazeOptions, 'size' | 'minPath' | 'wallPercent'>)
  | {
      readonly kind: 'csv';
      readonly train: string;
      /** Test file; without it `testFraction` of the training file's layouts are set aside. */
      readonly test?: string;
      /** Default 0.1, only without a test file. */
      readonly testFraction?: number;
      /** Takes so many training mazes, chosen by the seed; default all. */
      readonly trainPuzzles?: number;
      /** See MazeImportOptions. Default 'throw'. */
      readonly badRows?: 'throw' | 'skip';
    };

const ORIGIN_KEYS = [
  ...(['kind', 'size', 'minPath', 'wallPercent', 'trainPuzzles', 'testPuzzles'] as const),
  ...(['train', 'test', 'testFraction', 'badRows'] as const),
] as readonly (keyof MazeOrigin)[];

export interface MazeBuildOptions {
  /** Directory to make; nothing may be there yet. */
  readonly out: string;
  readonly seed: number | bigint;
  /** Stores the seven images of each training maze, too. Default false, as in the official recipe. */
  readonly dihedral?: boolean;
  readonly origin: MazeOrigin;
  readonly onProgress?: (what: string, rows: number) => void;
  /** Ends the work early; nothing is left behind then. */
  readonly signal?: AbortSignal;
}

export interface MazeSplitSummary {
  readonly puzzles: number;
  /** Rows in the files: mazes times versions. */
  readonly examples: number;
  /** Moves of the shortest paths. */
  readonly moves: Spread;
}

export interface MazeBuildReport {
  readonly size: number;
  readonly train: MazeSplitSummary;
  readonly test: MazeSplitSummary;
  /** Training mazes left out because a test maze has their layout, up to symmetry. */
  readonly droppedTrain: number;
  /** Bad rows of the csv files that were skipped. */
  readonly bad: { readonly train: number; readonly test: number };
}

const OP = 'buildMazeDataset';

/**
 * Makes a dataset directory in the official layout (`hrm data maze`): generated or imported mazes, no layout in both splits.
 *
 * @throws ArgumentError, FormatError, FileError as the parts do, the signal's reason when it is aborted; no directory is left
 *   behind then
 */
export async function buildMazeDataset(options: MazeBuildOptions): Promise<MazeBuildReport> {
  const keys = ['out', 'seed', 'dihedral', 'origin', 'onProgress', 'signal'] as const;
  const given = readOptions(OP, options, keys);
  const { out, dihedral = false, onProgress, signal } = given;
  requirePath(OP, 'out', out);
  requireCallback(OP, 'onProgress', onProgress);
  requireSignal(OP, signal);
  const { train, test, droppedTrain, bad } = await partsOf(given, readOptions(OP, given.origin, ORIGIN_KEYS));
  if (train.length === 0 || test.length === 0) {
    throw new ArgumentError(
      `${OP}: both splits must have mazes, got ${train.length} for training, ${test.length} for test`,
    );
  }
  const splits = { train: mazeDataset(train, { dihedral }), test: mazeDataset(test) };
  signal?.throwIfAborted();
  onProgress?.('write', splits.train.sets[0]!.nExamples);
  writeDataset(out, splits, ['<blank>']);
  return {
    size: train.size,
    train: summary(train, splits.train.sets[0]!.nExamples),
    test: summary(test, test.length),
    droppedTrain,
    bad,
  };
}

interface Parts {
  readonly train: MazeSet;
  readonly test: MazeSet;
  readonly droppedTrain: number;
  readonly bad: MazeBuildReport['bad'];
}

async function partsOf(options: MazeBuildOptions, origin: MazeOrigin): Promise<Parts> {
  switch (origin.kind) {
    case 'csv':
      return imported(options, origin);
    case 'generate': {
      const { seed, onProgress, signal } = options;
      const { size, minPath, wallPercent, trainPuzzles, testPuzzles } = origin;
      const walls = wallPercent === undefined ? {} : { wallPercent };
      const counts = { trainPuzzles, validPuzzles: 0, testPuzzles };
      const { train, test } = await finishInTurns(generatingMazeSplits({ size, seed, minPath, ...walls, ...counts }), {
        signal,
        onProgress: (rows) => onProgress?.('generate', rows),
      });
      return { train, test, droppedTrain: 0, bad: { train: 0, test: 0 } };
    }
    default:
      throw new ArgumentError(`${OP}: origin.kind must be 'generate' or 'csv', got ${describe(origin)}`);
  }
}

async function imported(options: MazeBuildOptions, origin: MazeOrigin & { kind: 'csv' }): Promise<Parts> {
  const { seed, onProgress, signal } = options;
  const { badRows = 'throw', testFraction = 0.1, trainPuzzles } = origin;
  if (trainPuzzles !== undefined) requireInteger(OP, 'trainPuzzles', trainPuzzles, 1, Number.MAX_SAFE_INTEGER);
  const read = (file: string, what: string, size?: number): Promise<MazeImportResult> =>
    importMazeCsv(file, {
      ...(size === undefined ? {} : { size }),
      badRows,
      onProgress: (rows) => {
        onProgress?.(what, rows);
        signal?.throwIfAborted();
      },
    });
  const first = await read(origin.train, 'import train');
  const second = origin.test === undefined ? undefined : await read(origin.test, 'import test', first.set.size);
  const [pool, test] = second === undefined ? splitByLayout(first.set, testFraction, seed) : [first.set, second.set];
  const held = layoutsOf(test);
  const allowed: number[] = [];
  for (let i = 0; i < pool.length; i++) if (!held.has(layoutClass(pool.maze(i), pool.size))) allowed.push(i);
  if (trainPuzzles !== undefined && trainPuzzles > allowed.length) {
    throw new ArgumentError(
      `${OP}: trainPuzzles must be at most the ${allowed.length} usable rows, got ${trainPuzzles}`,
    );
  }
  const chosen =
    trainPuzzles === undefined
      ? allowed
      : Array.from(new Philox(seed, 1).choose(allowed.length, trainPuzzles).sort(), (k) => allowed[k]!);
  return {
    train: pool.select(chosen),
    test,
    droppedTrain: pool.length - allowed.length,
    bad: { train: first.nBad, test: second?.nBad ?? 0 },
  };
}

function summary(set: MazeSet, examples: number): MazeSplitSummary {
  return { puzzles: set.length, examples, moves: movesOf(set)! };
}
