import {
  abs,
  ArgumentError,
  clamp,
  type ClampOptions,
  cos,
  exp,
  floor,
  gelu,
  log,
  reciprocal,
  relu,
  round,
  rsqrt,
  sigmoid,
  sign,
  silu,
  sin,
  sqrt,
  tanh,
  type Tensor,
  tensor,
} from '../../ts/index';
import {
  clampGradOp,
  geluGradOp,
  geluTanhGradOp,
  reluGradOp,
  sigmoidGradOp,
  siluGradOp,
  tanhGradOp,
} from '../../ts/ops/unary';
import type { DType } from '../../ts/tensor/dtype';
import { zip } from '../support/arrays';
import { ALL_DTYPES, binarySamples, opCase, type OpCase, type Round, samples, unarySamples } from '../support/op_case';
import { erfc } from '../support/special';
import { unaryRefused } from './arithmetic';

/** Integers are computed as float32. */
export const floating = (dtype: DType): DType => (ALL_DTYPES.indexOf(dtype) < 3 ? 'float32' : dtype);
/** bool becomes int32. */
const number = (dtype: DType): DType => (dtype === 'bool' ? 'int32' : dtype);

const SPECIALS = [NaN, Infinity, -Infinity, 0, -0, 1, -1, 0.5, 1e-30, -1e-30, 80, -80, 1000, -1000].map((x) => [x]);

type Unary = (x: Tensor) => Tensor;
type Formula = (x: number, round: Round) => number;

/** @param value from a uniform number, where the default range does not suit */
export function unaryCase(op: Unary, f: Formula, change: Partial<OpCase> = {}): OpCase {
  return {
    ...opCase<undefined>({
      call: ([x]) => op(x as Tensor),
      reference: (inputs, _options, round) => zip(inputs, (x) => round(f(x, round))),
      samples: unarySamples,
      dtypes: ALL_DTYPES,
      result: floating,
      specials: SPECIALS,
      elementwise: true,
      gradient: true,
      refused: unaryRefused(op),
      bench: [{ shapes: [[1024, 1024]], options: undefined }],
    }),
    ...change,
  };
}

const POSITIVE: Partial<OpCase> = { value: (u) => 0.1 + 3 * u };
/** Away from the kink at 0. */
const NON_ZERO: Partial<OpCase> = { value: (u) => (u < 0.5 ? 4 * u - 2.1 : 4 * u - 1.9) };
/** As they are for integers. */
const SAME: Partial<OpCase> = { ...NON_ZERO, result: number };
const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

export const expCase = unaryCase(exp, Math.exp);
export const logCase = unaryCase(log, Math.log, POSITIVE);
export const sqrtCase = unaryCase(sqrt, Math.sqrt, POSITIVE);
export const rsqrtCase = unaryCase(rsqrt, (x, round) => 1 / round(Math.sqrt(x)), POSITIVE);
export const sinCase = unaryCase(sin, Math.sin);
export const cosCase = unaryCase(cos, Math.cos);
export const tanhCase = unaryCase(tanh, Math.tanh);
export const sigmoidCase = unaryCase(sigmoid, logistic);
export const siluCase = unaryCase(silu, (x) => x * logistic(x));
export const geluCase = unaryCase(
  (x) => gelu(x),
  (x) => 0.5 * x * erfc(-x * Math.SQRT1_2),
  { specials: undefined, elementwise: false },
);
const GELU_SLOPE = 2 * Math.sqrt(2 / Math.PI);
export const geluTanhCase = unaryCase(
  (x) => gelu(x, { approximate: 'tanh' }),
  (x, round) => x * logistic(round(GELU_SLOPE * round(x + round(0.044715 * round(x * x * x))))),
  {
    specials: undefined,
    elementwise: false,
    refused: [
      {
        what: 'an unknown approximation',
        run: () => gelu(tensor([1]), { approximate: 'erf' as 'tanh' }),
        error: ArgumentError,
      },
    ],
  },
);
export const reluCase = unaryCase(relu, (x) => Math.max(x, 0), SAME);
export const absCase = unaryCase(abs, Math.abs, SAME);
/** Away from the steps, at integers and at halves. */
const BETWEEN: Partial<OpCase> = {
  value: (u) => Math.floor(8 * u) - 4 + 0.1 + 0.3 * ((8 * u) % 1),
  result: number,
  specials: [...SPECIALS.flat(), 1.5, 2.5, -0.5, -1.5, -2.5, 8388609, -8388609, 2147483648].map((x) => [x]),
};
const halfToEven = (x: number): number => {
  const below = Math.floor(x);
  const rest = x - below;
  const rounded = rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1;
  return rounded === 0 ? 0 * Math.sign(x) : rounded;
};
export const floorCase = unaryCase(floor, Math.floor, BETWEEN);
export const roundCase = unaryCase(round, (x) => (Number.isFinite(x) ? halfToEven(x) : x), BETWEEN);
export const signCase = unaryCase(sign, (x) => (Number.isNaN(x) ? 0 : Math.sign(x)), SAME);
export const reciprocalCase = unaryCase(reciprocal, (x) => 1 / x, NON_ZERO);

/** dy times a slope at what was saved. */
function gradCase(op: (dy: Tensor, at: Tensor) => Tensor, slope: Formula): OpCase {
  return opCase<undefined>({
    call: ([dy, at]) => op(dy as Tensor, at as Tensor),
    reference: (inputs, _options, round) => zip(inputs, (dy, at) => round(dy * round(slope(at, round)))),
    samples: binarySamples,
    dtypes: ALL_DTYPES,
    result: floating,
    gradient: 'is itself a gradient',
    refused: [{ what: 'a number', run: () => op(tensor([1]), 1 as unknown as Tensor), error: ArgumentError }],
  });
}
export const reluGradCase = gradCase(
  (dy, y) => reluGradOp.one([dy, y]),
  (y) => Number(y > 0),
);
export const tanhGradCase = gradCase(
  (dy, y) => tanhGradOp.one([dy, y]),
  (y, round) => 1 - round(y * y),
);
export const sigmoidGradCase = gradCase(
  (dy, y) => sigmoidGradOp.one([dy, y]),
  (y, round) => y * round(1 - y),
);
export const siluGradCase = gradCase(
  (dy, x) => siluGradOp.one([dy, x]),
  (x, round) => round(logistic(x)) * round(1 + round(x * round(1 - round(logistic(x))))),
);
export const geluGradCase = gradCase(
  (dy, x) => geluGradOp.one([dy, x]),
  (x, round) => round(0.5 * erfc(-x * Math.SQRT1_2)) + round((x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI)),
);
export const geluTanhGradCase = gradCase(
  (dy, x) => geluTanhGradOp.one([dy, x]),
  (x, round) => {
    const s = round(logistic(round(GELU_SLOPE * round(x + round(0.044715 * x * x * x)))));
    return s + round(x * s * round(1 - s) * round(GELU_SLOPE * round(1 + round(3 * 0.044715 * x * x))));
  },
);

const clampSamples = [
  ...samples<ClampOptions>({ min: -1, max: 1 }, [[]], [[1]], [[0]], [[7]], [[33]], [[2, 3]], [[5, 1]], [[2, 3, 4]]),
  ...samples<ClampOptions>({ min: 0 }, [[40]], [[3, 0, 2]]),
  ...samples<ClampOptions>({ max: 0 }, [[40]], [[6]]),
  ...samples<ClampOptions>({ min: 2, max: 1 }, [[4]]),
  ...samples<ClampOptions>({ min: -1e300, max: 1e300 }, [[4]]),
];
/** The bounds as a number of the dtype holds them. */
const bounded = (x: number, { min = -Infinity, max = Infinity }: ClampOptions): number =>
  Number.isNaN(x) ? NaN : Math.min(Math.max(x, min), max);

export const clampCase = opCase<ClampOptions>({
  call: ([x], options) => clamp(x as Tensor, options),
  reference: (inputs, options) => zip(inputs, (x) => bounded(x, options)),
  samples: clampSamples,
  dtypes: ALL_DTYPES,
  result: number,
  specials: SPECIALS,
  elementwise: true,
  gradient: true,
  refused: [
    ...unaryRefused((x) => clamp(x, { min: 0 })),
    { what: 'NaN', run: () => clamp(tensor([1]), { min: NaN }), error: ArgumentError },
    { what: 'no options', run: () => clamp(tensor([1]), undefined as unknown as ClampOptions), error: ArgumentError },
    { what: 'a string', run: () => clamp(tensor([1]), { min: '0' as unknown as number }), error: ArgumentError },
  ],
});
export const clampGradCase = opCase<ClampOptions>({
  call: ([dy, x], { min = -Infinity, max = Infinity }) => clampGradOp.one([dy as Tensor, x as Tensor], { min, max }),
  reference: (inputs, { min = -Infinity, max = Infinity }) => zip(inputs, (dy, x) => (x >= min && x <= max ? dy : 0)),
  samples: clampSamples.map(({ shapes, options }) => ({ shapes: [...shapes, ...shapes], options })),
  dtypes: ALL_DTYPES,
  result: floating,
  elementwise: true,
  gradient: 'is itself a gradient',
  refused: [
    {
      what: 'a number',
      run: () => clampGradOp.one([tensor([1]), 1 as unknown as Tensor], { min: 0, max: 1 }),
      error: ArgumentError,
    },
  ],
});
