import { full, zeros } from '../tensor/create';
import { readOptions } from '../tensor/arguments';
import type { Tensor } from '../tensor/tensor';
import { ShapeError } from '../error';
import { requireTensor, shapeText } from './arguments';
import { add, mul, neg, sub } from './arithmetic';
import { cast } from './cast';
import { ge } from './compare';
import { reduce, type Reduction, requireReduction } from './cross_entropy';
import { exp, log } from './unary';
import { where } from './where';

/**
 * Binary cross entropy of logits x against probabilities t: max(x, 0) - x t + log(1 + exp(-|x|)).
 *
 * @param logits of floating dtype
 * @param targets same shape, 0..1
 * @returns the losses, or their sum or mean (default)
 */
export function bceWithLogits(logits: Tensor, targets: Tensor, options: { reduction?: Reduction } = {}): Tensor {
  const { reduction = 'mean' } = readOptions('bceWithLogits', options, ['reduction']);
  requireReduction('bceWithLogits', reduction);
  const { shape } = requireTensor('bceWithLogits', 'logits', logits);
  if (requireTensor('bceWithLogits', 'targets', targets).shape.join() !== shape.join())
    throw new ShapeError(
      `bceWithLogits: targets must have the shape of logits, ${shapeText(shape)}, got ${shapeText(targets.shape)}`,
    );
  // In float64: log(1 + e) of a small e keeps no digits in float32. By select, so that the gradient at 0 is 1/2 - t.
  const x = cast(logits, 'float64');
  const positive = ge(x, 0);
  const magnitude = where(positive, x, neg(x));
  const losses = add(
    sub(where(positive, x, zeros([], { dtype: 'float64' })), mul(x, cast(targets, 'float64'))),
    log(add(exp(neg(magnitude)), 1)),
  );
  const dtype = logits.dtype === 'bfloat16' ? 'float32' : logits.dtype;
  return reduce(cast(losses, dtype), reduction, () => full([], Math.max(1, logits.size), { dtype }));
}
