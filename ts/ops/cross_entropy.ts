import { ArgumentError } from '../error';
import { readOptions } from '../tensor/arguments';
import { describe } from '../tensor/dtype';
import type { Tensor } from '../tensor/tensor';
import { requireInteger } from './arguments';
import { add, div, sub } from './arithmetic';
import { cast } from './cast';
import { ge, ne } from './compare';
import { defineOp, type Op } from './define';
import { IGNORE_LABEL } from '../tensor/ignore_label';
import { maximum } from './power';
import { sum } from './reduce';
import { log, reciprocal } from './unary';
import { where } from './where';
import { noGrad } from '../autograd/no_grad';

export type Reduction = 'none' | 'sum' | 'mean';

export interface CrossEntropyOptions {
  /** How logits become probabilities: softmax, or stablemax in float64 (HRM section 3.4; arXiv 2501.04697). */
  kind?: 'softmax' | 'stablemax';
  /** Label of positions that are not scored: their loss is 0. Default -100. */
  ignoreIndex?: number;
  /** Default 'mean', over the scored positions. */
  reduction?: Reduction;
}

export const crossEntropyBackwardOp: Op<'cross_entropy_backward'> = defineOp('cross_entropy_backward');

export const crossEntropyOp: Op<'cross_entropy'> = defineOp('cross_entropy', {
  // The scores are computed again: keeping them would cost more memory than the logits, in stablemax twice as much.
  save: ['logits', 'labels'],
  vjp: ({ dy, saved, attrs }) => [crossEntropyBackwardOp.one([dy, saved.logits, saved.labels], attrs), undefined],
});

/**
 * Cross entropy of integer labels. Softmax is computed in float32 (float64 of float64), stablemax always in float64.
 *
 * @param logits [..., V] of floating dtype
 * @param labels int32 [...]
 * @returns [...] or a scalar; in the dtype of the logits, bfloat16 as float32
 * @throws ShapeError where the shapes differ, DTypeError; ArgumentError where a scored label is not in 0..V-1
 */
export function crossEntropy(logits: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const given = readOptions('crossEntropy', options, ['kind', 'ignoreIndex', 'reduction']);
  const { kind = 'softmax', ignoreIndex = IGNORE_LABEL, reduction = 'mean' } = given;
  if (kind !== 'softmax' && kind !== 'stablemax')
    throw new ArgumentError(`crossEntropy: kind must be 'softmax' or 'stablemax', got ${describe(kind)}`);
  requireInteger('crossEntropy', 'ignoreIndex', ignoreIndex);
  requireReduction('crossEntropy', reduction);
  const losses = crossEntropyOp.one([logits, labels], { stablemax: kind === 'stablemax', ignoreIndex });
  return reduce(losses, reduction, () => noGrad(() => cast(maximum(sum(ne(labels, ignoreIndex)), 1), losses.dtype)));
}

/** Keeps 1/(1 - v) finite at v = 1, as the reference does. */
const STABLEMAX_EPSILON = 1e-30;

/** log(s(v) / sum s), s(v) = v + 1 for v >= 0, else 1/(1 - v): softmax without exponentials, in float64. */
export function logStablemax(logits: Tensor): Tensor {
  const v = cast(logits, 'float64');
  const s = where(ge(v, 0), add(v, 1), reciprocal(add(sub(1, v), STABLEMAX_EPSILON)));
  return sub(log(s), log(sum(s, -1, { keepdim: true })));
}

export function requireReduction(op: string, reduction: unknown): void {
  if (reduction !== 'none' && reduction !== 'sum' && reduction !== 'mean')
    throw new ArgumentError(`${op}: reduction must be 'none', 'sum' or 'mean', got ${describe(reduction)}`);
}

/** @param count the divisor of 'mean' */
export function reduce(losses: Tensor, reduction: Reduction, count: () => Tensor): Tensor {
  if (reduction === 'none') return losses;
  const total = sum(losses);
  return reduction === 'sum' ? total : div(total, count());
}
