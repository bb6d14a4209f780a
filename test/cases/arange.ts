import { arange, ArgumentError, DTypeError } from '../../ts/index';
import type { DType } from '../../ts/tensor/dtype';
import { arr } from '../support/arrays';
import { ALL_DTYPES, opCase } from '../support/op_case';

interface ArangeOptions {
  readonly range: readonly [start: number, stop: number, step: number];
  readonly dtype?: DType;
}

function values([start, stop, step]: ArangeOptions['range']): number[] {
  const list: number[] = [];
  for (let i = 0, x = start; step > 0 ? x < stop : x > stop; x = start + ++i * step) list.push(x);
  return list;
}

export const arangeCase = opCase<ArangeOptions>({
  call: (_inputs, { range, dtype }) => arange(...range, dtype === undefined ? {} : { dtype }),
  reference: (_inputs, { range }) => arr([values(range).length], values(range)),
  samples: (
    [
      [0, 0, 1],
      [0, 1, 1],
      [0, 10, 1],
      [5, 2, 1],
      [5, 2, -1],
      [-3, 12, 4],
      [2147483600, 2147483648, 8],
      [-2147483648, -2147483646, 1],
      [0, 255, 5, 'uint8'],
      [0, 1, 0.25, 'float64'],
      [0, 1, 0.1, 'float32'],
      [1, 0, -0.3, 'float64'],
      [0, 7, 1, 'bfloat16'],
      [0, 20, 3, 'float32'],
    ] as const
  ).map(([start, stop, step, dtype]) => ({
    shapes: [],
    options: dtype === undefined ? { range: [start, stop, step] } : { range: [start, stop, step], dtype },
  })),
  dtypes: ALL_DTYPES,
  result: (_dtype, { dtype }) => dtype ?? 'int32',
  made: ({ range }) => [values(range).length],
  elementwise: true,
  gradient: 'has no inputs',
  refused: [
    { what: 'a step of 0', run: () => arange(0, 3, 0), error: ArgumentError },
    { what: 'NaN', run: () => arange(NaN), error: ArgumentError },
    { what: 'infinity', run: () => arange(0, Infinity), error: ArgumentError },
    { what: 'more than int32 holds', run: () => arange(2147483640, 2147483650), error: ArgumentError },
    { what: 'negative numbers in uint8', run: () => arange(-1, 3, { dtype: 'uint8' }), error: ArgumentError },
    { what: 'fractions in int32', run: () => arange(0, 1, 0.5, { dtype: 'int32' }), error: ArgumentError },
    { what: 'dtype bool', run: () => arange(2, { dtype: 'bool' }), error: DTypeError },
    { what: 'a text', run: () => arange('3' as unknown as number), error: ArgumentError },
  ],
});
