/** What every analysis takes, and the batches that it looks at. */
import type { PuzzleDataset } from '../data/dataset';
import { fixedSubset, testBatches } from '../data/sampler';
import { requireModel } from '../hrm/arguments';
import type { BatchTensors } from '../hrm/act';
import type { Hrm } from '../hrm/model';
import type { States } from '../ops/l_loop';
import { noGrad } from '../autograd/no_grad';
import { readOptions, requireInteger, requireSignal } from '../tensor/arguments';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { requireFitting, withoutPadding } from '../train/evaluate';
import { MAX_BATCH_SIZE, MAX_SEGMENTS } from '../train/limits';
import { batchTensors } from '../train/step';

/** Options that all analyses have. */
export interface AnalysisOptions {
  /** A fixed subset of so many puzzles of each set, drawn from `subsetSeed`; null: all. */
  readonly puzzles?: number | null;
  readonly subsetSeed?: number;
  /** Puzzles at a time. Default 64. */
  readonly batchSize?: number;
  /** Ends the analysis early with an error. */
  readonly signal?: AbortSignal | undefined;
}

/** Their names. */
export const ANALYSIS_OPTIONS = [
  'puzzles',
  'subsetSeed',
  'batchSize',
  'signal',
] as const satisfies readonly (keyof AnalysisOptions)[];

export const DEFAULT_BATCH = 64;

/**
 * Checks the arguments that all analyses have and reads their options.
 * @param names of all options that this analysis has
 * @throws ArgumentError
 */
export function readAnalysis<O extends AnalysisOptions>(
  op: string,
  model: unknown,
  dataset: unknown,
  options: O,
  names: readonly (keyof O & string)[],
): { model: Hrm; dataset: PuzzleDataset; given: O } {
  const checked = requireModel(op, model);
  const given = readOptions(op, options, names);
  const { puzzles, subsetSeed, batchSize, signal } = given;
  if (puzzles != null) requireInteger(op, 'puzzles', puzzles, 1, 2 ** 31 - 1);
  if (subsetSeed !== undefined) requireInteger(op, 'subsetSeed', subsetSeed, 0);
  if (batchSize !== undefined) requireInteger(op, 'batchSize', batchSize, 1, MAX_BATCH_SIZE);
  requireSignal(op, signal);
  return { model: checked, dataset: requireFitting(op, checked, dataset), given };
}

/** A number of segments. @throws ArgumentError */
export function requireSegments(op: string, name: string, value: unknown): number {
  return requireInteger(op, name, value, 1, MAX_SEGMENTS);
}

/** Puzzles of a batch as an analysis starts on them. */
export interface Start {
  readonly rows: BatchTensors;
  /** [B, S, D]: the input embedding, the same in every segment. */
  readonly x: Tensor;
  /** The states that every puzzle starts from. */
  readonly states: States;
}

/** The input embedding and first states of rows. */
export function startOf(model: Hrm, rows: BatchTensors): Start {
  const x = model.inputEmbedding(rows.inputs, model.puzzleEmb?.rows(rows.puzzleIdentifiers));
  return { rows, x, states: model.initialStates(rows.inputs.shape[0]!) };
}

/**
 * Runs `visit` on every batch of the chosen puzzles, in order, without gradient and without padding. What it makes is
 * disposed afterwards, unless kept. Yields to the event loop after every batch.
 * @returns the number of puzzles
 * @throws the signal's reason when it is aborted
 */
export async function eachBatch(
  model: Hrm,
  dataset: PuzzleDataset,
  options: AnalysisOptions,
  visit: (start: Start) => void,
): Promise<number> {
  const { puzzles = null, subsetSeed = 0, batchSize = DEFAULT_BATCH, signal } = options;
  const subset = puzzles === null ? undefined : (n: number): Uint32Array => fixedSubset(n, puzzles, subsetSeed);
  let count = 0;
  for (const batch of testBatches(dataset, batchSize, subset)) {
    signal?.throwIfAborted();
    noGrad(() => tidy(() => visit(startOf(model, batchTensors(withoutPadding(batch), model.device)))));
    count += batch.nValid;
    await new Promise((resolve) => setImmediate(resolve));
  }
  signal?.throwIfAborted();
  return count;
}
