/** Errors name the function that was called, what it expects and what it got. */
import { describe, expect, it } from '@jest/globals';
import * as engine from '../../ts/index';
import type { DType, Tensor } from '../../ts/index';
import { addon } from '../../ts/native/boundary';

const { tensor, zeros } = engine;
const int = (data: number[]): Tensor => tensor(data, { dtype: 'int32' });
const none = undefined as unknown as Tensor;
const odd = 'int7' as DType;

describe('errors', () => {
  it.each<[string, () => unknown, RegExp]>([
    ['zeros', () => zeros([-1]), /got -1$/],
    ['zeros', () => zeros([2], { dtype: odd }), /got "int7"$/],
    ['ones', () => engine.ones([2], { dtype: odd }), /got "int7"$/],
    ['ones', () => engine.ones([1e9, 1e9]), /1000000000 x 1000000000/],
    ['full', () => engine.full([1.5], 1), /got 1.5$/],
    ['zerosLike', () => engine.zerosLike(none), /x must be a tensor, got undefined$/],
    ['onesLike', () => engine.onesLike(tensor(1), { dtype: odd }), /got "int7"$/],
    ['rand', () => engine.rand([2], { dtype: 'int32' }), /int32/],
    ['randn', () => engine.randn([2], { std: -1 }), /-1/],
    ['randint', () => engine.randint(3, 3, [2]), /3/],
    ['randperm', () => engine.randperm(-1), /-1/],
    ['truncNormal', () => engine.truncNormal([2], { dtype: 'uint8' }), /uint8/],
    ['embedding', () => engine.embedding(none, int([0])), /weight must be a tensor, got undefined$/],
    ['embedding', () => engine.embedding(zeros([2, 3]), int([2])), /2/],
    ['embedding', () => engine.embedding(zeros([2, 3]), tensor([1])), /int32, got float32/],
    ['indexSelect', () => engine.indexSelect(zeros([2]), 0, int([5])), /5/],
    ['logSoftmax', () => engine.logSoftmax(zeros([2]), 3), /got 3$/],
    ['logicalAnd', () => engine.logicalAnd(zeros([2]), zeros([3])), /\[2\] and \[3\]/],
    ['add_', () => engine.add_(zeros([2]), zeros([3])), /\[2\] and \[3\]/],
    ['add_', () => engine.add_(zeros([2]), none), /b must be a tensor or a number, got undefined$/],
    ['exp_', () => engine.exp_(int([1])), /float32.*int32/],
    ['zero_', () => engine.zero_(none), /must be a tensor, got undefined$/],
    ['zero_', () => engine.zero_(tensor([1], { requiresGrad: true })), /noGrad/],
    ['fill_', () => engine.fill_(zeros([1]), '2' as unknown as number), /value must be a number, got "2"$/],
    ['copy_', () => engine.copy_(zeros([2]), zeros([3])), /\[2\]/],
    ['std', () => engine.std(int([1])), /int32/],
    ['variance', () => engine.variance(int([1])), /int32/],
    ['argmin', () => engine.argmin(zeros([0])), /\[0\]/],
  ])('of %s name it: %s', (name, run, text) => {
    expect(run).toThrow(engine.HrmError);
    expect(run).toThrow(new RegExp(`^${name}: `));
    expect(run).toThrow(text);
  });

  it('of the memory limit name the function', () => {
    const { limitBytes } = engine.memory();
    const x = zeros([1000]);
    engine.trimMemory();
    engine.setMemoryLimit(engine.memory().liveBytes);
    try {
      expect(() => engine.exp(x)).toThrow(engine.OutOfMemoryError);
      expect(() => engine.exp(x)).toThrow(/^exp: cannot allocate 4000 bytes/);
      expect(() => zeros([1000])).toThrow(/^zeros: cannot allocate 4000 bytes/);
    } finally {
      engine.setMemoryLimit(limitBytes);
    }
  });

  it('of the native boundary say what they got', () => {
    const { ops } = addon();
    const x = engine.tensor([1]);
    const id = engine.Tensor.handleOf(x, 'test', 'x').id;
    const owner = { id: -1 };
    expect(() => ops.fill(id, 'one')).toThrow(/value must be a number, got "one"/);
    expect(() => ops.sum(owner, id, [], 1)).toThrow(/keepdim must be a boolean, got 1/);
    expect(() => ops.sum(owner, id, {}, true)).toThrow(/dims must be an array of integers, got an object/);
    expect(() => ops.exp(owner, {})).toThrow(/x must be a tensor, got an object/);
    expect(() => ops.exp(owner, null)).toThrow(/x must be a tensor, got null/);
    expect(() => {
      addon().write(id, [1] as unknown as ArrayBufferView);
    }).toThrow(/data must be a typed array, got an array of length 1/);
    expect(() => {
      addon().write(id, new Float32Array(3));
    }).toThrow(/has 4 bytes, got a typed array of 12/);
  });
});
