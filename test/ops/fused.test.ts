import { afterEach, describe, expect, it } from '@jest/globals';
import {
  backward,
  DeviceError,
  getNumThreads,
  Generator,
  memory,
  mul,
  narrow,
  noGrad,
  randn,
  ropeTables,
  sum,
  type Tensor,
  setNumThreads,
  tidy,
  vjp,
} from '../../ts/index';
import { copy_ } from '../../ts/ops/cast';
import type { BlockWeights } from '../../ts/ops/block';
import { demandFused, fallbackCounts, resetFallbackCounts } from '../../ts/ops/fused';
import { composedLLoop, lLoop } from '../../ts/ops/l_loop';
import { composedLevel, level } from '../../ts/ops/level';
import { FUSED_BOUND, FUSED_GRADIENT_BOUND } from '../support/tolerance';

// SEQ_INNER is large enough for the gradient to take its sums over it in parts.
const [BATCH, SEQ, HIDDEN, INNER, HEADS, SEQ_INNER] = [3, 10, 32, 48, 4, 389] as const;
const generator = new Generator(7);
const normal = (...shape: number[]): Tensor => randn(shape, { generator, dtype: 'float64' });
const scaled = (rows: number, cols: number): Tensor => mul(normal(rows, cols), 1 / Math.sqrt(cols));

const MIXERS = ['attention', 'a SwiGLU over the sequence'] as const;
type Mixer = (typeof MIXERS)[number];

function weightsOf(mixer: Mixer, layers: number): BlockWeights[] {
  return Array.from({ length: layers }, () => ({
    ...(mixer === 'attention'
      ? { qkv: scaled(3 * HIDDEN, HIDDEN), o: scaled(HIDDEN, HIDDEN) }
      : { tGateUp: scaled(2 * SEQ_INNER, SEQ), tDown: scaled(SEQ, SEQ_INNER) }),
    gateUp: scaled(2 * INNER, HIDDEN),
    down: scaled(HIDDEN, INNER),
  }));
}
function state(): Tensor {
  return normal(BATCH, SEQ, HIDDEN);
}
const options = {
  nHeads: HEADS,
  eps: 1e-5,
  rope: ropeTables(SEQ, HIDDEN / HEADS, { dtype: 'float64' }),
  hCycles: 2,
  lCycles: 2,
  gradSteps: 1,
};

function distance(a: Tensor, b: Tensor): number {
  const [x, y] = [a.dataSync(), b.dataSync()];
  expect(x.length).toBe(y.length);
  let worst = 0;
  for (let i = 0; i < x.length; ++i) worst = Math.max(worst, Math.abs(Number(x[i]) - Number(y[i])));
  return worst;
}

describe.each(MIXERS)('the fused ops against their definition, tokens mixed by %s', (mixer) => {
  const weights = (layers: number): BlockWeights[] => weightsOf(mixer, layers);

  it('l_loop runs the updates that its composed form runs, for every number of gradient steps', () => {
    const [zH, zL, x, l, h] = [state(), state(), state(), weights(2), weights(1)];
    for (const gradSteps of [0, 1, 2, 3, 4]) {
      const fused = demandFused(() => lLoop(zH, zL, x, l, h, { ...options, gradSteps }));
      const composed = composedLLoop(zH, zL, x, l, h, { ...options, gradSteps });
      expect(distance(fused.zH, composed.zH)).toBeLessThan(FUSED_BOUND);
      expect(distance(fused.zL, composed.zL)).toBeLessThan(FUSED_BOUND);
    }
  });

  it('l_loop computes as many tokens of zH as are wanted, the same as when all are', () => {
    const [zH, zL, x, l, h] = [state(), state(), state(), weights(2), weights(2)];
    for (const gradSteps of [0, 1]) {
      const all = lLoop(zH, zL, x, l, h, { ...options, gradSteps });
      for (const hTokens of [0, 1, 7, SEQ]) {
        const some = demandFused(() => lLoop(zH, zL, x, l, h, { ...options, gradSteps, hTokens }));
        expect(some.zH.shape).toEqual([BATCH, hTokens, HIDDEN]);
        expect(some.zH.dataSync()).toEqual(narrow(all.zH, 1, 0, hTokens).dataSync());
        expect(some.zL.dataSync()).toEqual(all.zL.dataSync());
        const composed = composedLLoop(zH, zL, x, l, h, { ...options, gradSteps, hTokens });
        expect(distance(some.zH, composed.zH)).toBeLessThan(1e-12);
      }
    }
  });

  // Gradients of weights are summed by groups of about a thousand tokens.
  it.each([BATCH, 131])('level has the value and the gradients of its composed form, batch %i', (batch) => {
    const some = (): Tensor => normal(batch, SEQ, HIDDEN);
    const [z, a, b, w, dy] = [some(), some(), some(), weights(2), some()];
    const leaves = [z, a, b, ...w.flatMap((block) => Object.values(block) as Tensor[])];
    const gradients = (run: typeof level): Tensor[] => {
      for (const leaf of leaves) {
        leaf.requiresGrad = true;
        leaf.grad = undefined;
      }
      const y = run(z, [a, b], w, options);
      backward(sum(mul(y, dy)));
      return [y, ...leaves.map((leaf) => leaf.grad as Tensor)];
    };
    const fused = demandFused(() => gradients(level));
    const composed = gradients(composedLevel);
    fused.forEach((mine, i) => {
      expect(distance(mine, composed[i] as Tensor)).toBeLessThan(FUSED_GRADIENT_BOUND);
    });
  });

  it('a level without gradient gives the same bits as one that records', () => {
    const [z, a, w] = [state(), state(), weights(2)];
    const recorded = level(z, [a], w, options);
    (w[0] as BlockWeights).down.requiresGrad = true;
    const kept = level(z, [a], w, options);
    expect(kept.requiresGrad).toBe(true);
    expect([...kept.dataSync()]).toEqual([...recorded.dataSync()]);
    expect(noGrad(() => level(z, [a], w, options)).requiresGrad).toBe(false);
  });

  it('packed weights follow a write to the weights', () => {
    const [zH, zL, x, l, h] = [state(), state(), state(), weights(1), weights(1)];
    lLoop(zH, zL, x, l, h, options);
    copy_((l[0] as { down: Tensor }).down, scaled(HIDDEN, INNER));
    const fused = lLoop(zH, zL, x, l, h, options);
    expect(distance(fused.zL, composedLLoop(zH, zL, x, l, h, options).zL)).toBeLessThan(FUSED_BOUND);
  });

  it('allocates nothing from the system once warm', () => {
    const [zH, zL, x, l, h] = [state(), state(), state(), weights(2), weights(2)];
    const once = (): void => {
      tidy(() => {
        lLoop(zH, zL, x, l, h, options);
      });
    };
    once();
    const before = memory().systemAllocations;
    for (let i = 0; i < 20; ++i) once();
    expect(memory().systemAllocations).toBe(before);
  });

  it('gives the same bits at any number of threads', () => {
    const before = getNumThreads();
    const [zH, zL, x, l, h, dy] = [state(), state(), state(), weights(2), weights(1), state()];
    const run = (nThreads: number): unknown[] => {
      setNumThreads(nThreads);
      const loop = lLoop(zH, zL, x, l, h, options);
      const leaves = [zL, ...l.flatMap((block) => Object.values(block) as Tensor[])];
      const { outputs, pullback } = vjp(
        (z, ...flat) => {
          const names = Object.keys(l[0] as BlockWeights);
          const blocks = l.map((_, i) =>
            Object.fromEntries(names.map((name, j) => [name, flat[i * names.length + j]])),
          );
          return [level(z, [x], blocks as unknown as BlockWeights[], options)];
        },
        ...leaves,
      );
      return [loop.zH, loop.zL, ...outputs, ...pullback(dy)].map((t) => t.dataSync());
    };
    try {
      const alone = run(1);
      for (const nThreads of [2, 3]) expect(run(nThreads)).toEqual(alone);
    } finally {
      setNumThreads(before);
    }
  });
});

describe('a fallback', () => {
  afterEach(resetFallbackCounts);

  it('is counted by op, and an error where the fused path is demanded', () => {
    const mixed = MIXERS.flatMap((mixer) => weightsOf(mixer, 1));
    const z = state();
    expect(level(z, [z], mixed, options).shape).toEqual([BATCH, SEQ, HIDDEN]);
    expect([...fallbackCounts()]).toEqual([['level', 1]]);
    expect(() => demandFused(() => level(z, [z], mixed, options))).toThrow(DeviceError);
    expect(() => demandFused(() => lLoop(z, z, z, mixed, mixed, options))).toThrow(
      /l_loop: the fused path was demanded/,
    );
  });
});
