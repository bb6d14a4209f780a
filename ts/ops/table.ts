/** Every native op with its definition: an op of native/ops/ops.def without one does not compile. */
import type { OpName } from '../native/schema.gen';
import { addOp, divOp, mulOp, negOp, subOp } from './arithmetic';
import { castOp, copyOp, fillOp } from './cast';
import type { Op } from './define';
import { matmulOp } from './matmul';
import { sumOp } from './reduce';
import { adamAtan2Op, emaOp, signSgdOp } from './optimizers';
import { expOp, logOp } from './unary';

export const opTable: { readonly [K in OpName]: Op<K> } = {
  // copies
  cast: castOp,
  copy: copyOp,
  fill: fillOp,
  // elementwise
  add: addOp,
  div: divOp,
  mul: mulOp,
  sub: subOp,
  exp: expOp,
  log: logOp,
  neg: negOp,
  // reductions
  sum: sumOp,
  // products
  matmul: matmulOp,
  // optimisers
  adam_atan2: adamAtan2Op,
  ema: emaOp,
  sign_sgd: signSgdOp,
};
