import { invokeView, nativeCall } from '../tensor/invoke';
import type { Tensor } from '../tensor/tensor';
import { requireTensor } from './arguments';
import { defineOp, type Op } from './define';
import { reshape, unsqueeze } from './reshape';

/** Swaps the last two dimensions; records nothing (vjps run without recording). */
export function transposed(x: Tensor): Tensor {
  const rank = x.shape.length;
  const dims = x.shape.map((_, d) => (d < rank - 2 ? d : 2 * rank - 3 - d));
  return invokeView('permute', x, { dims });
}
const product = (a: Tensor, b: Tensor): Tensor => nativeCall('matmul').one([a, b], { wide: false });
const asRows = (t: Tensor): Tensor => {
  const rows = t.shape.slice(0, -1).reduce((count, size) => count * size, 1);
  return invokeView('reshape', t, { shape: [rows, t.shape[t.rank - 1] as number] });
};

/**
 * a^T b over all leading dimensions: [..., M] and [..., N] -> [M, N], float32 of bfloat16. What a weight used by every row
 * gets: the tape rounds it where the weight is bfloat16, and not where that is a copy of a float32 one.
 */
export function outerSum(a: Tensor, b: Tensor): Tensor {
  return nativeCall('matmul').one([transposed(asRows(a)), asRows(b)], { wide: true });
}

export const matmulOp: Op<'matmul'> = defineOp('matmul', {
  save: ([a, b]) => [...(b ? (['a'] as const) : []), ...(a ? (['b'] as const) : [])],
  vjp: ({ dy, saved, needs, shapes }) => [
    needs[0] ? product(dy, transposed(saved.b)) : undefined,
    needs[1] ? (shapes[1]?.length === 2 ? outerSum(saved.a, dy) : product(transposed(saved.a), dy)) : undefined,
  ],
});

/**
 * Matrix product a [..., M, K] x b [..., K, N] -> [..., M, N]; leading dimensions broadcast. An operand of rank 1 is a
 * row (left) or a column (right) whose dimension of size 1 is dropped from the result, as in PyTorch. bfloat16 is
 * accumulated in float32. Transposed operands are not copied.
 *
 * @throws ShapeError when the inner sizes differ, the leading dimensions do not broadcast, or an operand is a scalar
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  const rowLeft = requireTensor('matmul', 'a', a).rank === 1;
  const columnRight = requireTensor('matmul', 'b', b).rank === 1;
  if (!rowLeft && !columnRight) return matmulOp.one([a, b], { wide: false });
  const y = matmulOp.one([rowLeft ? unsqueeze(a, 0) : a, columnRight ? unsqueeze(b, 1) : b], {
    wide: false,
  });
  const dropped = [...(rowLeft ? [y.rank - 2] : []), ...(columnRight ? [y.rank - 1] : [])];
  return reshape(
    y,
    y.shape.filter((_, d) => !dropped.includes(d)),
  );
}
