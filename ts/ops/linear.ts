import type { Tensor } from '../tensor/tensor';
import { defineOp, type Op } from './define';
import { outerSum, transposed } from './matmul';
import { sumOp } from './reduce';

/** [..., N] -> [N] */
function rowSum(dy: Tensor): Tensor {
  const dims = dy.shape.slice(0, -1).map((_, i) => i);
  return dims.length === 0 ? dy : sumOp.one([dy], { dims, keepdim: false });
}

export const linearOp: Op<'linear'> = defineOp('linear', {
  save: ([x, weight]) => [...(weight ? (['x'] as const) : []), ...(x ? (['weight'] as const) : [])],
  vjp: ({ dy, saved, needs }) => [
    needs[0] ? linearOp.one([dy, transposed(saved.weight), undefined]) : undefined,
    needs[1] ? outerSum(dy, saved.x) : undefined,
    needs[2] ? rowSum(dy) : undefined,
  ],
});

/**
 * y = x W^T + b. bfloat16 is accumulated in float32.
 *
 * @param x [..., K]
 * @param weight [N, K], any strides
 * @param bias [N], optional
 * @returns [..., N]
 * @throws ShapeError when the sizes do not fit
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  return linearOp.one([x, weight, bias]);
}
