import {
  add,
  ArgumentError,
  DisposedError,
  div,
  maximum,
  minimum,
  mul,
  neg,
  pow,
  ShapeError,
  square,
  sub,
  tensor,
} from '../../ts/index';
import type { Operand } from '../../ts/ops/arithmetic';
import type { Tensor } from '../../ts/index';
import type { DType } from '../../ts/tensor/dtype';
import { zip } from '../support/arrays';
import { ALL_DTYPES, binarySamples, opCase, type OpCase, type Refused, unarySamples } from '../support/op_case';

type Binary = (a: Operand, b: Operand) => Tensor;

export function binaryRefused(op: Binary): Refused[] {
  const wrong = (value: unknown): Operand => value as Operand;
  return [
    { what: 'sizes that do not broadcast', run: () => op(tensor([1, 2, 3]), tensor([1, 2])), error: ShapeError },
    { what: 'a string', run: () => op(tensor([1]), wrong('2')), error: ArgumentError },
    { what: 'nothing', run: () => op(wrong(undefined), tensor([1])), error: ArgumentError },
    { what: 'an array', run: () => op(wrong([1]), tensor([1])), error: ArgumentError },
  ];
}

export function unaryRefused(op: (x: Tensor) => Tensor): Refused[] {
  const disposed = (): Tensor => {
    const x = tensor([1]);
    x.dispose();
    return x;
  };
  return [
    { what: 'a number', run: () => op(1 as unknown as Tensor), error: ArgumentError },
    { what: 'nothing', run: () => op(undefined as unknown as Tensor), error: ArgumentError },
    { what: 'a disposed tensor', run: () => op(disposed()), error: DisposedError },
  ];
}

export const specialPairs = [-Infinity, -1.5, -0, 0, 1, Infinity, NaN].flatMap((a) =>
  [-Infinity, -2, -0, 0, 3, Infinity, NaN].map((b) => [a, b]),
);

/** bool becomes int32. */
const number = (dtype: DType): DType => (dtype === 'bool' ? 'int32' : dtype);

function arithmetic(op: Binary, f: (a: number, b: number) => number): OpCase {
  return opCase<undefined>({
    call: ([a, b]) => op(a as Tensor, b as Tensor),
    reference: (inputs, _options, round) => zip(inputs, (a, b) => round(f(a, b))),
    samples: binarySamples,
    dtypes: ALL_DTYPES,
    result: number,
    specials: specialPairs,
    elementwise: true,
    gradient: true,
    refused: binaryRefused(op),
    bench: [
      {
        shapes: [
          [1024, 1024],
          [1024, 1024],
        ],
        options: undefined,
      },
    ],
  });
}

export const addCase = arithmetic(add, (a, b) => a + b);
export const subCase = arithmetic(sub, (a, b) => a - b);
export const mulCase = arithmetic(mul, (a, b) => a * b);
export const divCase: OpCase = {
  ...arithmetic(div, (a, b) => a / b),
  result: (dtype) => (ALL_DTYPES.indexOf(dtype) < 3 ? 'float32' : dtype),
  // The divisor keeps away from the pole at 0.
  value: (u, input) => (input === 0 ? 4 * u - 2 : u < 0.5 ? u - 1.5 : u + 0.5),
};

export const negCase = opCase<undefined>({
  call: ([x]) => neg(x as Tensor),
  reference: (inputs, _options, round) => zip(inputs, (x) => round(-x)),
  samples: unarySamples,
  dtypes: ALL_DTYPES,
  result: number,
  specials: [[NaN], [Infinity], [0], [-0], [1]],
  elementwise: true,
  gradient: true,
  refused: unaryRefused(neg),
});

/** JavaScript alone has NaN where IEEE 754 has 1. */
const ieeePow = (a: number, b: number): number => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b);

export const powCase: OpCase = {
  ...arithmetic(pow, ieeePow),
  // Positive bases: the derivative by the exponent needs their logarithm.
  value: (u, input) => (input === 0 ? 0.3 + 2 * u : 4 * u - 2),
};

export const maximumCase: OpCase = { ...arithmetic(maximum, (a, b) => Math.max(a, b)), result: (dtype) => dtype };
export const minimumCase: OpCase = {
  ...arithmetic(minimum, (a, b) => Math.min(a, b)),
  result: (dtype) => dtype,
};
export const squareCase = opCase<undefined>({
  call: ([x]) => square(x as Tensor),
  reference: (inputs, _options, round) => zip(inputs, (x) => round(x * x)),
  samples: unarySamples,
  dtypes: ALL_DTYPES,
  result: number,
  elementwise: true,
  gradient: true,
  refused: unaryRefused(square),
});
