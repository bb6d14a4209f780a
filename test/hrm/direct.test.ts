/** Direct prediction: the configuration that makes of the engine one transformer, applied once. */
import { describe, expect, it } from '@jest/globals';
import { presetLayer } from '../../ts/train/presets';
import {
  actLoss,
  actStep,
  backward,
  type BatchTensors,
  cast,
  copy_,
  countParameters,
  evaluate,
  fullLike,
  generateSudoku,
  Generator,
  geometryOf,
  grad,
  Hrm,
  initialCarry,
  linear,
  modelConfig,
  type ModelSettings,
  narrow,
  noGrad,
  randint,
  ropeTables,
  solve,
  sudokuDataset,
  type Tensor,
  tensor,
  zeros,
} from '../../ts/index';
import { block, type BlockWeights } from '../../ts/ops/block';
import { crossEntropy } from '../../ts/ops/cross_entropy';
import { mean, sum } from '../../ts/ops/reduce';
import { FLOAT32_PLACES } from '../support/tolerance';

const SIZES = { hidden: 32, nHeads: 2, expansion: 1, seqLen: 16, vocabSize: 6 };
const direct = presetLayer('direct-sudoku').values.model as Partial<ModelSettings>;

const makeModel = (fields: Partial<ModelSettings> = {}): Hrm =>
  new Hrm(modelConfig({ ...SIZES, ...direct, ...fields }), new Generator(4));

function makeBatch(seed: number): BatchTensors {
  const cells = (from: number): Tensor => randint(2, 6, [3, 16], { generator: new Generator(seed + from) });
  return { inputs: cells(0), labels: cells(100), puzzleIdentifiers: zeros([3], { dtype: 'int32' }) };
}

/** The layers in the order in which they are applied. */
function layersOf(model: Hrm): BlockWeights[] {
  const state = model.stateDict();
  return ['L_level', 'H_level'].flatMap((level) =>
    Array.from({ length: 4 }, (_, i): BlockWeights => {
      const weight = (name: string): Tensor => state.get(`${level}.layers.${i}.${name}.weight`)!;
      return {
        ...{ qkv: weight('self_attn.qkv_proj'), o: weight('self_attn.o_proj') },
        ...{ gateUp: weight('mlp.gate_up_proj'), down: weight('mlp.down_proj') },
      };
    }),
  );
}

/** One forward pass written out: embedding, eight blocks, head. */
function transformer(model: Hrm, { inputs, puzzleIdentifiers }: BatchTensors): Tensor {
  const { nHeads, rmsNormEps: eps, puzzleEmbLen, seqLen } = model.config;
  const rope = ropeTables(17, 16, { dtype: 'float64' });
  const wide = (weights: BlockWeights): BlockWeights =>
    Object.fromEntries(
      Object.entries(weights).map(([name, weight]) => [name, cast(weight as Tensor, 'float64')]),
    ) as unknown as BlockWeights;
  const x = model.inputEmbedding(inputs, model.puzzleEmb!.rows(puzzleIdentifiers));
  const out = layersOf(model).reduce((h, weights) => block(h, wide(weights), { nHeads, eps, rope }), x);
  return linear(narrow(out, 1, puzzleEmbLen, seqLen), cast(model.stateDict().get('lm_head.weight')!, 'float64'));
}

const numbers = (x: Tensor): number[] => [...x.dataSync()] as number[];

function expectClose(got: Tensor, expected: Tensor): void {
  const [a, b] = [numbers(got), numbers(expected)];
  const size = (values: readonly number[]): number => Math.max(...values.map(Math.abs));
  expect(size(a.map((value, i) => value - b[i]!)) / size(b)).toBeCloseTo(0, FLOAT32_PLACES);
}

describe('direct prediction', () => {
  it('is eight transformer layers, once, and its gradient goes through all of them', () => {
    // In float64, because eight layers add up what float32 rounds.
    const model = makeModel({ forwardDtype: 'float64' });
    const batch = makeBatch(1);
    const { carry, outputs } = actStep(model, initialCarry(model, batch), batch, { training: true });
    const expected = transformer(model, batch);
    expectClose(outputs.logits, expected);

    const weights = layersOf(model).flatMap((layer) => Object.values(layer) as Tensor[]);
    expect(weights).toHaveLength(32);
    const losses = crossEntropy(expected, batch.labels, { kind: 'stablemax', reduction: 'none' });
    const byHand = grad(sum(mean(losses, 1)), weights);
    backward(actLoss(model.config, carry, outputs).loss);
    weights.forEach((weight, i) => {
      expect(Math.max(...numbers(weight.grad!).map(Math.abs))).toBeGreaterThan(0);
      expectClose(weight.grad!, byHand[i]!);
    });
    // There is no Q loss to train the Q head.
    const missing = model.namedParameters().filter(([, { grad: found }]) => found === undefined);
    expect(missing.map(([name]) => name)).toEqual(['q_head.weight', 'q_head.bias']);
  });

  it('has as many weights as official HRM on Sudoku-Extreme', () => {
    expect(countParameters(modelConfig({ ...direct, seqLen: 81, vocabSize: 11 }))).toBe(27_275_266);
  });

  it('keeps no state from step to step', () => {
    const model = makeModel();
    const [first, second] = [makeBatch(1), makeBatch(2)];
    const { carry } = actStep(model, initialCarry(model, first), first, { training: true });
    expect(numbers(carry.halted)).toEqual([1, 1, 1]);
    const broken = { ...carry, zH: fullLike(carry.zH, NaN), zL: fullLike(carry.zL, NaN) };
    const after = actStep(model, broken, second, { training: true });
    expect(numbers(after.carry.current.inputs)).toEqual(numbers(second.inputs));
    const fresh = actStep(model, initialCarry(model, second), second, { training: true });
    expect(numbers(after.outputs.logits)).toEqual(numbers(fresh.outputs.logits));
  });

  it('starts at zero, and has nothing to draw other states from', async () => {
    const model = makeModel();
    expect(new Set([...numbers(model.hInit), ...numbers(model.lInit)])).toEqual(new Set([0]));
    expect(() => solve(model, '.'.repeat(16), { initialStates: 2 })).toThrow(
      /solve: initialStates must be 1 for a model whose states begin as zeros/,
    );
    const data = sudokuDataset(
      generateSudoku({ geometry: geometryOf(2, 2), count: 3, seed: 5, blanks: { min: 4, max: 6 } }),
    );
    await expect(evaluate(model, data, { initialStates: 2 })).rejects.toThrow(/evaluate: initialStates must be 1/);
    expect(await evaluate(model, data)).toMatchObject({ segments: 1, steps: 1 });
  });
});

describe('haltLoss none', () => {
  it('never halts by the Q head, in solving neither', () => {
    const model = makeModel({ haltMaxSteps: 3 });
    noGrad(() => copy_(model.stateDict().get('q_head.bias')!, tensor([9, -9])));
    const batch = makeBatch(1);
    let carry = initialCarry(model, batch);
    const halted = Array.from({ length: 4 }, () => {
      carry = noGrad(() => actStep(model, carry, batch, { training: true }).carry);
      return numbers(carry.halted)[0];
    });
    expect(halted).toEqual([0, 0, 1, 0]);
    const [solution] = solve(model, ['.'.repeat(16)], { adaptive: true });
    expect(solution).toMatchObject({ haltingSegment: null, segments: [{}, {}, {}] });
  });

  it('leaves the language-model loss alone', () => {
    const model = makeModel();
    const batch = makeBatch(1);
    const { carry, outputs } = actStep(model, initialCarry(model, batch), batch, { training: true });
    const { loss, metrics } = actLoss(model.config, carry, outputs);
    expect(loss.item()).toBe(numbers(metrics)[5]);
    const official = actLoss({ ...model.config, haltLoss: 'official' }, carry, outputs);
    const typo = { ...model.config, haltLoss: 'None' as never };
    expect(() => actLoss(typo, carry, outputs)).toThrow(/haltLoss must be one of official, halt, none, got "None"/);
    expect(official.loss.item()).toBeCloseTo(Number(loss.item()) + 0.5 * numbers(metrics)[6]!, FLOAT32_PLACES);
  });
});
