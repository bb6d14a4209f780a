import { ArgumentError, DTypeError, ShapeError } from '../error';
import { addon, guarded, retryAfterCollection } from '../native/boundary';
import { readArgument, readArray, readObject } from './arguments';
import { type Device, deviceCode } from '../native/device';
import { describe, type DType, dtypeCode } from './dtype';
import { nativeCall } from './invoke';
import { Handle, Tensor } from './tensor';

export type NestedArray = number | boolean | readonly NestedArray[];
export type TensorData = NestedArray | ArrayBufferView;

export interface TensorOptions {
  /** Default: float32 for numbers, bool for booleans, the matching dtype for typed arrays. */
  dtype?: DType;
  /** Default: that of the nested array, or [length] for a typed array. */
  shape?: readonly number[];
  /** Default 'cpu'. */
  device?: Device;
  requiresGrad?: boolean;
}

export function checkShape(op: string, shape: unknown): readonly number[] {
  const sizes = readArray(op, 'shape', shape, 'an array of sizes');
  for (const size of sizes)
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      throw new ShapeError(`${op}: sizes must be non-negative integers, got ${describe(size)}`);
  return sizes as readonly number[];
}

/** An uninitialised tensor, to be written at once. */
export function emptyTensor(shape: readonly number[], dtype: DType, op: string, device?: Device): Tensor {
  const handle = new Handle();
  const code = dtypeCode(dtype, op);
  const where = deviceCode(device, op);
  try {
    handle.id = addon().empty(handle, code, shape, where);
  } catch (error) {
    handle.id = retryAfterCollection(error, () => addon().empty(handle, code, shape, where), { op: 'empty', name: op });
  }
  return new Tensor(handle);
}

interface Flat {
  values: Float64Array;
  shape: number[];
  allBooleans: boolean;
}

function flatten(data: NestedArray, op: string): Flat {
  const shape: number[] = [];
  for (let level: unknown = data; Array.isArray(level); level = (level as unknown[])[0]) {
    shape.push(level.length);
    if (shape.length > 8) throw new ShapeError(`${op}: arrays nested deeper than 8 dimensions`);
  }
  const values = new Float64Array(shape.reduce((product, n) => product * n, 1));
  let count = 0;
  let allBooleans = true;
  const visit = (node: unknown, depth: number): void => {
    if (depth === shape.length) {
      if (typeof node !== 'number' && typeof node !== 'boolean')
        throw new ArgumentError(`${op}: elements must be numbers or booleans, got ${describe(node)}`);
      if (typeof node === 'number') allBooleans = false;
      values[count++] = Number(node);
      return;
    }
    const length = shape[depth] as number;
    if (!Array.isArray(node) || node.length !== length)
      throw new ShapeError(`${op}: nested arrays must be regular: expected ${length} items, got ${describe(node)}`);
    for (let i = 0; i < length; ++i) visit(node[i], depth + 1);
  };
  visit(data, 0);
  return { values, shape, allBooleans: allBooleans && values.length > 0 };
}

/** By toStringTag, not instanceof: typed arrays of other realms (jest, vm) are as good. */
const typedArrayDTypes: Readonly<Record<string, DType>> = {
  Float32Array: 'float32',
  Float64Array: 'float64',
  Int32Array: 'int32',
  Uint8Array: 'uint8',
  Uint8ClampedArray: 'uint8',
};

function fromView(data: ArrayBufferView, options: TensorOptions, op: string): Tensor {
  const { tag, length } = readArgument(op, 'data', () => ({
    tag: (data as unknown as Record<symbol, string>)[Symbol.toStringTag] ?? '',
    length: (data as unknown as { length: number }).length,
  }));
  const wanted = options.dtype;
  // Raw 16-bit patterns are bfloat16 only when asked for.
  const source =
    tag === 'Uint16Array' && wanted === 'bfloat16'
      ? 'bfloat16'
      : Object.hasOwn(typedArrayDTypes, tag)
        ? typedArrayDTypes[tag]
        : undefined;
  if (source === undefined)
    throw new DTypeError(
      `${op}: data must be a Float32Array, Float64Array, Int32Array, Uint8Array, or a Uint16Array of bfloat16 bits with dtype 'bfloat16'; got ${tag || 'a DataView'}`,
    );
  const shape = options.shape === undefined ? [length] : checkShape(op, options.shape);
  const size = shape.reduce((product, n) => product * n, 1);
  if (size !== length)
    throw new ShapeError(`${op}: shape [${shape.join(', ')}] has ${size} elements, the data has ${length}`);
  const stored = wanted === 'bool' && source === 'uint8' ? 'uint8' : source;
  const raw = emptyTensor(shape, stored, op);
  guarded(() => {
    addon().write(Tensor.handleOf(raw, op, 'tensor').id, data);
  });
  return castOwned(raw, wanted ?? source, op);
}

/** Casts and lets go of the source. */
function castOwned(source: Tensor, dtype: DType, op: string): Tensor {
  if (source.dtype === dtype) return source;
  const result = nativeCall('cast').one([source], { dtype: dtypeCode(dtype, op) });
  source.dispose();
  return result;
}

/** The tensor itself where it is on the device already, otherwise a copy there. */
export function toDevice(x: Tensor, device: Device, op: string): Tensor {
  const code = deviceCode(device, op);
  if (deviceCode(x.device, op) === code) return x;
  const handle = new Handle();
  const { id } = Tensor.handleOf(x, op, 'tensor');
  try {
    handle.id = addon().toDevice(handle, id, code);
  } catch (error) {
    handle.id = retryAfterCollection(error, () => addon().toDevice(handle, id, code), { op: 'toDevice', name: op });
  }
  return new Tensor(handle);
}

/** Moves, and lets go of the source. */
export function moveOwned(source: Tensor, device: Device | undefined, op: string): Tensor {
  const result = device === undefined ? source : toDevice(source, device, op);
  if (result !== source) source.dispose();
  return result;
}

/**
 * A tensor from a number, a boolean, nested arrays or a typed array; the data is copied.
 *
 * @throws ShapeError for ragged arrays or a shape that does not fit, ArgumentError for elements that are not numbers
 */
export function tensor(data: TensorData, options: TensorOptions = {}): Tensor {
  const given = checkOptions('tensor', options);
  let result: Tensor;
  if (ArrayBuffer.isView(data)) {
    result = fromView(data, given, 'tensor');
  } else {
    const { values, shape, allBooleans } = readArgument('tensor', 'data', () => flatten(data, 'tensor'));
    const dtype = given.dtype ?? (allBooleans ? 'bool' : 'float32');
    dtypeCode(dtype, 'tensor');
    const view = dtype === 'float32' ? new Float32Array(values) : values;
    result = fromView(view, { dtype, shape: given.shape ?? shape }, 'tensor');
  }
  result = moveOwned(result, given.device, 'tensor');
  if (given.requiresGrad) result.requiresGrad = true;
  return result;
}

/** The options of a function that makes a tensor, in a copy. */
export function checkOptions<T extends object>(op: string, options: T): T {
  const given = readObject(op, 'options', options);
  const { device } = given as { device?: unknown };
  deviceCode(device, op);
  return given;
}

/** A tensor of `shape` with every element `value`. */
export function full(shape: readonly number[], value: number | boolean, options: TensorOptions = {}): Tensor {
  return fullAs('full', shape, value, options);
}

/** `full` for a function of another name, which errors name. */
export function fullAs(op: string, shape: readonly number[], value: number | boolean, options: TensorOptions): Tensor {
  const given = checkOptions(op, options);
  const sizes = checkShape(op, shape);
  if (typeof value !== 'number' && typeof value !== 'boolean')
    throw new ArgumentError(`${op}: value must be a number or a boolean, got ${describe(value)}`);
  const dtype = given.dtype ?? (typeof value === 'boolean' ? 'bool' : 'float32');
  const result = emptyTensor(sizes, dtype, op, given.device);
  nativeCall('fill').many([result], { value: Number(value) });
  if (given.requiresGrad) result.requiresGrad = true;
  return result;
}

function withDefault(op: string, options: TensorOptions): TensorOptions {
  const given = checkOptions(op, options);
  return { ...given, dtype: given.dtype ?? 'float32' };
}

/** A tensor of a shape, all 0; dtype float32 by default. @throws ShapeError, ArgumentError, OutOfMemoryError */
export function zeros(shape: readonly number[], options: TensorOptions = {}): Tensor {
  return fullAs('zeros', shape, 0, withDefault('zeros', options));
}

/** A tensor of a shape, all 1; dtype float32 by default. @throws ShapeError, ArgumentError, OutOfMemoryError */
export function ones(shape: readonly number[], options: TensorOptions = {}): Tensor {
  return fullAs('ones', shape, 1, withDefault('ones', options));
}
