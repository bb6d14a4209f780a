/** The whole model, fused, against HRM section 2 written in generic ops, and against finite differences. */
import { describe, expect, it } from '@jest/globals';
import {
  actLoss,
  actStep,
  add,
  backward,
  type BatchTensors,
  type BlockOptions,
  cast,
  composedLevel,
  copy_,
  detach,
  Generator,
  Hrm,
  initialCarry,
  modelConfig,
  type ModelSettings,
  mul,
  noGrad,
  randint,
  randn,
  type States,
  sum,
  type Tensor,
  tensor,
  tidy,
} from '../../ts/index';
import { gradLSteps } from '../../ts/hrm/config';
import { demandFused } from '../../ts/ops/fused';
import { blocksOf } from '../support/composed_hrm';
import { GRADCHECK_BOUND } from '../support/tolerance';

const [BATCH, SEQ] = [3, 6] as const;
const SMALL = {
  hidden: 16,
  nHeads: 2,
  expansion: 1,
  hLayers: 2,
  lLayers: 2,
  hCycles: 2,
  lCycles: 2,
  seqLen: SEQ,
  vocabSize: 5,
  numPuzzleIdentifiers: 3,
  haltMaxSteps: 2,
  haltExplorationProb: 0,
  haltLoss: 'halt',
} satisfies Partial<ModelSettings>;

/** The model's configurations that go other ways through the fused ops. */
const VARIANTS: Readonly<Record<string, Partial<ModelSettings>>> = {
  'one step': {},
  'three steps': { gradSteps: 3 },
  'the full segment': { gradSteps: 'full' },
  'shared levels, the last cycle': { sharedLevels: true, gradSteps: 2 },
  'shared levels, the full segment': { sharedLevels: true, gradSteps: 'full', lCycles: 3 },
  'a SwiGLU over the sequence': { mlpT: true, posEncodings: 'none', gradSteps: 'full' },
  'learned positions': { posEncodings: 'learned', gradSteps: 'full' },
};
const variants = Object.entries(VARIANTS);

function makeModel(fields: Partial<ModelSettings>): Hrm {
  return new Hrm(modelConfig({ ...SMALL, ...fields }), new Generator(11));
}

function makeBatch(): BatchTensors {
  const generator = new Generator(4);
  return {
    inputs: randint(0, 5, [BATCH, SEQ], { generator }),
    labels: randint(0, 5, [BATCH, SEQ], { generator }),
    puzzleIdentifiers: randint(0, 3, [BATCH], { generator }),
  };
}

/** HRM section 2 in generic ops: the last `gradSteps` L updates, with the H updates from there on, carry gradient. */
function composedRecur(model: Hrm, states: States, x: Tensor): States {
  const { config } = model;
  const { nHeads, rmsNormEps, hCycles, lCycles } = config;
  const rope = model.ropeTables;
  const options: BlockOptions = { nHeads, eps: rmsNormEps, ...(rope && { rope }) };
  let { zH, zL } = states;
  for (let t = 1; t <= hCycles * lCycles; ++t) {
    const update = (): void => {
      zL = composedLevel(zL, [zH, x], blocksOf(model, 'L_level'), options);
      if (t % lCycles === 0) zH = composedLevel(zH, [zL], blocksOf(model, 'H_level'), options);
    };
    if (t <= hCycles * lCycles - gradLSteps(config)) noGrad(update);
    else update();
  }
  return { zH, zL };
}

/** Both states and the gradients of every block's weights, for a fixed gradient of the states. */
function statesAndGradients(model: Hrm, recur: (model: Hrm, states: States, x: Tensor) => States): Float64Array[] {
  const dtype = model.config.forwardDtype;
  const generator = new Generator(2);
  return tidy(() => {
    model.zeroGrad();
    const { zH: h, zL: l } = model.initialStates(BATCH);
    const normal = (): Tensor => cast(randn(h.shape, { generator, dtype: 'float64' }), dtype);
    const [x, dH, dL] = [normal(), normal(), normal()];
    const { zH, zL } = recur(model, { zH: detach(h), zL: detach(l) }, x);
    const weighted = (z: Tensor, by: Tensor): Tensor => sum(mul(cast(z, 'float64'), cast(by, 'float64')));
    backward(add(weighted(zH, dH), weighted(zL, dL)));
    const blocks = model.namedParameters().filter(([name]) => name.includes('_level.'));
    const gradients = blocks.map(([, weight]) => weight.grad as Tensor);
    return [zH, zL, ...gradients].map((t) => Float64Array.from(t.dataSync() as ArrayLike<number>));
  });
}

/** |a - b| / |b| */
function distance(a: Float64Array, b: Float64Array): number {
  expect(a.length).toBe(b.length);
  let [error, size] = [0, 0];
  for (let i = 0; i < a.length; ++i) {
    error += ((a[i] as number) - (b[i] as number)) ** 2;
    size += (b[i] as number) ** 2;
  }
  return Math.sqrt(error / size);
}

const fusedRecur = (model: Hrm, states: States, x: Tensor): States => demandFused(() => model.recur(states, x));

describe.each(variants)('the fused model, gradient through %s', (_, fields) => {
  const inDtype = (forwardDtype: ModelSettings['forwardDtype']): Hrm => makeModel({ ...fields, forwardDtype });

  it('has the states and gradients of its definition', () => {
    const model = inDtype('float64');
    const composed = statesAndGradients(model, composedRecur);
    statesAndGradients(model, fusedRecur).forEach((mine, i) => {
      // Weights are float32, and so are their gradients.
      expect(distance(mine, composed[i] as Float64Array)).toBeLessThan(i < 2 ? 1e-13 : 2 ** -23);
    });
  });

  it.each(['float32', 'bfloat16'] as const)('errs at most twice as much as its definition in %s', (dtype) => {
    const exact = statesAndGradients(inDtype('float64'), composedRecur);
    const model = inDtype(dtype);
    // Over all tensors together: of a single one either may be exact by luck.
    const error = (recur: typeof fusedRecur): number =>
      Math.hypot(...statesAndGradients(model, recur).map((mine, i) => distance(mine, exact[i] as Float64Array)));
    expect(error(fusedRecur)).toBeLessThanOrEqual(2 * error(composedRecur));
  });
});

describe('gradients of the whole model against finite differences', () => {
  // Only here does every path from a weight to the loss carry gradient.
  it.each(variants.filter(([, { gradSteps }]) => gradSteps === 'full'))('%s', (_, fields) => {
    const model = makeModel({ ...fields, forwardDtype: 'float64' });
    const batch = makeBatch();
    const generator = new Generator(9);
    // Away from the start, where the Q head and the puzzle embedding are zero.
    noGrad(() => {
      for (const weight of [...model.parameters(), model.puzzleEmb?.weights])
        if (weight) copy_(weight, coarse(randn(weight.shape, { generator, std: weight.shape.at(-1)! ** -0.5 })));
    });
    const segment = (): ReturnType<typeof actStep> =>
      demandFused(() => actStep(model, initialCarry(model, batch), batch, { training: true }));
    const lossNow = (): number =>
      tidy(() =>
        noGrad(() => {
          const { carry, outputs } = segment();
          return actLoss(model.config, carry, outputs).loss.item() as number;
        }),
      );
    const { carry, outputs } = segment();
    backward(actLoss(model.config, carry, outputs).loss);

    const rows = outputs.puzzleRows?.grad as Tensor;
    const ids = [...batch.puzzleIdentifiers.dataSync()];
    const ofRows = new Float64Array((model.puzzleEmb?.weights as Tensor).size);
    rows.dataSync().forEach((value: number, i: number) => {
      const width = rows.shape[1] as number;
      ofRows[(ids[Math.floor(i / width)] as number) * width + (i % width)]! += value;
    });
    const leaves: [string, Tensor, ArrayLike<number>][] = [
      ['puzzle_emb', model.puzzleEmb?.weights as Tensor, ofRows],
      ...model
        .namedParameters()
        .map(([name, p]): [string, Tensor, ArrayLike<number>] => [
          name,
          p,
          (p.grad as Tensor).dataSync() as Float32Array,
        ]),
    ];
    for (const [name, weight, gradient] of leaves) {
      const values = Float32Array.from(weight.dataSync() as ArrayLike<number>);
      const largest = Array.from(gradient).reduce((most, g) => Math.max(most, Math.abs(g)), 0);
      expect(largest).toBeGreaterThan(0);
      for (const at of [0, Math.floor(values.length / 3), values.length - 1]) {
        const slope = finiteDifference(weight, values, at, lossNow);
        const error = Math.abs(slope - (gradient[at] as number)) / Math.max(1, largest);
        if (!(error <= GRADCHECK_BOUND)) throw new Error(`${name}[${at}]: ${gradient[at]}, differences give ${slope}`);
      }
    }
  });
});

/** Rounded to 12 bits behind the point. */
function coarse(x: Tensor): Tensor {
  const values = Float32Array.from(x.dataSync() as ArrayLike<number>, (v) => Math.round(v * 2 ** 12) / 2 ** 12);
  return tensor(values, { shape: x.shape });
}

/** Central, of fourth order: the weights are float32 and take no small steps; with `coarse` values each is exact. */
function finiteDifference(weight: Tensor, values: Float32Array, at: number, loss: () => number): number {
  const step = 2 ** -15;
  const before = values[at] as number;
  const lossAt = (steps: number): number => {
    const moved = values.slice();
    moved[at] = before + steps * step;
    noGrad(() => {
      tidy(() => copy_(weight, tensor(moved, { shape: weight.shape })));
    });
    return loss();
  };
  const slope = (8 * (lossAt(1) - lossAt(-1)) - (lossAt(2) - lossAt(-2))) / (12 * step);
  lossAt(0);
  return slope;
}
