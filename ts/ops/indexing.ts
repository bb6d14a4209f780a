/**
 * Elements by index: indexSelect (embedding), gather, scatterAdd, oneHot. Indices are int32, from 0 to the size of the
 * dimension, and checked before anything is written: one out of range is an ArgumentError that says which and where.
 */
import { filled } from '../autograd/tape';
import { ArgumentError } from '../error';
import { checkOptions } from '../tensor/create';
import type { DType } from '../tensor/dtype';
import { calledAs } from '../tensor/invoke';
import type { Tensor } from '../tensor/tensor';
import { requireInteger, requireTensor } from './arguments';
import { defineOp, type Op } from './define';
import { unsqueeze } from './reshape';

export const indexSelectOp: Op<'index_select'> = defineOp('index_select', {
  save: ['ids'],
  vjp: ({ dy, saved, attrs, shapes }) => {
    const shape = shapes[0]!;
    const dim = attrs.dim < 0 ? attrs.dim + shape.length : attrs.dim;
    return [indexSelectBackwardOp.one([dy, saved.ids], { dim, size: shape[dim]! }), undefined];
  },
});

export const indexSelectBackwardOp: Op<'index_select_backward'> = defineOp('index_select_backward', {
  save: ['ids'],
  vjp: ({ dy, saved, attrs }) => [indexSelectOp.one([dy, saved.ids], { dim: attrs.dim }), undefined],
});

/**
 * Slices of x along `dim` in the order of `ids` (int32, any shape): in the result the dimension is replaced by those of
 * ids. The gradient adds in the order of ids, so it is bit-equal from run to run.
 * @throws ArgumentError for an id outside of the dimension, DTypeError for ids that are not int32
 */
export function indexSelect(x: Tensor, dim: number, ids: Tensor): Tensor {
  return indexSelectOp.one([x, ids], { dim: requireInteger('indexSelect', 'dim', dim) });
}

/** Rows of `weight` [V, D]: ids [...] int32 give [..., D]. indexSelect on the first dimension. */
export function embedding(weight: Tensor, ids: Tensor): Tensor {
  return calledAs('embedding', 'index_select', () =>
    indexSelectOp.one([requireTensor('embedding', 'weight', weight), requireTensor('embedding', 'ids', ids)], {
      dim: 0,
    }),
  );
}

export const gatherOp: Op<'gather'> = defineOp('gather', {
  save: ['index'],
  vjp: ({ dy, saved, attrs, shapes }) => [
    scatterAddOp.one([filled(shapes[0]!, dy.dtype, 0, dy.device), saved.index, dy], attrs),
    undefined,
  ],
});

/**
 * y[i, j, k] = x[i, index[i, j, k], k] for dim = 1 of three: the result has the shape of index, which has the rank of x
 * and no larger size except in `dim`.
 * @throws ShapeError; ArgumentError for an index out of range; DTypeError for an index that is not int32
 */
export function gather(x: Tensor, dim: number, index: Tensor): Tensor {
  return gatherOp.one([x, index], { dim: requireInteger('gather', 'dim', dim) });
}

export const scatterAddOp: Op<'scatter_add'> = defineOp('scatter_add', {
  save: (needs) => (needs[2] ? ['index'] : []),
  vjp: ({ dy, saved, attrs, needs }) => [dy, undefined, needs[2] ? gatherOp.one([dy, saved.index], attrs) : undefined],
});

/**
 * A copy of x with src added: y[i, index[i, j, k], k] += src[i, j, k] for dim = 1 of three, in the order of j. src and
 * index have one shape, src the dtype of x.
 * @throws ShapeError, DTypeError; ArgumentError for an index out of range
 */
export function scatterAdd(x: Tensor, dim: number, index: Tensor, src: Tensor): Tensor {
  return scatterAddOp.one([x, index, src], { dim: requireInteger('scatterAdd', 'dim', dim) });
}

/**
 * ids [...] int32 to [..., n]: 1 at the id, 0 elsewhere. dtype: float32 by default.
 * @throws ArgumentError for an id outside of 0..n-1
 */
export function oneHot(ids: Tensor, n: number, options: { readonly dtype?: Exclude<DType, 'bool'> } = {}): Tensor {
  const { shape, device } = requireTensor('oneHot', 'ids', ids);
  if (requireInteger('oneHot', 'n', n) < 1) throw new ArgumentError(`oneHot: n must be at least 1, got ${n}`);
  const dtype = checkOptions('oneHot', options).dtype ?? 'float32';
  const [whole, one] = [filled([...shape, n], dtype, 0, device), filled([...shape, 1], dtype, 1, device)];
  return scatterAddOp.one([whole, unsqueeze(ids, -1), one], { dim: -1 });
}
