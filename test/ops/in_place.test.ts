import { describe, expect, it } from '@jest/globals';
import {
  add_,
  AutogradError,
  clamp,
  clamp_,
  copy_,
  div_,
  DTypeError,
  exp_,
  expand,
  fill_,
  mul,
  mul_,
  neg_,
  noGrad,
  pow_,
  select,
  ShapeError,
  narrow,
  sqrt_,
  sub_,
  sum,
  tensor,
  type Tensor,
  transpose,
  zero_,
  zeros,
} from '../../ts/index';

const values = (t: Tensor): number[] => [...t.dataSync()];
const part = (t: Tensor, start: number, stop: number): Tensor => narrow(t, 0, start, stop - start);

describe('in-place ops', () => {
  it('write over their first argument and return it', () => {
    const t = tensor([1, 4, 9]);
    expect(add_(t, 1)).toBe(t);
    expect(values(t)).toEqual([2, 5, 10]);
    expect(values(sub_(t, tensor([1, 1, 1])))).toEqual([1, 4, 9]);
    expect(values(mul_(t, t))).toEqual([1, 16, 81]);
    expect(values(sqrt_(t))).toEqual([1, 4, 9]);
    expect(values(div_(t, 2))).toEqual([0.5, 2, 4.5]);
    expect(values(pow_(t, 2))).toEqual([0.25, 4, 20.25]);
    expect(values(neg_(t))).toEqual([-0.25, -4, -20.25]);
    expect(values(clamp_(t, { min: -4 }))).toEqual([-0.25, -4, -4]);
    expect(values(fill_(t, 0))).toEqual([0, 0, 0]);
    expect(values(exp_(t))).toEqual([1, 1, 1]);
    expect(values(copy_(t, tensor([7], { dtype: 'int32' })))).toEqual([7, 7, 7]);
    expect(values(zero_(t))).toEqual([0, 0, 0]);
  });

  it('write through views, also from another view of the same memory', () => {
    const t = tensor([
      [1, 2],
      [3, 4],
    ]);
    add_(t, transpose(t, 0, 1));
    expect(values(t)).toEqual([2, 5, 5, 8]);
    zero_(transpose(t, 0, 1));
    expect(values(t)).toEqual([0, 0, 0, 0]);
  });

  it.each([1, 2, 3])('copy from an overlapping view as from a copy of it, by %i either way', (by) => {
    for (const dtype of ['uint8', 'int32', 'bfloat16', 'float32', 'float64'] as const) {
      // Long enough for several threads.
      const numbers = Array.from({ length: 70_000 }, (_, i) => i % 251);
      // toEqual of this many takes seconds.
      const firstWrong = (t: Tensor, expected: (i: number) => number | undefined): number =>
        values(t).findIndex((x, i) => x !== expected(i));
      const later = tensor(numbers, { dtype });
      copy_(part(later, by, numbers.length), part(later, 0, numbers.length - by));
      expect(firstWrong(later, (i) => numbers[i < by ? i : i - by])).toBe(-1);
      const earlier = tensor(numbers, { dtype });
      copy_(part(earlier, 0, numbers.length - by), part(earlier, by, numbers.length));
      expect(firstWrong(earlier, (i) => numbers[i + by] ?? numbers[i])).toBe(-1);
    }
  });

  it('copy a transposed view over itself, and a row over all rows', () => {
    const t = tensor([
      [1, 2],
      [3, 4],
    ]);
    copy_(t, transpose(t, 0, 1));
    expect(values(t)).toEqual([1, 3, 2, 4]);
    copy_(t, select(t, 0, 1));
    expect(values(t)).toEqual([2, 4, 2, 4]);
    copy_(t, t);
    expect(values(t)).toEqual([2, 4, 2, 4]);
  });

  it.each([
    ['add_', (a: Tensor, b: Tensor) => add_(a, b), (a: number, b: number) => a + b],
    ['sub_', (a: Tensor, b: Tensor) => sub_(a, b), (a: number, b: number) => a - b],
    ['mul_', (a: Tensor, b: Tensor) => mul_(a, b), (a: number, b: number) => a * b],
    ['div_', (a: Tensor, b: Tensor) => div_(a, b), (a: number, b: number) => a / b],
    ['pow_', (a: Tensor, b: Tensor) => pow_(a, b), (a: number, b: number) => a ** b],
  ] as const)('%s reads an overlapping view as it was before', (_, op, f) => {
    const before = Array.from({ length: 1000 }, (_, i) => 1 + (i % 2));
    const t = tensor(before, { dtype: 'float64' });
    op(part(t, 1, 1000), part(t, 0, 999));
    expect(values(t)).toEqual(before.map((x, i) => (i === 0 ? x : f(x, before[i - 1]!))));
  });

  it.each([
    ['fill_', (t: Tensor) => fill_(t, 1)],
    ['zero_', (t: Tensor) => zero_(t)],
    ['copy_', (t: Tensor) => copy_(t, tensor([1]))],
    ['add_', (t: Tensor) => add_(t, 1)],
    ['sub_', (t: Tensor) => sub_(t, 1)],
    ['mul_', (t: Tensor) => mul_(t, 2)],
    ['div_', (t: Tensor) => div_(t, 2)],
    ['pow_', (t: Tensor) => pow_(t, 2)],
    ['neg_', (t: Tensor) => neg_(t)],
    ['exp_', (t: Tensor) => exp_(t)],
    ['sqrt_', (t: Tensor) => sqrt_(t)],
    ['clamp_', (t: Tensor) => clamp_(t, { max: 0 })],
  ])('%s refuses an expanded view, whose elements are one in memory, naming itself', (name, op) => {
    const one = tensor([5]);
    expect(() => op(expand(one, [3]))).toThrow(ShapeError);
    expect(() => op(expand(one, [3]))).toThrow(
      new RegExp(`^${name}: .*expanded.*\\[3\\]|^${name}: .*\\[3\\].*expanded`),
    );
    expect(values(one)).toEqual([5]);
    // Of one element or none nothing is written twice.
    op(expand(one, [1, 1]));
    op(expand(zeros([1, 0]), [3, 0]));
  });

  it('clamp integers between integers only', () => {
    const t = tensor([-5, 0, 5], { dtype: 'int32' });
    expect(() => clamp_(t, { min: 0.5 })).toThrow(DTypeError);
    expect(() => clamp_(t, { min: 0.5 })).toThrow(/^clamp_: .*min 0.5.*float32.*int32/);
    expect(values(t)).toEqual([-5, 0, 5]);
    expect(values(clamp_(t, { min: -1, max: Infinity }))).toEqual([-1, 0, 5]);
    const y = clamp(t, { min: 0.5, max: 2 });
    expect([y.dtype, values(y)]).toEqual(['float32', [0.5, 0.5, 2]]);
    expect(clamp(t, { min: -2, max: 3 }).dtype).toBe('int32');
    expect(clamp(tensor([true]), { max: 0.5 }).dtype).toBe('float32');
  });

  it('refuse a result of another shape or dtype', () => {
    expect(() => add_(tensor([1]), tensor([1, 2]))).toThrow(ShapeError);
    expect(() => add_(tensor([1], { dtype: 'int32' }), 0.5)).toThrow(DTypeError);
    expect(() => exp_(tensor([1], { dtype: 'int32' }))).toThrow(DTypeError);
  });

  it('refuse tensors that require gradients, outside noGrad', () => {
    const t = tensor([1, 2], { requiresGrad: true });
    expect(() => mul_(t, 2)).toThrow(AutogradError);
    expect(() => mul_(tensor([1, 2]), t)).toThrow(AutogradError);
    expect(values(noGrad(() => mul_(t, 2)))).toEqual([2, 4]);
  });

  it('are noticed by backward where they change what was saved', () => {
    const t = tensor([1, 2], { requiresGrad: true });
    const factor = tensor([3, 4]);
    const y = sum(mul(t, factor));
    add_(factor, 1);
    expect(() => {
      y.backward();
    }).toThrow(AutogradError);
  });
});
