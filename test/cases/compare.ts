import {
  ArgumentError,
  DTypeError,
  eq,
  ge,
  gt,
  isFinite,
  le,
  logicalAnd,
  logicalNot,
  logicalOr,
  logicalXor,
  lt,
  ne,
  ShapeError,
  type Operand,
  type Tensor,
  tensor,
  where,
} from '../../ts/index';
import { zip } from '../support/arrays';
import { ALL_DTYPES, binarySamples, opCase, type OpCase, samples, unarySamples } from '../support/op_case';
import { binaryRefused, specialPairs, unaryRefused } from './arithmetic';

function comparison(op: (a: Operand, b: Operand) => Tensor, f: (a: number, b: number) => boolean): OpCase {
  return opCase<undefined>({
    call: ([a, b]) => op(a as Tensor, b as Tensor),
    reference: (inputs) => zip(inputs, (a, b) => Number(f(a, b))),
    samples: binarySamples,
    dtypes: ALL_DTYPES,
    result: () => 'bool',
    // Equal values must occur in floating dtypes too.
    value: (u) => Math.floor(u * 5) / 2 - 1,
    specials: specialPairs,
    elementwise: true,
    gradient: 'the result is bool',
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

export const eqCase = comparison(eq, (a, b) => a === b);
export const neCase = comparison(ne, (a, b) => a !== b);
export const ltCase = comparison(lt, (a, b) => a < b);
export const leCase = comparison(le, (a, b) => a <= b);
export const gtCase = comparison(gt, (a, b) => a > b);
export const geCase = comparison(ge, (a, b) => a >= b);
export const logicalAndCase = comparison(logicalAnd, (a, b) => a !== 0 && b !== 0);
export const logicalOrCase = comparison(logicalOr, (a, b) => a !== 0 || b !== 0);
export const logicalXorCase = comparison(logicalXor, (a, b) => (a !== 0) !== (b !== 0));

function predicate(op: (x: Tensor) => Tensor, f: (x: number) => boolean): OpCase {
  return opCase<undefined>({
    call: ([x]) => op(x as Tensor),
    reference: (inputs) => zip(inputs, (x) => Number(f(x))),
    samples: unarySamples,
    dtypes: ALL_DTYPES,
    result: () => 'bool',
    value: (u) => Math.floor(u * 5) / 2 - 1,
    specials: [NaN, Infinity, -Infinity, 0, -0, 1, -3].map((x) => [x]),
    elementwise: true,
    gradient: 'the result is bool',
    refused: unaryRefused(op),
  });
}

export const logicalNotCase = predicate(logicalNot, (x) => x === 0);
export const isFiniteCase = predicate(isFinite, Number.isFinite);

const truth = (): Tensor => tensor([true, false]);
export const whereCase = opCase<undefined>({
  call: ([condition, a, b]) => where(condition as Tensor, a as Tensor, b as Tensor),
  reference: (inputs) => zip(inputs, (condition, a, b) => (condition !== 0 ? a : b)),
  samples: samples(
    undefined,
    [[], [], []],
    [[1], [1], [1]],
    [[0], [0], [0]],
    [[5], [5], [5]],
    [[40], [40], []],
    [[3], [], [3]],
    [[], [4], [4]],
    [[2, 1], [3], [2, 3]],
    [[2, 3], [2, 1], [3]],
    [[3], [2, 3], [2, 3]],
    [[2, 3, 4], [2, 3, 4], [4]],
    [[1, 3], [2, 1], []],
    [[2, 0], [2, 1], [1]],
    [[70], [70], [70]],
  ),
  dtypes: ALL_DTYPES,
  inputDTypes: ['bool'],
  value: (u, input) => (input === 0 ? Number(u < 0.5) : 4 * u - 2),
  specials: [0, 1].flatMap((condition) => specialPairs.map((pair) => [condition, ...pair])),
  elementwise: true,
  gradient: true,
  refused: [
    { what: 'numbers as condition', run: () => where(tensor([1, 0]), tensor([1, 2]), 0), error: DTypeError },
    { what: 'NaN as condition', run: () => where(NaN as unknown as Tensor, 1, 2), error: ArgumentError },
    { what: 'shapes that do not broadcast', run: () => where(truth(), tensor([1, 2, 3]), 0), error: ShapeError },
    { what: 'a string', run: () => where(truth(), tensor([1, 2]), 'x' as unknown as number), error: ArgumentError },
    { what: 'no condition', run: () => where(undefined as unknown as Tensor, tensor([1]), 0), error: ArgumentError },
  ],
});
