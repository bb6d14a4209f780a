import { ArgumentError, copy_, DTypeError, noGrad, ShapeError, type Tensor, tensor, zeros } from '../../ts/index';
import { adamAtan2_, ema_, signSgd_ } from '../../ts/ops/optimizers';
import { arr, type Arr } from '../support/arrays';
import { opCase, type Round, unarySamples } from '../support/op_case';

/** The updates write in place, so they get copies of the suite's inputs, which may have any layout. */
const owned = (inputs: readonly Tensor[]): Tensor[] =>
  noGrad(() => inputs.map((input) => copy_(zeros(input.shape, { dtype: input.dtype }), input)));

const scalar = (value: number): Tensor => tensor(value);
const flag = (value: boolean): Tensor => tensor(value);
const integer = (value: number): Tensor => tensor(value, { dtype: 'int32' });
const half = (shape: readonly number[]): Tensor => zeros(shape, { dtype: 'bfloat16' });
const BETAS = { beta1: 0.9, beta2: 0.95, weightDecay: 0.5 };

interface AdamOptions {
  readonly t: number;
  readonly finite: boolean;
}

function adamReference([p, m, v, g]: readonly Arr[], { t, finite }: AdamOptions, round: Round): Arr[] {
  if (!finite) return [p!, m!, v!];
  // The learning rate is a float32 tensor.
  const lr = Math.fround(0.01);
  const { beta1, beta2, weightDecay } = BETAS;
  const first = g!.data.map((x, i) => round(round(beta1 * m!.data[i]!) + round((1 - beta1) * x)));
  const second = g!.data.map((x, i) => round(round(beta2 * v!.data[i]!) + round((1 - beta2) * round(x * x))));
  const next = p!.data.map((x, i) => {
    const scaled = round(round(Math.sqrt(second[i]!)) / Math.sqrt(1 - beta2 ** t));
    const angle = round(Math.atan2(first[i]!, scaled));
    return round(round((1 - lr * weightDecay) * x) - round((lr / (1 - beta1 ** t)) * angle));
  });
  return [arr(p!.shape, next), arr(p!.shape, first), arr(p!.shape, second)];
}

export const adamAtan2Case = opCase<AdamOptions>({
  call: (inputs, { t, finite }) => {
    const [p, m, v, g] = owned(inputs) as [Tensor, Tensor, Tensor, Tensor];
    const scalars = { step: integer(t), lr: scalar(0.01), finite: flag(finite) };
    adamAtan2_({ parameters: [p], m: [m], v: [v], gradients: [g] }, scalars, BETAS);
    return [p, m, v];
  },
  reference: adamReference,
  samples: unarySamples.map(({ shapes: [shape] }, i) => ({
    shapes: [shape!, shape!, shape!, shape!],
    options: { t: i + 1, finite: i !== 4 },
  })),
  value: (u, input) => (input === 2 ? 4 * u : 4 * u - 2),
  dtypes: ['float32', 'float64'],
  gradient: 'writes in place',
  refused: [
    {
      what: 'a moment too few',
      run: () => {
        const scalars = { step: integer(1), lr: scalar(0.1), finite: flag(true) };
        adamAtan2_({ parameters: [zeros([1])], m: [], v: [zeros([1])], gradients: [zeros([1])] }, scalars, BETAS);
      },
      error: ArgumentError,
    },
    {
      what: 'a gradient of another shape',
      run: () => {
        const scalars = { step: integer(1), lr: scalar(0.1), finite: flag(true) };
        const gradients = [tensor([1, 2])];
        adamAtan2_({ parameters: [zeros([1])], m: [zeros([1])], v: [zeros([1])], gradients }, scalars, BETAS);
      },
      error: ShapeError,
    },
    {
      what: 'a step that is no integer',
      run: () => {
        const scalars = { step: scalar(1), lr: scalar(0.1), finite: flag(true) };
        adamAtan2_(
          { parameters: [zeros([1])], m: [zeros([1])], v: [zeros([1])], gradients: [zeros([1])] },
          scalars,
          BETAS,
        );
      },
      error: DTypeError,
    },
    ...[
      { what: 'a copy that is not bfloat16', copies: () => [zeros([1])], error: DTypeError },
      { what: 'a copy of another shape', copies: () => [half([2])], error: ShapeError },
      { what: 'more copies than parameters', copies: () => [half([1]), half([1])], error: ArgumentError },
    ].map(({ what, copies, error }) => ({
      what,
      run: () => {
        const scalars = { step: integer(1), lr: scalar(0.1), finite: flag(true) };
        const [p, m, v, g] = [zeros([1]), zeros([1]), zeros([1]), zeros([1])];
        adamAtan2_({ parameters: [p], m: [m], v: [v], gradients: [g], copies: copies() }, scalars, BETAS);
      },
      error,
    })),
    {
      what: 'a beta of 1',
      run: () => {
        const scalars = { step: integer(1), lr: scalar(0.1), finite: flag(true) };
        const options = { ...BETAS, beta1: 1 };
        adamAtan2_(
          { parameters: [zeros([1])], m: [zeros([1])], v: [zeros([1])], gradients: [zeros([1])] },
          scalars,
          options,
        );
      },
      error: ArgumentError,
    },
  ],
});

interface SignOptions {
  readonly ids: readonly number[];
  readonly finite: boolean;
}

function signReference([w, g]: readonly Arr[], { ids, finite }: SignOptions, round: Round): Arr {
  if (!finite) return w!;
  const lr = Math.fround(0.01);
  const [, width] = w!.shape as [number, number];
  const next = Float64Array.from(w!.data);
  for (const id of new Set(ids)) {
    for (let c = 0; c < width; c++) {
      const sum = ids.reduce((total, other, i) => (other === id ? round(total + g!.data[i * width + c]!) : total), 0);
      const at = id * width + c;
      next[at] = round(round(round(1 - round(lr * 0.5)) * w!.data[at]!) - lr * Math.sign(sum));
    }
  }
  return arr(w!.shape, next);
}

const signSample = (n: number, width: number, ids: readonly number[], finite = true) => ({
  shapes: [
    [n, width],
    [ids.length, width],
  ],
  options: { ids, finite },
});

export const signSgdCase = opCase<SignOptions>({
  call: (inputs, { ids, finite }) => {
    const [weights, gradients] = owned(inputs) as [Tensor, Tensor];
    const rows = tensor(Int32Array.from(ids));
    signSgd_(weights, rows, gradients, { lr: scalar(0.01), finite: flag(finite) }, { weightDecay: 0.5 });
    return weights;
  },
  reference: signReference,
  samples: [
    signSample(1, 1, [0]),
    signSample(3, 2, [2]),
    signSample(3, 2, [2, 0]),
    signSample(3, 2, [1, 1]),
    signSample(4, 5, [3, 1, 3, 3, 1]),
    signSample(4, 5, [3, 1, 3, 3, 1], false),
    signSample(1, 70, [0, 0, 0, 0]),
    signSample(2, 64, [1, 0, 1]),
    signSample(2, 0, [1, 0]),
    signSample(2, 3, []),
    signSample(9, 1, [8, 7, 6, 5, 4, 3, 2, 1, 0]),
    signSample(5, 130, [4, 4, 0]),
  ],
  dtypes: ['float32', 'float64'],
  gradient: 'writes in place',
  refused: [
    {
      what: 'an id that is no row',
      run: () => {
        const rates = { lr: scalar(0.1), finite: flag(true) };
        signSgd_(zeros([2, 1]), tensor([2], { dtype: 'int32' }), zeros([1, 1]), rates, { weightDecay: 0 });
      },
      error: ArgumentError,
    },
    {
      what: 'a gradient of another width',
      run: () => {
        const rates = { lr: scalar(0.1), finite: flag(true) };
        signSgd_(zeros([2, 1]), tensor([1], { dtype: 'int32' }), zeros([1, 2]), rates, { weightDecay: 0 });
      },
      error: ShapeError,
    },
  ],
});

export const emaCase = opCase<boolean>({
  call: (inputs, finite) => {
    const [average, weight] = owned(inputs) as [Tensor, Tensor];
    ema_([average], [weight], flag(finite), { decay: 0.75 });
    return average;
  },
  reference: ([average, weight], finite, round) =>
    arr(
      average!.shape,
      average!.data.map((x, i) => (finite ? round(round(0.75 * x) + round(0.25 * weight!.data[i]!)) : x)),
    ),
  samples: unarySamples.map(({ shapes: [shape] }, i) => ({ shapes: [shape!, shape!], options: i !== 3 })),
  dtypes: ['float32', 'float64'],
  gradient: 'writes in place',
  refused: [
    {
      what: 'a weight of another shape',
      run: () => {
        ema_([zeros([2])], [zeros([3])], flag(true), { decay: 0.5 });
      },
      error: ShapeError,
    },
    {
      what: 'a decay above 1',
      run: () => {
        ema_([zeros([2])], [zeros([2])], flag(true), { decay: 1.5 });
      },
      error: ArgumentError,
    },
  ],
});
