/** The case of every op: one of native/ops/ops.def without a case does not compile. */
import type { OpName } from '../../ts/native/schema.gen';
import type { OpCase } from '../support/op_case';
import { arangeCase } from './arange';
import { addCase, divCase, mulCase, negCase, subCase } from './arithmetic';
import { castCase, copyCase, fillCase } from './cast';
import { concatCase, padCase, splitCase, stackCase } from './concat';
import { gatherCase, indexSelectBackwardCase, indexSelectCase, oneHotCase, scatterAddCase } from './indexing';
import { attentionBackwardCase, attentionCase } from './attention';
import { linearCase } from './linear';
import { matmulCase } from './matmul';
import { normalCase, randomIntegersCase, randomPermutationCase, truncNormalCase, uniformCase } from './random';
import { sumCase } from './reduce';
import { rmsNormBackwardCase, rmsNormCase } from './rms_norm';
import { ropeCase } from './rope';
import { swigluBackwardCase, swigluCase } from './swiglu';
import { expCase, logCase } from './unary';
import { viewCases } from './views';

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
};

/** Public functions that are views or composed of other ops, with the same demands. */
export const composedCases: Readonly<Record<string, OpCase>> = {
  ...viewCases,
  // indexing and joining
  oneHot: oneHotCase,
  pad: padCase,
  split: splitCase,
  stack: stackCase,
};

export const allCases: Readonly<Record<string, OpCase>> = { ...opCases, ...composedCases };
