/** Conversions of dtype and writes into existing tensors. */
import { toDevice } from '../tensor/create';
import type { Device } from '../native/device';
import type { DType } from '../tensor/dtype';
import { dtypeCode } from '../tensor/dtype';
import { calledAs } from '../tensor/invoke';
import type { Tensor } from '../tensor/tensor';
import { detached } from '../autograd/tape';
import { requireTensor } from './arguments';
import { checkInPlace, defineOp, type Op, recordComposed } from './define';

// The tape casts gradients back to the dtype of the input.
export const castOp: Op<'cast'> = defineOp('cast', { vjp: ({ dy }) => [dy] });

/**
 * x in another dtype, differentiable between floating dtypes. Float to integer truncates toward zero and saturates, NaN gives
 * 0; anything but 0 is true.
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  return castOp.one([x], { dtype: dtypeCode(dtype, 'cast') });
}

/** A copy in memory of its own; gradients flow through. */
export function clone(x: Tensor): Tensor {
  return cast(x, requireTensor('clone', 'x', x).dtype);
}

/** x on another device, itself where it is there already; gradients come back. @throws DeviceError */
export function moved(x: Tensor, device: Device): Tensor {
  const from = requireTensor('to', 'x', x).device;
  const result = toDevice(x, device, 'to');
  if (result !== x) recordComposed('to', [x], [result], ([dy]) => [toDevice(dy!, from, 'to')]);
  return result;
}

/** x itself where its elements lie in row-major order, otherwise a copy that does. */
export function contiguous(x: Tensor): Tensor {
  return requireTensor('contiguous', 'x', x).isContiguous ? x : clone(x);
}

/** The same values and memory, cut off the graph: no gradient flows through. */
export function detach(x: Tensor): Tensor {
  return detached(requireTensor('detach', 'x', x));
}

export const copyOp: Op<'copy'> = defineOp('copy');

/**
 * Writes `source`, broadcast and cast, into `target` and returns that. Not recorded.
 *
 * @throws AutogradError where one of them requires gradients outside noGrad
 */
export function copy_(target: Tensor, source: Tensor): Tensor {
  checkInPlace('copy_', [target, source]);
  const device = requireTensor('copy_', 'target', target).device;
  const here = toDevice(requireTensor('copy_', 'source', source), device, 'copy_');
  copyOp.many([target, here]);
  if (here !== source) here.dispose();
  return target;
}

export const fillOp: Op<'fill'> = defineOp('fill');

/** Writes 0 into every element of `target` and returns it. Not recorded. */
export function zero_(target: Tensor): Tensor {
  checkInPlace('zero_', [target]);
  calledAs('zero_', 'fill', () => fillOp.many([target], { value: 0 }));
  return target;
}

/** Writes one value into every element of `target` and returns it. Not recorded. */
export function fill_(target: Tensor, value: number): Tensor {
  checkInPlace('fill_', [target]);
  fillOp.many([target], { value });
  return target;
}
