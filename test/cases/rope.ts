import { ArgumentError, DTypeError, rope, ShapeError, type Tensor, zeros } from '../../ts/index';
import { ropeOp } from '../../ts/ops/rope';
import { type Arr, arr, indicesOf, ravel } from '../support/arrays';
import { FLOATS, opCase, type Sample, type Shape } from '../support/op_case';

/** The halves of the tables differ here: the map and its adjoint must not mix them up. */
function rotated([x, cos, sin]: readonly Arr[], round: (value: number) => number): Arr {
  const { shape } = x as Arr;
  const d = shape.at(-1) as number;
  return arr(
    shape,
    indicesOf(shape).map((index) => {
      const [position, i] = [index.at(-3) as number, index.at(-1) as number];
      const other = i < d / 2 ? i + d / 2 : i - d / 2;
      const partner = (x as Arr).data[ravel([...index.slice(0, -1), other], shape)] as number;
      const at = position * d + i;
      const own = round(((x as Arr).data[ravel(index, shape)] as number) * ((cos as Arr).data[at] as number));
      return round(own + round((i < d / 2 ? -partner : partner) * ((sin as Arr).data[at] as number)));
    }),
  );
}

const sample = (shape: Shape, extra = 0): Sample<undefined> => {
  const table = [(shape.at(-3) as number) + extra, shape.at(-1) as number];
  return { shapes: [shape, table, table], options: undefined };
};

export const ropeCase = opCase<undefined>({
  // Integer tables, cast by rope: they are constants, no gradient is expected of them.
  call: ([x, cos, sin]) => rope(x as Tensor, cos as Tensor, sin as Tensor),
  reference: (inputs, _options, round) => rotated(inputs, round),
  samples: [
    sample([1, 1, 2]),
    sample([2, 1, 2]),
    sample([2, 3, 4], 2),
    sample([5, 2, 6]),
    sample([3, 1, 16], 1),
    sample([2, 3, 2, 8]),
    sample([2, 3, 2, 34]),
    sample([0, 2, 2, 4]),
    sample([2, 0, 2, 4], 3),
    sample([2, 2, 0, 4]),
    sample([2, 2, 1, 0]),
    sample([2, 1, 3, 1, 4]),
    {
      shapes: [
        [1, 1, 2],
        [1, 2],
        [1, 2],
      ],
      options: undefined,
    },
  ],
  dtypes: FLOATS,
  inputDTypes: [undefined, 'int32', 'int32'],
  value: (u, input) => (input === 0 ? 4 * u - 2 : Math.trunc(8 * u - 4)),
  smallest: 2,
  gradient: true,
  refused: [
    { what: 'an odd head', run: () => rope(zeros([2, 1, 3]), zeros([2, 3]), zeros([2, 3])), error: ShapeError },
    { what: 'too few positions', run: () => rope(zeros([3, 1, 2]), zeros([2, 2]), zeros([3, 2])), error: ShapeError },
    { what: 'narrow tables', run: () => rope(zeros([2, 1, 4]), zeros([2, 4]), zeros([2, 2])), error: ShapeError },
    { what: 'a matrix', run: () => rope(zeros([2, 4]), zeros([2, 4]), zeros([2, 4])), error: ShapeError },
    {
      what: 'tables of another dtype',
      run: () =>
        ropeOp.one([zeros([1, 1, 2]), zeros([1, 2], { dtype: 'float64' }), zeros([1, 2])], { transposed: false }),
      error: DTypeError,
    },
    {
      what: 'a number',
      run: () => rope(zeros([1, 1, 2]), 1 as unknown as Tensor, zeros([1, 2])),
      error: ArgumentError,
    },
  ],
  bench: [sample([12, 82, 8, 64])],
});
