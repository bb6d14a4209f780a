/** What the model would answer at every inner step (paper, figure 7). */
import type { PuzzleDataset } from '../data/dataset';
import type { Hrm } from '../hrm/model';
import { requireInteger } from '../tensor/arguments';
import { type Accuracy, AccuracyMeans, answersOf, eachScoredRow } from './answers';
import { ANALYSIS_OPTIONS, type AnalysisOptions, eachBatch, readAnalysis, requireSegments } from './puzzles';
import { type MeanEstimate, RunningMean } from './statistics';
import { walkSegments } from './walk';

export interface StepOptions extends AnalysisOptions {
  /** Default haltMaxSteps. */
  readonly segments?: number;
  /** Keep every answer to this one of the chosen puzzles, counted from 0. */
  readonly example?: number;
}

/** The answers at one inner step, over all puzzles. */
export interface StepAccuracy extends Accuracy {
  readonly segment: number;
  /** Number of the L update in its segment, from 1. */
  readonly step: number;
  /** Scored cells of a puzzle whose answer is another than at the step before; null at the first. */
  readonly changed: MeanEstimate | null;
}

/** One puzzle with its answer at every inner step. */
export interface ExampleSteps {
  /** Tokens, [seqLen] each. */
  readonly inputs: readonly number[];
  /** -100 where not scored */
  readonly labels: readonly number[];
  readonly answers: readonly { readonly segment: number; readonly step: number; readonly tokens: readonly number[] }[];
}

export interface IntermediateAnswers {
  /** Puzzles with a scored cell. */
  readonly count: number;
  readonly steps: readonly StepAccuracy[];
  readonly example: ExampleSteps | null;
}

class StepMeans {
  readonly accuracy = new AccuracyMeans();
  readonly changed = new RunningMean();
  constructor(
    readonly segment: number,
    readonly step: number,
  ) {}
}

/**
 * Decodes the answer lm_head(H(zH, zL)) after every L update of every segment: an extra H update where the model makes none.
 * After the last L update of a cycle that is the model's own new zH, so the last step of a segment has the model's answer.
 *
 * @throws ArgumentError; the signal's reason when it is aborted
 */
export async function intermediateAnswers(
  model: Hrm,
  dataset: PuzzleDataset,
  options: StepOptions = {},
): Promise<IntermediateAnswers> {
  const op = 'intermediateAnswers';
  const { given, ...checked } = readAnalysis(op, model, dataset, options, [...ANALYSIS_OPTIONS, 'segments', 'example']);
  const { haltMaxSteps, hCycles, lCycles, seqLen } = checked.model.config;
  const segments = requireSegments(op, 'segments', given.segments ?? haltMaxSteps);
  const available = checked.dataset.sets.reduce(
    (sum, { nExamples }) => sum + Math.min(nExamples, given.puzzles ?? Infinity),
    0,
  );
  const example = given.example === undefined ? -1 : requireInteger(op, 'example', given.example, 0, available - 1);
  const perSegment = hCycles * lCycles;
  const means: StepMeans[] = [];
  let kept: { inputs: number[]; labels: number[]; answers: ExampleSteps['answers'][number][] } | null = null;
  let firstRow = 0;
  await eachBatch(checked.model, checked.dataset, given, (start) => {
    const labels = Int32Array.from(start.rows.labels.dataSync());
    const batchSize = labels.length / seqLen;
    const exampleRow = example - firstRow;
    const rowOf = <T>(cells: ArrayLike<T>): T[] =>
      Array.from(cells).slice(exampleRow * seqLen, (exampleRow + 1) * seqLen);
    const found = exampleRow >= 0 && exampleRow < batchSize;
    if (found) kept = { inputs: rowOf(start.rows.inputs.dataSync()), labels: rowOf(labels), answers: [] };
    let previous: Int32Array | undefined;
    walkSegments(checked.model, start, segments, (segment, { level, step, states }) => {
      if (level === 'H') return;
      const answers = answersOf(checked.model.logits(checked.model.updateH(states.zH, states.zL)));
      const mean = (means[(segment - 1) * perSegment + step - 1] ??= new StepMeans(segment, step));
      mean.accuracy.add(answers, labels, seqLen);
      if (previous !== undefined) addChanges(mean.changed, answers, previous, labels, seqLen);
      if (found) kept!.answers.push({ segment, step, tokens: rowOf(answers) });
      previous = answers;
    });
    firstRow += batchSize;
  });
  return {
    count: means[0]?.accuracy.count ?? 0,
    steps: means.map(({ segment, step, accuracy, changed }) => ({
      segment,
      step,
      ...accuracy.accuracy,
      changed: changed.count === 0 ? null : changed.estimate,
    })),
    example: kept,
  };
}

function addChanges(
  changed: RunningMean,
  answers: Int32Array,
  previous: Int32Array,
  labels: Int32Array,
  seqLen: number,
): void {
  eachScoredRow(labels, seqLen, (_, scored) => {
    changed.add(scored.filter((cell) => answers[cell] !== previous[cell]).length);
  });
}
