/**
 * Reading what a caller passes. A getter, a proxy trap or a forged property may throw, and may answer differently each
 * time: objects and arrays are read once, here, into plain copies that are then checked.
 */
import { types } from 'node:util';
import { ArgumentError, HrmError } from '../error';
import { describe } from './dtype';

/** More items than any argument has; a list may claim to be longer than memory. */
const MAX_ITEMS = 2 ** 24;

/**
 * Runs code that touches a caller's object. What is not one of our errors becomes an ArgumentError with the original as its
 * cause.
 */
export function readArgument<T>(op: string, name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof HrmError) throw error;
    throw new ArgumentError(`${op}: ${name} must be readable, got a value that throws when read`, { cause: error });
  }
}

/** The own properties of an object argument, such as options, in a copy. */
export function readObject<T extends object>(op: string, name: string, value: T): T {
  return readArgument(op, name, () => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new ArgumentError(`${op}: ${name} must be an object, got ${describe(value)}`);
    return { ...value };
  });
}

/** Some properties of an object, own or inherited, read once. */
export function readFields<T extends object, K extends keyof T & string>(
  op: string,
  name: string,
  value: T,
  keys: readonly K[],
): Pick<T, K> {
  if (typeof value !== 'object' || value === null)
    throw new ArgumentError(`${op}: ${name} must be an object, got ${describe(value)}`);
  return readArgument(op, name, () => Object.fromEntries(keys.map((key) => [key, value[key]])) as Pick<T, K>);
}

/** An options object in which every property is known. */
export function readOptions<T extends object>(op: string, value: T, keys: readonly (keyof T & string)[]): T {
  const given = readFields(op, 'options', value, keys) as T;
  const names = readArgument(op, 'options', () => Object.keys(value));
  const unknown = names.find((key) => !(keys as readonly string[]).includes(key));
  if (unknown !== undefined) throw new ArgumentError(`${op}: options are ${keys.join(', ')}, got ${describe(unknown)}`);
  return given;
}

/** The items of an array argument in a copy; `what` says what they should be. */
export function readArray(op: string, name: string, value: unknown, what = 'an array'): readonly unknown[] {
  return readArgument(op, name, () => {
    if (!Array.isArray(value)) throw new ArgumentError(`${op}: ${name} must be ${what}, got ${describe(value)}`);
    const { length } = value;
    if (!(length <= MAX_ITEMS))
      throw new ArgumentError(`${op}: ${name} must have at most ${MAX_ITEMS} items, got ${describe(value)}`);
    return Array.from({ length }, (_, i) => value[i] as unknown);
  });
}

/** Whether an argument is a real instance: `instanceof` itself may run a proxy's trap. */
export function isInstance<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  return !types.isProxy(value) && value instanceof type;
}

/** A safe integer in [min, max]; without bounds any. */
export function requireInteger(op: string, name: string, value: unknown, min = -Infinity, max = Infinity): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  const range = min === -Infinity && max === Infinity ? '' : ` in [${min}, ${Math.min(max, Number.MAX_SAFE_INTEGER)}]`;
  throw new ArgumentError(`${op}: ${name} must be an integer${range}, got ${describe(value)}`);
}

/** Checks an optional signal: what only looks like one would fail in the middle of the work. */
export function requireSignal(op: string, value: unknown): void {
  if (value === undefined || isInstance(value, AbortSignal)) return;
  throw new ArgumentError(`${op}: signal must be an AbortSignal, got ${describe(value)}`);
}

export function requireFunction(op: string, name: string, value: unknown): void {
  if (typeof value !== 'function') throw new ArgumentError(`${op}: ${name} must be a function, got ${describe(value)}`);
}
