import { noGrad } from '../autograd/no_grad';
import { ArgumentError, ShapeError } from '../error';
import { readOptions } from '../tensor/arguments';
import { describe } from '../tensor/dtype';
import { zeros } from '../tensor/create';
import type { Tensor } from '../tensor/tensor';
import { requireTensor, shapeText } from './arguments';
import { add, div, neg, sub } from './arithmetic';
import { cast } from './cast';
import { ge, ne } from './compare';
import { gather } from './indexing';
import { maximum } from './power';
import { sum } from './reduce';
import { squeeze, unsqueeze } from './reshape';
import { logSoftmax } from './softmax';
import { log, reciprocal } from './unary';
import { where } from './where';

export type Reduction = 'none' | 'sum' | 'mean';

export interface CrossEntropyOptions {
  /** How logits become probabilities: softmax, or stablemax in float64 (HRM section 3.4; arXiv 2501.04697). */
  kind?: 'softmax' | 'stablemax';
  /** Label of positions that are not scored: their loss is 0. Default -100. */
  ignoreIndex?: number;
  /** Default 'mean', over the scored positions. */
  reduction?: Reduction;
}

/** Keeps 1/(1 - v) finite at v = 1, as the reference does. */
const STABLEMAX_EPSILON = 1e-30;

/** log(s(v) / sum s), s(v) = v + 1 for v >= 0, else 1/(1 - v): softmax without exponentials, in float64. */
export function logStablemax(logits: Tensor): Tensor {
  const v = cast(logits, 'float64');
  const s = where(ge(v, 0), add(v, 1), reciprocal(add(sub(1, v), STABLEMAX_EPSILON)));
  return sub(log(s), log(sum(s, -1, { keepdim: true })));
}

/**
 * Cross entropy of integer labels.
 *
 * @param logits [..., V] of floating dtype
 * @param labels int32 [...]
 * @returns [...] or a scalar; in the dtype of the logits, bfloat16 as float32
 * @throws ShapeError where the shapes differ, ArgumentError where a scored label is not in 0..V-1
 */
export function crossEntropy(logits: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const given = readOptions('crossEntropy', options, ['kind', 'ignoreIndex', 'reduction']);
  const { kind = 'softmax', ignoreIndex = -100, reduction = 'mean' } = given;
  const { shape } = requireTensor('crossEntropy', 'logits', logits);
  const labelShape = requireTensor('crossEntropy', 'labels', labels).shape;
  if (labelShape.join() !== shape.slice(0, -1).join() || shape.length === 0)
    throw new ShapeError(
      `crossEntropy: labels must have shape ${shapeText(shape.slice(0, -1))}, got ${shapeText(labelShape)}`,
    );
  if (kind !== 'softmax' && kind !== 'stablemax')
    throw new ArgumentError(`crossEntropy: kind must be 'softmax' or 'stablemax', got ${describe(kind)}`);
  requireReduction('crossEntropy', reduction);
  const dtype = logits.dtype === 'bfloat16' ? 'float32' : logits.dtype;
  const { scored, index } = noGrad(() => {
    const isScored = ne(labels, ignoreIndex);
    return { scored: isScored, index: where(isScored, labels, zeros([], { dtype: 'int32' })) };
  });
  const logP = kind === 'stablemax' ? logStablemax(logits) : logSoftmax(cast(logits, dtype), -1);
  const picked = squeeze(gather(logP, shape.length - 1, unsqueeze(index, -1)), -1);
  // Selected, not multiplied: an infinite loss of an ignored position must not become NaN.
  const losses = where(scored, cast(neg(picked), dtype), zeros([], { dtype }));
  return reduce(losses, reduction, () => noGrad(() => cast(maximum(sum(scored), 1), dtype)));
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
