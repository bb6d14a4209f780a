/** How long a run is. */
import { ConfigError } from '../error';
import type { RunConfig } from './config';

/** What a run's length depends on besides the configuration: fields of `dataset.json`. */
export interface DataLength {
  totalGroups: number;
  meanPuzzleExamples: number;
}

/** When a run is over, and what its schedule spans: the official code has these differ by the batches it drops. */
export interface RunLength {
  /** Steps of the schedule: floor(epochs * groups * meanPuzzleExamples / batch) (HRM section 4). */
  readonly scheduleSteps: number;
  /** The run is over after so many intervals; null: intervals do not matter. */
  readonly intervals: number | null;
  /** The run is over after so many steps; null: steps do not matter. */
  readonly maxSteps: number | null;
  /** Steps the run takes unless it stops early: exact where every puzzle has one example, otherwise estimated by the mean. */
  readonly expectedSteps: number;
}

/**
 * The length of a run. In steps: exactly those. In epochs it ends with its ceil(epochs / intervalEpochs)-th interval, each of
 * which drops its last incomplete batch (HRM section 5: a schedule of 26,041 steps, a run of 26,040); where the last interval
 * would be longer than the epochs that are left the schedule's end is the run's if it comes first, and without intervals it
 * always is.
 *
 * @throws ConfigError when there is not a single step
 */
export function runLength({ train }: Pick<RunConfig, 'train'>, data: DataLength): RunLength {
  const { epochs, steps, batchSize, intervalEpochs } = train;
  if (steps !== null) return { scheduleSteps: steps, intervals: null, maxSteps: steps, expectedSteps: steps };
  const stepsIn = (n: number): number => Math.floor((n * data.totalGroups * data.meanPuzzleExamples) / batchSize);
  const scheduleSteps = stepsIn(epochs!);
  if (scheduleSteps < 1) {
    throw new ConfigError(
      `config: train.epochs must give at least one step, got ${epochs} epochs of ${data.totalGroups} groups in batches of ${batchSize}`,
    );
  }
  const intervals = intervalEpochs === null ? null : Math.ceil(epochs! / intervalEpochs);
  if (intervals === null) return { scheduleSteps, intervals, maxSteps: scheduleSteps, expectedSteps: scheduleSteps };
  const intervalSteps = intervals * stepsIn(intervalEpochs!);
  if (epochs === intervals * intervalEpochs!) {
    return { scheduleSteps, intervals, maxSteps: null, expectedSteps: intervalSteps };
  }
  return { scheduleSteps, intervals, maxSteps: scheduleSteps, expectedSteps: Math.min(scheduleSteps, intervalSteps) };
}
