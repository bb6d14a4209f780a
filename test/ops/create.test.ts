import { describe, expect, it } from '@jest/globals';
import { ArgumentError, eye, fullLike, linspace, onesLike, tensor, zerosLike } from '../../ts/index';

describe('tensors from few numbers', () => {
  it('eye has ones on the diagonal, whatever the shape', () => {
    for (const [n, m] of [
      [0, 0],
      [1, 1],
      [3, 3],
      [2, 5],
      [5, 2],
      [3, 0],
    ] as const) {
      const x = eye(n, m, { dtype: 'int32' });
      expect(x.shape).toEqual([n, m]);
      expect([...x.dataSync()]).toEqual(Array.from({ length: n * m }, (_, i) => (Math.floor(i / m) === i % m ? 1 : 0)));
    }
    expect(eye(2).dtype).toBe('float32');
    expect(() => eye(-1)).toThrow(ArgumentError);
    expect(() => eye(1.5)).toThrow(ArgumentError);
  });

  it('linspace ends exactly where it should', () => {
    expect([...linspace(0, 1, 5).dataSync()]).toEqual([0, 0.25, 0.5, 0.75, 1]);
    for (let n = 2; n < 60; ++n) {
      const x = linspace(-0.1, 0.7, n, { dtype: 'float64' }).dataSync();
      expect([x.length, x[0], x[n - 1]]).toEqual([n, -0.1, 0.7]);
    }
    expect([...linspace(3, 9, 1).dataSync()]).toEqual([3]);
    expect(linspace(3, 9, 0).shape).toEqual([0]);
    expect(() => linspace(0, 1, -1)).toThrow(ArgumentError);
    expect(() => linspace(0, Infinity, 3)).toThrow(ArgumentError);
    expect(() => linspace(0, 1, 3, { dtype: 'int32' })).toThrow(ArgumentError);
  });

  it('zerosLike, onesLike and fullLike take shape and dtype', () => {
    const x = tensor([[1, 2, 3]], { dtype: 'float64' });
    for (const [y, value] of [
      [zerosLike(x), 0],
      [onesLike(x), 1],
      [fullLike(x, 2.5), 2.5],
    ] as const) {
      expect([y.shape, y.dtype, ...y.dataSync()]).toEqual([[1, 3], 'float64', value, value, value]);
    }
    expect(zerosLike(x, { dtype: 'bool' }).dtype).toBe('bool');
    expect(onesLike(x, { requiresGrad: true }).requiresGrad).toBe(true);
    expect(() => zerosLike([1] as unknown as typeof x)).toThrow(ArgumentError);
  });
});
