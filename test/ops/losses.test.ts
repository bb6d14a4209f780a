import { describe, expect, it } from '@jest/globals';
import {
  add,
  backward,
  bceWithLogits,
  cast,
  crossEntropy,
  exp,
  gather,
  Generator,
  log,
  logSoftmax,
  logStablemax,
  maximum,
  mul,
  ne,
  neg,
  randn,
  squeeze,
  sub,
  sum,
  type Tensor,
  tensor,
  unsqueeze,
  where,
} from '../../ts/index';
import type { DType } from '../../ts/tensor/dtype';

const IGNORED = -100;
const CLASSES = 11;
const generator = new Generator(5);
const logitsOf = (dtype: DType, rows: number): Tensor => cast(mul(randn([rows, CLASSES], { generator }), 4), dtype);
const LABELS = tensor(Int32Array.from({ length: 40 }, (_, i) => (i % 5 === 3 ? IGNORED : (7 * i) % CLASSES)));

/** The definition in generic ops, everything in float64. */
function composedCrossEntropy(logits: Tensor, labels: Tensor, kind: 'softmax' | 'stablemax'): Tensor {
  const scored = ne(labels, IGNORED);
  const logP = kind === 'stablemax' ? logStablemax(logits) : logSoftmax(cast(logits, 'float64'), -1);
  const index = cast(where(scored, labels, 0), 'int32');
  return where(scored, neg(squeeze(gather(logP, 1, unsqueeze(index, -1)), -1)), 0);
}
function composedBce(logits: Tensor, targets: Tensor): Tensor {
  const x = cast(logits, 'float64');
  const magnitude = maximum(x, neg(x));
  return add(sub(maximum(x, 0), mul(x, cast(targets, 'float64'))), log(add(exp(neg(magnitude)), 1)));
}

/** Losses, and the gradient of their sum weighted by row number. */
function lossesAndGradient(logits: Tensor, loss: (x: Tensor) => Tensor): [Float64Array, Float64Array] {
  const x = cast(logits, logits.dtype);
  x.requiresGrad = true;
  const losses = loss(x);
  const weights = tensor(
    Float64Array.from({ length: losses.size }, (_, i) => 1 + i / 7),
    { dtype: losses.dtype },
  );
  backward(sum(mul(losses, weights)));
  return [Float64Array.from(losses.dataSync()), Float64Array.from((x.grad as Tensor).dataSync())];
}

function expectClose(found: Float64Array, wanted: Float64Array, relative: number, absolute: number): void {
  expect(found.length).toBe(wanted.length);
  found.forEach((value, i) => {
    const want = wanted[i] as number;
    expect(Math.abs(value - want)).toBeLessThanOrEqual(relative * Math.abs(want) + absolute);
  });
}

/** Of rounding a result once. */
const ROUNDOFF = { float64: 2 ** -53, float32: 2 ** -24, bfloat16: 2 ** -8 } as const;

describe('cross entropy against its definition', () => {
  it.each(['float64', 'float32', 'bfloat16'] as const)(
    'stablemax of %s is exact but for the last rounding',
    (dtype) => {
      const logits = logitsOf(dtype, 40);
      const [losses, gradient] = lossesAndGradient(logits, (x) =>
        crossEntropy(x, LABELS, { kind: 'stablemax', reduction: 'none' }),
      );
      const [wanted, slope] = lossesAndGradient(logits, (x) => composedCrossEntropy(x, LABELS, 'stablemax'));
      expectClose(losses, wanted, dtype === 'float64' ? 0 : 1.01 * ROUNDOFF.float32, 1e-14);
      expectClose(gradient, slope, dtype === 'float64' ? 0 : 2.01 * ROUNDOFF[dtype], 1e-14);
    },
  );

  it.each(['float64', 'float32', 'bfloat16'] as const)('softmax of %s', (dtype) => {
    const logits = logitsOf(dtype, 40);
    const [losses, gradient] = lossesAndGradient(logits, (x) => crossEntropy(x, LABELS, { reduction: 'none' }));
    const [wanted, slope] = lossesAndGradient(logits, (x) => composedCrossEntropy(x, LABELS, 'softmax'));
    const compute = dtype === 'float64' ? ROUNDOFF.float64 : ROUNDOFF.float32;
    expectClose(losses, wanted, 8 * compute, 32 * compute);
    expectClose(gradient, slope, 1.01 * ROUNDOFF[dtype] + 16 * compute, 8 * compute);
  });

  it('gives ignored positions neither loss nor gradient, whatever their logits', () => {
    for (const kind of ['softmax', 'stablemax'] as const) {
      const logits = tensor([NaN, Infinity, 1, 2, -Infinity, NaN], { shape: [3, 2] });
      const labels = tensor(Int32Array.from([IGNORED, 1, IGNORED]));
      const [losses, gradient] = lossesAndGradient(logits, (x) => crossEntropy(x, labels, { kind, reduction: 'none' }));
      expect([losses[0], losses[2]]).toEqual([0, 0]);
      expect([0, 1, 4, 5].map((i) => gradient[i])).toEqual([0, 0, 0, 0]);
      expect(losses[1]).toBeGreaterThan(0);
      expect(gradient[2]).toBeGreaterThan(0);
    }
  });

  it('means over the scored positions, 0 where there is none', () => {
    const logits = logitsOf('float32', 40);
    const losses = Array.from(crossEntropy(logits, LABELS, { reduction: 'none' }).dataSync());
    const total = losses.reduce((a, b) => a + b, 0);
    expect(crossEntropy(logits, LABELS, { reduction: 'sum' }).item()).toBeCloseTo(total, 4);
    expect(crossEntropy(logits, LABELS).item()).toBeCloseTo(total / 32, 5);
    expect(crossEntropy(logits, tensor(new Int32Array(40).fill(IGNORED))).item()).toBe(0);
  });

  it('names the label and its place', () => {
    const labels = tensor(Int32Array.from([0, 1, 2, 11]), { shape: [2, 2] });
    const logits = randn([2, 2, CLASSES], { generator });
    expect(() => crossEntropy(logits, labels)).toThrow(
      'crossEntropy: labels must be in [0, V), V = 11, or ignoreIndex, -100, got 11 at [1, 1]',
    );
  });

  it('of logits that are huge and of opposite sign stays finite', () => {
    const logits = tensor([3e38, -3e38, 0, -3e38, 3e38, 0], { shape: [2, 3] });
    for (const kind of ['softmax', 'stablemax'] as const) {
      const [losses, gradient] = lossesAndGradient(logits, (x) =>
        crossEntropy(x, tensor(Int32Array.from([0, 1])), { kind, reduction: 'none' }),
      );
      expect(losses.every((loss) => Number.isFinite(loss) && Math.abs(loss) < 1e-6)).toBe(true);
      expect(gradient.every(Number.isFinite)).toBe(true);
    }
  });
});

describe('binary cross entropy against its definition', () => {
  it.each(['float64', 'float32', 'bfloat16'] as const)('of %s', (dtype) => {
    const logits = cast(mul(randn([50], { generator }), 6), dtype);
    const targets = tensor(
      Float64Array.from({ length: 50 }, (_, i) => (i % 9) / 8),
      { dtype },
    );
    const [losses, gradient] = lossesAndGradient(logits, (x) => bceWithLogits(x, targets, { reduction: 'none' }));
    const [wanted, slope] = lossesAndGradient(logits, (x) => composedBce(x, targets));
    expectClose(losses, wanted, dtype === 'float64' ? 0 : 1.01 * ROUNDOFF.float32, 1e-14);
    expectClose(gradient, slope, dtype === 'float64' ? 0 : 3.01 * ROUNDOFF[dtype], 1e-14);
  });
});
