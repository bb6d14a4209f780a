import { describe, expect, it } from '@jest/globals';
import { ArgumentError, learningRate, tensor, withoutHostReads } from '../../ts/index';

/** HRM section 4. */
function formula(t: number, base: number, w: number, total: number, r: number): number {
  if (t < w) return (base * t) / w;
  return base * (r + (1 - r) * 0.5 * (1 + Math.cos((Math.PI * (t - w)) / Math.max(1, total - w))));
}
const rate = (t: number, base: number, warmupSteps: number, totalSteps: number, minRatio?: number): number => {
  const step = tensor(t, { dtype: 'int32' });
  const lr = withoutHostReads(() => learningRate(step, { base, warmupSteps, totalSteps, minRatio }));
  expect(lr.dtype).toBe('float32');
  expect(lr.shape).toEqual([]);
  return lr.item() as number;
};

describe('learningRate', () => {
  it.each([
    [1e-4, 2000, 26041, 1],
    [3e-4, 2000, 40000, 0.1],
    [1e-2, 0, 100, 0],
    [1, 10, 10, 0.5],
    [1, 10, 5, 0.5],
  ])('is the formula for base %p, warm-up %p, total %p, ratio %p', (base, w, total, r) => {
    for (const t of [1, 2, w - 1, w, w + 1, Math.floor((w + total) / 2), total - 1, total])
      if (t >= 1)
        expect(Math.abs(rate(t, base, w, total, r) - formula(t, base, w, total, r))).toBeLessThan(base * 1e-6);
  });

  it('stays constant after the warm-up by default', () => {
    expect(rate(500, 0.25, 100, 1000)).toBe(0.25);
    expect(rate(50, 0.25, 100, 1000)).toBe(0.125);
  });

  it('refuses numbers that make no schedule', () => {
    for (const [base, w, total] of [
      [NaN, 1, 1],
      [1, -1, 1],
      [1, 1, Infinity],
    ] as const)
      expect(() => rate(1, base, w, total)).toThrow(ArgumentError);
  });
});
