/** Statistics of repeated measurements and of samples. */
import { ArgumentError } from '../error';

function sorted(samples: readonly number[], op: string): number[] {
  if (samples.length === 0 || !samples.every((value) => Number.isFinite(value)))
    throw new ArgumentError(`${op}: samples must be finite numbers, at least one, got [${samples.join(', ')}]`);
  return [...samples].sort((a, b) => a - b);
}

/** Linear interpolation between the order statistics. @param q in 0..1 */
export function quantile(samples: readonly number[], q: number): number {
  const values = sorted(samples, 'quantile');
  const position = q * (values.length - 1);
  const below = values[Math.floor(position)]!;
  const above = values[Math.ceil(position)]!;
  return below + (above - below) * (position - Math.floor(position));
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/** Half the distance between the quartiles, relative to the median: 0.05 reads as "plus or minus 5%". */
export function spread(samples: readonly number[]): number {
  const middle = median(samples);
  const half = (quantile(samples, 0.75) - quantile(samples, 0.25)) / 2;
  return half === 0 ? 0 : half / Math.abs(middle);
}

/** A mean and its standard error over puzzles. */
export interface MeanEstimate {
  readonly mean: number;
  /** sqrt(variance / n), the variance with divisor n, as in `evaluate`. */
  readonly standardError: number;
}

/** Mean and standard error of numbers that come one by one (Welford's update, which does not cancel). */
export class RunningMean {
  #count = 0;
  #mean = 0;
  #squares = 0;

  add(value: number): void {
    this.#count++;
    const delta = value - this.#mean;
    this.#mean += delta / this.#count;
    this.#squares += delta * (value - this.#mean);
  }
  get count(): number {
    return this.#count;
  }
  /** NaN for both where nothing was added. */
  get estimate(): MeanEstimate {
    if (this.#count === 0) return { mean: NaN, standardError: NaN };
    return { mean: this.#mean, standardError: Math.sqrt(this.#squares) / this.#count };
  }
}
