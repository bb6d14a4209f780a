/** Halting, exploration and the Q target (HRM section 3, steps 2 to 4) against values computed by hand. */
import { describe, expect, it } from '@jest/globals';
import {
  actLoss,
  actStep,
  type BatchTensors,
  type Carry,
  copy_,
  Generator,
  Hrm,
  initialCarry,
  METRIC_NAMES,
  modelConfig,
  type ModelSettings,
  noGrad,
  rand,
  randint,
  randn,
  tensor,
  type Tensor,
  zeros,
} from '../../ts/index';
import { FLOAT32_ACCURACY_PLACES } from '../support/tolerance';

const SIZES = { hidden: 16, nHeads: 2, expansion: 1, hLayers: 1, lLayers: 1, seqLen: 4, vocabSize: 6 };

/** @param bias of qHalt and qContinue, which they are for every row unless `weight` is given */
function makeModel(fields: Partial<ModelSettings>, bias: readonly number[], weight?: Tensor): Hrm {
  const model = new Hrm(modelConfig({ ...SIZES, haltExplorationProb: 0, ...fields }), new Generator(7));
  const parameters = new Map(model.namedParameters());
  noGrad(() => {
    copy_(parameters.get('q_head.bias')!, tensor(bias));
    if (weight) copy_(parameters.get('q_head.weight')!, weight);
  });
  return model;
}

function makeBatch(rows: number): BatchTensors {
  const cells = randint(2, 6, [rows, 4], { generator: new Generator(1) });
  return { inputs: cells, labels: cells, puzzleIdentifiers: zeros([rows], { dtype: 'int32' }) };
}
const values = (t: Tensor): number[] => [...t.dataSync()];
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** halted after each of `n` training segments, of the first row. */
function haltedAfter(model: Hrm, n: number): number[] {
  const batch = makeBatch(2);
  let carry = initialCarry(model, batch);
  return Array.from({ length: n }, () => {
    carry = noGrad(() => actStep(model, carry, batch, { training: true, generator: new Generator(3) }).carry);
    const halted = values(carry.halted);
    expect(new Set(halted).size).toBe(1);
    return halted[0]!;
  });
}

describe('halting', () => {
  it.each([
    ['official', [2, 1], 4, [1, 1, 1]],
    ['official', [1, 2], 4, [0, 0, 0, 1, 0]],
    ['official', [1, 1], 3, [0, 0, 1, 0]],
    ['official', [-5, -5], 1, [1, 1]],
    ['halt', [1, 5], 4, [1, 1, 1]],
    ['halt', [-1, -5], 4, [0, 0, 0, 1, 0]],
    ['halt', [0, -5], 2, [0, 1, 0]],
  ] as const)('%s with qHalt, qContinue = %j and M = %i: %j', (haltLoss, bias, haltMaxSteps, expected) => {
    expect(haltedAfter(makeModel({ haltLoss, haltMaxSteps }, bias), expected.length)).toEqual(expected);
  });

  it('ignores q in evaluation', () => {
    const model = makeModel({ haltMaxSteps: 3 }, [2, 1]);
    const batch = makeBatch(2);
    const { carry, outputs } = noGrad(() => actStep(model, initialCarry(model, batch), batch, { training: false }));
    expect(values(carry.halted)).toEqual([0, 0]);
    expect(outputs.targetQContinue).toBeUndefined();
  });
});

describe('exploration', () => {
  const ROWS = 256;
  it.each([0, 0.25, 1])('with probability %d keeps rows until a bound drawn from 2..M', (haltExplorationProb) => {
    const M = 5;
    const model = makeModel({ haltMaxSteps: M, haltExplorationProb }, [2, 1]);
    const batch = makeBatch(ROWS);
    const [generator, twin] = [new Generator(11), new Generator(11)];
    let carry: Carry = initialCarry(model, batch);
    let before = Array<number>(ROWS).fill(0);
    for (let segment = 1; segment <= M + 2; ++segment) {
      carry = noGrad(() => actStep(model, carry, batch, { training: true, generator }).carry);
      const drawn = haltExplorationProb > 0;
      const bound = drawn ? values(randint(2, M + 1, [ROWS], { generator: twin })) : [];
      const chance = drawn ? values(rand([ROWS], { generator: twin })) : [];
      const steps = before.map((n) => n + 1);
      const halted = steps.map((n, i) => Number(!drawn || chance[i]! >= haltExplorationProb || n >= bound[i]!));
      expect(values(carry.steps)).toEqual(steps);
      expect(values(carry.halted)).toEqual(halted);
      expect(Math.max(...steps)).toBeLessThanOrEqual(M);
      before = steps.map((n, i) => (halted[i] ? 0 : n));
      if (segment === 1) {
        // Never below 2 where it explores: what halts at once is the share that does not.
        const share = halted.reduce((a, b) => a + b, 0) / ROWS;
        expect(Math.abs(share - (1 - haltExplorationProb))).toBeLessThan(5 * Math.sqrt(0.25 / ROWS));
        if (haltExplorationProb === 1) expect(share).toBe(0);
      }
    }
  });
});

describe('the Q target', () => {
  const M = 2;
  /** Small beside the biases, but no two rows have the same q. */
  const weight = (): Tensor => randn([2, 16], { std: 0.2, generator: new Generator(5) });

  it.each([
    [[3, -3], 0],
    [[-3, 3], 8],
  ])('is bootstrapped from the next segment: the larger q, or qHalt in the last; biases %j', (bias, nContinue) => {
    const model = makeModel({ haltMaxSteps: M }, bias, weight());
    const batch = makeBatch(8);
    let carry = initialCarry(model, batch);
    for (let segment = 1; segment <= M; ++segment) {
      const running = carry;
      const step = noGrad(() => actStep(model, running, batch, { training: true }));
      // The same rows go on, whatever they decided.
      carry = { ...step.carry, halted: zeros([8], { dtype: 'bool' }) };
      const next = noGrad(() => actStep(model, carry, batch, { training: false })).outputs;
      const [qHalt, qContinue] = [values(next.qHalt), values(next.qContinue)];
      expect(qContinue.filter((q, i) => q > qHalt[i]!)).toHaveLength(nContinue);
      expect(new Set(qHalt).size).toBeGreaterThan(1);
      const expected = qHalt.map((q, i) => sigmoid(segment === M ? q : Math.max(q, qContinue[i]!)));
      const target = values(step.outputs.targetQContinue!);
      target.forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i]!, FLOAT32_ACCURACY_PLACES);
      });
      if (segment === M) expect(values(step.carry.steps)).toEqual(Array<number>(8).fill(M));
    }
  });

  it.each(['official', 'halt'] as const)('enters the loss as binary cross entropy, with haltLoss %s', (haltLoss) => {
    const model = makeModel({ haltMaxSteps: 4, haltLoss }, [0.3, -0.7], weight());
    const batch = makeBatch(8);
    const { carry, outputs } = noGrad(() => actStep(model, initialCarry(model, batch), batch, { training: true }));
    const { loss, metrics } = noGrad(() => actLoss(model.config, carry, outputs));
    const bce = (q: number, target: number): number => Math.log1p(Math.exp(q)) - q * target;
    const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
    const found = Object.fromEntries(METRIC_NAMES.map((name, i) => [name, values(metrics)[i]!]));

    const vocabulary = 6;
    const logits = values(outputs.logits);
    const labels = values(batch.labels);
    const correct = Array.from({ length: 8 }, (_, row) =>
      Number(
        labels.slice(4 * row, 4 * row + 4).every((label, token) => {
          const scores = logits.slice((4 * row + token) * vocabulary, (4 * row + token + 1) * vocabulary);
          return scores.indexOf(Math.max(...scores)) === label;
        }),
      ),
    );
    const qHaltLoss = sum(values(outputs.qHalt).map((q, i) => bce(q, correct[i]!)));
    expect(found.qHaltLoss).toBeCloseTo(qHaltLoss, FLOAT32_ACCURACY_PLACES);
    if (haltLoss === 'halt') {
      expect(outputs.targetQContinue).toBeUndefined();
      expect(found.qContinueLoss).toBe(0);
    } else {
      const targets = values(outputs.targetQContinue!);
      const qContinueLoss = sum(values(outputs.qContinue).map((q, i) => bce(q, targets[i]!)));
      expect(found.qContinueLoss).toBeCloseTo(qContinueLoss, FLOAT32_ACCURACY_PLACES);
    }
    const total = found.lmLoss! + 0.5 * (found.qHaltLoss! + found.qContinueLoss!);
    expect(Number(loss.item())).toBeCloseTo(total, FLOAT32_ACCURACY_PLACES - 1);
  });
});
