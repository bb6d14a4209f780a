import { ArgumentError, matmul, ShapeError, type Tensor, tensor, zeros } from '../../ts/index';
import { type Arr, arr, broadcastShapes, indicesOf, ravel } from '../support/arrays';
import { ALL_DTYPES, opCase, type Round, samples } from '../support/op_case';
import { floating } from './unary';

function reference(a: Arr, b: Arr, round: Round): Arr {
  const [k, m, n] = [a.shape.at(-1) as number, a.shape.at(-2) as number, b.shape.at(-1) as number];
  const shape = [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n];
  return arr(
    shape,
    indicesOf(shape).map((index) => {
      const at = (batch: Arr, i: number, j: number): number =>
        batch.data[
          ravel([...index.slice(0, -2), 0, 0], [...batch.shape.slice(0, -2), 1, 1]) *
            (batch.shape.at(-2) as number) *
            (batch.shape.at(-1) as number) +
            i * (batch.shape.at(-1) as number) +
            j
        ] as number;
      let total = 0;
      for (let p = 0; p < k; ++p)
        total = round(total + round(at(a, index.at(-2) as number, p) * at(b, p, index.at(-1) as number)));
      return total;
    }),
  );
}

export const matmulCase = opCase<undefined>({
  call: ([a, b]) => matmul(a as Tensor, b as Tensor),
  reference: ([a, b], _options, round) => reference(a as Arr, b as Arr, round),
  samples: samples(
    undefined,
    [
      [1, 1],
      [1, 1],
    ],
    [
      [2, 3],
      [3, 4],
    ],
    [
      [5, 1],
      [1, 2],
    ],
    [
      [1, 7],
      [7, 1],
    ],
    [
      [0, 3],
      [3, 2],
    ],
    [
      [2, 0],
      [0, 3],
    ],
    [
      [2, 3],
      [3, 0],
    ],
    [
      [3, 2, 4],
      [3, 4, 2],
    ],
    [
      [2, 3, 4],
      [4, 2],
    ],
    [
      [3, 4],
      [2, 4, 2],
    ],
    [
      [2, 1, 2, 3],
      [3, 3, 2],
    ],
    [
      [9, 17],
      [17, 5],
    ],
    [
      [0, 2, 3],
      [3, 2],
    ],
  ),
  dtypes: ALL_DTYPES,
  result: floating,
  gradient: true,
  refused: [
    { what: 'inner sizes that differ', run: () => matmul(zeros([2, 3]), zeros([2, 3])), error: ShapeError },
    { what: 'a scalar', run: () => matmul(zeros([]), zeros([3, 2])), error: ShapeError },
    { what: 'batches that do not broadcast', run: () => matmul(zeros([2, 1, 1]), zeros([3, 1, 1])), error: ShapeError },
    { what: 'a number', run: () => matmul(tensor([[1]]), 2 as unknown as Tensor), error: ArgumentError },
  ],
});
