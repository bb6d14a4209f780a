/** Views that keep every element: reshape, permute and what is made of them; expand, which repeats without copying. */
import { ShapeError } from '../error';
import type { Tensor } from '../tensor/tensor';
import { requireDim, requireIntegers, requireTensor, shapeText } from './arguments';
import { defineView, type View } from './define';

const reshapeView: View<'reshape'> = defineView('reshape', {
  vjp: (dy, _attrs, shape) => reshapeView(dy, { shape }),
});

/**
 * The same elements in row-major order under another shape; one size may be -1. A view where strides allow, else a copy.
 * @throws ShapeError where the number of elements differs
 */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  return reshapeView(requireTensor('reshape', 'x', x), { shape: requireIntegers('reshape', 'shape', shape) });
}

/** Merges the dimensions startDim..endDim (inclusive) into one; of a scalar it makes [1]. */
export function flatten(x: Tensor, startDim = 0, endDim = -1): Tensor {
  const { shape } = requireTensor('flatten', 'x', x);
  if (shape.length === 0) return reshapeView(x, { shape: [1] });
  const start = requireDim('flatten', 'startDim', startDim, shape.length);
  const end = requireDim('flatten', 'endDim', endDim, shape.length);
  if (end < start) throw new ShapeError(`flatten: endDim must not come before startDim, got ${startDim} and ${endDim}`);
  const merged = shape.slice(start, end + 1).reduce((product, n) => product * n, 1);
  return reshapeView(x, { shape: [...shape.slice(0, start), merged, ...shape.slice(end + 1)] });
}

/** Drops a dimension of size 1, several, or (by default) all of them. @throws ShapeError where a named one is larger */
export function squeeze(x: Tensor, dims?: number | readonly number[]): Tensor {
  const { shape } = requireTensor('squeeze', 'x', x);
  if (dims === undefined) return reshapeView(x, { shape: shape.filter((n) => n !== 1) });
  const list = typeof dims === 'number' ? [dims] : requireIntegers('squeeze', 'dims', dims);
  const dropped = new Set(list.map((dim) => requireDim('squeeze', 'dim', dim, shape.length)));
  for (const dim of dropped)
    if (shape[dim] !== 1)
      throw new ShapeError(`squeeze: dimension ${dim} of shape ${shapeText(shape)} must have size 1`);
  return reshapeView(x, { shape: shape.filter((_, d) => !dropped.has(d)) });
}

/** Adds a dimension of size 1 at `dim` of the result. */
export function unsqueeze(x: Tensor, dim: number): Tensor {
  const { shape } = requireTensor('unsqueeze', 'x', x);
  const at = requireDim('unsqueeze', 'dim', dim, shape.length + 1);
  return reshapeView(x, { shape: [...shape.slice(0, at), 1, ...shape.slice(at)] });
}

const permuteView: View<'permute'> = defineView('permute', {
  vjp: (dy, { dims }) => {
    const inverse: number[] = [];
    dims.forEach((dim, i) => (inverse[dim < 0 ? dim + dims.length : dim] = i));
    return permuteView(dy, { dims: inverse });
  },
});

/** Dimension i of the result is dimension dims[i] of x. A view. @throws ShapeError unless dims is a permutation */
export function permute(x: Tensor, dims: readonly number[]): Tensor {
  return permuteView(requireTensor('permute', 'x', x), { dims: requireIntegers('permute', 'dims', dims) });
}

/** Swaps two dimensions. A view. */
export function transpose(x: Tensor, dim0: number, dim1: number): Tensor {
  const { rank } = requireTensor('transpose', 'x', x);
  const [a, b] = [requireDim('transpose', 'dim0', dim0, rank), requireDim('transpose', 'dim1', dim1, rank)];
  const dims = Array.from({ length: rank }, (_, d) => (d === a ? b : d === b ? a : d));
  return permuteView(x, { dims });
}

const expandView: View<'expand'> = defineView('expand', {
  // The tape sums the gradient over what was repeated.
  vjp: (dy) => dy,
});

/**
 * Repeats dimensions of size 1 and adds leading ones, as broadcasting does, without copying: elements share memory, so
 * in-place writes to the result are not for you. A size of -1 keeps that of x.
 * @throws ShapeError where the shape does not broadcast
 */
export function expand(x: Tensor, shape: readonly number[]): Tensor {
  return expandView(requireTensor('expand', 'x', x), { shape: requireIntegers('expand', 'shape', shape) });
}

/** NumPy's name of {@link expand}. */
export const broadcastTo: typeof expand = expand;
