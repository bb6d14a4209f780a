import {
  argmax,
  argmin,
  ArgumentError,
  logSoftmax,
  logsumexp,
  ShapeError,
  softmax,
  type Tensor,
  zeros,
} from '../../ts/index';
import type { DType } from '../../ts/tensor/dtype';
import { logSoftmaxGradOp, softmaxGradOp } from '../../ts/ops/softmax';
import { type Arr, arr, indicesOf, ravel, reduceOver } from '../support/arrays';
import { ALL_DTYPES, opCase, type OpCase, type Refused, type Round, type Sample } from '../support/op_case';
import { unaryRefused } from './arithmetic';
import { listOf, reduceRefused, reductions, type ReduceSampleOptions } from './reduce';
import { floating } from './unary';

type Shape = readonly number[];
const sample = (shape: Shape, dim: number): Sample<number> => ({ shapes: [shape], options: dim });
const alongDim = [
  sample([], 0),
  sample([1], 0),
  sample([5], 0),
  sample([33], -1),
  sample([100], 0),
  sample([2, 3], 0),
  sample([2, 3], 1),
  sample([3, 1], 1),
  sample([4, 2, 3], 1),
  sample([2, 3, 17], -1),
  sample([3, 2, 19], 0),
  sample([70, 3], 0),
  sample([2, 0], 0),
];
const withNothing = [...alongDim, sample([0], 0), sample([3, 0], 1), sample([0, 4], 1)];

/** f of the vectors along dim, each to a vector of the same length. */
function mapAlong(inputs: readonly Arr[], dim: number, f: (...vectors: number[][]) => number[]): Arr {
  const [{ shape }] = inputs as [Arr];
  const d = dim < 0 ? dim + shape.length : dim;
  const kept = shape.map((n, i) => (i === d ? 1 : n));
  const groups = inputs.map((x) => {
    const vectors = new Map<number, number[]>();
    indicesOf(shape).forEach((index, flat) => {
      const at = ravel(index, kept);
      vectors.set(at, [...(vectors.get(at) ?? []), x.data[flat] as number]);
    });
    return vectors;
  });
  const out = new Map([...(groups[0]?.keys() ?? [])].map((at) => [at, f(...groups.map((g) => g.get(at) as number[]))]));
  const next = new Map<number, number>();
  return arr(
    shape,
    indicesOf(shape).map((index) => {
      const at = ravel(index, kept);
      const i = next.get(at) ?? 0;
      next.set(at, i + 1);
      return out.get(at)?.[i] as number;
    }),
  );
}

function logSum(values: readonly number[], round: Round): number {
  const largest = Math.max(...values);
  const shift = Number.isFinite(largest) ? largest : 0;
  const total = values.reduce((sum, x) => round(sum + round(Math.exp(round(x - shift)))), 0);
  return shift + round(Math.log(total));
}

function softmaxOf(values: readonly number[], round: Round): number[] {
  const largest = Math.max(...values);
  const powers = values.map((x) => round(Math.exp(round(x - largest))));
  const total = powers.reduce((a, b) => round(a + b), 0);
  return powers.map((power) => power / total);
}

function dimRefused(op: (x: Tensor, dim: number) => Tensor): Refused[] {
  return [
    ...unaryRefused((x) => op(x, 0)),
    { what: 'a dim out of range', run: () => op(zeros([2, 3]), 2), error: ShapeError },
    { what: 'a fraction', run: () => op(zeros([2, 3]), 0.5), error: ArgumentError },
    { what: 'a string', run: () => op(zeros([2, 3]), '0' as unknown as number), error: ArgumentError },
  ];
}

function along(op: (x: Tensor, dim: number) => Tensor, f: (values: number[], round: Round) => number[]): OpCase {
  return opCase<number>({
    call: ([x], dim) => op(x as Tensor, dim),
    reference: ([x], dim, round) => mapAlong([x as Arr], dim, (values) => f(values, round)),
    samples: withNothing,
    dtypes: ALL_DTYPES,
    result: floating,
    gradient: true,
    refused: dimRefused(op),
    bench: [sample([4096, 512], -1), sample([512, 4096], 0)],
  });
}

/** exp(x - m) of x in -2..2 errs by roundoffs of x - m, relative to itself. */
export const softmaxCase: OpCase = {
  ...along(softmax, softmaxOf),
  termScale: (_, y, i) => 4 * Math.abs(y.data[i]!),
};
export const logSoftmaxCase = along(logSoftmax, (values, round) => {
  const whole = logSum(values, round);
  return values.map((x) => x - whole);
});

function gradientAlong(
  op: typeof softmaxGradOp | typeof logSoftmaxGradOp,
  f: (dy: number[], y: number[], round: Round) => number[],
): OpCase {
  const run = op as typeof softmaxGradOp;
  return opCase<number>({
    call: ([dy, y], dim) => run.one([dy as Tensor, y as Tensor], { dim }),
    reference: (inputs, dim, round) => mapAlong(inputs, dim, (dy, y) => f(dy, y, round)),
    samples: withNothing.map(({ shapes, options }) => ({ shapes: [...shapes, ...shapes], options })),
    dtypes: ALL_DTYPES,
    result: floating,
    gradient: 'is itself a gradient',
    refused: [
      { what: 'two shapes', run: () => run.one([zeros([2]), zeros([3])], { dim: 0 }), error: ShapeError },
      { what: 'a dim out of range', run: () => run.one([zeros([2]), zeros([2])], { dim: 1 }), error: ShapeError },
    ],
  });
}
const softmaxGradient = gradientAlong(softmaxGradOp, (dy, y, round) => {
  const total = dy.reduce((sum, g, i) => round(sum + round(g * (y[i] as number))), 0);
  return dy.map((g, i) => (y[i] as number) * round(g - total));
});
/** y times a sum of the products of all dy and y. */
export const softmaxGradCase: OpCase = {
  ...softmaxGradient,
  termScale: ([dy, y], _, i) => {
    const total = dy!.data.reduce((sum, g, j) => sum + Math.abs(g * y!.data[j]!), 0);
    return Math.abs(y!.data[i]!) * (Math.abs(dy!.data[i]!) + total);
  },
};
export const logSoftmaxGradCase = gradientAlong(logSoftmaxGradOp, (dy, y, round) => {
  const total = dy.reduce((sum, g) => round(sum + g), 0);
  return dy.map((g, i) => g - round(round(Math.exp(y[i] as number)) * total));
});

export const logsumexpCase = opCase<ReduceSampleOptions>({
  call: ([x], { dims, keepdim }) => logsumexp(x as Tensor, dims, { keepdim }),
  reference: ([x], options, round) =>
    reduceOver(x as Arr, listOf(options), options.keepdim ?? false, (values) => logSum(values, round)),
  samples: reductions,
  dtypes: ALL_DTYPES,
  result: floating,
  gradient: true,
  refused: reduceRefused(logsumexp),
  bench: [{ shapes: [[4096, 512]], options: { dims: -1 } }],
});

const position =
  (best: (...values: number[]) => number) =>
  (values: readonly number[]): number => {
    const nan = values.findIndex(Number.isNaN);
    return nan >= 0 ? nan : values.indexOf(best(...values));
  };

/** No dim: of the flattened tensor. */
function positionCase(op: typeof argmax, best: (...values: number[]) => number): OpCase {
  const nothingToTake = (dim?: number): Refused => ({
    what: 'nothing to take',
    run: () => op(zeros([2, 0]), dim),
    error: ShapeError,
  });
  return opCase<{ dim?: number; keepdim: boolean }>({
    dtypes: ALL_DTYPES,
    result: (): DType => 'int32',
    // Few different values: there are ties.
    value: (u: number): number => Math.floor(u * 4) / 2,
    gradient: 'the result is an index',
    call: ([x], { dim, keepdim }) => op(x as Tensor, dim, { keepdim }),
    reference: ([x], { dim, keepdim }) => {
      const scalar = (x as Arr).shape.length === 0;
      return reduceOver(x as Arr, dim === undefined || scalar ? [] : [dim], keepdim, position(best));
    },
    samples: alongDim.flatMap(({ shapes, options }, i) => {
      const empty = shapes[0]?.includes(0);
      const along = { shapes, options: { dim: options, keepdim: i % 2 === 0 } };
      return empty ? [along] : [along, { shapes, options: { keepdim: i % 3 === 0 } }];
    }),
    refused: [...unaryRefused((x) => op(x)), ...dimRefused((x, dim) => op(x, dim)), nothingToTake(), nothingToTake(1)],
  });
}
export const argmaxCase = positionCase(argmax, Math.max);
export const argminCase = positionCase(argmin, Math.min);
