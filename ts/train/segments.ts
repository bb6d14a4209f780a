/** Puzzles through a model, a segment at a time, with what the model makes of every cell. */
import { type BatchTensors, type Carry, saysHalt, type StepOutputs } from '../hrm/act';
import { carryFrom } from '../hrm/initial_states';
import { IGNORE_LABEL } from '../hrm/loss';
import type { Hrm } from '../hrm/model';
import { zerosLike } from '../ops/arange';
import { indexSelect } from '../ops/indexing';
import type { States } from '../ops/l_loop';
import { tensor } from '../tensor/create';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { SegmentRunner } from './segment_runner';
import { batchTensors } from './step';

export interface SegmentsOptions {
  readonly segments: number;
  /** Rows leave the batch where the Q head says that they are done. Default false. */
  readonly adaptive?: boolean;
  /** [D] each: where every row starts. Default: the model's own initial states. */
  readonly start?: States;
  /** Runs the segments, and those of other batches too. Default: one of its own. */
  readonly runner?: SegmentRunner;
}

/** The rows of a batch that had one more segment. Its tensors live until the next one is asked for. */
export interface BatchSegment {
  /** Which of the given rows these are, ascending. */
  readonly rows: readonly number[];
  /** After the segment; a row for each of `rows`. */
  readonly carry: Carry;
  readonly outputs: StepOutputs;
  /** Whether the model would stop here; one for each of `rows`. */
  readonly halts: readonly boolean[];
  /** Places in `rows` of those whose answer is now final: they leave. All of them at the last segment. */
  readonly done: readonly number[];
}

/**
 * Runs segment after segment on the rows of a batch, as evaluation does. Every `next` is one segment; ending the iteration early
 * frees what it holds.
 *
 * @param batch stays the caller's
 */
export function* batchSegments(
  model: Hrm,
  batch: BatchTensors,
  options: SegmentsOptions,
): Generator<BatchSegment, void, void> {
  const { segments, adaptive = false, start = { zH: model.hInit, zL: model.lInit } } = options;
  const runner = options.runner ?? new SegmentRunner(model, !adaptive);
  let rows = Array.from({ length: batch.puzzleIdentifiers.shape[0]! }, (_, row) => row);
  const begin = (carryOf: () => Carry): void => {
    tidy(() => {
      runner.start(carryOf());
    });
  };
  try {
    begin(() => carryFrom(model, batch, start));
    for (let segment = 1; segment <= segments; segment++) {
      const after = runner.next();
      const halts = haltingRows(model, after.outputs);
      const isLast = segment === segments;
      const done = halts.flatMap((halt, place) => (isLast || (adaptive && halt) ? [place] : []));
      yield { rows, ...after, halts, done };
      if (done.length === rows.length) return;
      if (done.length === 0) continue;
      const left = halts.flatMap((halt, place) => (halt ? [] : [place]));
      begin(() => goingOn(selectCarry(after.carry, left)));
      rows = left.map((place) => rows[place]!);
    }
  } finally {
    if (runner !== options.runner) runner.dispose();
  }
}

/** A carry in which every row goes on, however many segments it has had. */
function goingOn(carry: Carry): Carry {
  return { ...carry, halted: zerosLike(carry.halted) };
}

/** Which rows the Q head says are done. */
function haltingRows({ config }: Pick<Hrm, 'config'>, outputs: Pick<StepOutputs, 'qHalt' | 'qContinue'>): boolean[] {
  return tidy(() => Array.from(saysHalt(config, outputs).dataSync(), (says) => says !== 0));
}

/** Some rows of a carry, in new tensors. */
export function selectCarry(carry: Carry, rows: readonly number[]): Carry {
  const ids = tensor(Int32Array.from(rows), { device: carry.halted.device });
  const { inputs, labels, puzzleIdentifiers } = carry.current;
  return {
    zH: indexSelect(carry.zH, 0, ids),
    zL: indexSelect(carry.zL, 0, ids),
    steps: indexSelect(carry.steps, 0, ids),
    halted: indexSelect(carry.halted, 0, ids),
    current: {
      inputs: indexSelect(inputs, 0, ids),
      labels: indexSelect(labels, 0, ids),
      puzzleIdentifiers: indexSelect(puzzleIdentifiers, 0, ids),
    },
  };
}

/** Some rows of what a segment gave, in new tensors. */
export function selectOutputs(outputs: StepOutputs, rows: readonly number[]): StepOutputs {
  const ids = tensor(Int32Array.from(rows), { device: outputs.logits.device });
  return {
    logits: indexSelect(outputs.logits, 0, ids),
    qHalt: indexSelect(outputs.qHalt, 0, ids),
    qContinue: indexSelect(outputs.qContinue, 0, ids),
    targetQContinue: undefined,
    puzzleRows: undefined,
  };
}

/** A puzzle as the model reads it. */
export interface PuzzleRow {
  /** [seqLen] */
  readonly inputs: Int32Array;
  readonly puzzleIdentifier: number;
}

/** The answer to one puzzle after one segment. */
export interface SegmentAnswer {
  /** [seqLen]: the best token of each cell; the lowest where several are equally good. */
  readonly tokens: Int32Array;
  /** [seqLen]: its probability under the loss that the model was trained with, 0 to 1. */
  readonly confidence: Float64Array;
  readonly qHalt: number;
  readonly qContinue: number;
  /** Whether the model would stop here. */
  readonly halts: boolean;
}

/** The tensors of rows that have no labels. */
export function unlabelledBatch(rows: readonly PuzzleRow[], { config, device }: Hrm): BatchTensors {
  const { seqLen } = config;
  const inputs = new Int32Array(rows.length * seqLen);
  rows.forEach((row, i) => inputs.set(row.inputs, i * seqLen));
  const labels = new Int32Array(inputs.length).fill(IGNORE_LABEL);
  const puzzleIdentifiers = Int32Array.from(rows, ({ puzzleIdentifier }) => puzzleIdentifier);
  return batchTensors({ inputs, labels, puzzleIdentifiers }, device);
}

/**
 * Runs segment after segment on one row, as in evaluation: the row never halts by itself. Every `next` is one segment;
 * ending the iteration early frees what it holds.
 *
 * @param row fits the model: seqLen tokens of its vocabulary
 */
export function* runSegments(model: Hrm, row: PuzzleRow, segments: number): Generator<SegmentAnswer, void, void> {
  const batch = unlabelledBatch([row], model);
  try {
    for (const segment of batchSegments(model, batch, { segments })) yield segmentAnswers(model, segment)[0]!;
  } finally {
    for (const item of Object.values(batch) as Tensor[]) item.dispose();
  }
}

/** What a segment makes of each of its rows. */
export function segmentAnswers(model: Hrm, { outputs, halts }: BatchSegment): SegmentAnswer[] {
  const { logits, qHalt, qContinue } = outputs;
  const [halt, goOn] = [qHalt.dataSync(), qContinue.dataSync()];
  return decodeRows(model, logits).map((decoded, row) => ({
    ...decoded,
    qHalt: halt[row]!,
    qContinue: goOn[row]!,
    halts: halts[row]!,
  }));
}

/** Weight of a logit under the loss that the model was trained with; probabilities are weights over their sum. */
function weightOf(lossType: Hrm['config']['lossType'], logit: number, max: number): number {
  if (lossType === 'softmax') return Math.exp(logit - max);
  return logit >= 0 ? logit + 1 : 1 / (1 - logit + 1e-30);
}

/** The best token of every cell and its probability. @param logits [n, seqLen, V] */
export function decodeRows({ config }: Hrm, logits: Tensor): Pick<SegmentAnswer, 'tokens' | 'confidence'>[] {
  const { vocabSize, lossType, seqLen } = config;
  const values = logits.dataSync();
  return Array.from({ length: logits.shape[0]! }, (_, row) => {
    const tokens = new Int32Array(seqLen);
    const confidence = new Float64Array(seqLen);
    for (let cell = 0; cell < seqLen; cell++) {
      const first = (row * seqLen + cell) * vocabSize;
      let best = 0;
      for (let token = 1; token < vocabSize; token++) if (values[first + token]! > values[first + best]!) best = token;
      const max = values[first + best]!;
      let sum = 0;
      for (let token = 0; token < vocabSize; token++) sum += weightOf(lossType, values[first + token]!, max);
      tokens[cell] = best;
      confidence[cell] = weightOf(lossType, max, max) / sum;
    }
    return { tokens, confidence };
  });
}
