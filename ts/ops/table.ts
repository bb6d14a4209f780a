/** Every native op with its definition: an op of native/ops/ops.def without one does not compile. */
import type { OpName } from '../native/schema.gen';
import { arangeOp } from './arange';
import { addOp, divOp, mulOp, negOp, subOp } from './arithmetic';
import { bceWithLogitsOp, bceWithLogitsSlopeOp } from './bce_with_logits';
import { castOp, copyOp, fillOp } from './cast';
import { eqOp, geOp, gtOp, leOp, logicalAndOp, logicalOrOp, logicalXorOp, ltOp, neOp } from './compare';
import { concatOp } from './concat';
import { crossEntropyBackwardOp, crossEntropyOp } from './cross_entropy';
import type { Op } from './define';
import { levelBackwardOp, levelOp, lLoopOp } from './fused_block';
import { gatherOp, indexSelectBackwardOp, indexSelectOp, scatterAddOp } from './indexing';
import { attentionBackwardOp, attentionOp } from './attention';
import { linearOp } from './linear';
import { matmulOp } from './matmul';
import { maximumOp, minimumOp, powOp } from './power';
import { normalOp, randomIntegersOp, randomPermutationOp, truncNormalOp, uniformOp } from './random';
import { rmsNormBackwardOp, rmsNormOp } from './rms_norm';
import { ropeOp } from './rope';
import { swigluBackwardOp, swigluOp } from './swiglu';
import { maxOp, meanOp, minOp, sumOp } from './reduce';
import { argmaxOp, argminOp, logSoftmaxGradOp, logSoftmaxOp, logsumexpOp, softmaxGradOp, softmaxOp } from './softmax';
import {
  absOp,
  clampGradOp,
  clampOp,
  cosOp,
  expOp,
  floorOp,
  geluGradOp,
  geluOp,
  geluTanhGradOp,
  geluTanhOp,
  logOp,
  reluGradOp,
  reluOp,
  roundOp,
  rsqrtOp,
  sigmoidGradOp,
  sigmoidOp,
  signOp,
  siluGradOp,
  siluOp,
  sinOp,
  sqrtOp,
  tanhGradOp,
  tanhOp,
} from './unary';
import { whereOp } from './where';
import { adamAtan2Op, emaOp, signSgdOp } from './optimizers';

export const opTable: { readonly [K in OpName]: Op<K> } = {
  // copies
  cast: castOp,
  copy: copyOp,
  fill: fillOp,
  // elementwise
  add: addOp,
  div: divOp,
  maximum: maximumOp,
  minimum: minimumOp,
  mul: mulOp,
  pow: powOp,
  sub: subOp,
  eq: eqOp,
  ge: geOp,
  gt: gtOp,
  le: leOp,
  logical_and: logicalAndOp,
  logical_or: logicalOrOp,
  logical_xor: logicalXorOp,
  lt: ltOp,
  ne: neOp,
  where: whereOp,
  abs: absOp,
  clamp: clampOp,
  clamp_grad: clampGradOp,
  cos: cosOp,
  exp: expOp,
  floor: floorOp,
  gelu: geluOp,
  gelu_grad: geluGradOp,
  gelu_tanh: geluTanhOp,
  gelu_tanh_grad: geluTanhGradOp,
  log: logOp,
  neg: negOp,
  relu: reluOp,
  relu_grad: reluGradOp,
  round: roundOp,
  rsqrt: rsqrtOp,
  sigmoid: sigmoidOp,
  sigmoid_grad: sigmoidGradOp,
  sign: signOp,
  silu: siluOp,
  silu_grad: siluGradOp,
  sin: sinOp,
  sqrt: sqrtOp,
  tanh: tanhOp,
  tanh_grad: tanhGradOp,
  // reductions
  argmax: argmaxOp,
  argmin: argminOp,
  log_softmax: logSoftmaxOp,
  log_softmax_grad: logSoftmaxGradOp,
  logsumexp: logsumexpOp,
  max: maxOp,
  mean: meanOp,
  min: minOp,
  softmax: softmaxOp,
  softmax_grad: softmaxGradOp,
  sum: sumOp,
  // losses
  bce_with_logits: bceWithLogitsOp,
  bce_with_logits_slope: bceWithLogitsSlopeOp,
  cross_entropy: crossEntropyOp,
  cross_entropy_backward: crossEntropyBackwardOp,
  // fused blocks
  l_loop: lLoopOp,
  level: levelOp,
  level_backward: levelBackwardOp,
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
  // optimizers
  adam_atan2: adamAtan2Op,
  ema: emaOp,
  sign_sgd: signSgdOp,
};
