import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { departureFromLine, geometricMean, median, quantile, spread } from '../../bench/statistics';
import { ArgumentError } from '../../ts/error';

const samples = fc.array(fc.double({ min: 0.001, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 20 });

describe('statistics', () => {
  it('takes the middle value, or the mean of the two in the middle', () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([10, 9])).toBe(9.5);
  });

  it('interpolates quantiles as numpy does', () => {
    expect(quantile([1, 2, 3, 4], 0.25)).toBeCloseTo(1.75, 12);
    expect(quantile([1, 2, 3, 4], 0.75)).toBeCloseTo(3.25, 12);
    expect(quantile([7], 0.9)).toBe(7);
  });

  it('gives half the distance between the quartiles relative to the median', () => {
    expect(spread([8, 9, 10, 11, 12])).toBeCloseTo(0.1, 12);
    expect(spread([3, 3, 3])).toBe(0);
    expect(spread([0, 0])).toBe(0);
  });

  it('does not depend on the order, and quantiles stay within the samples', () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
        const figure = quantile(values, q);
        expect(quantile([...values].reverse(), q)).toBe(figure);
        expect(figure).toBeGreaterThanOrEqual(Math.min(...values));
        expect(figure).toBeLessThanOrEqual(Math.max(...values));
      }),
    );
  });

  it('has a geometric mean in which a ratio and its inverse cancel', () => {
    expect(geometricMean([2, 8])).toBeCloseTo(4, 12);
    expect(geometricMean([3, 1 / 3])).toBeCloseTo(1, 12);
    expect(() => geometricMean([1, 0])).toThrow(ArgumentError);
  });

  it('measures the distance from a line', () => {
    expect(departureFromLine([1, 2, 5], [12, 14, 20])).toBeCloseTo(0, 12);
    expect(departureFromLine([0, 1, 2], [0, 3, 0])).toBeCloseTo(2 / 3, 12);
    expect(() => departureFromLine([1], [1])).toThrow(ArgumentError);
  });

  it('refuses samples that are none', () => {
    expect(() => median([])).toThrow(ArgumentError);
    expect(() => spread([1, NaN])).toThrow(ArgumentError);
  });
});
