/** ARC in a run: which tasks a model knows, and its votes over their augmentations. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { arcNames } from '../data/arc/folder';
import { ArcVotes, type ArcResult } from '../data/arc/vote';
import { loadIdentifiers, type PuzzleDataset } from '../data/dataset';
import { requireCallback } from '../data/check';
import { ConfigError } from '../error';
import type { Hrm } from '../hrm/model';
import { readObject } from '../tensor/arguments';
import type { DataConfig } from './data_kinds';
import { evaluate, type EvaluateOptions, type Evaluation } from './evaluate';
import type { RunData } from './run_data';

/** The names of a run's puzzle identifiers; undefined where the data is not ARC's. @throws FileError, FormatError */
export function arcNamesOf({ arc, metadata }: Pick<RunData, 'arc' | 'metadata'>): readonly string[] | undefined {
  return arc && arcNames(arc.directory, metadata);
}

/**
 * Refuses data whose test puzzles have no trained row in the model's puzzle embedding: an identifier is a row number, and
 * in another folder the same number is another puzzle. Only a folder that is still where the run had it can be compared by
 * name; of any other the number of identifiers is.
 *
 * @param trained where the model's data came from
 * @throws ConfigError naming the first such puzzle
 */
export function requireTrainedPuzzles(model: Hrm, trained: DataConfig, data: RunData): void {
  const { arc, test, metadata } = data;
  if (arc === undefined || test === undefined) return;
  const hint =
    'a model knows the tasks it was trained on; make one folder with the new tasks too (hrm data arc trains on their ' +
    'demonstration pairs) and train on that';
  const { numPuzzleIdentifiers } = model.config;
  if (metadata.numPuzzleIdentifiers > numPuzzleIdentifiers) {
    throw new ConfigError(
      `eval: the data must have at most ${numPuzzleIdentifiers} puzzle identifiers as the model, got ` +
        `${metadata.numPuzzleIdentifiers}; ${hint}`,
    );
  }
  if (trained.kind !== 'npy' || path.resolve(trained.dir) === path.resolve(arc.directory)) return;
  if (!existsSync(path.join(trained.dir, 'identifiers.json'))) return;
  const [before, now] = [loadIdentifiers(trained.dir), arcNamesOf(data)];
  for (const { puzzleIdentifiers } of test.sets) {
    const unknown = puzzleIdentifiers.find((id) => before?.[id] !== now?.[id]);
    if (unknown === undefined) continue;
    throw new ConfigError(
      `eval: puzzle ${now?.[unknown]} must be identifier ${unknown} of ${trained.dir}, which the model was trained on, ` +
        `got ${before?.[unknown] ?? 'none'} there; ${hint}`,
    );
  }
}

/**
 * Evaluates a model on an ARC test split and lets the augmentations of each task vote (HRM section 6). With `puzzles` only
 * those rows vote.
 * @throws as `evaluate` and `ArcVotes` do
 */
export async function evaluateArc(
  model: Hrm,
  test: PuzzleDataset,
  names: readonly string[],
  options: EvaluateOptions = {},
): Promise<{ readonly evaluation: Evaluation; readonly result: ArcResult }> {
  const given = readObject('evaluateArc', 'options', options);
  requireCallback('evaluateArc', 'onAnswers', given.onAnswers);
  const votes = new ArcVotes(test, names);
  const evaluation = await evaluate(model, test, {
    ...given,
    onAnswers: (answers) => {
      votes.add(answers);
      given.onAnswers?.(answers);
    },
  });
  return { evaluation, result: votes.result() };
}
