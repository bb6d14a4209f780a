import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { add_, arange, cast, DisposedError, exp, reshape, type Tensor, tensor, transpose, zeros } from '../../ts/index';

describe('printing', () => {
  it.each<[string, () => Tensor, string]>([
    ['a scalar', () => tensor(1.5), 'tensor(1.5000, shape=[], float32, cpu)'],
    ['a vector', () => tensor([1, -2.25]), 'tensor([ 1.0000, -2.2500], shape=[2], float32, cpu)'],
    ['integers', () => tensor([1, 20], { dtype: 'int32' }), 'tensor([ 1, 20], shape=[2], int32, cpu)'],
    ['truths', () => tensor([true, false]), 'tensor([ true, false], shape=[2], bool, cpu)'],
    ['nothing', () => zeros([0]), 'tensor([], shape=[0], float32, cpu)'],
    ['small numbers', () => tensor([1e-9, NaN]), 'tensor([1.0000e-9,       NaN], shape=[2], float32, cpu)'],
    [
      'a view',
      () => transpose(tensor([[1, 2, 3]], { dtype: 'uint8' }), 0, 1),
      'tensor([[1],\n        [2],\n        [3]], shape=[3, 1], uint8, cpu)',
    ],
    ['a leaf', () => tensor([1], { requiresGrad: true }), 'tensor([1.0000], shape=[1], float32, cpu, requiresGrad)'],
    ['a result', () => exp(tensor([0], { requiresGrad: true })), 'tensor([1.0000], shape=[1], float32, cpu, grad=exp)'],
  ])('%s', (_, make, text) => {
    expect(inspect(make())).toBe(text);
    expect(String(make())).toBe(text);
  });

  it('leaves out the middle of what is large', () => {
    const text = inspect(reshape(arange(4000), [2, 2000]));
    expect(text).toContain('[   0,    1,    2, ..., 1997, 1998, 1999]');
    expect(text).toContain('shape=[2, 2000], int32');
    expect(text.length).toBeLessThan(200);
  });

  it('says that a tensor is disposed', () => {
    const t = tensor([1]);
    t.dispose();
    expect(inspect(t)).toBe('tensor(disposed)');
  });
});

describe('data', () => {
  it('resolves to the elements in row-major order, of views and bfloat16 too', async () => {
    const t = tensor([
      [1, 2],
      [3, 4],
    ]);
    expect(await transpose(t, 0, 1).data()).toEqual(Float32Array.of(1, 3, 2, 4));
    expect(await cast(t, 'bfloat16').data()).toEqual(Float32Array.of(1, 2, 3, 4));
    expect(await tensor([true, false]).data()).toEqual(Uint8Array.of(1, 0));
    expect(await tensor([-7], { dtype: 'int32' }).data()).toEqual(Int32Array.of(-7));
    expect(await zeros([0]).data()).toEqual(new Float32Array(0));
  });

  it('has the values of the call, also where the tensor is written or disposed meanwhile', async () => {
    const t = zeros([1 << 20]);
    const before = t.data();
    add_(t, 1);
    const after = t.data();
    t.dispose();
    expect((await before).every((x) => x === 0)).toBe(true);
    expect((await after).every((x) => x === 1)).toBe(true);
    await expect(t.data()).rejects.toThrow(DisposedError);
  });
});
