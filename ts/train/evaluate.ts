/** Evaluation: every puzzle of a split for a number of segments, or until it halts. */
import { noGrad } from '../autograd/no_grad';
import type { PuzzleDataset } from '../data/dataset';
import { fixedSubset, testBatches, type Batch } from '../data/sampler';
import { ArgumentError } from '../error';
import { actStep, type Carry, initialCarry, saysHalt, type StepOutputs } from '../hrm/act';
import { actLoss, IGNORE_LABEL, METRIC_NAMES } from '../hrm/loss';
import type { Hrm } from '../hrm/model';
import { div, mul } from '../ops/arithmetic';
import { onesLike, zerosLike } from '../ops/arange';
import { eq, logicalAnd, logicalOr, ne } from '../ops/compare';
import { indexSelect } from '../ops/indexing';
import { maximum } from '../ops/power';
import { all, any, sum } from '../ops/reduce';
import { argmax } from '../ops/softmax';
import { requireModel } from '../hrm/arguments';
import { requireCallback, requireDataset } from '../data/check';
import { readOptions, requireSignal } from '../tensor/arguments';
import { tensor } from '../tensor/create';
import { describe } from '../tensor/dtype';
import { tidy } from '../tensor/scope';
import { type AnsweredRows, scorerFor, type TaskFigures, type TaskScorer } from './scoring';
import { disposeCarry } from './carry';
import { SegmentRunner } from './segment_runner';
import { batchTensors } from './step';

export interface EvaluateOptions {
  /** Puzzles at a time. Default 256. */
  readonly batchSize?: number;
  /** Segments to run: any number, also more than the model was trained with. Default haltMaxSteps. */
  readonly segments?: number;
  /** A fixed subset of so many puzzles of each set, drawn from `subsetSeed`. Default: all. */
  readonly puzzles?: number | null;
  readonly subsetSeed?: number;
  /** Rows that halt leave the batch; their answer is the one they halted with. Default false. */
  readonly adaptive?: boolean;
  /**
   * Whether the segments of an accelerator are captured and launched as graphs. Default true; the numbers are the same.
   * With adaptive halting they are not: the batch shrinks.
   */
  readonly graph?: boolean;
  /** Ends the evaluation early with an error. */
  readonly signal?: AbortSignal;
  readonly onBatch?: (nPuzzles: number) => void;
  /** Called with the final answers of rows, in batches; with adaptive halting in the order in which they halt. */
  readonly onAnswers?: (answers: Answers) => void;
}

/** What a model answers to some rows. */
export interface Answers {
  /** [n, seqLen] */
  readonly inputs: Int32Array;
  /** [n, seqLen], the best token of each cell. */
  readonly tokens: Int32Array;
  /** [n] */
  readonly puzzleIdentifiers: Int32Array;
  /** [n], logits. */
  readonly qHalt: Float32Array;
}

/** Metrics of HRM section 3.5, and what the task scores beside them: means over the puzzles, at the last segment of each. */
export interface Evaluation extends TaskFigures {
  /** Puzzles with at least one scored cell. */
  readonly count: number;
  readonly segments: number;
  readonly accuracy: number;
  /** Standard error of accuracy over the puzzles; the cells of one puzzle are not independent. */
  readonly accuracyStandardError: number;
  readonly exactAccuracy: number;
  /** Standard error of exactAccuracy: sqrt(p (1 - p) / count). */
  readonly exactStandardError: number;
  readonly qHaltAccuracy: number;
  /** Mean segments a puzzle. */
  readonly steps: number;
  readonly lmLoss: number;
  readonly qHaltLoss: number;
  /** exactAccuracy had every puzzle stopped after segment 1, 2, ...; not with adaptive halting. */
  readonly exactBySegment: readonly number[];
}

class Totals {
  readonly sums = new Float64Array(METRIC_NAMES.length);
  readonly exactBySegment: Float64Array;
  /** Sum of each puzzle's accuracy squared. */
  accuracySquares = 0;

  constructor(
    segments: number,
    readonly scorer: TaskScorer | undefined,
    readonly onAnswers: EvaluateOptions['onAnswers'],
  ) {
    this.exactBySegment = new Float64Array(segments);
  }
  /** Adds the metrics of rows whose answer is final. */
  add(model: Hrm, carry: Carry, outputs: StepOutputs): void {
    const metrics = tidy(() => {
      const halted = onesLike(carry.halted);
      return actLoss(model.config, { ...carry, halted }, outputs).metrics.dataSync();
    });
    metrics.forEach((value: number, i: number) => (this.sums[i]! += value));
    this.accuracySquares += accuracySquares(carry, outputs);
    this.scorer?.add(answeredRows(carry, outputs));
    this.onAnswers?.(answersOf(carry, outputs));
  }
  result(segments: number, adaptive: boolean): Evaluation {
    const value = (name: (typeof METRIC_NAMES)[number]): number => this.sums[METRIC_NAMES.indexOf(name)]!;
    const count = value('count');
    const mean = (name: (typeof METRIC_NAMES)[number]): number => value(name) / count;
    const exact = mean('exactAccuracy');
    const accuracy = mean('accuracy');
    return {
      count,
      segments,
      accuracy,
      accuracyStandardError: Math.sqrt(Math.max(0, this.accuracySquares / count - accuracy ** 2) / count),
      exactAccuracy: exact,
      exactStandardError: Math.sqrt((exact * (1 - exact)) / count),
      qHaltAccuracy: mean('qHaltAccuracy'),
      steps: mean('steps'),
      lmLoss: mean('lmLoss'),
      qHaltLoss: mean('qHaltLoss'),
      exactBySegment: adaptive ? [] : Array.from(this.exactBySegment, (total) => total / count),
      ...this.scorer?.figures(),
    };
  }
}

const OPTIONS = [
  'batchSize',
  'segments',
  'puzzles',
  'subsetSeed',
  'adaptive',
  'graph',
  'signal',
  'onBatch',
  'onAnswers',
] as const satisfies readonly (keyof EvaluateOptions)[];

/**
 * Evaluates a model on a split, in order. Padding is never computed: the last batch is a smaller one.
 * Yields to the event loop after every batch.
 * @throws ArgumentError; the signal's reason when it is aborted
 */
export async function evaluate(model: Hrm, dataset: PuzzleDataset, options: EvaluateOptions = {}): Promise<Evaluation> {
  const { config } = requireModel('evaluate', model);
  const given = readOptions('evaluate', options, OPTIONS);
  const { batchSize = 256, segments = config.haltMaxSteps, puzzles = null, subsetSeed = 0 } = given;
  const { adaptive = false, graph = true, signal, onBatch, onAnswers } = given;
  requireSignal('evaluate', signal);
  requireCallback('evaluate', 'onBatch', onBatch);
  requireCallback('evaluate', 'onAnswers', onAnswers);
  if (!Number.isSafeInteger(segments) || segments < 1) {
    throw new ArgumentError(`evaluate: segments must be a positive integer, got ${describe(segments)}`);
  }
  const totals = new Totals(segments, scorerFor(requireDataset('evaluate', dataset)), onAnswers);
  const rows = puzzles === null ? undefined : (n: number): Uint32Array => fixedSubset(n, puzzles, subsetSeed);
  const runner = new SegmentRunner(model, graph);
  try {
    for (const batch of testBatches(dataset, batchSize, rows)) {
      noGrad(() => {
        if (adaptive) runAdaptive(model, batch, segments, totals);
        else runFixed(runner, model, batch, segments, totals);
      });
      onBatch?.(batch.nValid);
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    }
  } finally {
    runner.dispose();
  }
  return totals.result(segments, adaptive);
}

/** The rows of a batch without its padding. */
export function withoutPadding({
  inputs,
  labels,
  puzzleIdentifiers,
  nValid,
}: Batch): Omit<Batch, 'setName' | 'nValid'> {
  const seqLen = inputs.length / puzzleIdentifiers.length;
  return {
    inputs: inputs.subarray(0, nValid * seqLen),
    labels: labels.subarray(0, nValid * seqLen),
    puzzleIdentifiers: puzzleIdentifiers.subarray(0, nValid),
  };
}

/** A carry in which every row goes on, however many segments it has had. */
function goingOn(carry: Carry): Carry {
  return { ...carry, halted: zerosLike(carry.halted) };
}

function runFixed(runner: SegmentRunner, model: Hrm, batch: Batch, segments: number, totals: Totals): void {
  tidy(() => {
    runner.start(batchTensors(withoutPadding(batch)));
    for (let segment = 0; segment < segments; segment++) {
      const { carry, outputs } = runner.next();
      totals.exactBySegment[segment]! += countExact(carry, outputs);
      if (segment === segments - 1) totals.add(model, carry, outputs);
    }
  });
}

/** Rows with a scored cell whose scored cells are all right. */
function countExact({ current: { labels } }: Carry, { logits }: StepOutputs): number {
  return tidy(() => {
    const scored = ne(labels, IGNORE_LABEL);
    const right = eq(argmax(logits, 2), labels);
    const exact = all(logicalOr(right, eq(labels, IGNORE_LABEL)), 1);
    const some = any(scored, 1);
    return Number(sum(logicalAnd(exact, some)).item());
  });
}

function answersOf({ current: { inputs, puzzleIdentifiers } }: Carry, { logits, qHalt }: StepOutputs): Answers {
  return tidy(() => ({
    inputs: inputs.dataSync() as Int32Array,
    tokens: argmax(logits, 2).dataSync() as Int32Array,
    puzzleIdentifiers: puzzleIdentifiers.dataSync() as Int32Array,
    qHalt: Float32Array.from(qHalt.dataSync()),
  }));
}

/** Sum over the rows of their share of right cells, squared. */
function accuracySquares({ current: { labels } }: Carry, { logits }: StepOutputs): number {
  return tidy(() => {
    const scored = ne(labels, IGNORE_LABEL);
    const right = logicalAnd(eq(argmax(logits, 2), labels), scored);
    const share = div(sum(right, 1), maximum(sum(scored, 1), 1));
    return Number(sum(mul(share, share)).item());
  });
}

/** What the rows ask and what the model answers. */
function answeredRows({ current: { inputs } }: Carry, { logits }: StepOutputs): AnsweredRows {
  return tidy(() => ({
    inputs: Int32Array.from(inputs.dataSync()),
    answers: Int32Array.from(argmax(logits, 2).dataSync()),
  }));
}

function runAdaptive(model: Hrm, batch: Batch, segments: number, totals: Totals): void {
  tidy(() => {
    let rows = batchTensors(withoutPadding(batch), model.device);
    let carry = initialCarry(model, rows);
    for (let segment = 0; segment < segments; segment++) {
      const previous = carry;
      const open = tidy(() => {
        const next = actStep(model, previous, rows, { training: false });
        const halts = haltingRows(model, next.outputs, segment === segments - 1);
        const pick = (keep: boolean): number[] => halts.flatMap((halt, row) => (halt === keep ? [row] : []));
        const [done, left] = [pick(true), pick(false)];
        if (done.length > 0) totals.add(model, selectCarry(next.carry, done), selectOutputs(next.outputs, done));
        if (left.length === 0) return undefined;
        return goingOn(done.length > 0 ? selectCarry(next.carry, left) : next.carry);
      });
      // The first carry holds the rows themselves.
      if (segment > 0) disposeCarry(previous);
      if (open === undefined) return;
      carry = open;
      rows = carry.current;
    }
  });
}

/** Which rows stop now: those the Q head says are done, all of them at the last segment. */
export function haltingRows(
  { config }: Pick<Hrm, 'config'>,
  outputs: Pick<StepOutputs, 'qHalt' | 'qContinue'>,
  last: boolean,
): boolean[] {
  return tidy(() => Array.from(saysHalt(config, outputs).dataSync(), (says) => last || says !== 0));
}

function selectCarry(carry: Carry, rows: readonly number[]): Carry {
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

function selectOutputs(outputs: StepOutputs, rows: readonly number[]): StepOutputs {
  const ids = tensor(Int32Array.from(rows), { device: outputs.logits.device });
  return {
    logits: indexSelect(outputs.logits, 0, ids),
    qHalt: indexSelect(outputs.qHalt, 0, ids),
    qContinue: indexSelect(outputs.qContinue, 0, ids),
    targetQContinue: undefined,
    puzzleRows: undefined,
  };
}
