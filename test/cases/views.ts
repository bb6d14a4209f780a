import {
  ArgumentError,
  expand,
  flatten,
  narrow,
  permute,
  type Range,
  reshape,
  select,
  ShapeError,
  slice,
  squeeze,
  type Tensor,
  transpose,
  unbind,
  unsqueeze,
  zeros,
} from '../../ts/index';
import { type Arr, arr, indicesOf, ravel, sizeOf } from '../support/arrays';
import {
  ALL_DTYPES,
  opCase,
  type OpCase,
  type Refused,
  type Sample,
  type Shape,
  unarySamples,
} from '../support/op_case';

/** What all views have in common: every dtype, exact, differentiable. */
const view = { dtypes: ALL_DTYPES, elementwise: true, gradient: true } as const;
const from0 = (dim: number, rank: number): number => (dim < 0 ? dim + rank : dim);

/** The elements of x at the source of each index of the result. */
function mapped(x: Arr, shape: Shape, source: (index: readonly number[]) => readonly number[]): Arr {
  return arr(
    shape,
    indicesOf(shape).map((index) => x.data[source(index).reduce((at, i, d) => at * x.shape[d]! + i, 0)]!),
  );
}

function sample<O>(shape: Shape, options: O): Sample<O> {
  return { shapes: [shape], options };
}
/** Every shape of the unary samples with options made for it; shapes for which there are none are left out. */
function eachShape<O>(options: (shape: Shape) => readonly O[]): Sample<O>[] {
  return unarySamples.flatMap(({ shapes }) => options(shapes[0]!).map((each) => sample(shapes[0]!, each)));
}
const dimsOf = (shape: Shape): number[] => shape.flatMap((_, d) => [d, d - shape.length]);

const dimRefused = (run: (dim: number) => unknown): Refused[] => [
  { what: 'a dim out of range', run: () => run(2), error: ShapeError },
  { what: 'a dim of NaN', run: () => run(NaN), error: ArgumentError },
];

const reshapeCase = opCase<Shape>({
  ...view,
  call: ([x], shape) => reshape(x!, shape),
  reference: ([x], shape) => {
    const known = sizeOf(shape.filter((n) => n !== -1));
    return arr(
      shape.map((n) => (n === -1 ? x!.data.length / known : n)),
      x!.data,
    );
  },
  samples: eachShape((shape) => [[...shape].reverse(), ...(sizeOf(shape) > 0 ? [[-1], [1, -1, 1]] : [[0, 5]])]),
  refused: [
    { what: 'another number of elements', run: () => reshape(zeros([4]), [3]), error: ShapeError },
    { what: 'two unknown sizes', run: () => reshape(zeros([4]), [-1, -1]), error: ShapeError },
    { what: 'an unknown size beside 0', run: () => reshape(zeros([0]), [0, -1]), error: ShapeError },
    { what: 'nine dimensions', run: () => reshape(zeros([1]), [1, 1, 1, 1, 1, 1, 1, 1, 1]), error: ShapeError },
    { what: 'a number', run: () => reshape(zeros([4]), 4 as unknown as number[]), error: ArgumentError },
  ],
});

const permuteCase = opCase<Shape>({
  ...view,
  call: ([x], dims) => permute(x!, dims),
  reference: ([x], dims) => {
    const from = dims.map((d) => from0(d, dims.length));
    const shape = from.map((d) => x!.shape[d]!);
    return mapped(x!, shape, (index) => x!.shape.map((_, d) => index[from.indexOf(d)]!));
  },
  samples: eachShape((shape) => {
    const dims = shape.map((_, d) => d);
    return [dims.toReversed(), [...dims.slice(1), ...dims.slice(0, 1)].map((d) => d - shape.length)];
  }),
  refused: [
    { what: 'a repeated dim', run: () => permute(zeros([2, 2]), [0, -2]), error: ShapeError },
    { what: 'too few dims', run: () => permute(zeros([2, 2]), [0]), error: ShapeError },
    { what: 'a dim out of range', run: () => permute(zeros([2, 2]), [0, 2]), error: ShapeError },
  ],
});

const transposeCase = opCase<readonly [number, number]>({
  ...view,
  call: ([x], [a, b]) => transpose(x!, a, b),
  reference: ([x], [a, b]) => {
    const swapped = (list: readonly number[]): number[] => {
      const [i, j] = [from0(a, list.length), from0(b, list.length)];
      return list.map((v, d) => (d === i ? list[j]! : d === j ? list[i]! : v));
    };
    return mapped(x!, swapped(x!.shape), swapped);
  },
  samples: eachShape((shape) =>
    shape.length < 1 ? [] : [[0, -1] as const, [-1, Math.floor(shape.length / 2)] as const],
  ),
  refused: dimRefused((dim) => transpose(zeros([2, 2]), 0, dim)),
});

const expandCase = opCase<Shape>({
  ...view,
  call: ([x], shape) => expand(x!, shape),
  reference: ([x], shape) => {
    const lead = shape.length - x!.shape.length;
    const full = shape.map((n, d) => (n === -1 ? x!.shape[d - lead]! : n));
    return arr(
      full,
      indicesOf(full).map((index) => x!.data[ravel(index, x!.shape)]!),
    );
  },
  samples: eachShape((shape) => [[2, ...shape.map((n) => (n === 1 ? 3 : -1))], shape.map((n) => (n === 1 ? 0 : n))]),
  refused: [
    { what: 'a size that is not 1', run: () => expand(zeros([2]), [4]), error: ShapeError },
    { what: 'fewer dimensions', run: () => expand(zeros([1, 2]), [2]), error: ShapeError },
    { what: 'an unknown leading size', run: () => expand(zeros([2]), [-1, 2]), error: ShapeError },
  ],
});

const sliceCase = opCase<readonly Range[]>({
  ...view,
  call: ([x], ranges) => slice(x!, ranges),
  reference: ([x], ranges) => {
    const taken = x!.shape.map((n, d) => {
      const all = Array.from({ length: n }, (_, i) => i);
      const range = ranges[d] ?? null;
      if (range === null) return all;
      if (typeof range === 'number') return [from0(range, n)];
      return all.slice(range[0] ?? 0, range[1] ?? n).filter((_, i) => i % (range[2] ?? 1) === 0);
    });
    const kept = taken.flatMap((_, d) => (typeof ranges[d] === 'number' ? [] : [d]));
    return mapped(
      x!,
      kept.map((d) => taken[d]!.length),
      (index) => taken.map((list, d) => list[kept.includes(d) ? index[kept.indexOf(d)]! : 0]!),
    );
  },
  samples: eachShape((shape): (readonly Range[])[] => [
    shape.map((_, d) => (d % 2 ? null : [-2])),
    shape.map((n, d) => (n > 0 && d === 0 ? -1 : [0, n, 2])),
    shape.slice(0, 1).map(() => [1, 100, 3]),
  ]),
  refused: [
    { what: 'too many ranges', run: () => slice(zeros([2]), [null, null]), error: ShapeError },
    { what: 'an index out of range', run: () => slice(zeros([2]), [-3]), error: ArgumentError },
    { what: 'a negative step', run: () => slice(zeros([2]), [[1, 0, -1]]), error: ArgumentError },
    { what: 'a fraction', run: () => slice(zeros([2]), [[0.5]]), error: ArgumentError },
    { what: 'four numbers', run: () => slice(zeros([2]), [[0, 1, 1, 1] as unknown as Range]), error: ArgumentError },
    { what: 'no array', run: () => slice(zeros([2]), 1 as unknown as Range[]), error: ArgumentError },
  ],
});

interface Narrow {
  readonly dim: number;
  readonly start: number;
  readonly length: number;
}
const narrowCase = opCase<Narrow>({
  ...view,
  call: ([x], { dim, start, length }) => narrow(x!, dim, start, length),
  reference: ([x], { dim, start, length }) => {
    const d = from0(dim, x!.shape.length);
    const first = from0(start, x!.shape[d]!);
    return mapped(
      x!,
      x!.shape.map((n, k) => (k === d ? length : n)),
      (index) => index.map((i, k) => (k === d ? i + first : i)),
    );
  },
  samples: eachShape((shape) =>
    dimsOf(shape).map((dim) => {
      const n = shape.at(dim)!;
      return n > 1 ? { dim, start: dim < 0 ? -1 : 1, length: 1 } : { dim, start: 0, length: n };
    }),
  ),
  refused: [
    ...dimRefused((dim) => narrow(zeros([2, 2]), dim, 0, 1)),
    { what: 'more than there is', run: () => narrow(zeros([3]), 0, 2, 2), error: ShapeError },
    { what: 'a start before the first', run: () => narrow(zeros([3]), 0, -4, 1), error: ShapeError },
    { what: 'a negative length', run: () => narrow(zeros([3]), 0, 1, -1), error: ShapeError },
  ],
});

interface Select {
  readonly dim: number;
  readonly index: number;
}
const selected = (x: Arr, dim: number, index: number): Arr => {
  const d = from0(dim, x.shape.length);
  const i = from0(index, x.shape[d]!);
  return mapped(x, x.shape.toSpliced(d, 1), (at) => at.toSpliced(d, 0, i));
};
const selectCase = opCase<Select>({
  ...view,
  call: ([x], { dim, index }) => select(x!, dim, index),
  reference: ([x], { dim, index }) => selected(x!, dim, index),
  samples: eachShape((shape) =>
    dimsOf(shape).flatMap((dim) => (shape.at(dim)! > 0 ? [{ dim, index: dim < 0 ? -1 : 0 }] : [])),
  ),
  refused: [
    ...dimRefused((dim) => select(zeros([2, 2]), dim, 0)),
    { what: 'an index out of range', run: () => select(zeros([2]), 0, 2), error: ArgumentError },
    { what: 'an index of an empty dimension', run: () => select(zeros([0]), 0, 0), error: ArgumentError },
  ],
});

const unbindCase = opCase<number>({
  ...view,
  call: ([x], dim) => unbind(x!, dim),
  reference: ([x], dim) => Array.from({ length: x!.shape.at(dim)! }, (_, i) => selected(x!, dim, i)),
  samples: eachShape(dimsOf).filter(({ shapes, options }) => shapes[0]!.at(options)! > 0),
  refused: dimRefused((dim) => unbind(zeros([2, 2]), dim)),
});

const flattenCase = opCase<readonly [number, number]>({
  ...view,
  call: ([x], [start, end]) => flatten(x!, start, end),
  reference: ([x], [start, end]) => {
    const { shape, data } = x!;
    if (shape.length === 0) return arr([1], data);
    const [a, b] = [from0(start, shape.length), from0(end, shape.length)];
    return arr([...shape.slice(0, a), sizeOf(shape.slice(a, b + 1)), ...shape.slice(b + 1)], data);
  },
  samples: eachShape((shape) => [[0, -1] as const, ...(shape.length > 1 ? [[1, -1] as const, [0, 1] as const] : [])]),
  refused: [
    { what: 'an end before the start', run: () => flatten(zeros([2, 2]), 1, 0), error: ShapeError },
    ...dimRefused((dim) => flatten(zeros([2, 2]), 0, dim)),
  ],
});

const squeezeCase = opCase<undefined>({
  ...view,
  call: ([x]) => squeeze(x!),
  reference: ([x]) =>
    arr(
      x!.shape.filter((n) => n !== 1),
      x!.data,
    ),
  samples: unarySamples,
  refused: [
    { what: 'a dimension that is larger', run: () => squeeze(zeros([1, 2]), [0, 1]), error: ShapeError },
    ...dimRefused((dim) => squeeze(zeros([1, 1]), dim)),
    { what: 'a number', run: () => squeeze(1 as unknown as Tensor), error: ArgumentError },
  ],
});

const unsqueezeCase = opCase<number>({
  ...view,
  call: ([x], dim) => unsqueeze(x!, dim),
  reference: ([x], dim) => arr(x!.shape.toSpliced(from0(dim, x!.shape.length + 1), 0, 1), x!.data),
  samples: eachShape((shape) => [0, -1, shape.length]),
  refused: dimRefused((dim) => unsqueeze(zeros([2]), dim)),
});

export const viewCases: Readonly<Record<string, OpCase>> = {
  expand: expandCase,
  flatten: flattenCase,
  narrow: narrowCase,
  permute: permuteCase,
  reshape: reshapeCase,
  select: selectCase,
  slice: sliceCase,
  squeeze: squeezeCase,
  transpose: transposeCase,
  unbind: unbindCase,
  unsqueeze: unsqueezeCase,
};
