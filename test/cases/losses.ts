import {
  ArgumentError,
  bceWithLogits,
  cast,
  crossEntropy,
  type CrossEntropyOptions,
  DTypeError,
  logStablemax,
  type Reduction,
  ShapeError,
  type Tensor,
  tensor,
  zeros,
} from '../../ts/index';
import { bceWithLogitsSlopeOp } from '../../ts/ops/bce_with_logits';
import { crossEntropyBackwardOp } from '../../ts/ops/cross_entropy';
import { type Arr, arr, zip } from '../support/arrays';
import { ALL_DTYPES, FLOATS, opCase, type Round, type Sample, type Shape, unarySamples } from '../support/op_case';
import { byRow, rowOf, sumOf } from './rms_norm';
import { floating } from './unary';

type Required<T> = { [K in keyof T]-?: T[K] };
type Options = Required<CrossEntropyOptions>;

function reduced(losses: Arr, reduction: Reduction, count: number, round: Round): Arr {
  if (reduction === 'none') return losses;
  const total = sumOf([...losses.data], round);
  return arr([], [reduction === 'sum' ? total : round(total / count)]);
}

// ---- cross entropy ---------------------------------------------------------------------------------------------

interface Row {
  /** s(v), log s(v) and its derivative by v; the probability of v is s(v) / sum. */
  readonly scores: readonly number[];
  readonly logs: readonly number[];
  readonly slopes: readonly number[];
  readonly total: number;
}

function scoresOf(row: readonly number[], kind: Options['kind'], round: Round): Row {
  if (kind === 'softmax') {
    const largest = Math.max(...row);
    const logs = row.map((v) => round(v - largest));
    const scores = logs.map((v) => round(Math.exp(v)));
    return { scores, logs, slopes: row.map(() => 1), total: sumOf(scores, round) };
  }
  const scores = row.map((v) => round(v >= 0 ? v + 1 : 1 / round(1 - v)));
  const slopes = row.map((v) => round(1 / round(1 + Math.abs(v))));
  return { scores, logs: scores.map((s) => round(Math.log(s))), slopes, total: sumOf(scores, round) };
}

const KINDS = ['softmax', 'stablemax'] as const;
const REDUCTIONS = ['none', 'sum', 'none', 'mean'] as const;

/** Shapes of the logits; those of the labels lack the last dimension. */
const SHAPES: readonly Shape[] = [
  [5],
  [1],
  [3, 4],
  [1, 1],
  [4, 1],
  [2, 3, 11],
  [0, 3],
  [2, 0, 3],
  [2, 0],
  [7, 33],
  [2, 2, 2, 5],
  [40, 11],
  [2, 300],
];
const samples: Sample<Options>[] = SHAPES.flatMap((shape, i) =>
  KINDS.map((kind, k) => ({
    shapes: [shape, shape.slice(0, -1)],
    options: { kind, reduction: REDUCTIONS[(i + k) % 4] as Reduction, ignoreIndex: i % 4 === 2 ? -100 : -1 },
  })),
);
/** A label, or one time in V + 1 the ignored one. */
function labelFrom(u: number, { shapes, options }: Sample<Options>): number {
  const label = Math.floor(u * ((shapes[0]?.at(-1) as number) + 1)) - 1;
  return label < 0 ? options.ignoreIndex : label;
}

const labels = (...values: number[]): Tensor => tensor(Int32Array.from(values));

export const crossEntropyCase = opCase<Options>({
  call: ([logits, at], options) => crossEntropy(logits as Tensor, at as Tensor, options),
  reference: ([logits, at], { kind, reduction, ignoreIndex }, round) => {
    const { data, shape } = at as Arr;
    const n = (logits as Arr).shape.at(-1) as number;
    const losses = data.map((label, i) => {
      if (label === ignoreIndex) return 0;
      const { logs, total } = scoresOf(rowOf(logits as Arr, i, n), kind, round);
      return round(round(Math.log(total)) - (logs[label] as number));
    });
    const count = data.reduce((sum, label) => sum + Number(label !== ignoreIndex), 0);
    return reduced(arr(shape, losses), reduction, Math.max(1, count), round);
  },
  samples,
  dtypes: FLOATS,
  inputDTypes: [undefined, 'int32'],
  result: (dtype) => (dtype === 'bfloat16' ? 'float32' : dtype),
  value: (u, input, sample) => (input === 1 ? labelFrom(u, sample) : 8 * u - 4),
  gradient: true,
  refused: [
    { what: 'a label of V', run: () => crossEntropy(zeros([2, 3]), labels(0, 3)), error: ArgumentError },
    { what: 'a negative label', run: () => crossEntropy(zeros([2, 3]), labels(-1, 0)), error: ArgumentError },
    {
      what: '-100 where another label is ignored',
      run: () => crossEntropy(zeros([1, 3]), labels(-100), { ignoreIndex: -1 }),
      error: ArgumentError,
    },
    { what: 'a label of no classes', run: () => crossEntropy(zeros([1, 0]), labels(0)), error: ArgumentError },
    { what: 'labels of another shape', run: () => crossEntropy(zeros([2, 3]), labels(0)), error: ShapeError },
    { what: 'a scalar', run: () => crossEntropy(tensor(1), labels(0)), error: ShapeError },
    {
      what: 'labels of uint8',
      run: () => crossEntropy(zeros([1, 3]), zeros([1], { dtype: 'uint8' })),
      error: DTypeError,
    },
    { what: 'labels of float32', run: () => crossEntropy(zeros([1, 3]), zeros([1])), error: DTypeError },
    {
      what: 'an unknown kind',
      run: () => crossEntropy(zeros([1, 3]), labels(0), { kind: 'hardmax' as 'softmax' }),
      error: ArgumentError,
    },
    {
      what: 'an unknown reduction',
      run: () => crossEntropy(zeros([1, 3]), labels(0), { reduction: 'max' as 'sum' }),
      error: ArgumentError,
    },
    {
      what: 'a fraction to ignore',
      run: () => crossEntropy(zeros([1, 3]), labels(0), { ignoreIndex: 0.5 }),
      error: ArgumentError,
    },
    { what: 'an array', run: () => crossEntropy([0] as unknown as Tensor, labels(0)), error: ArgumentError },
  ],
  bench: KINDS.map((kind) => ({
    shapes: [
      [32, 81, 11],
      [32, 81],
    ],
    options: { kind, reduction: 'none' as const, ignoreIndex: -100 },
  })),
});

export const crossEntropyBackwardCase = opCase<Options>({
  call: ([dy, logits, at], { kind, ignoreIndex }) => {
    const seed = (dy as Tensor).dtype === 'bfloat16' ? cast(dy as Tensor, 'float32') : (dy as Tensor);
    const attrs = { stablemax: kind === 'stablemax', ignoreIndex };
    return crossEntropyBackwardOp.one([seed, logits as Tensor, at as Tensor], attrs);
  },
  reference: ([dy, logits, at], { kind, ignoreIndex }, round) =>
    byRow(logits as Arr, (row, index) => {
      const label = (at as Arr).data[index];
      if (label === ignoreIndex) return row.map(() => 0);
      const { scores, slopes, total } = scoresOf(row, kind, round);
      return row.map((_, i) => {
        const change = round(round((scores[i] as number) / total) - Number(i === label));
        return round(round(((dy as Arr).data[index] as number) * (slopes[i] as number)) * change);
      });
    }),
  samples: samples.map(({ shapes: [logits, at], options }) => ({
    shapes: [at as Shape, logits as Shape, at as Shape],
    options,
  })),
  dtypes: FLOATS,
  inputDTypes: [undefined, undefined, 'int32'],
  value: (u, input, { shapes, options }) =>
    input === 2 ? labelFrom(u, { shapes: shapes.slice(1), options }) : 8 * u - 4,
  gradient: 'is a gradient',
  refused: [
    {
      what: 'a label of V',
      run: () =>
        crossEntropyBackwardOp.one([zeros([1]), zeros([1, 3]), labels(3)], { stablemax: true, ignoreIndex: -1 }),
      error: ArgumentError,
    },
    {
      what: 'a dy of another shape',
      run: () =>
        crossEntropyBackwardOp.one([zeros([2]), zeros([1, 3]), labels(0)], { stablemax: true, ignoreIndex: -1 }),
      error: ShapeError,
    },
    {
      what: 'a dy of another dtype',
      run: () =>
        crossEntropyBackwardOp.one([zeros([1], { dtype: 'float64' }), zeros([1, 3]), labels(0)], {
          stablemax: false,
          ignoreIndex: -1,
        }),
      error: DTypeError,
    },
  ],
});

/** The last dimension holds the classes. */
export const logStablemaxCase = opCase<undefined>({
  call: ([x]) => logStablemax(x as Tensor),
  reference: ([x], _options, round) =>
    byRow(x as Arr, (row) => {
      const { logs, total } = scoresOf(row, 'stablemax', round);
      return logs.map((v) => round(v - round(Math.log(total))));
    }),
  samples: SHAPES.map((shape) => ({ shapes: [shape], options: undefined })),
  dtypes: ALL_DTYPES,
  result: () => 'float64',
  gradient: true,
  refused: [{ what: 'an array', run: () => logStablemax([0] as unknown as Tensor), error: ArgumentError }],
});

// ---- binary cross entropy --------------------------------------------------------------------------------------

const bceShapes = unarySamples.map(({ shapes: [shape] }) => [shape as Shape, shape as Shape]);
/** The second input is a probability. */
const bceValue = (u: number, input: number): number => (input === 1 ? u : 8 * u - 4);
const bceSpecials = [
  [0, 0],
  [0, 1],
  [-0, 0.5],
  [1000, 0.5],
  [-1000, 0.25],
  [Infinity, 0.5],
  [-Infinity, 0.5],
  [Infinity, 1],
  [-Infinity, 0],
  [NaN, 0],
  [1, NaN],
];

export const bceWithLogitsCase = opCase<Reduction>({
  call: ([x, t], reduction) => bceWithLogits(x as Tensor, t as Tensor, { reduction }),
  reference: (inputs, reduction, round) => {
    const losses = zip(inputs, (x, t) =>
      round(round(x * round(Number(x >= 0) - t)) + round(Math.log1p(round(Math.exp(-Math.abs(x)))))),
    );
    return reduced(losses, reduction, Math.max(1, losses.data.length), round);
  },
  samples: bceShapes.map((shapes, i) => ({ shapes, options: REDUCTIONS[i % 4] as Reduction })),
  dtypes: ALL_DTYPES,
  result: (dtype) => (dtype === 'float64' ? 'float64' : 'float32'),
  value: bceValue,
  specials: bceSpecials,
  gradient: true,
  refused: [
    { what: 'targets of another shape', run: () => bceWithLogits(zeros([2]), zeros([1])), error: ShapeError },
    {
      what: 'an unknown reduction',
      run: () => bceWithLogits(zeros([2]), zeros([2]), { reduction: 'max' as 'sum' }),
      error: ArgumentError,
    },
    { what: 'an array', run: () => bceWithLogits(zeros([1]), [0] as unknown as Tensor), error: ArgumentError },
  ],
});

export const bceWithLogitsSlopeCase = opCase<undefined>({
  call: ([x, t]) => bceWithLogitsSlopeOp.one([x as Tensor, t as Tensor]),
  reference: (inputs, _options, round) => zip(inputs, (x, t) => round(round(1 / round(1 + round(Math.exp(-x)))) - t)),
  samples: bceShapes.map((shapes) => ({ shapes, options: undefined })),
  dtypes: ALL_DTYPES,
  result: floating,
  value: bceValue,
  specials: bceSpecials,
  gradient: 'is a gradient',
  refused: [
    {
      what: 'shapes that do not broadcast',
      run: () => bceWithLogitsSlopeOp.one([zeros([2]), zeros([3])]),
      error: ShapeError,
    },
  ],
});
