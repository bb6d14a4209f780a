import { readOptions } from '../tensor/arguments';
import type { Tensor } from '../tensor/tensor';
import { defineOp, firstOf, type Op } from './define';

export const rmsNormBackwardOp: Op<'rms_norm_backward'> = defineOp('rms_norm_backward');

export const rmsNormOp: Op<'rms_norm'> = defineOp('rms_norm', {
  save: ['y', 'r'],
  // dx = r (dy - y mean(dy y)): y is what the next op keeps anyway, x is not needed.
  vjp: ({ dy, saved }) => [rmsNormBackwardOp.one([dy, saved.y, saved.r])],
});

/**
 * x / sqrt(mean(x^2) + eps) over the last dimension, without parameters (arXiv 1910.07467; HRM section 1). bfloat16 is
 * computed in float32.
 *
 * @param x [..., D] of floating dtype
 * @param options eps: default 1e-5
 */
export function rmsNorm(x: Tensor, options: { eps?: number } = {}): Tensor {
  const { eps = 1e-5 } = readOptions('rmsNorm', options, ['eps']);
  return firstOf(rmsNormOp.many([x], { eps }));
}
