/** Accuracy by number of segments, also more than in training (paper, figure 5c). */
import type { PuzzleDataset } from '../data/dataset';
import type { Hrm } from '../hrm/model';
import { type Accuracy, AccuracyMeans, answersOf, eachScoredRow } from './answers';
import { ANALYSIS_OPTIONS, type AnalysisOptions, eachBatch, readAnalysis, requireSegments } from './puzzles';
import { type MeanEstimate, RunningMean } from './statistics';
import { runSegments } from './walk';

export interface SegmentOptions extends AnalysisOptions {
  /** The most segments. Default 4 x haltMaxSteps. */
  readonly segments?: number;
}

/** Accuracy had every puzzle stopped after so many segments. */
export interface SegmentAccuracy extends Accuracy {
  readonly segments: number;
  /** Puzzles that were exactly right after this or an earlier segment: what a perfect choice among the answers would give. */
  readonly everExact: MeanEstimate;
}

export interface SegmentScaling {
  /** Puzzles with a scored cell. */
  readonly count: number;
  /** haltMaxSteps: the most segments in training. */
  readonly trainedSegments: number;
  readonly bySegments: readonly SegmentAccuracy[];
}

/**
 * Accuracy after 1, 2, ... segments without halting.
 *
 * @throws ArgumentError; the signal's reason when it is aborted
 */
export async function accuracyBySegments(
  model: Hrm,
  dataset: PuzzleDataset,
  options: SegmentOptions = {},
): Promise<SegmentScaling> {
  const op = 'accuracyBySegments';
  const { given, ...checked } = readAnalysis(op, model, dataset, options, [...ANALYSIS_OPTIONS, 'segments']);
  const { haltMaxSteps, seqLen } = checked.model.config;
  const segments = requireSegments(op, 'segments', given.segments ?? 4 * haltMaxSteps);
  const means = Array.from({ length: segments }, () => ({ now: new AccuracyMeans(), ever: new RunningMean() }));
  await eachBatch(checked.model, checked.dataset, given, (start) => {
    const labels = Int32Array.from(start.rows.labels.dataSync());
    const solved = new Set<number>();
    runSegments(checked.model, start, segments, (segment, { zH }) => {
      const { now, ever } = means[segment - 1]!;
      for (const row of now.add(answersOf(checked.model.logits(zH)), labels, seqLen)) solved.add(row);
      eachScoredRow(labels, seqLen, (row) => ever.add(solved.has(row) ? 1 : 0));
    });
  });
  return {
    count: means[0]!.now.count,
    trainedSegments: haltMaxSteps,
    bySegments: means.map(({ now, ever }, i) => ({ segments: i + 1, ...now.accuracy, everExact: ever.estimate })),
  };
}
