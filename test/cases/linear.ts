import { ArgumentError, linear, ShapeError, type Tensor, tensor, zeros } from '../../ts/index';
import { type Arr, arr, indicesOf } from '../support/arrays';
import { ALL_DTYPES, opCase, type Round, type Sample, type Shape } from '../support/op_case';
import { floating } from './unary';

function reference([x, weight, bias]: readonly Arr[], round: Round): Arr {
  const [n, k] = (weight as Arr).shape as [number, number];
  const shape = [...(x as Arr).shape.slice(0, -1), n];
  return arr(
    shape,
    indicesOf(shape).map((_, flat) => {
      const [row, column] = [Math.floor(flat / n), flat % n];
      let total = 0;
      for (let p = 0; p < k; ++p)
        total = round(
          total + round(((x as Arr).data[row * k + p] as number) * ((weight as Arr).data[column * k + p] as number)),
        );
      return round(total + (bias ? (bias.data[column] as number) : 0));
    }),
  );
}

const sample = (lead: Shape, n: number, k: number, bias = false): Sample<undefined> => ({
  shapes: [[...lead, k], [n, k], ...(bias ? [[n]] : [])],
  options: undefined,
});

export const linearCase = opCase<undefined>({
  call: ([x, weight, bias]) => linear(x as Tensor, weight as Tensor, bias),
  reference: (inputs, _options, round) => reference(inputs, round),
  samples: [
    sample([2], 3, 4),
    sample([1], 1, 1),
    sample([1], 1, 1, true),
    sample([], 3, 2, true),
    sample([2, 3], 4, 5, true),
    sample([2, 3], 4, 5),
    sample([0], 2, 3, true),
    sample([2, 0], 2, 3),
    sample([2], 0, 3, true),
    sample([3], 2, 0, true),
    sample([3], 2, 0),
    sample([7], 17, 9, true),
    sample([2, 2, 2], 1, 6),
  ],
  dtypes: ALL_DTYPES,
  result: floating,
  gradient: true,
  refused: [
    { what: 'inner sizes that differ', run: () => linear(zeros([2, 3]), zeros([4, 2])), error: ShapeError },
    { what: 'a scalar', run: () => linear(tensor(1), zeros([4, 1])), error: ShapeError },
    { what: 'a weight of rank 3', run: () => linear(zeros([3]), zeros([1, 1, 3])), error: ShapeError },
    { what: 'a bias of another size', run: () => linear(zeros([3]), zeros([2, 3]), zeros([3])), error: ShapeError },
    { what: 'a number', run: () => linear(zeros([3]), 2 as unknown as Tensor), error: ArgumentError },
  ],
  bench: [sample([82], 512, 512), sample([984], 3072, 512), sample([984], 512, 1536)],
});
