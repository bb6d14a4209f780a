/** The case of every op: one of native/ops/ops.def without a case does not compile. */
import type { OpName } from '../../ts/native/schema.gen';
import type { OpCase } from '../support/op_case';
import { addCase, divCase, mulCase, negCase, subCase } from './arithmetic';
import { castCase, copyCase, fillCase } from './cast';
import { matmulCase } from './matmul';
import { sumCase } from './reduce';
import { adamAtan2Case, emaCase, signSgdCase } from './optimizers';
import { expCase, logCase } from './unary';

export const opCases: { readonly [K in OpName]: OpCase } = {
  // copies
  cast: castCase,
  copy: copyCase,
  fill: fillCase,
  // elementwise
  add: addCase,
  div: divCase,
  mul: mulCase,
  sub: subCase,
  exp: expCase,
  log: logCase,
  neg: negCase,
  // reductions
  sum: sumCase,
  // products
  matmul: matmulCase,
  // optimisers
  adam_atan2: adamAtan2Case,
  ema: emaCase,
  sign_sgd: signSgdCase,
};

/** Public functions that are views or composed of other ops, with the same demands. */
export const composedCases: Readonly<Record<string, OpCase>> = {};

export const allCases: Readonly<Record<string, OpCase>> = { ...opCases, ...composedCases };
