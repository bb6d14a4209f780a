import { full } from '../tensor/create';
import { readOptions } from '../tensor/arguments';
import type { Tensor } from '../tensor/tensor';
import { ShapeError } from '../error';
import { requireTensor, shapeText } from './arguments';
import { mulOp, negOp } from './arithmetic';
import { cast } from './cast';
import { reduce, type Reduction, requireReduction } from './cross_entropy';
import { defineOp, type Op } from './define';

/** The derivative by the logits: sigmoid(a) - b. */
export const bceWithLogitsSlopeOp: Op<'bce_with_logits_slope'> = defineOp('bce_with_logits_slope');

export const bceWithLogitsOp: Op<'bce_with_logits'> = defineOp('bce_with_logits', {
  save: (needs) => (needs[0] ? ['a', 'b'] : ['a']),
  vjp: ({ dy, saved: { a, b }, needs }) => [
    needs[0] ? mulOp.one([dy, bceWithLogitsSlopeOp.one([a, b])]) : undefined,
    needs[1] ? negOp.one([mulOp.one([dy, a])]) : undefined,
  ],
});

/**
 * Binary cross entropy of logits x against probabilities t: max(x, 0) - x t + log(1 + exp(-|x|)), in float64 inside.
 *
 * @param logits of floating dtype
 * @param targets same shape, 0..1
 * @returns the losses, or their sum or mean (default); in the dtype of the logits, bfloat16 as float32
 * @throws ShapeError where the shapes differ
 */
export function bceWithLogits(logits: Tensor, targets: Tensor, options: { reduction?: Reduction } = {}): Tensor {
  const { reduction = 'mean' } = readOptions('bceWithLogits', options, ['reduction']);
  requireReduction('bceWithLogits', reduction);
  const { shape } = requireTensor('bceWithLogits', 'logits', logits);
  if (requireTensor('bceWithLogits', 'targets', targets).shape.join() !== shape.join())
    throw new ShapeError(
      `bceWithLogits: targets must have the shape of logits, ${shapeText(shape)}, got ${shapeText(targets.shape)}`,
    );
  const dtype = logits.dtype === 'float64' ? 'float64' : 'float32';
  const as = (t: Tensor): Tensor => (t.dtype === dtype ? t : cast(t, dtype));
  const losses = bceWithLogitsOp.one([as(logits), as(targets)]);
  return reduce(losses, reduction, () => full([], Math.max(1, logits.size), { dtype }));
}
