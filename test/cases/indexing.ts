import {
  ArgumentError,
  DTypeError,
  gather,
  indexSelect,
  oneHot,
  scatterAdd,
  ShapeError,
  type Tensor,
  tensor,
  zeros,
} from '../../ts/index';
import { indexSelectBackwardOp } from '../../ts/ops/indexing';
import type { DType } from '../../ts/tensor/dtype';
import { type Arr, arr, indicesOf, ravel } from '../support/arrays';
import { ALL_DTYPES, FLOATS, NUMBERS, opCase, type Sample } from '../support/op_case';

interface DimOptions {
  readonly dim: number;
}
const sample = (dim: number, ...shapes: number[][]): Sample<DimOptions> => ({ shapes, options: { dim } });
const from0 = (dim: number, rank: number): number => (dim < 0 ? dim + rank : dim);
const ids = (values: number[], dtype: DType = 'int32'): Tensor => tensor(values, { dtype });

/** Indices that fit into a dimension of input 0. */
const indexValue =
  (index: number) =>
  (u: number, input: number, { shapes, options }: Sample<DimOptions>): number =>
    input === index ? Math.floor(u * shapes[0]!.at(options.dim)!) : 4 * u - 2;

export const indexSelectCase = opCase<DimOptions>({
  call: ([x, index], { dim }) => indexSelect(x!, dim, index!),
  reference: ([x, index], options) => {
    const dim = from0(options.dim, x!.shape.length);
    const [lead, tail] = [x!.shape.slice(0, dim), x!.shape.slice(dim + 1)];
    const shape = [...lead, ...index!.shape, ...tail];
    return arr(
      shape,
      indicesOf(shape).map((at) => {
        const id = index!.data[ravel(at.slice(dim, dim + index!.shape.length), index!.shape)]!;
        return x!.data[ravel([...at.slice(0, dim), id, ...at.slice(dim + index!.shape.length)], x!.shape)]!;
      }),
    );
  },
  samples: [
    sample(0, [1], [1]),
    sample(0, [3], [5]),
    sample(0, [3, 4], [2]),
    sample(1, [3, 4], [6]),
    sample(-1, [3, 4], [2, 2]),
    sample(0, [5, 2, 3], [2, 3]),
    sample(1, [2, 5, 3], [4]),
    sample(-1, [2, 2, 3], []),
    sample(0, [3, 4], [0]),
    sample(0, [3, 0], [2]),
    sample(1, [0, 3], [2]),
    sample(0, [2, 150], [7]),
    sample(1, [2, 3, 130], [3, 2]),
    sample(0, [0, 2], [0]),
  ],
  dtypes: ALL_DTYPES,
  inputDTypes: [undefined, 'int32'],
  value: indexValue(1),
  elementwise: true,
  gradient: true,
  refused: [
    { what: 'an id beyond the end', run: () => indexSelect(zeros([3, 2]), 0, ids([0, 3])), error: ArgumentError },
    { what: 'a negative id', run: () => indexSelect(zeros([3, 2]), 0, ids([-1])), error: ArgumentError },
    { what: 'an id of an empty dimension', run: () => indexSelect(zeros([0, 2]), 0, ids([0])), error: ArgumentError },
    { what: 'ids of float32', run: () => indexSelect(zeros([3]), 0, ids([1], 'float32')), error: DTypeError },
    { what: 'a dim out of range', run: () => indexSelect(zeros([3]), 1, ids([1])), error: ShapeError },
    { what: 'a scalar', run: () => indexSelect(zeros([]), 0, ids([0])), error: ShapeError },
    { what: 'an array', run: () => indexSelect(zeros([3]), 0, [0] as unknown as Tensor), error: ArgumentError },
  ],
});

export const indexSelectBackwardCase = opCase<DimOptions & { size: number }>({
  call: ([dy, index], options) => indexSelectBackwardOp.one([dy!, index!], options),
  reference: ([dy, index], { dim, size }, round) => {
    const end = dim + index!.shape.length;
    const shape = [...dy!.shape.slice(0, dim), size, ...dy!.shape.slice(end)];
    const dx = arr(shape);
    indicesOf(dy!.shape).forEach((at, i) => {
      const id = index!.data[ravel(at.slice(dim, end), index!.shape)]!;
      const to = ravel([...at.slice(0, dim), id, ...at.slice(end)], shape);
      dx.data[to] = round(dx.data[to]! + dy!.data[i]!);
    });
    return dx;
  },
  samples: (
    [
      [0, 1, [1], [1]],
      [0, 3, [5], [5]],
      [0, 3, [20, 4], [20]],
      [1, 4, [3, 6], [6]],
      [1, 4, [3, 2, 2], [2, 2]],
      [0, 5, [2, 3, 2, 3], [2, 3]],
      [1, 5, [2, 4, 3], [4]],
      [2, 3, [2, 2], []],
      [0, 3, [0, 4], [0]],
      [0, 3, [2, 0], [2]],
      [0, 2, [7, 150], [7]],
      [1, 3, [2, 3, 2, 130], [3, 2]],
    ] as const
  ).map(([dim, size, ...shapes]) => ({ shapes, options: { dim, size } })),
  dtypes: FLOATS,
  inputDTypes: [undefined, 'int32'],
  value: (u, input, { options }) => (input === 1 ? Math.floor(u * options.size) : 4 * u - 2),
  elementwise: true,
  gradient: true,
  refused: [
    {
      what: 'an id beyond the end',
      run: () => indexSelectBackwardOp.one([zeros([1, 2]), ids([3])], { dim: 0, size: 3 }),
      error: ArgumentError,
    },
    {
      what: 'shapes that do not agree',
      run: () => indexSelectBackwardOp.one([zeros([2, 2]), ids([1])], { dim: 0, size: 3 }),
      error: ShapeError,
    },
    {
      what: 'ids of uint8',
      run: () => indexSelectBackwardOp.one([zeros([1, 2]), ids([1], 'uint8')], { dim: 0, size: 3 }),
      error: DTypeError,
    },
  ],
});

/** Where an element of the index goes in x. */
const placed = (at: readonly number[], dim: number, index: Arr, x: Arr): number =>
  ravel(
    at.map((i, d) => (d === dim ? index.data[ravel(at, index.shape)]! : i)),
    // ravel broadcasts sizes of 1, where the only index is 0 anyway.
    x.shape,
  );

const gatherShapes = [
  sample(0, [1], [1]),
  sample(0, [3], [5]),
  sample(1, [3, 4], [3, 1]),
  sample(-1, [3, 4], [2, 6]),
  sample(0, [3, 4], [5, 2]),
  sample(0, [3, 4], [1, 4]),
  sample(1, [2, 5, 3], [2, 4, 3]),
  sample(2, [2, 5, 3], [1, 5, 2]),
  sample(0, [2, 5, 3], [4, 5, 1]),
  sample(0, [3, 4], [0, 4]),
  sample(1, [3, 4], [3, 0]),
  sample(0, [0, 2], [0, 2]),
  sample(1, [40, 3], [40, 70]),
];

export const gatherCase = opCase<DimOptions>({
  call: ([x, index], { dim }) => gather(x!, dim, index!),
  reference: ([x, index], { dim }) =>
    arr(
      index!.shape,
      indicesOf(index!.shape).map((at) => x!.data[placed(at, from0(dim, at.length), index!, x!)]!),
    ),
  samples: gatherShapes,
  dtypes: ALL_DTYPES,
  inputDTypes: [undefined, 'int32'],
  value: indexValue(1),
  elementwise: true,
  gradient: true,
  refused: [
    { what: 'an index beyond the end', run: () => gather(zeros([3]), 0, ids([3])), error: ArgumentError },
    { what: 'a negative index', run: () => gather(zeros([3]), 0, ids([-1])), error: ArgumentError },
    { what: 'an index of another rank', run: () => gather(zeros([3, 1]), 0, ids([0])), error: ShapeError },
    {
      what: 'an index larger than x beside dim',
      run: () => gather(zeros([3, 1]), 0, zeros([1, 2], { dtype: 'int32' })),
      error: ShapeError,
    },
    { what: 'an index of float32', run: () => gather(zeros([3]), 0, ids([1], 'float32')), error: DTypeError },
    { what: 'a dim out of range', run: () => gather(zeros([3]), -2, ids([1])), error: ShapeError },
  ],
});

export const scatterAddCase = opCase<DimOptions>({
  call: ([x, index, src], { dim }) => scatterAdd(x!, dim, index!, src!),
  reference: ([x, index, src], { dim }, round) => {
    const y = arr(x!.shape, x!.data);
    indicesOf(index!.shape).forEach((at, i) => {
      const to = placed(at, from0(dim, at.length), index!, x!);
      y.data[to] = round(y.data[to]! + src!.data[i]!);
    });
    return y;
  },
  samples: gatherShapes.map(({ shapes, options }) => ({ shapes: [shapes[0]!, shapes[1]!, shapes[1]!], options })),
  dtypes: NUMBERS,
  inputDTypes: [undefined, 'int32', undefined],
  value: indexValue(1),
  elementwise: true,
  gradient: true,
  refused: [
    {
      what: 'an index beyond the end',
      run: () => scatterAdd(zeros([3]), 0, ids([0, 3]), zeros([2])),
      error: ArgumentError,
    },
    { what: 'src of another shape', run: () => scatterAdd(zeros([3]), 0, ids([0]), zeros([2])), error: ShapeError },
    {
      what: 'src of another dtype',
      run: () => scatterAdd(zeros([3]), 0, ids([0]), zeros([1], { dtype: 'float64' })),
      error: DTypeError,
    },
    {
      what: 'an index of uint8',
      run: () => scatterAdd(zeros([3]), 0, ids([0], 'uint8'), zeros([1])),
      error: DTypeError,
    },
  ],
});

export const oneHotCase = opCase<number>({
  call: ([index], n) => oneHot(index!, n),
  reference: ([index], n) => {
    const y = arr([...index!.shape, n]);
    index!.data.forEach((id, i) => (y.data[i * n + id] = 1));
    return y;
  },
  samples: (
    [
      [1, []],
      [3, []],
      [1, [1]],
      [5, [1]],
      [3, [4]],
      [2, [7]],
      [3, [0]],
      [3, [2, 3]],
      [11, [2, 9]],
      [4, [0, 2]],
      [2, [2, 2, 2]],
      [100, [30]],
    ] as const
  ).map(([n, shape]) => ({ shapes: [shape], options: n })),
  dtypes: ALL_DTYPES,
  inputDTypes: ['int32'],
  value: (u, _input, { options }) => Math.floor(u * options),
  result: () => 'float32',
  elementwise: true,
  gradient: 'of integers',
  refused: [
    { what: 'an id of n', run: () => oneHot(ids([3]), 3), error: ArgumentError },
    { what: 'ids of float32', run: () => oneHot(ids([1], 'float32'), 3), error: DTypeError },
    { what: 'options null', run: () => oneHot(ids([0]), 3, null as unknown as object), error: ArgumentError },
    { what: 'n of 0', run: () => oneHot(ids([]), 0), error: ArgumentError },
  ],
});
