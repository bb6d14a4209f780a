import { types } from 'node:util';
import { ArgumentError, OutOfMemoryError } from '../error';
import { readArgument } from '../tensor/arguments';

export { readArgument } from '../tensor/arguments';

const MAX_SHOWN = 60;

/** Text of any JavaScript value for an error message: short, and never throws (revoked proxies included). */
export function describe(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value.length > MAX_SHOWN ? `${JSON.stringify(value.slice(0, MAX_SHOWN))}...` : JSON.stringify(value);
    case 'bigint': {
      const text = `${value}n`;
      return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text;
    }
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'symbol':
      return 'a symbol';
    case 'function':
      return 'a function';
    case 'object':
      if (value === null) return 'null';
      if (types.isProxy(value)) return 'a Proxy';
      return Array.isArray(value) ? `an array of ${value.length}` : 'an object';
  }
}

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

export function requireInteger(op: string, name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw new ArgumentError(`${op}: ${name} must be an integer in [${min}, ${max}], got ${describe(value)}`);
  }
  return value;
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

/** An options object: undefined reads as empty. Every property is read once, here; an unknown one is refused. */
export function requireOptions<K extends string>(
  op: string,
  value: unknown,
  known: readonly K[],
): Partial<Record<K, unknown>> {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null) {
    throw new ArgumentError(`${op}: options must be an object, got ${describe(value)}`);
  }
  return readArgument(op, 'options', () => {
    const names: readonly string[] = known;
    const unknown = Object.keys(value).find((key) => !names.includes(key));
    if (unknown !== undefined) {
      throw new ArgumentError(`${op}: options are ${known.join(', ')}, got ${describe(unknown)}`);
    }
    const source = value as Record<string, unknown>;
    return Object.fromEntries(known.map((key) => [key, source[key]])) as Partial<Record<K, unknown>>;
  });
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
