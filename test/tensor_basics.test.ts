import { describe, expect, it } from '@jest/globals';
import { add, backward, DisposedError, memory, mul, noGrad, ShapeError, tensor, tidy, type Tensor } from '../ts/index';

describe('tensors', () => {
  it('come from nested arrays and go back', () => {
    const t = tensor([
      [1, 2],
      [3, 4],
    ]);
    expect(t.shape).toEqual([2, 2]);
    expect(t.dtype).toBe('float32');
    expect([...t.dataSync()]).toEqual([1, 2, 3, 4]);
  });

  it('broadcast and promote', () => {
    const sum = add(tensor([[1], [2]], { dtype: 'int32' }), tensor([0.5, 1]));
    expect(sum.dtype).toBe('float32');
    expect([...sum.dataSync()]).toEqual([1.5, 2, 2.5, 3]);
  });

  it('refuse shapes that do not broadcast', () => {
    expect(() => add(tensor([1, 2, 3]), tensor([1, 2]))).toThrow(ShapeError);
  });

  it('refuse use after dispose', () => {
    const t = tensor([1]);
    t.dispose();
    t.dispose();
    expect(() => add(t, t)).toThrow(DisposedError);
  });

  it('are read without leaving anything to the collector', async () => {
    const t = tensor([1, 2], { dtype: 'bfloat16' });
    const before = memory().tensors;
    for (const read of [await t.data(), t.dataSync(), await t.data()]) expect([...read]).toEqual([1, 2]);
    // The collector may take what earlier tests dropped.
    expect(memory().tensors).toBeLessThanOrEqual(before);
    t.dispose();
  });

  it('live in tidy until it ends', () => {
    let inner: Tensor | undefined;
    const kept = tidy(() => {
      inner = tensor([1, 2]);
      return mul(inner, 3);
    });
    expect(inner?.isDisposed).toBe(true);
    expect([...kept.dataSync()]).toEqual([3, 6]);
  });
});

describe('backward', () => {
  it('differentiates a product and undoes broadcasting', () => {
    const a = tensor([[1], [2]], { requiresGrad: true });
    const b = tensor([3, 4], { requiresGrad: true });
    backward(
      mul(a, b),
      tensor([
        [1, 1],
        [1, 1],
      ]),
    );
    expect([...(a.grad as Tensor).dataSync()]).toEqual([7, 7]);
    expect((a.grad as Tensor).shape).toEqual([2, 1]);
    expect([...(b.grad as Tensor).dataSync()]).toEqual([3, 3]);
  });

  it('accumulates, also over a diamond', () => {
    const x = tensor(3, { requiresGrad: true });
    const y = mul(x, x);
    backward(add(y, y));
    expect((x.grad as Tensor).item()).toBe(12);
    backward(mul(x, 2));
    expect((x.grad as Tensor).item()).toBe(14);
  });

  it('records nothing under noGrad', () => {
    const x = tensor(3, { requiresGrad: true });
    expect(noGrad(() => mul(x, x)).requiresGrad).toBe(false);
  });
});
