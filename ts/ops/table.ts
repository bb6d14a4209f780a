/** Every native op with its definition: an op of native/ops/ops.def without one does not compile. */
import type { OpName } from '../native/schema.gen';
import { arangeOp } from './arange';
import { addOp, divOp, mulOp, negOp, subOp } from './arithmetic';
import { castOp, copyOp, fillOp } from './cast';
import { concatOp } from './concat';
import type { Op } from './define';
import { gatherOp, indexSelectBackwardOp, indexSelectOp, scatterAddOp } from './indexing';
import { attentionBackwardOp, attentionOp } from './attention';
import { linearOp } from './linear';
import { matmulOp } from './matmul';
import { normalOp, randomIntegersOp, randomPermutationOp, truncNormalOp, uniformOp } from './random';
import { sumOp } from './reduce';
import { rmsNormBackwardOp, rmsNormOp } from './rms_norm';
import { ropeOp } from './rope';
import { swigluBackwardOp, swigluOp } from './swiglu';
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
  // indexing and joining
  concat: concatOp,
  gather: gatherOp,
  index_select: indexSelectOp,
  index_select_backward: indexSelectBackwardOp,
  scatter_add: scatterAddOp,
  // creation
  arange: arangeOp,
  normal: normalOp,
  random_integers: randomIntegersOp,
  random_permutation: randomPermutationOp,
  trunc_normal: truncNormalOp,
  uniform: uniformOp,
  linear: linearOp,
  // the block
  rms_norm: rmsNormOp,
  rms_norm_backward: rmsNormBackwardOp,
  rope: ropeOp,
  swiglu: swigluOp,
  swiglu_backward: swigluBackwardOp,
  attention: attentionOp,
  attention_backward: attentionBackwardOp,
};
