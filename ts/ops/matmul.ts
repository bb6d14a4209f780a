import { invokeView } from '../tensor/invoke';
import type { Tensor } from '../tensor/tensor';
import { defineOp, type Op } from './define';

function transposed(x: Tensor): Tensor {
  const rank = x.shape.length;
  const dims = x.shape.map((_, d) => (d < rank - 2 ? d : 2 * rank - 3 - d));
  return invokeView('permute', x, { dims });
}

export const matmulOp: Op<'matmul'> = defineOp('matmul', {
  save: ([a, b]) => [...(b ? (['a'] as const) : []), ...(a ? (['b'] as const) : [])],
  vjp: ({ dy, saved, needs }) => [
    needs[0] ? matmulOp.one([dy, transposed(saved.b)]) : undefined,
    needs[1] ? matmulOp.one([transposed(saved.a), dy]) : undefined,
  ],
});

/** a [..., M, K] x b [..., K, N] -> [..., M, N], leading dimensions broadcast. */
export function matmul(a: Tensor, b: Tensor): Tensor {
  return matmulOp.one([a, b]);
}
