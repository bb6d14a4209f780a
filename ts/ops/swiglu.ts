import type { Tensor } from '../tensor/tensor';
import { defineOp, type Op } from './define';

export const swigluBackwardOp: Op<'swiglu_backward'> = defineOp('swiglu_backward');

export const swigluOp: Op<'swiglu'> = defineOp('swiglu', {
  save: ['gate_up'],
  vjp: ({ dy, saved }) => [swigluBackwardOp.one([dy, saved.gate_up])],
});

/**
 * silu(gate) * up (arXiv 2002.05202). The gradient computes silu again.
 *
 * @param gateUp [..., 2F]: F gate values, then F up values
 * @returns [..., F]
 */
export function swiglu(gateUp: Tensor): Tensor {
  return swigluOp.one([gateUp]);
}
