import { describe, expect, it } from '@jest/globals';
import {
  add_,
  AutogradError,
  clamp_,
  copy_,
  div_,
  DTypeError,
  exp_,
  fill_,
  mul,
  mul_,
  neg_,
  noGrad,
  pow_,
  ShapeError,
  sqrt_,
  sub_,
  sum,
  tensor,
  type Tensor,
  transpose,
  zero_,
} from '../../ts/index';

const values = (t: Tensor): number[] => [...t.dataSync()];

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
