import { expect } from '@jest/globals';
import { HrmError } from '../../ts/error';

/** Values that no function expects; each must give a typed error (or a result), never a raw TypeError. */
export const hostileValues: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  -0,
  -1,
  1.5,
  NaN,
  Infinity,
  2 ** 53,
  10n,
  '',
  'x',
  '__proto__',
  'a\0b',
  '\ud800',
  Symbol('s'),
  () => 1,
  [],
  [1, 2],
  new Array<number>(3),
  {},
  Object.create(null),
  { __proto__: null, length: -1 },
  new Date(NaN),
  /x/,
  new Map(),
  new Map<unknown, unknown>([[1, 2]]),
  new Map<unknown, unknown>([['x', null]]),
  new Set(['x']),
  new WeakMap(),
  Promise.resolve(1),
  new ArrayBuffer(8),
  new SharedArrayBuffer(8),
  new Uint8Array(0),
  new Uint8Array(new SharedArrayBuffer(16)),
  new Float32Array(4),
  new BigInt64Array(2),
  new DataView(new ArrayBuffer(8)),
  detached(),
  forged(),
  revoked({}),
  revoked([]),
  revoked(() => 1),
  new Proxy({}, { get: thrower, ownKeys: thrower, has: thrower }),
  new Proxy([], { get: thrower }),
  new Proxy(new Uint8Array(4), {}),
  {
    get dtype(): string {
      return thrower();
    },
    get shape(): string {
      return thrower();
    },
  },
  { dtype: 'float32', shape: [1], data: { length: 1 } },
  { dtype: 'float32', shape: [2 ** 52, 2 ** 52], data: new Float32Array(1) },
  { dtype: 'float32', shape: [-1], data: new Float32Array(1) },
  { dtype: 'float32', shape: revoked([]), data: new Float32Array(1) },
  { dtype: '__proto__', shape: [1], data: new Float32Array(1) },
  { dtype: 'constructor', shape: [1], data: new Float32Array(1) },
  { toString: thrower, valueOf: thrower, [Symbol.toPrimitive]: thrower, [Symbol.iterator]: thrower },
];

function thrower(): never {
  throw new TypeError('hostile');
}

function revoked(target: object): unknown {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function detached(): Uint8Array {
  const bytes = new Uint8Array(8);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

function forged(): Uint8Array {
  return Object.defineProperties(new Uint8Array(4), {
    length: { value: 1e15 },
    byteLength: { value: 1e15 },
    byteOffset: { value: -3 },
    subarray: { get: thrower },
  });
}

/** Calls `call`; it must return, or throw one of the library's typed errors. */
export function expectTyped(label: string, call: () => unknown): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof HrmError)) throw new Error(`${label}: threw an untyped error`, { cause: error });
    expect(error.message).toMatch(/^[A-Za-z.]+: /);
  }
}

/** Puts every hostile value into every argument of a function whose other arguments are valid. */
export function expectHostileSafe<A extends readonly unknown[]>(
  name: string,
  call: (...args: A) => unknown,
  valid: A,
): void {
  valid.forEach((_, position) => {
    hostileValues.forEach((value, i) => {
      const args = valid.with(position, value) as unknown as A;
      expectTyped(`${name}, argument ${position}, hostile value ${i}`, () => call(...args));
    });
  });
  hostileValues.forEach((value, i) => {
    const args = valid.map(() => value) as unknown as A;
    expectTyped(`${name}, every argument hostile value ${i}`, () => call(...args));
  });
}
