import {
  ArgumentError,
  AutogradError,
  cast,
  copy_,
  fill_,
  ShapeError,
  type Tensor,
  tensor,
  zeros,
} from '../../ts/index';
import type { DType } from '../../ts/tensor/dtype';
import { arr, broadcastShapes, zip } from '../support/arrays';
import { ALL_DTYPES, opCase, unarySamples } from '../support/op_case';
import { unaryRefused } from './arithmetic';

/** In the tests of one dtype the target stays the same; conversions between all pairs are in test/ops/cast.test.ts. */
export const castCase = opCase<undefined>({
  call: ([x]) => cast(x as Tensor, 'float64'),
  reference: ([x]) => x as NonNullable<typeof x>,
  samples: unarySamples,
  dtypes: ALL_DTYPES,
  result: () => 'float64',
  elementwise: true,
  gradient: true,
  refused: [
    ...unaryRefused((x) => cast(x, 'int32')),
    { what: 'an unknown dtype', run: () => cast(tensor([1]), 'float16' as DType), error: ArgumentError },
  ],
});

export const copyCase = opCase<undefined>({
  call: ([target, source]) => copy_(target as Tensor, source as Tensor),
  reference: ([target, source]) =>
    zip([source as NonNullable<typeof source>, target as NonNullable<typeof target>], (x) => x),
  samples: [
    ...unarySamples.map(({ shapes, options }) => ({ shapes: [shapes[0] ?? [], shapes[0] ?? []], options })),
    { shapes: [[2, 3], [3]], options: undefined },
    { shapes: [[2, 3], []], options: undefined },
  ],
  dtypes: ALL_DTYPES,
  elementwise: true,
  gradient: 'writes in place',
  refused: [
    { what: 'a larger source', run: () => copy_(tensor([1]), tensor([1, 2])), error: ShapeError },
    { what: 'a number', run: () => copy_(tensor([1]), 1 as unknown as Tensor), error: ArgumentError },
    {
      what: 'a leaf that requires gradients',
      run: () => copy_(tensor([1], { requiresGrad: true }), tensor([1])),
      error: AutogradError,
    },
  ],
});

export const fillCase = opCase<number>({
  call: ([x], value) => fill_(x as Tensor, value),
  reference: ([x], value) =>
    arr(
      broadcastShapes((x as NonNullable<typeof x>).shape),
      (x as NonNullable<typeof x>).data.map(() => value),
    ),
  samples: unarySamples.map(({ shapes }) => ({ shapes, options: 1 })),
  dtypes: ALL_DTYPES,
  elementwise: true,
  gradient: 'writes in place',
  refused: [
    { what: 'a string', run: () => fill_(zeros([2]), '1' as unknown as number), error: ArgumentError },
    {
      what: 'a leaf that requires gradients',
      run: () => fill_(tensor([1], { requiresGrad: true }), 0),
      error: AutogradError,
    },
  ],
});
