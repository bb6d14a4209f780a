import { types } from 'node:util';
import { ArgumentError, OutOfMemoryError } from '../error';
import { readArgument } from '../tensor/arguments';
import { describe } from '../tensor/dtype';

export { readArgument, readOptions, requireInteger } from '../tensor/arguments';
export { describe } from '../tensor/dtype';

export function requireString(op: string, name: string, value: unknown): string {
  if (typeof value !== 'string') throw new ArgumentError(`${op}: ${name} must be a string, got ${describe(value)}`);
  return value;
}

/** A path that the file system functions take: a non-empty string without NUL. */
export function requirePath(op: string, name: string, value: unknown): string {
  const path = requireString(op, name, value);
  if (path === '' || path.includes('\0')) {
    throw new ArgumentError(`${op}: ${name} must be a non-empty path without NUL characters, got ${describe(path)}`);
  }
  return path;
}

/**
 * A plain view of the bytes of a Uint8Array (Buffer included), whatever realm made it and whatever properties were put
 * on it. Shared memory is copied, because another thread could change it between a check and its use.
 */
export function requireBytes(op: string, name: string, value: unknown): Uint8Array {
  if (!types.isUint8Array(value)) {
    throw new ArgumentError(`${op}: ${name} must be a Uint8Array, got ${describe(value)}`);
  }
  return readArgument(op, name, () => {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return types.isSharedArrayBuffer(value.buffer) ? bytes.slice() : bytes;
  });
}

/** A copy of a Map, whatever realm made it; keys and values are still to be checked. */
export function requireMap(op: string, name: string, value: unknown): Map<unknown, unknown> {
  if (!types.isMap(value)) throw new ArgumentError(`${op}: ${name} must be a Map, got ${describe(value)}`);
  return readArgument(op, name, () => new Map<unknown, unknown>(value));
}

/** Runs an allocation whose size was checked against its source; the machine may still have no room for it. */
export function allocating<T>(op: string, allocate: () => T): T {
  try {
    return allocate();
  } catch (error) {
    // By name: the RangeError of another realm (jest, vm) is not an instance of ours.
    if (!types.isNativeError(error) || error.name !== 'RangeError') throw error;
    throw new OutOfMemoryError(`${op}: no room for the array in memory`, { cause: error });
  }
}
