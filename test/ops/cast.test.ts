import { describe, expect, it } from '@jest/globals';
import { cast, clone, contiguous, detach, sum, tensor, type Tensor, transpose } from '../../ts/index';
import { DTYPES } from '../../ts/tensor/dtype';
import { roundToBfloat16 } from '../support/tolerance';

const VALUES = [
  0,
  1,
  -1,
  2.5,
  -2.5,
  254.9,
  255,
  300,
  2 ** 31,
  -(2 ** 31),
  1e10,
  -1e10,
  1e300,
  Infinity,
  -Infinity,
  NaN,
];

function expected(value: number, dtype: (typeof DTYPES)[number]): number {
  const saturated = (low: number, high: number): number =>
    Number.isNaN(value) ? 0 : Math.trunc(Math.min(Math.max(value, low), high));
  switch (dtype) {
    case 'bool':
      return value === 0 ? 0 : 1;
    case 'uint8':
      return saturated(0, 255);
    case 'int32':
      return saturated(-(2 ** 31), 2 ** 31 - 1);
    case 'bfloat16':
      return roundToBfloat16(value);
    case 'float32':
      return Math.fround(value);
    case 'float64':
      return value;
  }
}

describe('cast', () => {
  it.each(DTYPES)('float64 to %s truncates and saturates', (dtype) => {
    const y = cast(tensor(Float64Array.from(VALUES)), dtype);
    expect(y.dtype).toBe(dtype);
    expect([...y.dataSync()].map((v) => v + 0)).toEqual(VALUES.map((v) => expected(v, dtype) + 0));
  });

  it('goes between all pairs and keeps small numbers', () => {
    for (const from of DTYPES)
      for (const to of DTYPES) {
        const x = tensor([0, 1, 1, 0], { dtype: from });
        expect([...cast(x, to).dataSync()]).toEqual([0, 1, 1, 0]);
      }
  });

  it('casts the gradient back', () => {
    const x = tensor([1, 2], { dtype: 'bfloat16', requiresGrad: true });
    sum(cast(x, 'float64')).backward();
    expect((x.grad as Tensor).dtype).toBe('bfloat16');
    expect([...(x.grad as Tensor).dataSync()]).toEqual([1, 1]);
  });
});

describe('copies', () => {
  it('clone has memory of its own and passes gradients', () => {
    const x = tensor([1, 2], { requiresGrad: true });
    const y = clone(x);
    sum(y).backward();
    expect([...(x.grad as Tensor).dataSync()]).toEqual([1, 1]);
    const z = detach(y);
    expect(z.requiresGrad).toBe(false);
    z.fill_(9);
    expect([...y.dataSync()]).toEqual([9, 9]);
    expect([...x.dataSync()]).toEqual([1, 2]);
  });

  it('contiguous copies only where it must', () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    expect(contiguous(x)).toBe(x);
    const t = contiguous(transpose(x, 0, 1));
    expect(t.isContiguous).toBe(true);
    expect([...t.dataSync()]).toEqual([1, 3, 2, 4]);
  });
});
