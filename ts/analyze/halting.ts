/** What adaptive halting saves and costs (paper, figure 5a and 5b). */
import type { PuzzleDataset } from '../data/dataset';
import type { Hrm } from '../hrm/model';
import { readArray, requireInteger } from '../tensor/arguments';
import { ArgumentError } from '../error';
import { evaluate, type Evaluation } from '../train/evaluate';
import { ANALYSIS_OPTIONS, type AnalysisOptions, DEFAULT_BATCH, readAnalysis, requireSegments } from './puzzles';
import { median, spread } from './statistics';

export interface HaltingOptions extends AnalysisOptions {
  /** The limits M to compare. Default 1, 2, 4, ... up to haltMaxSteps, and twice that. */
  readonly limits?: readonly number[];
  /** Timed rounds, in each of which every contestant runs once; one more before them warms up. Default 3. */
  readonly rounds?: number;
}

/** One way to run the puzzles, measured. */
export interface HaltingRun extends Pick<
  Evaluation,
  'accuracy' | 'accuracyStandardError' | 'exactAccuracy' | 'exactStandardError'
> {
  /** Mean segments a puzzle. */
  readonly segments: number;
  /** Median over the rounds. */
  readonly puzzlesPerSecond: number;
  /** Half the distance between the quartiles over the rounds, relative to the median. */
  readonly spread: number;
}

export interface HaltingRow {
  /** M: every puzzle runs so many segments, or at most so many. */
  readonly limit: number;
  readonly fixed: HaltingRun;
  readonly adaptive: HaltingRun;
}

export interface Halting {
  /** Puzzles with a scored cell. */
  readonly count: number;
  /** haltMaxSteps: the most segments in training. */
  readonly trainedSegments: number;
  readonly rounds: number;
  readonly rows: readonly HaltingRow[];
}

/** 1, 2, 4, ... below `most`, `most` and twice that. */
function defaultLimits(most: number): number[] {
  const limits: number[] = [];
  for (let limit = 1; limit < most; limit *= 2) limits.push(limit);
  return [...limits, most, 2 * most];
}

interface Contestant {
  readonly limit: number;
  readonly adaptive: boolean;
  readonly seconds: number[];
  result: Evaluation | undefined;
}

/**
 * Fixed numbers of segments against adaptive halting with the same limit: accuracy of both, mean segments, and throughput from
 * rounds in which all take turns, so that a slow minute of the machine falls on all of them.
 *
 * @throws ArgumentError; the signal's reason when it is aborted
 */
export async function compareHalting(
  model: Hrm,
  dataset: PuzzleDataset,
  options: HaltingOptions = {},
): Promise<Halting> {
  const op = 'compareHalting';
  const { given, ...checked } = readAnalysis(op, model, dataset, options, [...ANALYSIS_OPTIONS, 'limits', 'rounds']);
  const { limits } = given;
  const { haltMaxSteps } = checked.model.config;
  const asked =
    limits === undefined ? defaultLimits(haltMaxSteps) : readArray(op, 'limits', limits, 'a list of numbers');
  if (asked.length === 0) throw new ArgumentError(`${op}: limits must have at least one number, got none`);
  const chosen = [...new Set(asked.map((limit, i) => requireSegments(op, `limits[${i}]`, limit)))];
  const rounds = requireInteger(op, 'rounds', given.rounds ?? 3, 1, 1000);
  const contestants: Contestant[] = chosen.flatMap((limit) =>
    [false, true].map((adaptive) => ({ limit, adaptive, seconds: [], result: undefined })),
  );
  const { puzzles = null, subsetSeed = 0, batchSize = DEFAULT_BATCH, signal } = given;
  const base = { puzzles, subsetSeed, batchSize, ...(signal ? { signal } : {}) };
  for (let round = 0; round <= rounds; ++round) {
    for (const contestant of contestants) {
      const { limit: segments, adaptive, seconds } = contestant;
      const start = performance.now();
      contestant.result = await evaluate(checked.model, checked.dataset, { ...base, segments, adaptive });
      if (round > 0) seconds.push((performance.now() - start) / 1000);
    }
  }
  const rows = chosen.map((limit) => {
    const [fixed, adaptive] = contestants.filter((contestant) => contestant.limit === limit).map(measured);
    return { limit, fixed: fixed!, adaptive: adaptive! };
  });
  return { count: contestants[0]!.result!.count, trainedSegments: haltMaxSteps, rounds, rows };
}

function measured({ result, seconds }: Contestant): HaltingRun {
  const { count, accuracy, accuracyStandardError, exactAccuracy, exactStandardError, steps } = result!;
  const rates = seconds.map((time) => count / time);
  return {
    ...{ accuracy, accuracyStandardError, exactAccuracy, exactStandardError },
    segments: steps,
    puzzlesPerSecond: median(rates),
    spread: spread(rates),
  };
}
