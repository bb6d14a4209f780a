import { readOptions } from '../tensor/arguments';
import type { Tensor } from '../tensor/tensor';
import { requireTensor } from './arguments';
import { defineOp, firstOf, type Op } from './define';

export const attentionBackwardOp: Op<'attention_backward'> = defineOp('attention_backward');

export const attentionOp: Op<'attention'> = defineOp('attention', {
  save: ['q', 'k', 'v', 'lse'],
  vjp: ({ dy, saved, attrs }) => attentionBackwardOp.many([dy, saved.q, saved.k, saved.v, saved.lse], attrs),
});

export interface AttentionOptions {
  /** Query i sees keys 0..i only. Default false. */
  causal?: boolean;
  /** Factor of the scores. Default 1/sqrt(d). */
  scale?: number;
}

/**
 * Scaled dot-product attention of every head: softmax(scale q k^T) v. Scores are held for a block of queries only; kept
 * for the gradient are the inputs and a log-sum-exp a row. bfloat16 is computed in float32.
 *
 * @param q [B, S, H, d], any strides
 * @param k [B, T, H, d] (T = S when causal)
 * @param v as k
 * @returns [B, S, H, d]
 * @throws ShapeError, DTypeError
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const { shape } = requireTensor('attention', 'q', q);
  const given = readOptions('attention', options, ['causal', 'scale']);
  const { causal = false, scale = 1 / Math.sqrt(shape[shape.length - 1] || 1) } = given;
  return firstOf(attentionOp.many([q, k, v], { causal, scale }));
}
