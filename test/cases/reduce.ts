import { ArgumentError, ShapeError, sum, type Tensor, tensor } from '../../ts/index';
import type { DType } from '../../ts/tensor/dtype';
import { type Arr, reduceOver } from '../support/arrays';
import { ALL_DTYPES, opCase, type Refused, type Sample } from '../support/op_case';
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

export const sumCase = opCase<ReduceSampleOptions>({
  call: ([x], { dims, keepdim }) => sum(x as Tensor, dims, { keepdim }),
  reference: ([x], options, round) =>
    reduceOver(x as Arr, listOf(options), options.keepdim ?? false, (values) =>
      values.reduce((a, b) => round(a + b), 0),
    ),
  samples: reductions,
  dtypes: ALL_DTYPES,
  result: (dtype): DType => (ALL_DTYPES.indexOf(dtype) < 3 ? 'int32' : dtype),
  gradient: true,
  refused: reduceRefused(sum),
  bench: [sample([1024, 1024]), sample([1024, 1024], 0), sample([1024, 1024], 1)],
});
