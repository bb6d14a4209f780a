import { ArgumentError, cast, rmsNorm, ShapeError, type Tensor, tensor, zeros } from '../../ts/index';
import { rmsNormBackwardOp } from '../../ts/ops/rms_norm';
import { type Arr, arr } from '../support/arrays';
import { FLOATS, opCase, type Round, type Sample, type Shape } from '../support/op_case';

interface Options {
  eps?: number;
}

/** Applies f(row, number of the row) to every row of the last dimension. */
export function byRow(x: Arr, f: (row: readonly number[], index: number) => readonly number[]): Arr {
  const n = x.shape.at(-1) as number;
  const rows = n === 0 ? 0 : x.data.length / n;
  return arr(
    x.shape,
    Array.from({ length: rows }, (_, row) => f([...x.data.slice(row * n, (row + 1) * n)], row)).flat(),
  );
}
export const rowOf = (x: Arr, row: number, n: number): readonly number[] => [...x.data.slice(row * n, (row + 1) * n)];

export function sumOf(values: readonly number[], round: Round): number {
  return values.reduce((total, value) => round(total + value), 0);
}

/** Of x, or of the result: last dimension from 0 to more than a vector, few and many rows. */
export const SHAPES: readonly Shape[] = [
  [1],
  [4],
  [7],
  [33],
  [2, 3],
  [1, 1],
  [3, 1],
  [0, 4],
  [2, 0],
  [2, 3, 8],
  [3, 2, 17],
  [1, 100],
  [2, 1, 2, 16],
];
const samples = SHAPES.map((shape, i): Sample<Options> => ({
  shapes: [shape],
  options: i % 3 === 0 ? { eps: 0.1 } : {},
}));

export const rmsNormCase = opCase<Options>({
  // The squares do not cancel: all errors are relative to the result.
  termScale: (_, y, i) => 4 * Math.abs(y.data[i]!),
  call: ([x], options) => rmsNorm(x as Tensor, options),
  reference: ([x], { eps = 1e-5 }, round) =>
    byRow(x as Arr, (row) => {
      const square = sumOf(
        row.map((v) => round(v * v)),
        round,
      );
      const r = round(1 / round(Math.sqrt(round(round(square / row.length) + eps))));
      return row.map((v) => round(v * r));
    }),
  samples,
  dtypes: FLOATS,
  gradient: true,
  refused: [
    { what: 'a scalar', run: () => rmsNorm(tensor(1)), error: ShapeError },
    { what: 'a negative eps', run: () => rmsNorm(zeros([2]), { eps: -1 }), error: ArgumentError },
    { what: 'an eps of NaN', run: () => rmsNorm(zeros([2]), { eps: NaN }), error: ArgumentError },
    { what: 'a string', run: () => rmsNorm('x' as unknown as Tensor), error: ArgumentError },
  ],
  bench: [{ shapes: [[984, 512]], options: {} }],
});

export const rmsNormBackwardCase = opCase<undefined>({
  call: ([dy, y, r]) => {
    const factors = (dy as Tensor).dtype === 'bfloat16' ? cast(r as Tensor, 'float32') : r;
    return rmsNormBackwardOp.one([dy as Tensor, y as Tensor, factors as Tensor]);
  },
  reference: ([dy, y, r], _options, round) =>
    byRow(dy as Arr, (row, index) => {
      const out = rowOf(y as Arr, index, row.length);
      const dot = sumOf(
        row.map((d, i) => round(d * (out[i] as number))),
        round,
      );
      const mean = round(dot / row.length);
      return row.map((d, i) => round(((r as Arr).data[index] as number) * round(d - round((out[i] as number) * mean))));
    }),
  samples: SHAPES.map((shape) => ({ shapes: [shape, shape, shape.slice(0, -1)], options: undefined })),
  dtypes: FLOATS,
  gradient: 'is a gradient',
  refused: [
    {
      what: 'factors of another shape',
      run: () => rmsNormBackwardOp.one([zeros([2, 3]), zeros([2, 3]), zeros([3])]),
      error: ShapeError,
    },
    {
      what: 'a dy of another shape',
      run: () => rmsNormBackwardOp.one([zeros([3]), zeros([2]), zeros([])]),
      error: ShapeError,
    },
  ],
});
