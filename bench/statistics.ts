/** Statistics of repeated measurements. */
import { median, quantile, spread } from '../ts/analyze/statistics';
import { ArgumentError } from '../ts/error';

export { median, quantile, spread };

export function geometricMean(samples: readonly number[]): number {
  const smallest = quantile(samples, 0);
  if (smallest <= 0)
    throw new ArgumentError(`geometricMean: samples must be positive, got ${smallest}; a ratio of 0 has no logarithm`);
  return Math.exp(samples.reduce((sum, value) => sum + Math.log(value), 0) / samples.length);
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
