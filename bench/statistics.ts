/** Statistics of repeated measurements. */
import { ArgumentError } from '../ts/error';

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

export function geometricMean(samples: readonly number[]): number {
  const values = sorted(samples, 'geometricMean');
  if (values[0]! <= 0)
    throw new ArgumentError(
      `geometricMean: samples must be positive, got ${values[0]!}; a ratio of 0 has no logarithm`,
    );
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** Largest distance of the points from their least-squares line, relative to the largest y. */
export function departureFromLine(xs: readonly number[], ys: readonly number[]): number {
  const n = xs.length;
  if (n !== ys.length || n < 2)
    throw new ArgumentError(`departureFromLine: expected as many y as x, at least 2, got ${n} and ${ys.length}`);
  const meanX = xs.reduce((sum, x) => sum + x, 0) / n;
  const meanY = ys.reduce((sum, y) => sum + y, 0) / n;
  const variance = xs.reduce((sum, x) => sum + (x - meanX) ** 2, 0);
  const covariance = xs.reduce((sum, x, i) => sum + (x - meanX) * (ys[i]! - meanY), 0);
  const slope = variance === 0 ? 0 : covariance / variance;
  const residuals = xs.map((x, i) => Math.abs(ys[i]! - meanY - slope * (x - meanX)));
  return Math.max(...residuals) / Math.max(...ys.map(Math.abs));
}
