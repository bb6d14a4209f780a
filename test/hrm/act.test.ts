import { describe, expect, it } from '@jest/globals';
import {
  actLoss,
  actStep,
  backward,
  type BatchTensors,
  type Carry,
  full,
  Generator,
  Hrm,
  initialCarry,
  memory,
  METRIC_NAMES,
  modelConfig,
  type ModelSettings,
  noGrad,
  randint,
  resetPeakMemory,
  tensor,
  tidy,
  withoutHostReads,
  zeros,
} from '../../ts/index';
import { heldMemory } from '../support/memory';

const B = 3;
function makeModel(fields: Partial<ModelSettings> = {}): Hrm {
  const base = {
    hidden: 16,
    nHeads: 2,
    expansion: 1,
    hLayers: 1,
    lLayers: 1,
    seqLen: 4,
    vocabSize: 6,
    haltMaxSteps: 3,
  };
  return new Hrm(modelConfig({ ...base, ...fields }), new Generator(7));
}
function makeBatch(seed: number): BatchTensors {
  const generator = new Generator(seed);
  const cells = randint(2, 6, [B, 4], { generator });
  return { inputs: cells, labels: cells, puzzleIdentifiers: zeros([B], { dtype: 'int32' }) };
}
const numbers = (carry: Carry, key: 'steps' | 'halted'): number[] => [...carry[key].dataSync()];

describe('actStep', () => {
  it('runs every row the same number of segments in evaluation, at most M', () => {
    const model = makeModel();
    const batch = makeBatch(1);
    let carry = initialCarry(model, batch);
    for (let segment = 1; segment <= 4; ++segment) {
      carry = noGrad(() => actStep(model, carry, batch, { training: false }).carry);
      const expected = segment > 3 ? segment - 3 : segment;
      expect(numbers(carry, 'steps')).toEqual(Array<number>(B).fill(expected));
      expect(numbers(carry, 'halted')).toEqual(Array<number>(B).fill(expected === 3 ? 1 : 0));
    }
  });

  it('takes fresh rows only where a row had halted, and never what stood in a halted state', () => {
    const model = makeModel();
    const [first, second] = [makeBatch(1), makeBatch(2)];
    const start = initialCarry(model, first);
    const { carry } = noGrad(() => actStep(model, start, first, { training: false }));
    const poisoned = carry.zH.dataSync().map((value, i) => (i < carry.zH.size / B ? NaN : value));
    const mixed = {
      ...carry,
      zH: tensor(poisoned, { shape: carry.zH.shape }),
      halted: tensor([true, false, false]),
    };
    const next = noGrad(() => actStep(model, mixed, second, { training: false })).carry;
    expect(numbers(next, 'steps')).toEqual([1, 2, 2]);
    const row = (b: BatchTensors, i: number): number[] => [...b.inputs.dataSync()].slice(4 * i, 4 * i + 4);
    expect(row(next.current, 0)).toEqual(row(second, 0));
    expect(row(next.current, 1)).toEqual(row(first, 1));
    expect(next.zH.dataSync().every(Number.isFinite)).toBe(true);
  });

  it('reads nothing on the host, in the loss and its gradient neither', () => {
    const model = makeModel();
    const batch = makeBatch(1);
    const generator = new Generator(3);
    withoutHostReads(() => {
      const { carry, outputs } = actStep(model, initialCarry(model, batch), batch, { training: true, generator });
      backward(actLoss(model.config, carry, outputs).loss);
    });
    expect(model.parameters().every((parameter) => parameter.grad !== undefined)).toBe(true);
  });

  it('needs the same memory for any number of updates without gradient', () => {
    const peak = (cycles: number): number =>
      tidy(() => {
        const model = makeModel({ hCycles: cycles, lCycles: cycles, hidden: 64, seqLen: 32 });
        const cells = full([8, 32], 3, { dtype: 'int32' });
        const batch = { inputs: cells, labels: cells, puzzleIdentifiers: zeros([8], { dtype: 'int32' }) };
        let bytes = 0;
        for (let i = 0; i < 3; ++i) {
          const before = heldMemory().liveBytes;
          resetPeakMemory();
          tidy(() => {
            const { carry, outputs } = actStep(model, initialCarry(model, batch), batch, { training: true });
            backward(actLoss(model.config, carry, outputs).loss);
            model.zeroGrad();
          });
          bytes = memory().peakBytes - before;
        }
        return bytes;
      });
    const small = peak(2);
    expect(Math.abs(peak(6) - small) / small).toBeLessThan(0.01);
  });
});

describe('actLoss', () => {
  it('counts only rows that halted and have labels; a row without labels costs nothing and is correct', () => {
    const model = makeModel({ haltMaxSteps: 1 });
    const batch = makeBatch(1);
    const labels = batch.labels.dataSync();
    labels.fill(-100, 0, 4);
    const unlabelled = { ...batch, labels: tensor(labels, { shape: [B, 4] }) };
    const { carry, outputs } = noGrad(() =>
      actStep(model, initialCarry(model, unlabelled), unlabelled, { training: true }),
    );
    const { metrics } = noGrad(() => actLoss(model.config, carry, outputs));
    const values = Object.fromEntries(METRIC_NAMES.map((name, i) => [name, metrics.dataSync()[i]]));
    expect(values.count).toBe(2);
    expect(values.steps).toBe(2);
    expect(values.qContinueLoss).toBe(0);
    expect(values.lmLoss).toBeGreaterThan(0);
  });
});
