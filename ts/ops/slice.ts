/** Views of a part: slice, narrow, select. Their gradient is placed into zeros. */
import { ArgumentError, ShapeError } from '../error';
import { filled } from '../autograd/tape';
import { readArray } from '../tensor/arguments';
import { describe } from '../tensor/dtype';
import { nativeCall } from '../tensor/invoke';
import type { Tensor } from '../tensor/tensor';
import { requireDim, requireInteger, requireTensor, shapeText } from './arguments';
import { defineView, type View } from './define';
import { squeeze } from './reshape';

export const sliceView: View<'slice'> = defineView('slice', {
  vjp: (dy, attrs, shape) => {
    const dx = filled(shape, dy.dtype, 0, dy.device);
    const part = sliceView(dx, attrs);
    nativeCall('copy').many([part, dy]);
    return dx;
  },
});

/**
 * What to take of one dimension: a number takes that index and drops the dimension; [start, stop] or [start, stop, step]
 * takes a range, where null or a missing bound means the end of the dimension; null takes all.
 * Negative indices count from the end, ranges are clamped, the step is positive.
 */
export type Range = number | null | readonly [start?: number | null, stop?: number | null, step?: number];

/**
 * Part of a tensor: one range a dimension, left out for trailing dimensions. A view.
 *
 *     slice(x, [[0, 2], null, 3])  // x[0:2, :, 3]
 *
 * @throws ShapeError for more ranges than dimensions, ArgumentError for an index out of range or a malformed range
 */
export function slice(x: Tensor, ranges: readonly Range[]): Tensor {
  const { shape } = requireTensor('slice', 'x', x);
  const list = readArray('slice', 'ranges', ranges, 'an array, one range a dimension') as readonly Range[];
  if (list.length > shape.length)
    throw new ShapeError(`slice: shape ${shapeText(shape)} has ${shape.length} dimensions, got ${list.length} ranges`);
  const dropped: number[] = [];
  let result = x;
  list.forEach((range, dim) => {
    if (range === null) return;
    const size = shape[dim] as number;
    if (typeof range === 'number') {
      const start = requireIndex('slice', range, size, dim);
      result = sliceView(result, { dim, start, stop: start + 1, step: 1 });
      dropped.push(dim);
      return;
    }
    const [start, stop, step] = requireRange(range, dim);
    result = sliceView(result, { dim, start: start ?? 0, stop: stop ?? size, step });
  });
  return dropped.length > 0 ? squeeze(result, dropped) : result;
}

function requireRange(
  range: unknown,
  dim: number,
): [start: number | undefined, stop: number | undefined, step: number] {
  const what = 'a number, null or [start, stop, step]';
  const items = readArray('slice', `the range of dimension ${dim}`, range, what);
  if (items.length > 3)
    throw new ArgumentError(`slice: the range of dimension ${dim} must be ${what}, got ${describe(range)}`);
  const [start, stop, step] = items;
  const bound = (value: unknown, name: string): number | undefined =>
    value === undefined || value === null ? undefined : requireInteger('slice', `${name} of dimension ${dim}`, value);
  return [bound(start, 'start'), bound(stop, 'stop'), bound(step, 'step') ?? 1];
}

function requireIndex(op: string, value: unknown, size: number, dim: number): number {
  const index = requireInteger(op, 'index', value);
  if (index < -size || index >= size)
    throw new ArgumentError(`${op}: index must be in ${-size}..${size - 1} for dimension ${dim}, got ${index}`);
  return index < 0 ? index + size : index;
}

/** `length` elements of a dimension from `start` on, which counts from the end when negative. A view. */
export function narrow(x: Tensor, dim: number, start: number, length: number): Tensor {
  const { shape } = requireTensor('narrow', 'x', x);
  const d = requireDim('narrow', 'dim', dim, shape.length);
  const size = shape[d] as number;
  const from = requireInteger('narrow', 'start', start);
  const begin = from < 0 ? from + size : from;
  if (begin < 0 || requireInteger('narrow', 'length', length) < 0 || begin + length > size)
    throw new ShapeError(
      `narrow: start and length must lie in dimension ${d} of shape ${shapeText(shape)}, got ${start} and ${length}`,
    );
  return sliceView(x, { dim: d, start: begin, stop: begin + length, step: 1 });
}

/** Index `index` of a dimension, which is dropped. A view. @throws ArgumentError for an index out of range */
export function select(x: Tensor, dim: number, index: number): Tensor {
  const { shape } = requireTensor('select', 'x', x);
  const d = requireDim('select', 'dim', dim, shape.length);
  const start = requireIndex('select', index, shape[d] as number, d);
  return squeeze(sliceView(x, { dim: d, start, stop: start + 1, step: 1 }), d);
}
