/** What the cases of indexing are too small for, and indices that only the device sees. */
import { expect, it } from '@jest/globals';
import {
  ArgumentError,
  crossEntropy,
  type Device,
  gather,
  indexSelect,
  scatterAdd,
  synchronize,
  type Tensor,
  tensor,
  zeros,
} from '../../ts/index';
import { crossEntropyBackwardOp } from '../../ts/ops/cross_entropy';
import { indexSelectBackwardOp } from '../../ts/ops/indexing';
import { eachDevice } from '../support/devices';
import { arr, randomSource, sizeOf } from '../support/arrays';
import { inLayout } from '../support/inputs';

const indices = (values: readonly number[], shape: readonly number[], device: Device): Tensor =>
  inLayout(arr(shape, values), 'int32', 'contiguous', device);

/** Small integers: their sums are exact in any order. */
function integers(shape: readonly number[], name: string, n: number): number[] {
  const random = randomSource(name);
  return Array.from({ length: sizeOf(shape) }, () => Math.floor(random() * n));
}

eachDevice('indices', (device) => {
  // Rows and ids beyond what one block takes: few rows of many ids in several chunks, many rows, and many columns.
  it.each([
    [3, 300, 70],
    [64, 129, 1],
    [65, 300, 3],
    [200, 140, 600],
  ])('gradient of %d rows selected by %d ids, %d columns', (size, n, width) => {
    for (const dtype of ['float32', 'bfloat16'] as const) {
      for (const outer of [1, 2]) {
        const ids = integers([n], `ids ${size}`, size);
        const dy = integers([outer, n, width], `dy ${size}`, 5);
        const expected = new Float32Array(outer * size * width);
        dy.forEach((v, i) => {
          const [column, row, lead] = [i % width, Math.floor(i / width) % n, Math.floor(i / width / n)];
          expected[(lead * size + ids[row]!) * width + column]! += v;
        });
        const gradient = inLayout(arr([outer, n, width], dy), dtype, 'contiguous', device);
        const dx = indexSelectBackwardOp.one([gradient, indices(ids, [n], device)], { dim: 1, size });
        // Sums that bfloat16 does not hold are rounded once.
        const wanted = dtype === 'float32' ? expected : tensor(expected, { dtype }).dataSync();
        expect(dx.dataSync()).toEqual(wanted);
      }
    }
  });

  it('that are out of range are reported, and harm nothing', () => {
    const x = inLayout(arr([3, 4], integers([3, 4], 'x', 9)), 'float32', 'contiguous', device);
    const before = x.dataSync();
    const empty = zeros([3, 0], { device });
    for (const bad of [3, -1, 2 ** 31 - 1, -(2 ** 31)]) {
      const [ids, grid] = [indices([0, bad], [2], device), indices([0, bad, 1, 1], [1, 4], device)];
      const runs: Record<string, () => Tensor> = {
        index_select: () => indexSelect(x, 0, ids),
        gather: () => gather(x, 0, grid),
        scatter_add: () => scatterAdd(x, 0, grid, inLayout(arr([1, 4]), 'float32', 'contiguous', device)),
        index_select_backward: () =>
          indexSelectBackwardOp.one([inLayout(arr([2, 4]), 'float32', 'contiguous', device), ids], { dim: 0, size: 3 }),
      };
      for (const [name, run] of Object.entries(runs)) {
        const message = new RegExp(
          `^${name.replaceAll(/_(.)/g, '_?$1')}.*: indices must be in 0\\.\\.2, got ${bad}`,
          'i',
        );
        expect(() => run().dataSync()).toThrow(message);
        expect(() => run().dataSync()).toThrow(ArgumentError);
      }
      expect(() => {
        indexSelect(empty, 0, ids);
        x.dataSync();
      }).toThrow(/indices must be in 0\.\.2, got/);
      expect(x.dataSync()).toEqual(before);
    }
  });

  it('into a dimension without elements are refused in the same words everywhere', () => {
    const [empty, ids] = [zeros([0, 4], { device }), indices([5], [1], device)];
    const runs = [
      () => indexSelect(empty, 0, ids),
      () => gather(empty, 0, indices([5], [1, 1], device)),
      () => scatterAdd(empty, 0, indices([5], [1, 1], device), zeros([1, 1], { device })),
    ];
    for (const run of runs)
      expect(() => {
        run().dataSync();
        synchronize(device);
      }).toThrow(/: the dimension is empty, got index 5\b/);
  });

  it('that are labels are refused as labels, forward and backward', () => {
    const logits = inLayout(arr([3, 11], integers([3, 11], 'logits', 9)), 'float32', 'contiguous', device);
    for (const bad of [11, -1]) {
      const labels = indices([-100, 10, bad], [3], device);
      const refused = new RegExp(`: labels must be in \\[0, V\\), V = 11, or ignoreIndex, -100, got ${bad}\\b`);
      expect(() => crossEntropy(logits, labels, { reduction: 'none' }).dataSync()).toThrow(refused);
      const dy = inLayout(arr([3], [1, 1, 1]), 'float32', 'contiguous', device);
      const attributes = { stablemax: false, ignoreIndex: -100 };
      expect(() => crossEntropyBackwardOp.one([dy, logits, labels], attributes).dataSync()).toThrow(refused);
    }
    // What was found is forgotten: the next of indices is one of indices.
    expect(() => indexSelect(logits, 0, indices([3], [1], device)).dataSync()).toThrow(
      /indices must be in 0\.\.2, got 3/,
    );
  });
});
