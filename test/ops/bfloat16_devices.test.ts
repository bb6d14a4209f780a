/** The fused ops in bfloat16 on every device: as exact as their definitions in ops that each round to bfloat16. */
import { expect, it } from '@jest/globals';
import { backward, cast, type Device, Generator, mul, randn, ropeTables, sum, type Tensor, tidy } from '../../ts/index';
import type { BlockOptions, BlockWeights } from '../../ts/ops/block';
import { demandFused } from '../../ts/ops/fused';
import { composedLLoop, lLoop } from '../../ts/ops/l_loop';
import { composedLevel, level } from '../../ts/ops/level';
import { toDevice } from '../../ts/tensor/create';
import type { DType } from '../../ts/tensor/dtype';
import { eachDevice } from '../support/devices';

const [BATCH, SEQ, HIDDEN, HEADS, INNER, SEQ_INNER] = [3, 17, 32, 2, 24, 20] as const;
/** How much worse than ops that round to bfloat16 between them a fused op may be. */
const FACTOR = 2;

type Mixer = 'attention' | 'sequence';
const shapesOf: Readonly<Record<Mixer, Readonly<Record<string, readonly [number, number]>>>> = {
  attention: { qkv: [3 * HIDDEN, HIDDEN], o: [HIDDEN, HIDDEN], gateUp: [2 * INNER, HIDDEN], down: [HIDDEN, INNER] },
  sequence: {
    tGateUp: [2 * SEQ_INNER, SEQ],
    tDown: [SEQ, SEQ_INNER],
    gateUp: [2 * INNER, HIDDEN],
    down: [HIDDEN, INNER],
  },
};

/** States and blocks of bfloat16 numbers, in any dtype. */
function inputs(mixer: Mixer, layers: number, dtype: DType, device: Device) {
  const generator = new Generator(6);
  const number = (shape: readonly number[], std: number): Tensor =>
    toDevice(cast(cast(randn(shape, { generator, std }), 'bfloat16'), dtype), device, 'test');
  const state = (): Tensor => number([BATCH, SEQ, HIDDEN], 1);
  const blocks = (): BlockWeights[] =>
    Array.from({ length: layers }, () => {
      const shapes = Object.entries(shapesOf[mixer]);
      return Object.fromEntries(
        shapes.map(([name, shape]) => [name, number(shape, shape[1] ** -0.5)]),
      ) as unknown as BlockWeights;
    });
  const tables = ropeTables(SEQ, HIDDEN / HEADS, { dtype: dtype === 'float64' ? 'float64' : 'float32' });
  const rope = { cos: toDevice(tables.cos, device, 'test'), sin: toDevice(tables.sin, device, 'test') };
  const options: BlockOptions = { nHeads: HEADS, eps: 1e-5, ...(mixer === 'attention' ? { rope } : {}) };
  return { state, blocks, options };
}

const valuesOf = (tensors: readonly Tensor[]): Float64Array[] =>
  tensors.map((t) => Float64Array.from(t.dataSync() as ArrayLike<number>));

/** Relative errors of all tensors together: of a single one either may be exact by luck. */
function errorOf(found: readonly Float64Array[], exact: readonly Float64Array[]): number {
  return Math.hypot(
    ...found.map((values, i) => {
      const wanted = exact[i]!;
      expect(values.length).toBe(wanted.length);
      return Math.hypot(...values.map((value, j) => value - wanted[j]!)) / Math.hypot(...wanted);
    }),
  );
}

/** y, and the gradients of the state and of every weight. */
function gradients(run: typeof level, mixer: Mixer, dtype: DType, device: Device): Float64Array[] {
  return tidy(() => {
    const { state, blocks, options } = inputs(mixer, 2, dtype, device);
    const [z, injection, dy, weights] = [state(), state(), state(), blocks()];
    const leaves = [z, ...weights.flatMap((block) => Object.values(block) as Tensor[])];
    for (const leaf of leaves) leaf.requiresGrad = true;
    const y = run(z, [injection], weights, options);
    backward(
      sum(mul(cast(y, dtype === 'float64' ? dtype : 'float32'), cast(dy, dtype === 'float64' ? dtype : 'float32'))),
    );
    return valuesOf([y, ...leaves.map((leaf) => leaf.grad!)]);
  });
}

function states(run: typeof lLoop, mixer: Mixer, dtype: DType, device: Device, hTokens?: number): Float64Array[] {
  return tidy(() => {
    const { state, blocks, options } = inputs(mixer, 2, dtype, device);
    const loop = { ...options, hCycles: 2, lCycles: 2, gradSteps: 0, hTokens };
    const { zH, zL } = run(state(), state(), state(), blocks(), blocks(), loop);
    return valuesOf([zH, zL]);
  });
}

eachDevice('bfloat16', (device) => {
  const mixers = ['attention', 'sequence'] as const;

  it.each(mixers)('level with %s errs at most twice as much as its definition', (mixer) => {
    const exact = gradients(composedLevel, mixer, 'float64', 'cpu');
    const reference = errorOf(gradients(composedLevel, mixer, 'bfloat16', 'cpu'), exact);
    const fused = errorOf(
      demandFused(() => gradients(level, mixer, 'bfloat16', device)),
      exact,
    );
    expect(fused).toBeLessThanOrEqual(FACTOR * reference);
    expect(fused).toBeGreaterThan(0);
  });

  it.each(mixers)('l_loop with %s errs at most twice as much as its definition', (mixer) => {
    for (const hTokens of [undefined, 1, 5]) {
      const exact = states(composedLLoop, mixer, 'float64', 'cpu', hTokens);
      const reference = errorOf(states(composedLLoop, mixer, 'bfloat16', 'cpu', hTokens), exact);
      const fused = errorOf(
        demandFused(() => states(lLoop, mixer, 'bfloat16', device, hTokens)),
        exact,
      );
      expect(fused).toBeLessThanOrEqual(FACTOR * reference);
    }
  });

  it.each(['float32', 'bfloat16'] as const)('l_loop gives the first tokens as among all of them, in %s', (dtype) => {
    for (const mixer of mixers) {
      const [all] = states(lLoop, mixer, dtype, device);
      for (const hTokens of [1, 5]) {
        const [first] = states(lLoop, mixer, dtype, device, hTokens);
        const wanted = all!.filter((_, i) => Math.floor(i / HIDDEN) % SEQ < hTokens);
        // Attention goes through the keys in other tiles where there are few queries.
        const bound = dtype === 'float32' ? 2 ** -20 : 2 ** -8;
        expect(errorOf([first!], [wanted])).toBeLessThanOrEqual(bound);
      }
    }
  });
});
