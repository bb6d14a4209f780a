import { ArgumentError, concat, pad, ShapeError, split, stack, type Tensor, tensor, zeros } from '../../ts/index';
import { type Arr, arr, indicesOf, ravel, unravel } from '../support/arrays';
import { ALL_DTYPES, opCase, type Sample } from '../support/op_case';

const from0 = (dim: number, rank: number): number => (dim < 0 ? dim + rank : dim);
const sample = (options: number, ...shapes: number[][]): Sample<number> => ({ shapes, options });

function joined(inputs: readonly Arr[], dim: number): Arr {
  const starts: number[] = [];
  let total = 0;
  for (const { shape } of inputs) {
    starts.push(total);
    total += shape[dim]!;
  }
  const shape = inputs[0]!.shape.map((n, d) => (d === dim ? total : n));
  return arr(
    shape,
    indicesOf(shape).map((at) => {
      const which = inputs.findIndex((x, i) => at[dim]! < starts[i]! + x.shape[dim]!);
      const x = inputs[which]!;
      return x.data[
        ravel(
          at.map((i, d) => (d === dim ? i - starts[which]! : i)),
          x.shape,
        )
      ]!;
    }),
  );
}

export const concatCase = opCase<number>({
  call: (inputs, dim) => concat(inputs, dim),
  reference: (inputs, dim) => joined(inputs, from0(dim, inputs[0]!.shape.length)),
  samples: [
    sample(0, [1]),
    sample(0, [2], [3]),
    sample(-1, [2], [0], [1]),
    sample(0, [2, 3], [1, 3]),
    sample(1, [2, 3], [2, 1], [2, 2]),
    sample(-2, [2, 3], [4, 3]),
    sample(1, [2, 1, 3], [2, 4, 3]),
    sample(2, [2, 2, 1], [2, 2, 3], [2, 2, 0]),
    sample(0, [0, 3], [2, 3]),
    sample(0, [2, 0], [1, 0]),
    sample(1, [40, 30], [40, 33]),
    sample(0, [1, 1, 1], [1, 1, 1]),
  ],
  dtypes: ALL_DTYPES,
  elementwise: true,
  gradient: true,
  refused: [
    { what: 'no tensors', run: () => concat([]), error: ArgumentError },
    {
      what: 'a tensor that is not in an array',
      run: () => concat(zeros([2]) as unknown as Tensor[]),
      error: ArgumentError,
    },
    { what: 'an array in the array', run: () => concat([zeros([2]), [1] as unknown as Tensor]), error: ArgumentError },
    { what: 'another size that differs', run: () => concat([zeros([2, 3]), zeros([2, 2])]), error: ShapeError },
    { what: 'another rank', run: () => concat([zeros([2, 3]), zeros([2])]), error: ShapeError },
    { what: 'scalars', run: () => concat([tensor(1), tensor(2)]), error: ShapeError },
    { what: 'a dim out of range', run: () => concat([zeros([2])], 1), error: ShapeError },
    { what: 'a dim of NaN', run: () => concat([zeros([2])], NaN), error: ArgumentError },
  ],
});

export const stackCase = opCase<number>({
  call: (inputs, dim) => stack(inputs, dim),
  reference: (inputs, dim) => {
    const d = from0(dim, inputs[0]!.shape.length + 1);
    const withOne = inputs.map(({ shape, data }) => arr([...shape.slice(0, d), 1, ...shape.slice(d)], data));
    return joined(withOne, d);
  },
  samples: [
    sample(0, []),
    sample(0, [], []),
    sample(-1, [1], [1]),
    sample(0, [3], [3]),
    sample(1, [3], [3], [3]),
    sample(0, [2, 3]),
    sample(1, [2, 3], [2, 3]),
    sample(2, [2, 3], [2, 3]),
    sample(-3, [2, 3], [2, 3]),
    sample(1, [0, 3], [0, 3]),
    sample(0, [0], [0]),
    sample(3, [2, 1, 2], [2, 1, 2]),
  ],
  dtypes: ALL_DTYPES,
  elementwise: true,
  gradient: true,
  refused: [
    { what: 'no tensors', run: () => stack([]), error: ArgumentError },
    { what: 'shapes that differ', run: () => stack([zeros([2]), zeros([1])]), error: ShapeError },
    { what: 'a dim out of range', run: () => stack([zeros([2])], 2), error: ShapeError },
  ],
});

interface SplitOptions {
  readonly sizes: number | readonly number[];
  readonly dim: number;
}
const splitSample = (shape: number[], sizes: number | readonly number[], dim = 0): Sample<SplitOptions> => ({
  shapes: [shape],
  options: { sizes, dim },
});

export const splitCase = opCase<SplitOptions>({
  call: ([x], { sizes, dim }) => split(x!, sizes, dim),
  reference: ([x], { sizes, dim }) => {
    const d = from0(dim, x!.shape.length);
    const n = x!.shape[d]!;
    const list: readonly number[] =
      typeof sizes === 'number'
        ? Array.from({ length: Math.ceil(n / sizes) }, (_, i) => Math.min(sizes, n - i * sizes))
        : sizes;
    let start = 0;
    return list.map((size) => {
      const shape = x!.shape.map((whole, k) => (k === d ? size : whole));
      const first = start;
      start += size;
      const data = indicesOf(shape).map(
        (at) =>
          x!.data[
            ravelExact(
              at.map((i, k) => (k === d ? i + first : i)),
              x!,
            )
          ]!,
      );
      return arr(shape, data);
    });
  },
  samples: [
    splitSample([1], 1),
    splitSample([5], 2),
    splitSample([6], 2),
    splitSample([6], [1, 0, 5]),
    splitSample([2, 6], [2, 2, 2], 1),
    splitSample([2, 6], [1, 5], -1),
    splitSample([4, 3], 3),
    splitSample([2, 3, 2], [1, 2], 1),
    splitSample([2, 3, 4], 2, 2),
    splitSample([0, 3], [1, 2], 1),
    splitSample([3, 0], 2),
    splitSample([40, 5], 7),
  ],
  dtypes: ALL_DTYPES,
  result: (dtype) => dtype,
  elementwise: true,
  gradient: true,
  refused: [
    { what: 'sizes that do not add up', run: () => split(zeros([5]), [2, 2]), error: ShapeError },
    { what: 'a negative size', run: () => split(zeros([5]), [6, -1]), error: ShapeError },
    { what: 'a size of 0', run: () => split(zeros([5]), 0), error: ArgumentError },
    { what: 'a fraction', run: () => split(zeros([5]), 1.5), error: ArgumentError },
    { what: 'a scalar', run: () => split(zeros([]), 1), error: ShapeError },
  ],
});

const ravelExact = (at: readonly number[], x: Arr): number => at.reduce((flat, i, d) => flat * x.shape[d]! + i, 0);

interface PadOptions {
  readonly pads: readonly (readonly [number, number])[];
  readonly value?: number;
}
const padSample = (shape: number[], pads: PadOptions['pads'], value?: number): Sample<PadOptions> => ({
  shapes: [shape],
  options: value === undefined ? { pads } : { pads, value },
});

export const padCase = opCase<PadOptions>({
  call: ([x], { pads, value }) => pad(x!, pads, value),
  reference: ([x], { pads, value }) => {
    const lead = x!.shape.length - pads.length;
    const [before, after] = [0, 1].map((side) => x!.shape.map((_, d) => (d < lead ? 0 : pads[d - lead]![side]!)));
    const shape = x!.shape.map((n, d) => n + before![d]! + after![d]!);
    const y = arr(shape);
    y.data.fill(value ?? 0);
    x!.data.forEach((v, i) => {
      const at = unravel(i, x!.shape).map((k, d) => k + before![d]!);
      y.data[ravelExact(at, y)] = v;
    });
    return y;
  },
  samples: [
    padSample([], []),
    padSample([1], [[1, 2]]),
    padSample([3], [[0, 0]]),
    padSample([3], [[2, 0]], 1),
    padSample([2, 3], [[0, 1]], 1),
    padSample(
      [2, 3],
      [
        [1, 1],
        [2, 0],
      ],
    ),
    padSample([2, 3], []),
    padSample(
      [2, 2, 2],
      [
        [1, 0],
        [0, 0],
        [0, 2],
      ],
      1,
    ),
    padSample([0], [[2, 1]], 1),
    padSample([0, 2], [[1, 1]]),
    padSample([2, 0], [[0, 3]]),
    padSample([40, 33], [[1, 1]]),
  ],
  dtypes: ALL_DTYPES,
  elementwise: true,
  gradient: true,
  refused: [
    {
      what: 'more pairs than dimensions',
      run: () =>
        pad(zeros([2]), [
          [0, 1],
          [0, 1],
        ]),
      error: ShapeError,
    },
    { what: 'a negative count', run: () => pad(zeros([2]), [[0, -1]]), error: ArgumentError },
    { what: 'a single number', run: () => pad(zeros([2]), [1 as unknown as [number, number]]), error: ArgumentError },
    { what: 'a text as value', run: () => pad(zeros([2]), [[0, 1]], '0' as unknown as number), error: ArgumentError },
  ],
});
