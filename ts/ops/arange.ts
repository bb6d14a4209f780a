/** Tensors made from a few numbers: arange, linspace, eye, and copies of another's shape and dtype. */
import { filled } from '../autograd/tape';
import { ArgumentError } from '../error';
import { checkOptions, fullAs, moveOwned, type TensorOptions } from '../tensor/create';
import { describe, dtypeCode, isFloat } from '../tensor/dtype';
import { nativeCall } from '../tensor/invoke';
import type { Tensor } from '../tensor/tensor';
import { requireInteger, requireTensor } from './arguments';
import { defineOp, type Op } from './define';
import { reshape } from './reshape';
import { sliceView } from './slice';

export const arangeOp: Op<'arange'> = defineOp('arange');

/** Without `shape`, which these functions decide themselves. */
export type CreateOptions = Omit<TensorOptions, 'shape'>;

function requireFinite(op: string, name: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw new ArgumentError(`${op}: ${name} must be a finite number, got ${describe(value)}`);
  return value;
}

/** Where and how the options want what was made on the CPU. */
function withGrad(made: Tensor, options: CreateOptions, op: string): Tensor {
  const result = moveOwned(made, options.device, op);
  if (options.requiresGrad) result.requiresGrad = true;
  return result;
}

/**
 * start, start + step, ... before stop; `arange(n)` counts from 0. dtype: int32 where start, stop and step are integers,
 * else float32. Element i is start + i * step, computed in double.
 * @throws ArgumentError for a step of 0, or values that an integer dtype does not hold
 */
export function arange(stop: number, options?: CreateOptions): Tensor;
export function arange(start: number, stop: number, options?: CreateOptions): Tensor;
export function arange(start: number, stop: number, step: number, options?: CreateOptions): Tensor;
export function arange(...args: readonly (number | CreateOptions | undefined)[]): Tensor {
  const split = args.findIndex((arg) => typeof arg !== 'number');
  const numbers = split < 0 ? args : args.slice(0, split);
  const options = checkOptions('arange', (split < 0 ? undefined : (args[split] as CreateOptions | undefined)) ?? {});
  if (numbers.length < 1 || numbers.length > 3)
    throw new ArgumentError(`arange: takes (stop), (start, stop) or (start, stop, step), got ${describe(args[0])}`);
  const [first, second, third] = numbers;
  const start = requireFinite('arange', 'start', second === undefined ? 0 : first);
  const stop = requireFinite('arange', 'stop', second === undefined ? first : second);
  const step = requireFinite('arange', 'step', third ?? 1);
  if (step === 0) throw new ArgumentError('arange: step must not be 0');
  const size = Math.max(0, Math.ceil((stop - start) / step));
  if (!Number.isSafeInteger(size))
    throw new ArgumentError(`arange: the number of elements must be below 2^53, got ${size}`);
  const whole = [start, stop, step].every(Number.isInteger);
  const dtype = dtypeCode(options.dtype ?? (whole ? 'int32' : 'float32'), 'arange');
  return withGrad(arangeOp.one([], { start, step, size, dtype }), options, 'arange');
}

/** n evenly spaced numbers from start to stop, both included; float32 by default. */
export function linspace(start: number, stop: number, n: number, options: CreateOptions = {}): Tensor {
  const given = checkOptions('linspace', options);
  const [from, to] = [requireFinite('linspace', 'start', start), requireFinite('linspace', 'stop', stop)];
  if (requireInteger('linspace', 'n', n) < 0) throw new ArgumentError(`linspace: n must not be negative, got ${n}`);
  const dtype = given.dtype ?? 'float32';
  if (!isFloat(dtype)) throw new ArgumentError(`linspace: dtype must be floating, got ${describe(dtype)}`);
  const step = n > 1 ? (to - from) / (n - 1) : 0;
  const result = arangeOp.one([], { start: from, step, size: n, dtype: dtypeCode(dtype) });
  // Rounding must not move the end.
  if (n > 1) nativeCall('fill').many([sliceView(result, { dim: 0, start: n - 1, stop: n, step: 1 })], { value: to });
  return withGrad(result, given, 'linspace');
}

/** [n, m] (m: n) with ones on the diagonal, zeros elsewhere; float32 by default. */
export function eye(n: number, m = n, options: CreateOptions = {}): Tensor {
  const given = checkOptions('eye', options);
  for (const [name, size] of Object.entries({ n, m }))
    if (requireInteger('eye', name, size) < 0)
      throw new ArgumentError(`eye: ${name} must not be negative, got ${size}`);
  const dtype = given.dtype ?? 'float32';
  dtypeCode(dtype, 'eye');
  const flat = filled([n * m], dtype, 0, 'cpu');
  // In row-major order the diagonal is every (m + 1)-th element of the first min(n, m) rows.
  const diagonal = sliceView(flat, { dim: 0, start: 0, stop: Math.min(n, m) * m, step: m + 1 });
  nativeCall('fill').many([diagonal], { value: 1 });
  return withGrad(reshape(flat, [n, m]), given, 'eye');
}

function likeAs(op: string, x: Tensor, value: number | boolean, options: CreateOptions): Tensor {
  const { shape, dtype, device } = requireTensor(op, 'x', x);
  const given = checkOptions(op, options);
  return fullAs(op, shape, value, { ...given, dtype: given.dtype ?? dtype, device: given.device ?? device });
}

/** Every element `value`, in the shape and (unless `options` says otherwise) the dtype of x. */
export function fullLike(x: Tensor, value: number | boolean, options: CreateOptions = {}): Tensor {
  return likeAs('fullLike', x, value, options);
}

/** All 0, in the shape and (unless `options` says otherwise) the dtype of x. @throws ArgumentError */
export function zerosLike(x: Tensor, options: CreateOptions = {}): Tensor {
  return likeAs('zerosLike', x, 0, options);
}

/** All 1, in the shape and (unless `options` says otherwise) the dtype of x. @throws ArgumentError */
export function onesLike(x: Tensor, options: CreateOptions = {}): Tensor {
  return likeAs('onesLike', x, 1, options);
}
