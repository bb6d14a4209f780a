/** Reductions over any dimensions. */
import { ArgumentError } from '../error';
import { describe } from '../tensor/dtype';
import { invokeView } from '../tensor/invoke';
import type { Tensor } from '../tensor/tensor';
import { defineOp, type Op } from './define';

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
  if (dims !== undefined && typeof dims !== 'number' && !Array.isArray(dims))
    throw new ArgumentError(`${op}: dims must be a number or an array of numbers, got ${describe(dims)}`);
  if (typeof options !== 'object' || options === null)
    throw new ArgumentError(`${op}: options must be an object, got ${describe(options)}`);
  const list = dims === undefined ? [] : typeof dims === 'number' ? [dims] : (dims as readonly number[]);
  return { dims: list, keepdim: options.keepdim ?? false };
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
