import { exp, log, type Tensor } from '../../ts/index';
import type { DType } from '../../ts/tensor/dtype';
import { zip } from '../support/arrays';
import { ALL_DTYPES, opCase, type OpCase, unarySamples } from '../support/op_case';
import { unaryRefused } from './arithmetic';

/** Integers are computed as float32. */
export const floating = (dtype: DType): DType => (ALL_DTYPES.indexOf(dtype) < 3 ? 'float32' : dtype);

const SPECIALS = [NaN, Infinity, -Infinity, 0, -0, 1, -1, 0.5, 1e-30, -1e-30, 80, -80, 1000, -1000].map((x) => [x]);

type Unary = (x: Tensor) => Tensor;

/** @param value from a uniform number, where the default range does not suit */
export function unaryCase(op: Unary, f: (x: number) => number, value?: (u: number) => number): OpCase {
  return opCase<undefined>({
    call: ([x]) => op(x as Tensor),
    reference: (inputs, _options, round) => zip(inputs, (x) => round(f(x))),
    samples: unarySamples,
    dtypes: ALL_DTYPES,
    result: floating,
    value,
    specials: SPECIALS,
    elementwise: true,
    gradient: true,
    refused: unaryRefused(op),
    bench: [{ shapes: [[1024, 1024]], options: undefined }],
  });
}

export const expCase = unaryCase(exp, Math.exp);
export const logCase = unaryCase(log, Math.log, (u) => 0.1 + 3 * u);
