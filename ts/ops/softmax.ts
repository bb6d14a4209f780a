/** softmax and relatives along a dimension; argmax and argmin. Integers are computed as float32. */
import { ShapeError } from '../error';
import { invokeView } from '../tensor/invoke';
import type { Tensor } from '../tensor/tensor';
import { mulOp, sub } from './arithmetic';
import { requireTensor } from './arguments';
import { cast } from './cast';
import { eq } from './compare';
import { defineOp, type Op } from './define';
import { type ReduceDims, type ReduceOptions, reduceAttrs } from './reduce';
import { squeeze } from './reshape';
import { exp } from './unary';
import { where } from './where';

export const softmaxGradOp: Op<'softmax_grad'> = defineOp('softmax_grad');
export const softmaxOp: Op<'softmax'> = defineOp('softmax', {
  save: ['y'],
  vjp: ({ dy, saved, attrs }) => [softmaxGradOp.one([dy, saved.y], attrs)],
});

/** exp(x) / sum(exp(x)) along `dim`, without overflow. Where all are -Infinity: NaN. */
export function softmax(x: Tensor, dim: number): Tensor {
  return softmaxOp.one([x], { dim });
}

export const logSoftmaxGradOp: Op<'log_softmax_grad'> = defineOp('log_softmax_grad');
export const logSoftmaxOp: Op<'log_softmax'> = defineOp('log_softmax', {
  save: ['y'],
  vjp: ({ dy, saved, attrs }) => [logSoftmaxGradOp.one([dy, saved.y], attrs)],
});

/** log(softmax(x)) along `dim`, without loss of digits. */
export function logSoftmax(x: Tensor, dim: number): Tensor {
  return logSoftmaxOp.one([x], { dim });
}

export const logsumexpOp: Op<'logsumexp'> = defineOp('logsumexp', {
  save: ['x', 'y'],
  // dy softmax(x); where all x are -Infinity nothing flows.
  vjp: ({ dy, saved: { x, y } }) => [mulOp.one([dy, exp(sub(x, where(eq(y, -Infinity), 0, y)))])],
});

/** log(sum(exp(x))) over `dims` (default: all), without overflow. Of nothing, and where all are -Infinity: -Infinity. */
export function logsumexp(x: Tensor, dims?: ReduceDims, options: ReduceOptions = {}): Tensor {
  const { dims: named, keepdim } = reduceAttrs('logsumexp', dims, options);
  const { rank } = requireTensor('logsumexp', 'x', x);
  const over = named.length > 0 || rank === 0 ? named.map((d) => (d < 0 ? d + rank : d)) : x.shape.map((_, d) => d);
  if (new Set(over).size !== over.length)
    throw new ShapeError(`logsumexp: dims must not repeat, got [${named.join(', ')}]`);
  if (over.length <= 1) {
    const y = logsumexpOp.one([x], { dim: over[0] ?? 0 });
    return keepdim || rank === 0 ? y : squeeze(y, over);
  }
  // One dimension after the other; bfloat16 is rounded once, at the end.
  const wide = x.dtype === 'bfloat16' ? cast(x, 'float32') : x;
  const y = over.reduce((partial, dim) => logsumexpOp.one([partial], { dim }), wide);
  const rounded = x.dtype === 'bfloat16' ? cast(y, 'bfloat16') : y;
  return keepdim ? rounded : squeeze(rounded, over);
}

export const argmaxOp: Op<'argmax'> = defineOp('argmax');
export const argminOp: Op<'argmin'> = defineOp('argmin');

function argExtreme(
  op: Op<'argmax'> | Op<'argmin'>,
  x: Tensor,
  dim: number | undefined,
  options: ReduceOptions,
): Tensor {
  const { keepdim } = reduceAttrs(op.opName, dim, options);
  if (dim === undefined) {
    const flat = invokeView('reshape', requireTensor(op.opName, 'x', x), { shape: [x.size] });
    const y = op.one([flat], { dim: 0 });
    return invokeView('reshape', y, { shape: keepdim ? x.shape.map(() => 1) : [] });
  }
  const y = op.one([x], { dim });
  return keepdim || x.shape.length === 0 ? y : squeeze(y, [dim]);
}

/**
 * Index (int32) of the largest element along `dim`, or in the flattened tensor; the lowest of several, the first NaN where
 * there is one.
 *
 * @throws ShapeError where there is no element
 */
export function argmax(x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor {
  return argExtreme(argmaxOp, x, dim, options);
}

/** Index of the smallest element; otherwise as `argmax`. */
export function argmin(x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor {
  return argExtreme(argminOp, x, dim, options);
}
