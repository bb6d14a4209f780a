import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { FormatError } from '../../error';
import { describe, requirePath } from '../../io/arguments';
import { onFile, readWholeFile } from '../../io/files';
import { isJsonObject, parseJson, type JsonObject } from '../../io/strict_json';
import { finish } from '../turns';
import { parseTask, type ArcRole, type ArcTask } from './task';

const CHALLENGES = '_challenges.json';
const SOLUTIONS = '_solutions.json';

/**
 * The tasks of a directory, in the order of their files' names. It holds one of
 * - folders of task files, `evaluation` for the tasks that are tested (ARC-AGI-1 and 2: `training`, `evaluation`;
 *   ConceptARC: `corpus`, a folder a concept),
 * - task files themselves, tested when the directory is called `evaluation`,
 * - `<name>_challenges.json` with the tasks by name and, where it is published, `<name>_solutions.json` with the test
 *   outputs (the competition's files); tested when the name has `evaluation` or `test` in it.
 *
 * @throws FileError when something cannot be read; FormatError naming file, task and what is wrong
 */
export function readArcTasks(directory: string): ArcTask[] {
  return finish(readingArcTasks(directory));
}

/** {@link readArcTasks} as a loop that can pause; yields the number of tasks read. */
export function* readingArcTasks(directory: string): Generator<number, ArcTask[]> {
  const place = path.resolve(requirePath('readArcTasks', 'directory', directory));
  const { files, folders } = contentsOf(place);
  const challenges = files.filter((name) => name.endsWith(CHALLENGES));
  const tasks: ArcTask[] = [];
  if (challenges.length > 0) {
    const lone = files.find((name) => name.endsWith(SOLUTIONS) && !files.includes(challengesOf(name)));
    if (lone !== undefined) {
      throw new FormatError(`readArcTasks: ${path.join(place, lone)}: must have ${challengesOf(lone)} beside it`);
    }
    for (const name of challenges) {
      tasks.push(...combinedTasks(path.join(place, name), files));
      yield tasks.length;
    }
    return tasks;
  }
  const sources = files.length > 0 ? [{ folder: place, files }] : folders.map((name) => subfolder(place, name));
  for (const { folder, files: names } of sources) {
    const role: ArcRole = path.basename(folder) === 'evaluation' ? 'evaluation' : 'training';
    for (const name of names) {
      const file = path.join(folder, name);
      tasks.push(
        parseTask(parseJson(readWholeFile('readArcTasks', file), file), { file, name: name.slice(0, -5), role }),
      );
      yield tasks.length;
    }
  }
  if (tasks.length > 0) return tasks;
  throw new FormatError(
    `readArcTasks: ${place}: must hold task files (.json), folders of them or a file *${CHALLENGES}, got none`,
  );
}

function challengesOf(solutions: string): string {
  return solutions.slice(0, -SOLUTIONS.length) + CHALLENGES;
}

function contentsOf(directory: string): { files: string[]; folders: string[] } {
  const names = onFile('readArcTasks', directory, 'read', () => readdirSync(directory)).sort();
  const isFolder = (name: string): boolean =>
    statSync(path.join(directory, name), { throwIfNoEntry: false })?.isDirectory() === true;
  const visible = names.filter((name) => !name.startsWith('.'));
  return {
    files: visible.filter((name) => name.endsWith('.json') && !isFolder(name)),
    folders: visible.filter(isFolder),
  };
}

function subfolder(place: string, name: string): { folder: string; files: string[] } {
  const folder = path.join(place, name);
  const { files, folders } = contentsOf(folder);
  // ConceptARC's root has its tasks two levels down, beside MinimalTasks that are no part of the corpus.
  if (folders.length > 0) {
    throw new FormatError(`readArcTasks: ${folder}: must hold task files, got folders; read ${folder} itself`);
  }
  return { folder, files };
}

function combinedTasks(file: string, files: readonly string[]): ArcTask[] {
  const base = path.basename(file).slice(0, -CHALLENGES.length);
  const role: ArcRole = /evaluation|test/.test(base) ? 'evaluation' : 'training';
  const challenges = objectOf(file);
  const solutionsFile = path.join(path.dirname(file), base + SOLUTIONS);
  const solutions = files.includes(base + SOLUTIONS) ? objectOf(solutionsFile) : undefined;
  const extra = Object.keys(solutions ?? {}).find((name) => !Object.hasOwn(challenges, name));
  if (extra !== undefined) {
    throw new FormatError(`readArcTasks: ${solutionsFile}: task ${extra}: must be in ${file} too`);
  }
  return Object.keys(challenges).map((name) => {
    if (solutions !== undefined && !Object.hasOwn(solutions, name)) {
      throw new FormatError(`readArcTasks: ${solutionsFile}: task ${name}: must have its outputs here`);
    }
    return parseTask(challenges[name]!, { file, name, role, solutions: solutions?.[name], solutionsFile });
  });
}

function objectOf(file: string): JsonObject {
  const json = parseJson(readWholeFile('readArcTasks', file), file);
  if (isJsonObject(json) && Object.keys(json).length > 0) return json;
  throw new FormatError(`readArcTasks: ${file}: must be an object of tasks by name, got ${describe(json)}`);
}
