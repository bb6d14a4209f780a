import { ArgumentError, ConfigError } from '../../error';
import { Philox } from '../philox';
import { pairKey } from './grid';
import { findArcLeaks, type ArcLeak } from './leaks';
import type { ArcRole, ArcTask } from './task';

/** Philox stream of the choice of tasks. */
const CHOICE_STREAM = 2;

/** What of the tasks that were read becomes rows, and why others do not. */
export interface ArcSelection {
  readonly tasks: readonly ArcTask[];
  /** Evaluation tasks that are also trained on; those with `excluded` were left out of training. */
  readonly leaks: readonly ArcLeak[];
  /** Training tasks left out because of `leaks`. */
  readonly excluded: number;
  /** Tasks that came again with the same pairs. */
  readonly repeated: number;
  /** Tasks with a grid larger than the canvas. */
  readonly tooLarge: number;
}

export interface SelectOptions {
  readonly canvas: number;
  readonly excludeLeaks: boolean;
  /** At most so many training and as many evaluation tasks, chosen by the seed. */
  readonly tasks: number | undefined;
  readonly seed: number | bigint;
}

/** @throws ConfigError where tasks of the same name differ or are both trained on and tested */
export function selectTasks(all: readonly ArcTask[], options: SelectOptions): ArcSelection {
  const { canvas, excludeLeaks, tasks: limit, seed } = options;
  const fitting = all.filter((task) => largestSide(task) <= canvas);
  const leaks = findArcLeaks(fitting, fitting).filter(({ other }) => other.role === 'training');
  const leaking = new Set(leaks.map(({ other }) => keyOf(other)));
  const clean = excludeLeaks ? fitting.filter((task) => !leaking.has(keyOf(task))) : fitting;
  const distinct = new Map<string, ArcTask>();
  for (const task of clean) {
    const first = distinct.get(task.name);
    if (first === undefined) distinct.set(task.name, task);
    else requireSame(first, task, leaks);
  }
  const kept = [...distinct.values()];
  const chosen = limit === undefined ? kept : chooseTasks(kept, limit, seed);
  for (const role of ['training', 'evaluation'] as const) {
    if (chosen.some((task) => task.role === role)) continue;
    throw new ArgumentError(
      `buildArcDataset: at least one ${role} task must be there, got none of ${all.length} (${all.length - fitting.length} ` +
        `larger than the canvas); the folder of the tasks to be tested is called evaluation`,
    );
  }
  return {
    tasks: chosen,
    leaks,
    excluded: fitting.length - clean.length,
    repeated: clean.length - kept.length,
    tooLarge: all.length - fitting.length,
  };
}

const keyOf = ({ file, name }: ArcTask): string => `${file}\0${name}`;

function requireSame(first: ArcTask, second: ArcTask, leaks: readonly ArcLeak[]): void {
  if (first.role !== second.role) {
    const nNames = new Set(leaks.filter(({ by }) => by === 'name').map(({ task }) => task.name)).size;
    throw new ConfigError(
      `buildArcDataset: no task may be trained on and tested, got ${nNames} such as ${first.name} in ${first.file} and ` +
        `${second.file}; excludeLeaks (--exclude-leaks) leaves them out of training`,
    );
  }
  if (contentOf(first) === contentOf(second)) return;
  throw new ConfigError(
    `buildArcDataset: tasks of one name must be equal, got ${first.name} in ${first.file} and another in ${second.file}`,
  );
}

const contentOf = ({ train, test }: ArcTask): string => [...train, ...test].map(pairKey).sort().join('|');

function largestSide({ train, test }: ArcTask): number {
  const grids = [...train, ...test].flatMap(({ input, output }) => (output === null ? [input] : [input, output]));
  return Math.max(...grids.map(({ rows, cols }) => Math.max(rows, cols)));
}

function chooseTasks(tasks: readonly ArcTask[], limit: number, seed: number | bigint): ArcTask[] {
  const rng = new Philox(seed, CHOICE_STREAM);
  const chosen = (['training', 'evaluation'] as const satisfies readonly ArcRole[]).flatMap((role) => {
    const pool = tasks.filter((task) => task.role === role);
    return Array.from(rng.choose(pool.length, Math.min(limit, pool.length)), (i) => pool[i]!);
  });
  // In the order they were read, whatever the draw.
  const kept = new Set(chosen);
  return tasks.filter((task) => kept.has(task));
}
