import { describe, expect, it } from '@jest/globals';
import { add, ArgumentError, exp, std, sum, tensor, type Tensor, variance, where } from '../../ts/index';

const x = (): Tensor =>
  tensor(
    [
      [1, 2, 4],
      [3, 5, 9],
    ],
    { requiresGrad: true },
  );
const values = (t: Tensor): number[] => [...t.dataSync()];

describe('the methods of Tensor', () => {
  it('are the functions', () => {
    expect(values(x().add(1))).toEqual(values(add(x(), 1)));
    expect(values(x().exp())).toEqual(values(exp(x())));
    expect(values(x().sum(0, { keepdim: true }))).toEqual(values(sum(x(), 0, { keepdim: true })));
    expect(values(x().var())).toEqual(values(variance(x())));
    expect(values(x().variance())).toEqual(values(variance(x())));
    expect(values(x().std(undefined, { correction: 0 }))).toEqual(values(std(x(), undefined, { correction: 0 })));
    expect(x().reshape([3, 2]).transpose(0, 1).shape).toEqual([2, 3]);
  });

  it('chain into backward', () => {
    const t = x();
    t.mul(t).sum().backward();
    expect(values(t.grad as Tensor)).toEqual([2, 4, 8, 6, 10, 18]);
  });

  it('convert with to, which returns the tensor itself where nothing changes', () => {
    const t = x();
    expect(t.to('float32')).toBe(t);
    expect(t.to({})).toBe(t);
    expect(t.to({ dtype: 'int32' }).dtype).toBe('int32');
    expect(() => t.to({ device: 'tpu' as 'cpu' })).toThrow(ArgumentError);
    expect(() => t.to('float16' as 'float32')).toThrow(ArgumentError);
    t.to('float64').sum().backward();
    expect((t.grad as Tensor).dtype).toBe('float32');
  });

  it('are not enumerable and have their names', () => {
    const keys: string[] = [];
    for (const key in x()) keys.push(key);
    expect(keys).not.toContain('add');
    expect((x().add as { name: string }).name).toBe('add');
  });
});

describe('where of two numbers', () => {
  const condition = tensor([true, false]);
  it.each([
    [1, 2, 'int32', [1, 2]],
    [1, 2.5, 'float32', [1, 2.5]],
    [0, NaN, 'float32', [0, NaN]],
    [-Infinity, 0, 'float32', [-Infinity, 0]],
    [2 ** 31, 0, 'float32', [2 ** 31, 0]],
  ] as const)('%d or %d is %s', (a, b, dtype, expected) => {
    const y = where(condition, a, b);
    expect([y.dtype, values(y)]).toEqual([dtype, expected]);
  });
});
