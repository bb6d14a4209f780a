import { existsSync } from 'node:fs';
import path from 'node:path';
import { ArgumentError, FileError } from '../../error';
import { describe, requirePath } from '../../io/arguments';
import { makeDirectoryAtomicAsync } from '../../io/atomic_file';
import { writeSyncedFile } from '../../io/files';
import { readArray, requireInteger, requireSignal } from '../../tensor/arguments';
import { readOptions, requireCallback } from '../check';
import { Philox, streamOf } from '../philox';
import { finishInTurns } from '../turns';
import { drawAugmentations, transformPair } from './augment';
import { MAX_SIDE, type ArcPair } from './grid';
import type { ArcLeak } from './leaks';
import { readingArcTasks } from './read';
import { arcMetadata, ArcSplitWriter, BLANK, type ArcCounts } from './rows';
import { selectTasks, type ArcSelection } from './select';
import type { ArcTask } from './task';
import { ArcTransform } from './transform';

const OP = 'buildArcDataset';
/** Philox stream of the translations of a version of a task; its index is the version's identifier. */
const PLACE_STREAM = 2050;
/** Every version has an identifier, an int32. */
const MAX_VERSIONS = 2 ** 31 - 2;
/** The official number is 1000. */
const MAX_AUGMENTATIONS = 100_000;

export interface ArcBuildOptions {
  /** Directory to make; nothing may be there yet. */
  readonly out: string;
  /** Directories of tasks (see readArcTasks), one after the other. */
  readonly inputs: readonly string[];
  /** Directories whose tasks are all trained on with all their pairs, whatever their folders are called. */
  readonly trainOn?: readonly string[];
  /** Augmented versions of a task beside the original (official: 1000). */
  readonly augmentations: number;
  readonly seed: number | bigint;
  /** Side of the canvas (default and official: 30); tasks with a larger grid are left out. */
  readonly canvas?: number;
  /** At most so many training and as many evaluation tasks, chosen by the seed; default all. */
  readonly tasks?: number;
  /** Leaves training tasks out that are also evaluation tasks, by name or by a test pair. Default false. */
  readonly excludeLeaks?: boolean;
  readonly onProgress?: (what: string, done: number) => void;
  /** Ends the work early; nothing is left behind then. */
  readonly signal?: AbortSignal;
}

export interface ArcBuildReport {
  readonly train: ArcCounts;
  readonly test: ArcCounts;
  /** Puzzle identifiers, the blank one included. */
  readonly identifiers: number;
  /** Tasks that have fewer distinct augmentations than were asked for. */
  readonly shortGroups: number;
  readonly leaks: readonly ArcLeak[];
  /** Tasks that were left out: see ArcSelection. */
  readonly excluded: number;
  readonly repeated: number;
  readonly tooLarge: number;
}

const OPTIONS = [
  ...(['out', 'inputs', 'trainOn', 'augmentations', 'seed', 'canvas', 'tasks', 'excludeLeaks'] as const),
  ...(['onProgress', 'signal'] as const),
] satisfies readonly (keyof ArcBuildOptions)[];

/**
 * Makes an ARC data set in the official layout (`hrm data arc`, HRM section 6): one group for each task, in it the original
 * and its augmentations, each a puzzle with its own identifier. All pairs of training tasks and the demonstration pairs of
 * evaluation tasks are trained on; the test split has the test pairs of the evaluation tasks in every version. Rows are
 * written as they are made. The bytes depend on the tasks, the options and the seed alone.
 *
 * @throws ArgumentError, ConfigError, FormatError, FileError, or the signal's reason; no directory is left behind then
 */
export async function buildArcDataset(options: ArcBuildOptions): Promise<ArcBuildReport> {
  const given = readOptions(OP, options, OPTIONS);
  const { out, augmentations, seed, canvas = MAX_SIDE, tasks: limit, excludeLeaks = false, onProgress, signal } = given;
  requirePath(OP, 'out', out);
  requireInteger(OP, 'augmentations', augmentations, 0, MAX_AUGMENTATIONS);
  requireInteger(OP, 'canvas', canvas, 1, MAX_SIDE);
  if (limit !== undefined) requireInteger(OP, 'tasks', limit, 1, MAX_VERSIONS);
  if (typeof excludeLeaks !== 'boolean') {
    throw new ArgumentError(`${OP}: excludeLeaks must be a boolean, got ${describe(excludeLeaks)}`);
  }
  requireCallback(OP, 'onProgress', onProgress);
  requireSignal(OP, signal);
  const rng = new Philox(seed);
  const inputs = pathsOf('inputs', given.inputs);
  const trainOn = pathsOf('trainOn', given.trainOn ?? []);
  if (existsSync(out)) throw new FileError(`${OP}: ${out}: cannot create (EEXIST)`);
  const turns = (what: string) => ({ signal, onProgress: (done: number) => onProgress?.(what, done) });

  const all: ArcTask[] = [];
  for (const directory of inputs) all.push(...(await finishInTurns(readingArcTasks(directory), turns('read'))));
  for (const directory of trainOn) {
    for (const task of await finishInTurns(readingArcTasks(directory), turns('read'))) all.push(trained(task));
  }
  const selection = selectTasks(all, { canvas, excludeLeaks, tasks: limit, seed });
  const plan = await finishInTurns(planning(selection, augmentations, rng), turns('augment'));
  const { train, test, nIdentifiers } = plan;
  await makeDirectoryAtomicAsync(OP, out, async (aside) => {
    writeSyncedFile(OP, path.join(aside, 'identifiers.json'), identifierNames(plan));
    using trainRows = new ArcSplitWriter(OP, aside, 'train', arcMetadata(canvas, nIdentifiers, train), train);
    using testRows = new ArcSplitWriter(OP, aside, 'test', arcMetadata(canvas, nIdentifiers, test), test);
    await finishInTurns(writing(plan, canvas, rng, trainRows, testRows), turns('write'));
    trainRows.finish();
    testRows.finish();
  });
  const { leaks, excluded, repeated, tooLarge } = selection;
  const shortGroups = plan.versions.filter((codes) => codes.length < augmentations).length;
  return { train, test, identifiers: nIdentifiers, shortGroups, leaks, excluded, repeated, tooLarge };
}

function pathsOf(name: 'inputs' | 'trainOn', value: unknown): string[] {
  const paths = readArray(OP, name, value, 'a list of directories');
  if (name === 'inputs' && paths.length === 0) throw new ArgumentError(`${OP}: inputs must name a directory`);
  return paths.map((item, i) => requirePath(OP, `${name}[${i}]`, item));
}

/** A task all of whose pairs are trained on. */
function trained(task: ArcTask): ArcTask {
  const open = task.test.findIndex(({ output }) => output === null);
  if (open < 0) return { ...task, role: 'training' };
  throw new ArgumentError(
    `${OP}: trainOn: every pair must have an output, got none for test[${open}] of ${task.name} in ${task.file}`,
  );
}

interface Plan {
  readonly tasks: readonly ArcTask[];
  /** Codes of the augmentations of each task. */
  readonly versions: readonly Float64Array[];
  readonly nIdentifiers: number;
  readonly train: ArcCounts;
  readonly test: ArcCounts;
}

function* planning({ tasks }: ArcSelection, augmentations: number, rng: Philox): Generator<number, Plan> {
  const versions: Float64Array[] = [];
  const train = { groups: 0, puzzles: 0, examples: 0 };
  const test = { groups: 0, puzzles: 0, examples: 0 };
  for (const [i, task] of tasks.entries()) {
    yield i;
    const codes = drawAugmentations(task, i, augmentations, rng);
    versions.push(codes);
    count(train, trainedPairs(task).length, codes.length + 1);
    if (task.role === 'evaluation') count(test, task.test.length, codes.length + 1);
  }
  if (train.puzzles > MAX_VERSIONS || train.examples > MAX_VERSIONS) {
    throw new ArgumentError(`${OP}: at most ${MAX_VERSIONS} rows fit, got ${train.examples}; use fewer augmentations`);
  }
  return { tasks, versions, nIdentifiers: train.puzzles + 1, train, test };
}

function count(split: { -readonly [K in keyof ArcCounts]: number }, pairs: number, versions: number): void {
  split.groups++;
  split.puzzles += versions;
  split.examples += versions * pairs;
}

function trainedPairs({ role, train, test }: ArcTask): readonly ArcPair[] {
  return role === 'training' ? [...train, ...test] : train;
}

/** identifiers.json, a task at a time. */
function* identifierNames({ tasks, versions }: Plan): Generator<Uint8Array> {
  yield Buffer.from(`[${JSON.stringify(BLANK)}`);
  for (const [i, { name }] of tasks.entries()) {
    const names = [name, ...Array.from(versions[i]!, (code) => ArcTransform.ofCode(code).nameOf(name))];
    yield Buffer.from(names.map((text) => `,${JSON.stringify(text)}`).join(''));
  }
  yield Buffer.from(']\n');
}

function* writing(
  { tasks, versions }: Plan,
  canvas: number,
  rng: Philox,
  trainRows: ArcSplitWriter,
  testRows: ArcSplitWriter,
): Generator<number, void> {
  let identifier = 0;
  for (const [i, task] of tasks.entries()) {
    const pairs = trainedPairs(task);
    for (const code of [null, ...versions[i]!]) {
      yield identifier++;
      const seen = code === null ? undefined : ArcTransform.ofCode(code);
      const look = (pair: ArcPair): ArcPair => (seen === undefined ? pair : transformPair(pair, seen));
      rng.seek(streamOf(PLACE_STREAM, identifier));
      // One example, at random, stays in the corner, where the test's are.
      const still = rng.below(pairs.length);
      for (const [k, pair] of pairs.entries()) {
        const image = look(pair);
        const room = roomOf(image, canvas);
        const [row, col] = k === still ? [0, 0] : [rng.below(room.rows), rng.below(room.cols)];
        trainRows.addExample(image, { canvas, row, col });
      }
      trainRows.endPuzzle(identifier);
      if (task.role === 'training') continue;
      for (const pair of task.test) testRows.addExample(look(pair), { canvas, row: 0, col: 0 });
      testRows.endPuzzle(identifier);
    }
    trainRows.endGroup();
    if (task.role === 'evaluation') testRows.endGroup();
  }
}

/** Places at which both grids of a pair fit. */
function roomOf({ input, output }: ArcPair, canvas: number): { rows: number; cols: number } {
  return {
    rows: canvas - Math.max(input.rows, output?.rows ?? 0) + 1,
    cols: canvas - Math.max(input.cols, output?.cols ?? 0) + 1,
  };
}
