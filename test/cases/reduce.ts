import {
  all,
  any,
  ArgumentError,
  DTypeError,
  max,
  mean,
  min,
  ShapeError,
  std,
  sum,
  type Tensor,
  tensor,
  variance,
  zeros,
} from '../../ts/index';
import type { DType } from '../../ts/tensor/dtype';
import { type Arr, reduceOver } from '../support/arrays';
import { ALL_DTYPES, FLOATS, opCase, type OpCase, type Refused, type Round, type Sample } from '../support/op_case';
import { unaryRefused } from './arithmetic';

export interface ReduceSampleOptions {
  readonly dims?: number | readonly number[];
  readonly keepdim?: boolean;
}
type ReduceFunction = (x: Tensor, dims?: number | readonly number[], options?: { keepdim?: boolean }) => Tensor;

const sample = (
  shape: readonly number[],
  dims?: number | readonly number[],
  keepdim = false,
): Sample<ReduceSampleOptions> => ({
  shapes: [shape],
  options: { dims, keepdim },
});

/** Where no reduction is over nothing. */
export const nonEmptyReductions = [
  sample([]),
  sample([1]),
  sample([7]),
  sample([100]),
  sample([2, 3]),
  sample([2, 3], 0),
  sample([2, 3], -1, true),
  sample([3, 5], [0, 1], true),
  sample([2, 3, 4], 1),
  sample([2, 3, 4], [0, 2]),
  sample([2, 3, 4], [-1, 0], true),
  sample([1, 1], 0),
  sample([5, 0, 2], 2),
  sample([2, 2, 2, 3], [1, 2]),
  sample([40, 3], 0),
  sample([3, 40], 1),
];
export const reductions = [
  ...nonEmptyReductions,
  sample([0]),
  sample([0, 3], 0),
  sample([3, 0], 1, true),
  sample([2, 0, 3]),
];

export const listOf = ({ dims }: ReduceSampleOptions): readonly number[] | undefined =>
  typeof dims === 'number' ? [dims] : dims;

export function reduceRefused(op: ReduceFunction): Refused[] {
  const x = (): Tensor =>
    tensor([
      [1, 2],
      [3, 4],
    ]);
  return [
    ...unaryRefused((t) => op(t)),
    { what: 'a dim out of range', run: () => op(x(), 2), error: ShapeError },
    { what: 'a repeated dim', run: () => op(x(), [0, -2]), error: ShapeError },
    { what: 'a fraction', run: () => op(x(), 0.5), error: ArgumentError },
    { what: 'NaN', run: () => op(x(), NaN), error: ArgumentError },
    { what: 'a string', run: () => op(x(), '0' as unknown as number), error: ArgumentError },
    { what: 'keepdim of 1', run: () => op(x(), 0, { keepdim: 1 as unknown as boolean }), error: ArgumentError },
  ];
}

/** Long enough for several blocks and chunks, down columns and along rows. */
const longReductions = [sample([3000]), sample([600, 5], 0), sample([300, 70], 0, true), sample([2, 300, 3], 1)];

const total = (values: readonly number[], round: Round): number => values.reduce((a, b) => round(a + b), 0);

interface Reduction {
  readonly samples: readonly Sample<ReduceSampleOptions>[];
  readonly change: Partial<OpCase>;
}

function reduction(op: ReduceFunction, f: (values: number[], round: Round) => number, given: Reduction): OpCase {
  return {
    ...opCase<ReduceSampleOptions>({
      call: ([x], { dims, keepdim }) => op(x as Tensor, dims, { keepdim }),
      reference: ([x], options, round) =>
        reduceOver(x as Arr, listOf(options), options.keepdim ?? false, (values) => f(values, round)),
      samples: given.samples,
      dtypes: ALL_DTYPES,
      gradient: true,
      refused: reduceRefused(op),
      bench: [sample([1024, 1024]), sample([1024, 1024], 0), sample([1024, 1024], 1)],
    }),
    ...given.change,
  };
}

export const sumCase = reduction(sum, total, {
  samples: [...reductions, ...longReductions],
  change: { result: (dtype): DType => (ALL_DTYPES.indexOf(dtype) < 3 ? 'int32' : dtype) },
});
export const meanCase = reduction(mean, (values, round) => total(values, round) / values.length, {
  samples: reductions,
  change: {
    dtypes: FLOATS,
    refused: [
      ...reduceRefused(mean),
      { what: 'int32', run: () => mean(tensor([1], { dtype: 'int32' })), error: DTypeError },
    ],
  },
});

const nothing = (op: ReduceFunction): Refused[] => [
  ...reduceRefused(op),
  { what: 'nothing to take', run: () => op(zeros([2, 0]), 1), error: ShapeError },
  { what: 'an empty tensor', run: () => op(zeros([0])), error: ShapeError },
];
export const maxCase = reduction(max, (values) => Math.max(...values), {
  samples: [...nonEmptyReductions, ...longReductions],
  change: { refused: nothing(max) },
});
export const minCase = reduction(min, (values) => Math.min(...values), {
  samples: nonEmptyReductions,
  change: { refused: nothing(min) },
});

const TRUTH: Partial<OpCase> = {
  result: () => 'bool',
  value: (u) => Math.floor(u * 3) / 2,
  gradient: 'the result is bool',
};
export const anyCase = reduction(any, (values) => Number(values.some((x) => x !== 0)), {
  samples: reductions,
  change: TRUTH,
});
export const allCase = reduction(all, (values) => Number(values.every((x) => x !== 0)), {
  samples: reductions,
  change: TRUTH,
});

const spreadOf = (values: readonly number[], correction: number, round: Round): number => {
  const centre = round(total(values, round) / values.length);
  const squares = total(
    values.map((x) => round(round(x - centre) ** 2)),
    round,
  );
  return squares / Math.max(0, values.length - correction);
};
function spreadCase(op: typeof variance, of: (spread: number) => number): OpCase {
  return opCase<ReduceSampleOptions & { correction?: number }>({
    call: ([x], { dims, ...options }) => op(x as Tensor, dims, options),
    reference: ([x], options, round) =>
      reduceOver(x as Arr, listOf(options), options.keepdim ?? false, (values) =>
        of(round(spreadOf(values, options.correction ?? 1, round))),
      ),
    // Of a single element the variance is 0 / 0 unless nothing is corrected.
    samples: nonEmptyReductions
      .map(({ shapes, options }) => ({ shapes, options: { ...options, correction: 0 } }))
      .concat([
        { shapes: [[5, 4]], options: { dims: 0, keepdim: false, correction: 1 } },
        { shapes: [[5, 4]], options: { dims: [0, 1], keepdim: true, correction: 2 } },
      ]),
    dtypes: FLOATS,
    gradient: true,
    refused: [
      ...reduceRefused(op),
      { what: 'NaN to correct by', run: () => op(tensor([1]), 0, { correction: NaN }), error: ArgumentError },
      { what: 'int32', run: () => op(tensor([1], { dtype: 'int32' })), error: DTypeError },
    ],
  });
}
export const varianceCase = spreadCase(variance, (spread) => spread);
const stdOfAny = spreadCase(std, Math.sqrt);
/** Of several elements: at the 0 of a single one the root has no slope. */
export const stdCase: OpCase = {
  ...stdOfAny,
  samples: stdOfAny.samples.filter(({ shapes: [shape] }) => !shape!.every((n) => n === 1)),
  smallest: 6,
};
