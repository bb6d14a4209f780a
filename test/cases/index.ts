/** The case of every op: one of native/ops/ops.def without a case does not compile. */
import type { OpName } from '../../ts/native/schema.gen';
import type { OpCase } from '../support/op_case';
import { arangeCase } from './arange';
import {
  addCase,
  divCase,
  maximumCase,
  minimumCase,
  mulCase,
  negCase,
  powCase,
  squareCase,
  subCase,
} from './arithmetic';
import { castCase, copyCase, fillCase } from './cast';
import {
  eqCase,
  geCase,
  gtCase,
  isFiniteCase,
  leCase,
  logicalAndCase,
  logicalNotCase,
  logicalOrCase,
  logicalXorCase,
  ltCase,
  neCase,
  whereCase,
} from './compare';
import { concatCase, padCase, splitCase, stackCase } from './concat';
import { levelBackwardCase, levelCase, lLoopCase } from './fused_block';
import { gatherCase, indexSelectBackwardCase, indexSelectCase, oneHotCase, scatterAddCase } from './indexing';
import { attentionBackwardCase, attentionCase } from './attention';
import { linearCase } from './linear';
import {
  bceWithLogitsCase,
  bceWithLogitsSlopeCase,
  crossEntropyBackwardCase,
  crossEntropyCase,
  logStablemaxCase,
} from './losses';
import { matmulCase } from './matmul';
import { normalCase, randomIntegersCase, randomPermutationCase, truncNormalCase, uniformCase } from './random';
import { rmsNormBackwardCase, rmsNormCase } from './rms_norm';
import { ropeCase } from './rope';
import { swigluBackwardCase, swigluCase } from './swiglu';
import { viewCases } from './views';
import { allCase, anyCase, maxCase, meanCase, minCase, stdCase, sumCase, varianceCase } from './reduce';
import {
  argmaxCase,
  argminCase,
  logSoftmaxCase,
  logSoftmaxGradCase,
  logsumexpCase,
  softmaxCase,
  softmaxGradCase,
} from './softmax';
import {
  absCase,
  clampCase,
  clampGradCase,
  cosCase,
  expCase,
  floorCase,
  geluCase,
  geluGradCase,
  geluTanhCase,
  geluTanhGradCase,
  logCase,
  reciprocalCase,
  reluCase,
  reluGradCase,
  roundCase,
  rsqrtCase,
  sigmoidCase,
  sigmoidGradCase,
  signCase,
  siluCase,
  siluGradCase,
  sinCase,
  sqrtCase,
  tanhCase,
  tanhGradCase,
} from './unary';
import { adamAtan2Case, emaCase, signSgdCase } from './optimizers';

export const opCases: { readonly [K in OpName]: OpCase } = {
  // copies
  cast: castCase,
  copy: copyCase,
  fill: fillCase,
  // elementwise
  add: addCase,
  div: divCase,
  maximum: maximumCase,
  minimum: minimumCase,
  mul: mulCase,
  neg: negCase,
  pow: powCase,
  sub: subCase,
  eq: eqCase,
  ge: geCase,
  gt: gtCase,
  le: leCase,
  logical_and: logicalAndCase,
  logical_or: logicalOrCase,
  logical_xor: logicalXorCase,
  lt: ltCase,
  ne: neCase,
  where: whereCase,
  abs: absCase,
  clamp: clampCase,
  clamp_grad: clampGradCase,
  cos: cosCase,
  exp: expCase,
  floor: floorCase,
  gelu: geluCase,
  gelu_grad: geluGradCase,
  gelu_tanh: geluTanhCase,
  gelu_tanh_grad: geluTanhGradCase,
  log: logCase,
  relu: reluCase,
  relu_grad: reluGradCase,
  round: roundCase,
  rsqrt: rsqrtCase,
  sigmoid: sigmoidCase,
  sigmoid_grad: sigmoidGradCase,
  sign: signCase,
  silu: siluCase,
  silu_grad: siluGradCase,
  sin: sinCase,
  sqrt: sqrtCase,
  tanh: tanhCase,
  tanh_grad: tanhGradCase,
  // reductions
  argmax: argmaxCase,
  argmin: argminCase,
  log_softmax: logSoftmaxCase,
  log_softmax_grad: logSoftmaxGradCase,
  logsumexp: logsumexpCase,
  max: maxCase,
  mean: meanCase,
  min: minCase,
  softmax: softmaxCase,
  softmax_grad: softmaxGradCase,
  sum: sumCase,
  // products
  matmul: matmulCase,
  // indexing and joining
  concat: concatCase,
  gather: gatherCase,
  index_select: indexSelectCase,
  index_select_backward: indexSelectBackwardCase,
  scatter_add: scatterAddCase,
  // creation
  arange: arangeCase,
  normal: normalCase,
  random_integers: randomIntegersCase,
  random_permutation: randomPermutationCase,
  trunc_normal: truncNormalCase,
  uniform: uniformCase,
  linear: linearCase,
  // the block
  rms_norm: rmsNormCase,
  rms_norm_backward: rmsNormBackwardCase,
  rope: ropeCase,
  swiglu: swigluCase,
  swiglu_backward: swigluBackwardCase,
  attention: attentionCase,
  attention_backward: attentionBackwardCase,
  // optimizers
  adam_atan2: adamAtan2Case,
  ema: emaCase,
  sign_sgd: signSgdCase,
  // losses
  bce_with_logits: bceWithLogitsCase,
  bce_with_logits_slope: bceWithLogitsSlopeCase,
  cross_entropy: crossEntropyCase,
  cross_entropy_backward: crossEntropyBackwardCase,
  // fused blocks
  l_loop: lLoopCase,
  level: levelCase,
  level_backward: levelBackwardCase,
};

/** Public functions that are views or composed of other ops, with the same demands. */
export const composedCases: Readonly<Record<string, OpCase>> = {
  ...viewCases,
  // indexing and joining
  oneHot: oneHotCase,
  pad: padCase,
  split: splitCase,
  stack: stackCase,
  all: allCase,
  any: anyCase,
  isFinite: isFiniteCase,
  logicalNot: logicalNotCase,
  logStablemax: logStablemaxCase,
  reciprocal: reciprocalCase,
  square: squareCase,
  std: stdCase,
  variance: varianceCase,
};

export const allCases: Readonly<Record<string, OpCase>> = { ...opCases, ...composedCases };
