/** Means of the training metrics between two lines of the metrics file. */
import { METRIC_NAMES } from '../hrm/loss';
import type { MetricValues } from './metrics';
import type { RunState } from './checkpoint';
import type { StepReport } from './step';

const LOSSES = ['loss', 'lmLoss', 'qHaltLoss', 'qContinueLoss'];
const PER_HALTED = METRIC_NAMES.filter((name) => name !== 'count' && !LOSSES.includes(name));

/** Sums over the steps since the last line; part of a checkpoint, so that a resumed run writes the same numbers. */
export class MetricsWindow {
  #state: RunState['window'] = { steps: 0, rows: 0, sums: {} };

  get state(): RunState['window'] {
    return this.#state;
  }
  set state(state: RunState['window']) {
    this.#state = state;
  }

  add({ batchSize, metrics, loss }: StepReport): void {
    const { steps, rows, sums } = this.#state;
    const next: Record<string, number> = {};
    for (const [name, value] of Object.entries({ ...metrics, loss })) next[name] = (sums[name] ?? 0) + value;
    this.#state = { steps: steps + 1, rows: rows + batchSize, sums: next };
  }

  /** Losses over the rows of the batches, the rest over the rows that halted (HRM section 3.5); starts anew. */
  take(lr: number): MetricValues {
    const { rows, sums } = this.#state;
    const count = sums['count'] ?? 0;
    const values: Record<string, number | null> = { count, lr };
    for (const name of LOSSES) values[name] = (sums[name] ?? 0) / rows;
    for (const name of PER_HALTED) values[name] = count === 0 ? null : (sums[name] ?? 0) / count;
    this.#state = { steps: 0, rows: 0, sums: {} };
    return values;
  }
}
