/** Joining tensors and taking them apart: concat, stack, split, pad. */
import { noGrad } from '../autograd/no_grad';
import { filled } from '../autograd/tape';
import { ArgumentError, ShapeError } from '../error';
import { readArray } from '../tensor/arguments';
import { describe } from '../tensor/dtype';
import { nativeCall } from '../tensor/invoke';
import type { Tensor } from '../tensor/tensor';
import { requireDim, requireInteger, requireTensor, requireTensors, shapeText } from './arguments';
import { defineOp, type Op, recordComposed } from './define';
import { squeeze, unsqueeze } from './reshape';
import { sliceView } from './slice';

export const concatOp: Op<'concat'> = defineOp('concat', {
  allShapes: true,
  vjp: ({ dy, attrs, needs, shapes }) => {
    const dim = attrs.dim < 0 ? attrs.dim + dy.rank : attrs.dim;
    let start = 0;
    return shapes.map((shape, i) => {
      const [begin, stop] = [start, start + shape![dim]!];
      start = stop;
      return needs[i] ? sliceView(dy, { dim, start: begin, stop, step: 1 }) : undefined;
    });
  },
});

function requireSome(op: string, value: unknown): readonly Tensor[] {
  const tensors = requireTensors(op, 'tensors', value);
  if (tensors.length === 0) throw new ArgumentError(`${op}: tensors must have at least one tensor, got none`);
  return tensors;
}

/**
 * Tensors one behind the other in dimension `dim` (default 0); mixed dtypes are promoted.
 * @throws ShapeError where another size differs
 */
export function concat(tensors: readonly Tensor[], dim = 0): Tensor {
  return concatOp.one([requireSome('concat', tensors)], { dim: requireInteger('concat', 'dim', dim) });
}

/** Tensors of one shape along a new dimension `dim` (default 0) of the result. */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  const list = requireSome('stack', tensors);
  const { shape } = list[0]!;
  for (const [i, item] of list.entries())
    if (item.shape.join() !== shape.join())
      throw new ShapeError(
        `stack: shapes must be equal, got ${shapeText(shape)} and ${shapeText(item.shape)} (tensor ${i})`,
      );
  const at = requireDim('stack', 'dim', dim, shape.length + 1);
  return concat(
    list.map((item) => unsqueeze(item, at)),
    at,
  );
}

/**
 * Cuts a dimension (default 0) into parts of the given sizes, or of one size, where the last may be smaller. The parts
 * are views; their gradients come together in one concat.
 * @throws ShapeError where sizes do not add up to the dimension
 */
export function split(x: Tensor, sizes: number | readonly number[], dim = 0): Tensor[] {
  const { shape } = requireTensor('split', 'x', x);
  const d = requireDim('split', 'dim', dim, shape.length);
  const total = shape[d]!;
  const list = typeof sizes === 'number' ? equalSizes(sizes, total) : requireSizes(sizes, total);
  const parts = noGrad(() => {
    let start = 0;
    return list.map((size) => sliceView(x, { dim: d, start, stop: (start += size), step: 1 }));
  });
  recordComposed('split', [x], parts, (dys) => {
    const { dtype, device } = dys.find((dy) => dy !== undefined)!;
    const part = (size: number): Tensor =>
      filled([...shape.slice(0, d), size, ...shape.slice(d + 1)], dtype, 0, device);
    return [concat(list.length > 0 ? list.map((size, i) => dys[i] ?? part(size)) : [part(0)], d)];
  });
  return parts;
}

/** The slices of a dimension (default 0), each without it: select for every index. Gradients come together in one concat. */
export function unbind(x: Tensor, dim = 0): Tensor[] {
  const { rank } = requireTensor('unbind', 'x', x);
  const d = requireDim('unbind', 'dim', dim, rank);
  return split(x, 1, d).map((part) => squeeze(part, d));
}

function equalSizes(size: number, total: number): number[] {
  if (requireInteger('split', 'size', size) < 1) throw new ArgumentError(`split: size must be at least 1, got ${size}`);
  return Array.from({ length: Math.ceil(total / size) }, (_, i) => Math.min(size, total - i * size));
}

function requireSizes(sizes: unknown, total: number): readonly number[] {
  const list = readArray('split', 'sizes', sizes, 'a number or an array of numbers').map((size, i) =>
    requireInteger('split', `sizes[${i}]`, size),
  );
  if (list.some((size) => size < 0) || list.reduce((a, b) => a + b, 0) !== total)
    throw new ShapeError(`split: sizes must be non-negative and add up to ${total}, got ${shapeText(list)}`);
  return list;
}

/**
 * Adds `before` and `after` elements of `value` (default 0) to each dimension: one pair a dimension, left out for leading
 * ones, as the last dimensions are the usual ones to pad.
 * @throws ShapeError for more pairs than dimensions, ArgumentError for negative counts
 */
export function pad(x: Tensor, pads: readonly (readonly [before: number, after: number])[], value = 0): Tensor {
  const { shape, dtype, device } = requireTensor('pad', 'x', x);
  if (typeof value !== 'number') throw new ArgumentError(`pad: value must be a number, got ${describe(value)}`);
  const pairs = readArray('pad', 'pads', pads, 'an array of pairs').map((pair, i) => requirePair(pair, i));
  const lead = shape.length - pairs.length;
  if (lead < 0)
    throw new ShapeError(`pad: shape ${shapeText(shape)} has ${shape.length} dimensions, got ${pairs.length} pairs`);
  const padded = shape.map((n, d) => (d < lead ? n : n + pairs[d - lead]![0] + pairs[d - lead]![1]));
  /** The part of a padded tensor that is x. */
  const inside = (whole: Tensor): Tensor =>
    pairs.reduce((part, [before], i) => {
      const dim = lead + i;
      return sliceView(part, { dim, start: before, stop: before + shape[dim]!, step: 1 });
    }, whole);
  const result = noGrad(() => {
    const whole = filled(padded, dtype, value, device);
    nativeCall('copy').many([inside(whole), x]);
    return whole;
  });
  recordComposed('pad', [x], [result], ([dy]) => [inside(dy!)]);
  return result;
}

function requirePair(pair: unknown, i: number): readonly [number, number] {
  const items = readArray('pad', `pads[${i}]`, pair, 'a pair [before, after]');
  if (items.length !== 2)
    throw new ArgumentError(`pad: pads[${i}] must be a pair [before, after], got ${describe(pair)}`);
  const [before, after] = [requireInteger('pad', 'before', items[0]), requireInteger('pad', 'after', items[1])];
  if (before < 0 || after < 0)
    throw new ArgumentError(`pad: pads[${i}] must not be negative, got [${before}, ${after}]; use slice to crop`);
  return [before, after];
}
