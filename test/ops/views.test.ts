import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  ArgumentError,
  broadcastTo,
  expand,
  flatten,
  grad,
  type HrmError,
  narrow,
  permute,
  type Range,
  reshape,
  select,
  ShapeError,
  slice,
  squeeze,
  tensor,
  type Tensor,
  tidy,
  transpose,
  unsqueeze,
} from '../../ts/index';

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Elements are their own flat index, so that a view shows which elements it took. */
function numbered(shape: readonly number[]): Tensor {
  return tensor(
    Float64Array.from({ length: sizeOf(shape) }, (_, i) => i),
    { shape, dtype: 'float64' },
  );
}

/** Row-major elements of a nested plain array function of the index. */
function naive(shape: readonly number[], at: (index: readonly number[]) => number): number[] {
  const walk = (prefix: readonly number[]): number[] =>
    prefix.length === shape.length
      ? [at(prefix)]
      : Array.from({ length: shape[prefix.length] as number }).flatMap((_, i) => walk([...prefix, i]));
  return walk([]);
}

const flatIndex = (index: readonly number[], shape: readonly number[]): number =>
  index.reduce((at, i, d) => at * (shape[d] as number) + i, 0);

/** Forward values, and that the gradient is the adjoint: each element of dy arrives where its value came from. */
function check(shape: readonly number[], view: (x: Tensor) => Tensor, outShape: readonly number[], source: number[]) {
  tidy(() => {
    const x = numbered(shape);
    x.requiresGrad = true;
    const y = view(x);
    expect(y.shape).toEqual(outShape);
    expect([...y.dataSync()]).toEqual(source);
    const dy = Float64Array.from(source, (_, i) => 1 + i);
    const [dx] = grad(y, [x], tensor(dy, { shape: outShape, dtype: 'float64' }));
    const expected = new Float64Array(sizeOf(shape));
    source.forEach((from, i) => (expected[from] = (expected[from] as number) + (dy[i] as number)));
    expect([...(dx as Tensor).dataSync()]).toEqual([...expected]);
  });
}

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const filledShapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });

describe('views', () => {
  it('permute and transpose move dimensions', () => {
    fc.assert(
      fc.property(
        shapes.chain((shape) =>
          fc.tuple(
            fc.constant(shape),
            fc.shuffledSubarray(
              shape.map((_, d) => d),
              { minLength: shape.length },
            ),
          ),
        ),
        ([shape, dims]) => {
          const outShape = dims.map((d) => shape[d] as number);
          const source = naive(outShape, (index) => {
            const from: number[] = [];
            dims.forEach((d, i) => (from[d] = index[i] as number));
            return flatIndex(from, shape);
          });
          check(shape, (x) => permute(x, dims), outShape, source);
          check(
            shape,
            (x) =>
              permute(
                x,
                dims.map((d) => d - shape.length),
              ),
            outShape,
            source,
          );
        },
      ),
    );
    check([2, 3], (x) => transpose(x, 0, -1), [3, 2], [0, 3, 1, 4, 2, 5]);
  });

  it('slice takes what the ranges say', () => {
    const cases = filledShapes.chain((shape) =>
      fc.tuple(
        fc.constant(shape),
        fc.tuple(
          ...shape.map((n) =>
            fc.oneof(
              fc.constant(null),
              fc.integer({ min: -n, max: n - 1 }),
              fc.tuple(
                fc.option(fc.integer({ min: -6, max: 6 })),
                fc.option(fc.integer({ min: -6, max: 6 })),
                fc.integer({ min: 1, max: 3 }),
              ),
            ),
          ),
        ),
      ),
    );
    fc.assert(
      fc.property(cases, ([shape, ranges]) => {
        const taken = shape.map((n, d) => {
          const all = Array.from({ length: n }, (_, i) => i);
          const range = ranges[d] as Range;
          if (range === null) return all;
          if (typeof range === 'number') return all.slice(range).slice(0, 1);
          const [start, stop, step] = range;
          return all.slice(start ?? 0, stop ?? n).filter((_, i) => i % (step ?? 1) === 0);
        });
        const source = naive(
          taken.map((t) => t.length),
          (index) =>
            flatIndex(
              index.map((i, d) => (taken[d] as number[])[i] as number),
              shape,
            ),
        );
        const outShape = taken.map((t) => t.length).filter((_, d) => typeof ranges[d] !== 'number');
        check(shape, (x) => slice(x, ranges), outShape, source);
      }),
    );
  });

  it('reshape keeps the order, whatever the strides', () => {
    fc.assert(
      fc.property(
        filledShapes.chain((shape) =>
          fc.tuple(
            fc.constant(shape),
            fc.shuffledSubarray(
              shape.map((_, d) => d),
              { minLength: shape.length },
            ),
            fc.integer({ min: 1, max: 2 }),
          ),
        ),
        ([shape, dims, step]) => {
          const part = (x: Tensor): Tensor => slice(permute(x, dims), [[null, null, step]]);
          const whole = tidy(() => [...part(numbered(shape)).dataSync()]);
          const n = whole.length;
          const divisor = [4, 3, 2, 1].find((d) => n % d === 0) as number;
          check(shape, (x) => reshape(part(x), [divisor, 1, -1]), [divisor, 1, n / divisor], whole);
          check(shape, (x) => reshape(part(x), [n]), [n], whole);
        },
      ),
    );
  });

  it('reshape copies only where no strides fit', () => {
    const x = numbered([2, 3, 4]);
    expect(reshape(permute(x, [1, 0, 2]), [3, 2, 2, 2]).strides).toEqual([4, 12, 2, 1]);
    expect(squeeze(slice(x, [null, [1, 2]])).strides).toEqual([12, 1]);
    expect(reshape(transpose(x, 0, 2), [24]).strides).toEqual([1]);
  });

  it('expand repeats and its gradient sums', () => {
    check([2, 1], (x) => expand(x, [3, -1, 2]), [3, 2, 2], [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1]);
    check([], (x) => broadcastTo(x, [2]), [2], [0, 0]);
    check([1, 2], (x) => expand(x, [0, 2]), [0, 2], []);
  });

  it('flatten, squeeze, unsqueeze, narrow and select are what they say', () => {
    const all = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
    check([2, 3, 2], (x) => flatten(x), [12], all(12));
    check([2, 3, 2], (x) => flatten(x, 1), [2, 6], all(12));
    check([2, 3, 2], (x) => flatten(x, 0, -2), [6, 2], all(12));
    check([], (x) => flatten(x), [1], [0]);
    check([1, 2, 1], (x) => squeeze(x), [2], all(2));
    check([1, 2, 1], (x) => squeeze(x, [-1, 0]), [2], all(2));
    check([1, 2, 1], (x) => squeeze(x, 2), [1, 2], all(2));
    check([2, 3], (x) => unsqueeze(x, 1), [2, 1, 3], all(6));
    check([2, 3], (x) => unsqueeze(x, -1), [2, 3, 1], all(6));
    check([2, 4], (x) => narrow(x, 1, -3, 2), [2, 2], [1, 2, 5, 6]);
    check([2, 4], (x) => narrow(x, 1, 4, 0), [2, 0], []);
    check([2, 4], (x) => select(x, -1, -1), [2], [3, 7]);
  });

  const x = numbered([2, 3]);
  const refused: [string, () => unknown, new (message: string) => HrmError][] = [
    ['reshape to another number of elements', () => reshape(x, [4]), ShapeError],
    ['reshape with two unknown sizes', () => reshape(x, [-1, -1]), ShapeError],
    ['reshape to a fraction', () => reshape(x, [1.5, 4]), ArgumentError],
    ['reshape of an array', () => reshape([1] as unknown as Tensor, [1]), ArgumentError],
    ['permute with a repeated dim', () => permute(x, [0, 0]), ShapeError],
    ['permute with too few dims', () => permute(x, [0]), ShapeError],
    ['transpose of a missing dim', () => transpose(x, 0, 2), ShapeError],
    ['expand of a size that is not 1', () => expand(x, [2, 6]), ShapeError],
    ['squeeze of a larger dim', () => squeeze(x, 0), ShapeError],
    ['flatten backwards', () => flatten(x, 1, 0), ShapeError],
    ['slice with too many ranges', () => slice(x, [0, 0, 0]), ShapeError],
    ['slice at an index out of range', () => slice(x, [2]), ArgumentError],
    ['slice with a step of 0', () => slice(x, [[0, 1, 0]]), ArgumentError],
    ['slice with a text', () => slice(x, ['all' as unknown as Range]), ArgumentError],
    ['narrow beyond the end', () => narrow(x, 1, 2, 2), ShapeError],
    ['narrow by NaN', () => narrow(x, 1, 0, NaN), ArgumentError],
    ['select out of range', () => select(x, 0, -3), ArgumentError],
  ];
  it.each(refused)('refuse %s', (_what, run, error) => {
    expect(run).toThrow(error);
  });
});
