import { readArray } from '../../tensor/arguments';
import { gridKey, pairKey } from './grid';
import { requireArcTask, type ArcTask } from './task';

/** An evaluation task that is also somewhere else. */
export interface ArcLeak {
  readonly task: ArcTask;
  readonly other: ArcTask;
  /** 'name': both have the name; 'test': a test pair (or a test input whose output is not published) is among the other's pairs. */
  readonly by: 'name' | 'test';
}

/**
 * Evaluation tasks of `tasks` that are among `others`: by name, or by one of their test pairs. 376 of the 400 evaluation
 * tasks of ARC-AGI-1 are in the training tasks of ARC-AGI-2, 6 of the 120 of ARC-AGI-2 are in ARC-AGI-1.
 * A task is no leak of itself, so that one list can be compared with itself.
 * @throws ArgumentError for what is no list of tasks
 */
export function findArcLeaks(tasks: readonly ArcTask[], others: readonly ArcTask[]): ArcLeak[] {
  const op = 'findArcLeaks';
  const read = (name: string, list: readonly ArcTask[]): readonly ArcTask[] =>
    readArray(op, name, list, 'a list of tasks').map((task) => requireArcTask(op, name, task));
  const [given, compared] = [read('tasks', tasks), read('others', others)];
  const byName = new Map<string, ArcTask[]>();
  const byPair = new Map<string, ArcTask[]>();
  for (const task of compared) {
    append(byName, task.name, task);
    for (const key of new Set([...task.train, ...task.test].flatMap((pair) => [pairKey(pair), gridKey(pair.input)]))) {
      append(byPair, key, task);
    }
  }
  const leaks: ArcLeak[] = [];
  for (const task of given) {
    if (task.role !== 'evaluation') continue;
    const found = new Set<ArcTask>();
    const note = (other: ArcTask, by: ArcLeak['by']): void => {
      if (found.has(other) || (other.file === task.file && other.name === task.name)) return;
      found.add(other);
      leaks.push({ task, other, by });
    };
    for (const other of byName.get(task.name) ?? []) note(other, 'name');
    for (const pair of task.test) for (const other of byPair.get(pairKey(pair)) ?? []) note(other, 'test');
  }
  return leaks;
}

function append(lists: Map<string, ArcTask[]>, key: string, task: ArcTask): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [task]);
  else list.push(task);
}
