import { types } from 'node:util';
import { ArgumentError } from '../error';
import { describe, readArgument } from './arguments';

/** Element type of an array in a file, and the typed array that holds it. bfloat16 is raw bits, bool is 0 or 1. */
export interface RawDataOf {
  float32: Float32Array;
  float64: Float64Array;
  bfloat16: Uint16Array;
  int32: Int32Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}
export type RawDType = keyof RawDataOf;

/** A dense array in C order as it is read from or written to a file; `data.length` is the product of `shape`. */
export type RawArray = {
  [K in RawDType]: { readonly dtype: K; readonly shape: readonly number[]; readonly data: RawDataOf[K] };
}[RawDType];

/** Largest number of dimensions of an array in a file (numpy's limit). */
export const MAX_DIMS = 32;

export const RAW_DTYPE_BYTES: Readonly<Record<RawDType, number>> = {
  float32: 4,
  float64: 8,
  bfloat16: 2,
  int32: 4,
  uint8: 1,
  bool: 1,
};

const isDataOf: { readonly [K in RawDType]: (value: unknown) => value is RawDataOf[K] } = {
  float32: types.isFloat32Array,
  float64: types.isFloat64Array,
  bfloat16: types.isUint16Array,
  int32: types.isInt32Array,
  uint8: types.isUint8Array,
  bool: types.isUint8Array,
};

/**
 * Number of elements of a shape, or undefined where it overflows a safe integer. Dimensions of size 0 do not hide an
 * overflow of the others (numpy's rule), so that every partial product is safe too.
 */
export function elementsOfShape(shape: readonly number[]): number | undefined {
  let product = 1;
  for (const size of shape) {
    if (size !== 0) product *= size;
    if (!Number.isSafeInteger(product)) return undefined;
  }
  return shape.includes(0) ? 0 : product;
}

/** A shape as messages show it: [2, 3]. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/** Index of the first element of a bool array that is neither 0 nor 1, or -1. */
export function firstNonBool(data: Uint8Array): number {
  for (let i = 0; i < data.length; i++) if (data[i]! > 1) return i;
  return -1;
}

/** The bytes of an array's data, shared with it. */
export function bytesOf(data: RawArray['data']): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Checks a caller's array and returns it with its own shape and a plain view of its data; throws ArgumentError. */
export function requireRawArray(op: string, name: string, value: unknown): RawArray {
  if (typeof value !== 'object' || value === null) {
    throw new ArgumentError(`${op}: ${name} must be {dtype, shape, data}, got ${describe(value)}`);
  }
  return readArgument(op, name, () => {
    const { dtype, shape, data } = value as Partial<Record<keyof RawArray, unknown>>;
    if (typeof dtype !== 'string' || !Object.hasOwn(RAW_DTYPE_BYTES, dtype)) {
      const known = Object.keys(RAW_DTYPE_BYTES).join(', ');
      throw new ArgumentError(`${op}: ${name}.dtype must be one of ${known}, got ${describe(dtype)}`);
    }
    if (!isDataOf[dtype as RawDType](data)) {
      throw new ArgumentError(`${op}: ${name}.data must be the typed array of ${dtype}, got ${describe(data)}`);
    }
    const sizes = requireShape(op, name, shape);
    const elements = elementsOfShape(sizes);
    const view = plainView(data);
    if (view.length !== elements) {
      const product = elements ?? 'more than 2^53';
      throw new ArgumentError(
        `${op}: ${name}.data must have ${product} elements for shape ${shapeText(sizes)}, got ${view.length}`,
      );
    }
    const wrong = dtype === 'bool' ? firstNonBool(view as Uint8Array) : -1;
    if (wrong >= 0) {
      throw new ArgumentError(`${op}: ${name}.data must be 0 or 1 for bool, got ${view[wrong]} at index ${wrong}`);
    }
    return { dtype, shape: sizes, data: view } as RawArray;
  });
}

function requireShape(op: string, name: string, shape: unknown): readonly number[] {
  if (!Array.isArray(shape) || shape.length > MAX_DIMS) {
    throw new ArgumentError(
      `${op}: ${name}.shape must be an array of at most ${MAX_DIMS} sizes, got ${describe(shape)}`,
    );
  }
  return Array.from(shape as readonly unknown[], (size, i) => {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      throw new ArgumentError(`${op}: ${name}.shape[${i}] must be a non-negative integer, got ${describe(size)}`);
    }
    return size + 0; // -0 is a safe integer; written as a size it must read 0
  });
}

/** The same memory without whatever properties or subclass the caller's array has. */
function plainView(data: RawArray['data']): RawArray['data'] {
  const { buffer, byteOffset, length } = data;
  if (types.isFloat32Array(data)) return new Float32Array(buffer, byteOffset, length);
  if (types.isFloat64Array(data)) return new Float64Array(buffer, byteOffset, length);
  if (types.isUint16Array(data)) return new Uint16Array(buffer, byteOffset, length);
  if (types.isInt32Array(data)) return new Int32Array(buffer, byteOffset, length);
  return new Uint8Array(buffer, byteOffset, length);
}
