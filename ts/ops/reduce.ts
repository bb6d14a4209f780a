/** Reductions over any dimensions. */
import { ArgumentError } from '../error';
import { readArray, readObject } from '../tensor/arguments';
import { describe } from '../tensor/dtype';
import { calledAs, invokeView } from '../tensor/invoke';
import type { Tensor } from '../tensor/tensor';
import { requireInteger, requireTensor } from './arguments';
import { div, sub } from './arithmetic';
import { cast } from './cast';
import { eq, ne } from './compare';
import { defineOp, type Op } from './define';
import { square } from './power';
import { sqrt } from './unary';
import { where } from './where';

/** One dimension, several, or none for all; negative ones count from the end. */
export type ReduceDims = number | readonly number[] | undefined;

export interface ReduceOptions {
  /** Keep reduced dimensions with size 1. Default false. */
  readonly keepdim?: boolean;
}

export interface ReduceAttrs {
  readonly dims: readonly number[];
  readonly keepdim: boolean;
}

export function reduceAttrs(op: string, dims: unknown, options: ReduceOptions): ReduceAttrs {
  const list =
    dims === undefined
      ? []
      : typeof dims === 'number'
        ? [dims]
        : readArray(op, 'dims', dims, 'a number or an array of numbers').map((d, i) =>
            requireInteger(op, `dims[${i}]`, d),
          );
  const { keepdim = false } = readObject(op, 'options', options);
  if (typeof keepdim !== 'boolean')
    throw new ArgumentError(`${op}: keepdim must be true or false, got ${describe(keepdim)}`);
  return { dims: list, keepdim };
}

/** A reduced tensor (gradient, result) spread again over the shape it was reduced from. */
export function spread(reduced: Tensor, shape: readonly number[], { dims, keepdim }: ReduceAttrs): Tensor {
  const rank = shape.length;
  const isReduced = (d: number): boolean => dims.length === 0 || dims.includes(d) || dims.includes(d - rank);
  const kept = keepdim
    ? reduced
    : invokeView('reshape', reduced, { shape: shape.map((n, d) => (isReduced(d) ? 1 : n)) });
  return invokeView('expand', kept, { shape });
}

export const sumOp: Op<'sum'> = defineOp('sum', {
  vjp: ({ dy, attrs, shapes }) => [shapes[0] && spread(dy, shapes[0], attrs)],
});

/** Sum over `dims` (default: all). Integers and bool give int32, which wraps. The sum of nothing is 0. */
export function sum(x: Tensor, dims?: ReduceDims, options: ReduceOptions = {}): Tensor {
  return sumOp.one([x], reduceAttrs('sum', dims, options));
}

export const meanOp: Op<'mean'> = defineOp('mean', {
  vjp: ({ dy, attrs, shapes: [shape] }) => [
    shape && spread(div(dy, product(shape) / Math.max(1, dy.size)), shape, attrs),
  ],
});

/**
 * Mean over `dims` (default: all). The mean of nothing is NaN.
 *
 * @throws DTypeError for integers and bool
 */
export function mean(x: Tensor, dims?: ReduceDims, options: ReduceOptions = {}): Tensor {
  return meanOp.one([x], reduceAttrs('mean', dims, options));
}

/** The gradient goes to where the extreme was; where several are equal, each gets the same part. */
function toExtremes(dy: Tensor, x: Tensor, y: Tensor, attrs: ReduceAttrs): Tensor {
  const at = eq(x, spread(y, x.shape, attrs));
  const each = div(dy, cast(sum(at, attrs.dims, { keepdim: attrs.keepdim }), dy.dtype));
  return where(at, spread(each, x.shape, attrs), 0);
}

export const maxOp: Op<'max'> = defineOp('max', {
  save: ['x', 'y'],
  vjp: ({ dy, saved, attrs }) => [toExtremes(dy, saved.x, saved.y, attrs)],
});

/**
 * Largest element over `dims` (default: all), values only (`argmax` says where); NaN where any is NaN. Equal ones share
 * the gradient.
 *
 * @throws ShapeError where there is no element to take
 */
export function max(x: Tensor, dims?: ReduceDims, options: ReduceOptions = {}): Tensor {
  return maxOp.one([x], reduceAttrs('max', dims, options));
}

export const minOp: Op<'min'> = defineOp('min', {
  save: ['x', 'y'],
  vjp: ({ dy, saved, attrs }) => [toExtremes(dy, saved.x, saved.y, attrs)],
});

/** Smallest element over `dims` (default: all); otherwise as `max`. */
export function min(x: Tensor, dims?: ReduceDims, options: ReduceOptions = {}): Tensor {
  return minOp.one([x], reduceAttrs('min', dims, options));
}

/** Whether any element over `dims` (default: all) is true, that is, not 0. Of nothing: false. */
export function any(x: Tensor, dims?: ReduceDims, options: ReduceOptions = {}): Tensor {
  return ne(sumOp.one([ne(requireTensor('any', 'x', x), 0)], reduceAttrs('any', dims, options)), 0);
}

/** Whether all elements over `dims` (default: all) are true, that is, not 0. Of nothing: true. */
export function all(x: Tensor, dims?: ReduceDims, options: ReduceOptions = {}): Tensor {
  return eq(sumOp.one([eq(requireTensor('all', 'x', x), 0)], reduceAttrs('all', dims, options)), 0);
}

export interface VarOptions extends ReduceOptions {
  /** Divides by n - correction. Default 1 (sample variance). */
  readonly correction?: number;
}

/**
 * Variance over `dims` (default: all), in two passes. bfloat16 is computed in float32.
 *
 * @throws DTypeError for integers and bool
 */
export function variance(x: Tensor, dims?: ReduceDims, options: VarOptions = {}): Tensor {
  return varianceAs('variance', x, dims, options);
}

function varianceAs(op: string, x: Tensor, dims: ReduceDims, options: VarOptions): Tensor {
  const given = readObject(op, 'options', options);
  const attrs = reduceAttrs(op, dims, given);
  const { correction = 1 } = given;
  if (typeof correction !== 'number' || Number.isNaN(correction))
    throw new ArgumentError(`${op}: correction must be a number, got ${describe(correction)}`);
  const wide = requireTensor(op, 'x', x).dtype === 'bfloat16' ? cast(x, 'float32') : x;
  const centred = sub(
    wide,
    calledAs(op, 'mean', () => meanOp.one([wide], { dims: attrs.dims, keepdim: true })),
  );
  const squares = sumOp.one([square(centred)], attrs);
  const n = product(x.shape) / Math.max(1, squares.size);
  const result = div(squares, Math.max(0, n - correction));
  return x.dtype === 'bfloat16' ? cast(result, 'bfloat16') : result;
}

/**
 * Standard deviation: the square root of `variance`, with its options and errors.
 */
export function std(x: Tensor, dims?: ReduceDims, options: VarOptions = {}): Tensor {
  return sqrt(varianceAs('std', x, dims, options));
}

function product(shape: readonly number[]): number {
  return shape.reduce((n, size) => n * size, 1);
}
