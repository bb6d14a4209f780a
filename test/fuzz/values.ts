/** What the fuzzer passes: values that no function expects, and values that a function nearly or fully accepts. */
import fc from 'fast-check';
import { runInNewContext } from 'node:vm';
import { ArgumentError, tensor, Tensor } from '../../ts';
import { type DType, DTYPES } from '../../ts/tensor/dtype';

/** Makes a value when the call is made, not when it is planned: tensors live for one call. */
export type Make = () => unknown;
export type Arb = fc.Arbitrary<Make>;

/** What callbacks of the fuzzer throw: it is the caller's own error and may pass through. */
export class CallbackError extends Error {}

const born: Tensor[] = [];

/** Notes a tensor that `disposeMade` is to free. */
export function made<T>(value: T): T {
  if (Tensor.isTensor(value)) born.push(value);
  return value;
}
export function disposeMade(): void {
  for (const item of born.splice(0)) item.dispose();
}

function hostile(): never {
  throw new TypeError('hostile');
}
const traps: ProxyHandler<object> = {
  get: hostile,
  has: hostile,
  ownKeys: hostile,
  getPrototypeOf: hostile,
  getOwnPropertyDescriptor: hostile,
  set: hostile,
  defineProperty: hostile,
};

function revoked(target: object): unknown {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}
function detached<T extends Uint8Array | Float32Array>(view: T): T {
  structuredClone(view.buffer, { transfer: [view.buffer as ArrayBuffer] });
  return view;
}
function resizable(length: number, resized: number): Float32Array {
  const Resizable = ArrayBuffer as unknown as new (n: number, options: object) => { resize(n: number): void };
  const buffer = new Resizable(4 * length, { maxByteLength: 1024 });
  const view = new Float32Array(buffer as unknown as ArrayBuffer);
  buffer.resize(4 * resized);
  return view;
}
function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; ++i) value = [value];
  return value;
}
function nestedObject(depth: number): unknown {
  let value: unknown = {};
  for (let i = 0; i < depth; ++i) value = { a: value };
  return value;
}
function cyclic(): unknown {
  const value: Record<string, unknown> = { shape: [2] };
  value['self'] = value;
  value['config'] = value;
  return value;
}
function cyclicArray(): unknown {
  const value: unknown[] = [1];
  value[0] = value;
  return value;
}
function endless(): unknown {
  return new Proxy([], { get: (_, key) => (key === 'length' ? 2 ** 32 - 1 : hostile()) });
}
function disposed(): Tensor {
  const t = tensor([1, 2]);
  t.dispose();
  return t;
}
/** Changes what it says each time it is read. */
function fickle(): unknown {
  let reads = 0;
  return new Proxy([2, 3], {
    get: (target, key) => (key === 'length' && ++reads > 2 ? 2 ** 20 : (Reflect.get(target, key) as unknown)),
  });
}

const hostileNumbers: readonly number[] = [NaN, Infinity, -Infinity, -0, -1, 0.5, 2 ** 53, -(2 ** 53), 1e308, 5, -1000];
/** Legal sizes in some functions, which then ask for all memory or for hours of work. */
const hugeNumbers: readonly number[] = [2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 32 + 3, 2 ** 40, 1e9];

const hostileObjects: readonly Make[] = [
  () => undefined,
  () => null,
  () => true,
  () => '',
  () => 'float32',
  () => '__proto__',
  () => 'constructor',
  () => '\ud800\0',
  () => 10n,
  () => -(2n ** 70n),
  () => Symbol('s'),
  () => () => 1,
  () => () => {
    throw new CallbackError('from a hostile function');
  },
  () => ArgumentError,
  () => ({}),
  () => [],
  () => [1, 2],
  () => [null],
  () => [[1, 2], [3]],
  () => new Array<number>(3),
  () => new Array<number>(2 ** 32 - 1),
  () => nested(20),
  () => nested(20_000),
  () => nestedObject(20_000),
  () => cyclic(),
  () => cyclicArray(),
  () => endless(),
  () => fickle(),
  () => Object.create(null) as unknown,
  () => new Proxy({}, traps),
  () => new Proxy([], traps),
  () => new Proxy(() => 1, traps),
  () => new Proxy(made(tensor([1])), {}),
  () => new Proxy(new Map(), {}),
  () => new Proxy(new Float32Array(4), {}),
  () => revoked({}),
  () => revoked([]),
  () => revoked(() => 1),
  () => ({ then: hostile }),
  () => ({ toString: hostile, valueOf: hostile, [Symbol.toPrimitive]: hostile, [Symbol.iterator]: hostile }),
  () => Object.defineProperty({}, 'shape', { get: hostile, enumerable: true }),
  () => Object.defineProperty([1, 2], 0, { get: hostile, enumerable: true }),
  () => Promise.resolve(1),
  () => new Date(NaN),
  () => /x/,
  () => new Map<unknown, unknown>([['x', null]]),
  () => new Map<unknown, unknown>([[{}, Symbol('v')]]),
  () => new Set(['x']),
  () => new WeakMap(),
  () => new Error('x'),
  () => new ArrayBuffer(8),
  () => new SharedArrayBuffer(8),
  () => new Uint8Array(0),
  () => new Float32Array(4),
  () => new Float32Array(new SharedArrayBuffer(16)),
  () => new BigInt64Array(2),
  () => new DataView(new ArrayBuffer(8)),
  () => detached(new Float32Array(4)),
  () => detached(new Uint8Array(8)),
  () => resizable(4, 2),
  () => resizable(2, 8),
  () => runInNewContext('new Float32Array([1, 2, 3])') as unknown,
  () => runInNewContext('[1, 2]') as unknown,
  () => runInNewContext('new Map([["x", 1]])') as unknown,
  () => Object.defineProperty(new Float32Array(4), 'length', { value: 1e15 }),
  () => Object.defineProperty(new Float32Array(4), Symbol.toStringTag, { get: hostile }),
  () => ({ [Symbol.toStringTag]: 'Float32Array', length: 4 }),
  () => disposed(),
  () => [disposed()],
  () => made(tensor(1)),
  () => made(tensor([[1, 2, 3]], { dtype: 'int32' })),
  () => made(tensor(new Float32Array(0))),
  () => [made(tensor([1, 2])), 3],
  () => Object.create(Tensor.prototype) as unknown,
];

const numbersAmong = (numbers: readonly number[]): Arb => fc.constantFrom(...numbers).map((n) => () => n);
const objects: Arb = fc.constantFrom(...hostileObjects);
const anything: Arb = fc
  .anything({ withBigInt: true, withMap: true, withTypedArray: true, withNullPrototype: true, maxDepth: 2 })
  .map((value) => () => value);

/** Any value, numbers that ask for too much included. */
export const hostileAny: Arb = fc.oneof(
  { weight: 4, arbitrary: objects },
  { weight: 2, arbitrary: numbersAmong([...hostileNumbers, ...hugeNumbers]) },
  { weight: 1, arbitrary: anything },
);
/** Any value but the numbers that are a legal request for hours of work. */
export const hostileBounded: Arb = fc.oneof(
  { weight: 4, arbitrary: objects },
  { weight: 2, arbitrary: numbersAmong(hostileNumbers) },
  { weight: 1, arbitrary: anything.filter((make) => typeof make() !== 'number') },
);

export const value = (...values: readonly unknown[]): Arb => fc.constantFrom(...values).map((item) => () => item);
export const int = (min: number, max: number): Arb => fc.integer({ min, max }).map((n) => () => n);
export const maybe = (arb: Arb): Arb =>
  fc.oneof({ weight: 1, arbitrary: value(undefined) }, { weight: 2, arbitrary: arb });
export const either = (...arbs: readonly Arb[]): Arb => fc.oneof(...arbs);
export const list = (arb: Arb, minLength: number, maxLength: number): Arb =>
  fc.array(arb, { minLength, maxLength }).map((items) => () => items.map((make) => make()));
/** An object with all of some fields and any of others. */
export function object(required: Readonly<Record<string, Arb>>, optional: Readonly<Record<string, Arb>> = {}): Arb {
  return fc
    .record({ ...required, ...optional }, { requiredKeys: Object.keys(required) })
    .map((fields) => () => Object.fromEntries(Object.entries(fields).map(([key, make]) => [key, make()])));
}

const SHAPES: readonly (readonly number[])[] = [[], [0], [1], [3], [1, 3], [2, 1], [2, 0, 3], [2, 2, 3], [4, 3]];
const LAYOUTS = ['plain', 'plain', 'plain', 'transposed', 'sliced', 'expanded'] as const;

/** A tensor in one of several layouts; elements are small integers, or integers in [0, below). */
export function build(
  shape: readonly number[],
  dtype: DType,
  layout: (typeof LAYOUTS)[number] = 'plain',
  below?: number,
): Tensor {
  const size = shape.reduce((product, n) => product * n, 1);
  const values = Float64Array.from({ length: size }, (_, i) =>
    below === undefined ? ((i * 7) % 5) - 1.5 : (i * 7) % below,
  );
  const plain = made(tensor(values, { shape, dtype }));
  const rank = shape.length;
  if (layout === 'transposed' && rank >= 2) {
    const swapped = made(plain.transpose(rank - 2, rank - 1));
    return made(made(swapped.clone()).transpose(rank - 2, rank - 1));
  }
  if (layout === 'sliced' && rank >= 1) {
    const padded = made(plain.pad([...shape.slice(1).map(() => [0, 0] as const), [1, 1] as const].slice(-1)));
    return made(padded.narrow(rank - 1, 1, shape[rank - 1]!));
  }
  if (layout === 'expanded' && shape[0] === 2) {
    return made(made(plain.narrow(0, 0, 1)).expand(shape));
  }
  return plain;
}

/** A tensor of about that shape and dtype: right four times in five. */
export function about(shape: readonly number[], dtype: DType = 'float32', below?: number): Arb {
  const exact = fc.record({ layout: fc.constantFrom(...LAYOUTS), grad: fc.boolean() }).map(({ layout, grad }) => () => {
    const t = build(shape, dtype, layout, below);
    if (grad && /float/.test(dtype)) t.requiresGrad = true;
    return t;
  });
  const other = fc
    .record({ shape: fc.constantFrom(shape, ...SHAPES), dtype: fc.constantFrom(dtype, ...DTYPES) })
    .map((picked) => () => build(picked.shape, picked.dtype, 'plain', below));
  return fc.oneof({ weight: 4, arbitrary: exact }, { weight: 1, arbitrary: other });
}

/** Any tensor; most have the shape [2, 3], so that two of them fit. */
export const anyTensor: Arb = fc
  .record({
    shape: fc.oneof(
      { weight: 3, arbitrary: fc.constant<readonly number[]>([2, 3]) },
      { weight: 2, arbitrary: fc.constantFrom(...SHAPES) },
    ),
    dtype: fc.oneof(
      { weight: 3, arbitrary: fc.constant<DType>('float32') },
      { weight: 2, arbitrary: fc.constantFrom(...DTYPES) },
    ),
    layout: fc.constantFrom(...LAYOUTS),
    grad: fc.boolean(),
  })
  .map(({ shape, dtype, layout, grad }) => () => {
    const t = build(shape, dtype, layout);
    if (grad && /float/.test(dtype)) t.requiresGrad = true;
    return t;
  });

export const dtypes: Arb = value('float32', 'float32', ...DTYPES, 'float16');
export const shapes: Arb = value(...SHAPES, [2, 3], [2, 3], [3, 2], [6], [-1], [2, -1]);

const results: readonly Make[] = [
  () => made(tensor(1)),
  () => made(tensor([1, 2])),
  () => [made(tensor(1)), { a: new Map([['t', made(tensor(2))]]) }],
  () => {
    throw new CallbackError('from the callback');
  },
];
/** Callbacks: most give a tensor, some throw, some give what nobody expects. */
export const callback: Arb = fc
  .oneof(
    { weight: 3, arbitrary: fc.constantFrom(...results) },
    { weight: 1, arbitrary: fc.constantFrom(...hostileObjects) },
  )
  .map((give) => () => give);
export const asyncCallback: Arb = fc
  .constantFrom<Make>(
    ...results,
    () => undefined,
    () => nested(20_000),
    () => nestedObject(20_000),
    () => cyclic(),
    () => disposed(),
  )
  .map((give) => () => () => Promise.resolve().then(give));
