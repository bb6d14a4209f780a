/** The updates of the optimisers on accelerators: more tensors than one launch takes, and what only the device can tell. */
import { expect, it } from '@jest/globals';
import { cast, type Device, narrow, type Tensor, tensor, withoutHostReads, zeros } from '../../ts/index';
import { adamAtan2_, ema_, signSgd_ } from '../../ts/ops/optimizers';
import { arr, randomSource, sizeOf } from '../support/arrays';
import { eachDevice } from '../support/devices';
import { inLayout } from '../support/inputs';
import { OPTIMIZER_BOUND } from '../support/tolerance';

function filled(shape: readonly number[], name: string, device: Device): Tensor {
  const random = randomSource(name);
  const values = Array.from({ length: sizeOf(shape) }, () => 2 * random() - 1);
  return inLayout(arr(shape, values), 'float32', 'contiguous', device);
}
const scalars = (device: Device, finite = true) => ({
  step: tensor(3, { dtype: 'int32', device }),
  lr: tensor(0.1, { device }),
  finite: tensor(finite, { device }),
});
const values = (tensors: readonly Tensor[]): number[][] => tensors.map((t) => Array.from(t.dataSync()));

function expectClose(found: number[][], wanted: number[][]): void {
  expect(found.map((t) => t.length)).toEqual(wanted.map((t) => t.length));
  found.forEach((t, i) => {
    const error = t.reduce((most, x, j) => Math.max(most, Math.abs(x - wanted[i]![j]!)), 0);
    expect(error).toBeLessThan(OPTIMIZER_BOUND);
  });
}

eachDevice('updates', (device) => {
  // More than 48 tensors, among them empty ones, one of several pieces of 4096 and one that is a view behind an offset.
  const shapes = Array.from({ length: 100 }, (_, i) => [i === 60 ? 8200 : i % 7 === 0 ? 0 : i]);
  const list = (name: string, where: Device): Tensor[] =>
    shapes.map((shape, i) =>
      i === 5 ? narrow(filled([9], `${name} 5`, where), 0, 3, 5) : filled(shape, `${name} ${i}`, where),
    );

  it('of a hundred tensors', () => {
    const run = (where: Device): { adam: Tensor[]; ema: Tensor[]; copies: Tensor[]; rounded: Tensor[] } => {
      const [parameters, m, gradients, averages] = ['p', 'm', 'g', 'a'].map((name) => list(name, where));
      const v = list('v', where).map((t) => t.mul(t));
      const copies = parameters!.slice(0, 70).map((t) => zeros(t.shape, { dtype: 'bfloat16', device: where }));
      const options = { beta1: 0.9, beta2: 0.95, weightDecay: 0.5 };
      withoutHostReads(() => {
        for (const finite of [true, false]) {
          const given = scalars(where, finite);
          adamAtan2_({ parameters: parameters!, m: m!, v, gradients: gradients!, copies }, given, options);
          ema_(averages!, parameters!, given.finite, { decay: 0.75 });
        }
      });
      const rounded = parameters!.slice(0, 70).map((t) => cast(t, 'bfloat16'));
      return { adam: [...parameters!, ...m!, ...v], ema: averages!, copies, rounded };
    };
    const [found, wanted] = [run(device), run('cpu')];
    expectClose(values(found.adam), values(wanted.adam));
    expectClose(values(found.ema), values(wanted.ema));
    expect(values(found.copies)).toEqual(values(found.rounded));
    expect(values(found.adam)).not.toEqual(values([...list('p', 'cpu'), ...list('m', 'cpu'), ...list('v', 'cpu')]));
  });

  it('of rows: equal ids move once, in one order', () => {
    const ids = Array.from({ length: 300 }, (_, i) => (i * i) % 37);
    const run = (where: Device): number[][] => {
      const weights = filled([40, 150], 'w', where);
      const rows = inLayout(arr([ids.length], ids), 'int32', 'contiguous', where);
      signSgd_(weights, rows, filled([ids.length, 150], 'g', where), scalars(where), { weightDecay: 0.5 });
      return values([weights]);
    };
    expectClose(run(device), run('cpu'));
  });

  it.each([40, -1, 2 ** 31 - 1, -(2 ** 31)])('of rows: nothing moves where an id is %d', (bad) => {
    const weights = filled([40, 150], 'w', device);
    const before = values([weights]);
    // Among the first and the last of more than one block of threads.
    for (const place of [0, 257, 299]) {
      const ids = Array.from({ length: 300 }, (_, i) => (i === place ? bad : i % 40));
      const rows = inLayout(arr([ids.length], ids), 'int32', 'contiguous', device);
      expect(() => {
        signSgd_(weights, rows, filled([ids.length, 150], 'g', device), scalars(device), { weightDecay: 0.5 });
        weights.dataSync();
      }).toThrow(new RegExp(`got ${bad}`));
      expect(values([weights])).toEqual(before);
    }
  });
});
