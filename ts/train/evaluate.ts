/** Evaluation: every puzzle of a split for a number of segments, or until it halts. */
import { noGrad } from '../autograd/no_grad';
import type { PuzzleDataset } from '../data/dataset';
import { fixedSubset, testBatches, type Batch } from '../data/sampler';
import { ArgumentError } from '../error';
import { type BatchTensors, type Carry, initialCarry, type StepOutputs } from '../hrm/act';
import { drawInitialStates } from '../hrm/initial_states';
import { actLoss, IGNORE_LABEL, METRIC_NAMES } from '../hrm/loss';
import type { Hrm } from '../hrm/model';
import { div, mul } from '../ops/arithmetic';
import { onesLike } from '../ops/arange';
import { eq, logicalAnd, logicalOr, ne } from '../ops/compare';
import { maximum } from '../ops/power';
import { all, any, sum } from '../ops/reduce';
import { argmax } from '../ops/softmax';
import { requireModel } from '../hrm/arguments';
import { requireCallback, requireDataset } from '../data/check';
import { readOptions, requireInteger, requireSignal } from '../tensor/arguments';
import { tidy } from '../tensor/scope';
import { disposeBatch, ownBatch } from './carry';
import { MAX_BATCH_SIZE, MAX_SEGMENTS } from './limits';
import { type AnsweredRows, scorerFor, type TaskFigures, type TaskScorer } from './scoring';
import { SegmentRunner } from './segment_runner';
import { batchSegments, type SegmentsOptions, selectCarry, selectOutputs } from './segments';
import { batchTensors } from './step';
import { finalOutputs, type FinalOutputs, requireInitialStates, vote } from './vote';

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
  /**
   * Every puzzle is run from so many initial states, which vote on its cells by the mean of their probabilities: the model's
   * own, and others of the distribution that it was drawn from. All figures are the vote's, and `vote` has what it gained.
   * Default 1.
   */
  readonly initialStates?: number;
  /** Draws the other initial states. Default 0. */
  readonly statesSeed?: number;
  /** Ends the evaluation early with an error. */
  readonly signal?: AbortSignal;
  readonly onBatch?: (nPuzzles: number) => void;
  /** Called with the final answers of rows, in batches; with adaptive halting and one initial state in the order in which they halt. */
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

/** What a vote of several initial states gained over the model's own alone. */
export interface VoteFigures {
  readonly initialStates: number;
  /** exactAccuracy of each state alone, the model's own first. */
  readonly exactByState: readonly number[];
  /** exactAccuracy of the vote minus that of the model's own state alone. */
  readonly gain: number;
  /** Standard error of gain over the puzzles: both answer the same ones, so that only those count where they differ. */
  readonly gainStandardError: number;
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
  /** Mean segments a puzzle, of all its initial states together. */
  readonly steps: number;
  readonly lmLoss: number;
  readonly qHaltLoss: number;
  /** exactAccuracy had every puzzle stopped after segment 1, 2, ...; not with adaptive halting or a vote. */
  readonly exactBySegment: readonly number[];
  /** Only with several initial states. */
  readonly vote?: VoteFigures;
}

class Totals {
  readonly sums = new Float64Array(METRIC_NAMES.length);
  readonly exactBySegment: Float64Array;
  /** Sum of each puzzle's accuracy squared. */
  accuracySquares = 0;
  /** Puzzles that each initial state has exactly right. */
  readonly exactByState: Float64Array;
  /** Puzzles that the vote has exactly right and the model's own state has not, and the other way round. */
  won = 0;
  lost = 0;

  constructor(
    segments: number,
    initialStates: number,
    readonly scorer: TaskScorer | undefined,
    readonly onAnswers: EvaluateOptions['onAnswers'],
  ) {
    this.exactBySegment = new Float64Array(segments);
    this.exactByState = new Float64Array(initialStates);
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
  /** Adds the vote of several runs of the same rows. */
  addVote(model: Hrm, rows: BatchTensors, runs: readonly FinalOutputs[]): void {
    tidy(() => {
      const { outputs, steps } = vote(model.config, runs);
      this.add(model, { ...initialCarry(model, rows), steps }, outputs);
      const [own, ...others] = runs.map((run) => exactRows(rows, run.outputs));
      const voted = exactRows(rows, outputs);
      [own!, ...others].forEach((exact, i) => (this.exactByState[i]! += exact.reduce((n, is) => n + is, 0)));
      voted.forEach((is, row) => {
        this.won += Number(is > own![row]!);
        this.lost += Number(is < own![row]!);
      });
    });
  }
  /** The figures of the vote; none where there was only one to vote. */
  #vote(count: number): Pick<Evaluation, 'vote'> {
    const { won, lost, exactByState } = this;
    if (exactByState.length === 1) return {};
    const gain = (won - lost) / count;
    return {
      vote: {
        initialStates: exactByState.length,
        exactByState: Array.from(exactByState, (total) => total / count),
        gain,
        gainStandardError: Math.sqrt(((won + lost) / count - gain ** 2) / count),
      },
    };
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
      exactBySegment:
        adaptive || this.exactByState.length > 1 ? [] : Array.from(this.exactBySegment, (total) => total / count),
      ...this.#vote(count),
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
  'initialStates',
  'statesSeed',
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
  const { adaptive = false, graph = true, initialStates = 1, statesSeed = 0, signal, onBatch, onAnswers } = given;
  requireSignal('evaluate', signal);
  requireCallback('evaluate', 'onBatch', onBatch);
  requireCallback('evaluate', 'onAnswers', onAnswers);
  requireInteger('evaluate', 'segments', segments, 1, MAX_SEGMENTS);
  requireInteger('evaluate', 'batchSize', batchSize, 1, MAX_BATCH_SIZE);
  requireInitialStates('evaluate', initialStates, model);
  requireInteger('evaluate', 'statesSeed', statesSeed, 0);
  const { sets } = requireFitting('evaluate', model, dataset);
  const totals = new Totals(segments, initialStates, scorerFor(dataset), onAnswers);
  const largest = sets.reduce((most, { nExamples }) => Math.max(most, nExamples), 1);
  const rows = puzzles === null ? undefined : (n: number): Uint32Array => fixedSubset(n, puzzles, subsetSeed);
  const runner = new SegmentRunner(model, graph && !adaptive);
  try {
    const turn = async (): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    };
    for (const batch of testBatches(dataset, Math.min(batchSize, largest), rows)) {
      const run = { segments, adaptive, runner };
      if (initialStates === 1) await runOnce(model, batch, run, totals, turn);
      else noGrad(() => runVote(model, batch, { ...run, initialStates, statesSeed }, totals));
      onBatch?.(batch.nValid);
      await turn();
    }
  } finally {
    runner.dispose();
  }
  return totals.result(segments, adaptive);
}

/** Checks that a data set is one for the model. @throws ArgumentError */
export function requireFitting(op: string, { config }: Hrm, dataset: unknown): PuzzleDataset {
  const data = requireDataset(op, dataset);
  const { seqLen, vocabSize, puzzleEmbNdim, numPuzzleIdentifiers } = config;
  const { metadata } = data;
  const fits =
    metadata.seqLen === seqLen &&
    metadata.vocabSize <= vocabSize &&
    (puzzleEmbNdim === 0 || metadata.numPuzzleIdentifiers <= numPuzzleIdentifiers);
  if (fits) return data;
  throw new ArgumentError(
    `${op}: the dataset must fit the model's seqLen ${seqLen}, vocabSize ${vocabSize} and numPuzzleIdentifiers ` +
      `${numPuzzleIdentifiers}, got ${metadata.seqLen}, ${metadata.vocabSize} and ${metadata.numPuzzleIdentifiers}`,
  );
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

/** The longest that segments run without a turn for others. */
const TURN_MS = 100;

type Run = Pick<SegmentsOptions, 'segments' | 'adaptive' | 'runner'>;

/** Many segments are many seconds: in between others have a turn, so that the signal can come. */
async function runOnce(model: Hrm, batch: Batch, run: Run, totals: Totals, turn: () => Promise<void>): Promise<void> {
  const rows = tidy(() => ownBatch(batchTensors(withoutPadding(batch), model.device), model.device));
  const walk = batchSegments(model, rows, run);
  const next = (segment: number): boolean =>
    noGrad(() =>
      tidy(() => {
        const { value, done: isOver } = walk.next();
        if (isOver === true) return false;
        const { carry, outputs, done, rows: left } = value;
        if (!run.adaptive) totals.exactBySegment[segment]! += countExact(carry, outputs);
        if (done.length === left.length) totals.add(model, carry, outputs);
        else if (done.length > 0) totals.add(model, selectCarry(carry, done), selectOutputs(outputs, done));
        return true;
      }),
    );
  try {
    let turned = performance.now();
    for (let segment = 0; next(segment); segment++) {
      if (performance.now() - turned < TURN_MS) continue;
      await turn();
      turned = performance.now();
    }
  } finally {
    walk.return();
    disposeBatch(rows);
  }
}

function runVote(
  model: Hrm,
  batch: Batch,
  { initialStates, statesSeed, ...run }: Run & Required<Pick<EvaluateOptions, 'initialStates' | 'statesSeed'>>,
  totals: Totals,
): void {
  tidy(() => {
    const rows = batchTensors(withoutPadding(batch), model.device);
    const starts = drawInitialStates(model, initialStates, statesSeed);
    const runs = starts.map((start) => finalOutputs(model, rows, { ...run, start }));
    totals.addVote(model, rows, runs);
  });
}

/** How many rows have a scored cell and all of those right. */
function countExact({ current }: Pick<Carry, 'current'>, outputs: Pick<StepOutputs, 'logits'>): number {
  return exactRows(current, outputs).reduce((total, exact) => total + exact, 0);
}

/** 1 for every row that has a scored cell and all of those right, 0 for the others. */
function exactRows({ labels }: BatchTensors, { logits }: Pick<StepOutputs, 'logits'>): number[] {
  return tidy(() => {
    const scored = ne(labels, IGNORE_LABEL);
    const right = eq(argmax(logits, 2), labels);
    const exact = all(logicalOr(right, eq(labels, IGNORE_LABEL)), 1);
    return Array.from(logicalAnd(exact, any(scored, 1)).dataSync(), Number);
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
