import { afterEach, describe, expect, it } from '@jest/globals';
import {
  backward,
  DeviceError,
  Generator,
  memory,
  mul,
  noGrad,
  randn,
  ropeTables,
  sum,
  type Tensor,
  tidy,
  zeros,
} from '../../ts/index';
import { copy_ } from '../../ts/ops/cast';
import type { BlockWeights } from '../../ts/ops/block';
import { demandFused, fallbackCounts, resetFallbackCounts } from '../../ts/ops/fused';
import { composedLLoop, lLoop } from '../../ts/ops/l_loop';
import { composedLevel, level } from '../../ts/ops/level';
import { FUSED_BOUND, FUSED_GRADIENT_BOUND } from '../support/tolerance';

const [BATCH, SEQ, HIDDEN, INNER, HEADS] = [3, 10, 32, 48, 4] as const;
const generator = new Generator(7);
const normal = (...shape: number[]): Tensor => randn(shape, { generator, dtype: 'float64' });
const scaled = (rows: number, cols: number): Tensor => mul(normal(rows, cols), 1 / Math.sqrt(cols));

function weights(layers: number): BlockWeights[] {
  return Array.from({ length: layers }, () => ({
    qkv: scaled(3 * HIDDEN, HIDDEN),
    o: scaled(HIDDEN, HIDDEN),
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

describe('the fused ops against their definition', () => {
  afterEach(resetFallbackCounts);

  it('l_loop runs the updates that its composed form runs, for every number of gradient steps', () => {
    const [zH, zL, x, l, h] = [state(), state(), state(), weights(2), weights(1)];
    for (const gradSteps of [0, 1, 2, 3, 4]) {
      const fused = demandFused(() => lLoop(zH, zL, x, l, h, { ...options, gradSteps }));
      const composed = composedLLoop(zH, zL, x, l, h, { ...options, gradSteps });
      expect(distance(fused.zH, composed.zH)).toBeLessThan(FUSED_BOUND);
      expect(distance(fused.zL, composed.zL)).toBeLessThan(FUSED_BOUND);
    }
  });

  it('level has the value and the gradients of its composed form', () => {
    const [z, a, b, w, dy] = [state(), state(), state(), weights(2), state()];
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
    (w[0] as { o: Tensor }).o.requiresGrad = true;
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

  it('counts a fallback by op, and throws where the fused path is demanded', () => {
    const mlpT = [
      { tGateUp: zeros([8, SEQ]), tDown: zeros([SEQ, 4]), gateUp: zeros([8, HIDDEN]), down: zeros([HIDDEN, 4]) },
    ];
    const z = zeros([1, SEQ, HIDDEN]);
    expect(level(z, [z], mlpT, options).shape).toEqual([1, SEQ, HIDDEN]);
    expect([...fallbackCounts()]).toEqual([['level', 1]]);
    expect(() => demandFused(() => level(z, [z], mlpT, options))).toThrow(DeviceError);
    expect(() => demandFused(() => lLoop(z, z, z, mlpT, mlpT, options))).toThrow(/l_loop: the fused path was demanded/);
  });
});
