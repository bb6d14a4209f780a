/** Calls native ops by name, without recording gradients. ops/define.ts records; autograd itself computes through this. */
import { HrmError } from '../error';
import type { TensorId } from '../native/addon';
import { addon, type Called, retryAfterCollection } from '../native/boundary';
import { publicName, underName } from '../native/op_names';
import type { OpName, OpSchemas, ViewName, ViewSchemas } from '../native/schema.gen';
import { readArray } from './arguments';
import { Handle, Tensor } from './tensor';

export type OpInputs<K extends OpName> = OpSchemas<Tensor>[K]['inputs'];
export type OpAttrs<K extends OpName> = OpSchemas<Tensor>[K]['attrs'];
type Argument = TensorId | TensorId[] | undefined;

function argument(value: unknown, op: string, spec: { name: string; kind: string }): Argument {
  if (spec.kind === 'list') {
    return readArray(op, spec.name, value, 'an array of tensors').map(
      (item, i) => Tensor.handleOf(item, op, `${spec.name}[${i}]`).id,
    );
  }
  if (spec.kind === 'optional' && (value === undefined || value === null)) return undefined;
  return Tensor.handleOf(value, op, spec.name).id;
}

/** One native op, resolved once. */
export class NativeCall<K extends OpName> {
  readonly name: K;
  readonly #fn: (...args: unknown[]) => TensorId & TensorId[];
  readonly #inputs: { name: string; kind: string }[];
  readonly #attrs: string[];
  readonly #simpleBinary: boolean;
  readonly #called: Called;

  constructor(name: K) {
    const { inputs, attrs } = addon().schema[name];
    this.name = name;
    this.#called = { op: name, name: publicName(name) };
    this.#fn = addon().ops[name];
    this.#inputs = inputs;
    this.#attrs = attrs.map((attr) => attr.name);
    this.#simpleBinary =
      inputs.length === 2 && attrs.length === 0 && inputs[0]?.name === 'a' && inputs[1]?.name === 'b';
  }

  #arguments(inputs: readonly unknown[], attrs: object | undefined, called = this.#called.name): unknown[] {
    const args: unknown[] = this.#inputs.map((spec, i) => argument(inputs[i], called, spec));
    for (const name of this.#attrs) args.push((attrs as Record<string, unknown> | undefined)?.[name]);
    return args;
  }

  /** For ops with one output. */
  one(inputs: OpInputs<K>, attrs?: OpAttrs<K>): Tensor {
    const handle = new Handle();
    const fn = this.#fn;
    if (this.#simpleBinary) {
      // The hot path: no arrays, no closures.
      const a = Tensor.handleOf((inputs as readonly unknown[])[0], this.#called.name, 'a').id;
      const b = Tensor.handleOf((inputs as readonly unknown[])[1], this.#called.name, 'b').id;
      try {
        handle.id = fn(handle, a, b);
      } catch (error) {
        handle.id = retryAfterCollection(error, () => fn(handle, a, b), this.#called);
      }
      return new Tensor(handle);
    }
    const args = this.#arguments(inputs, attrs);
    try {
      handle.id = fn(handle, ...args);
    } catch (error) {
      handle.id = retryAfterCollection(error, () => fn(handle, ...args), this.#called);
    }
    return new Tensor(handle);
  }

  /** For ops with any other number of outputs. */
  many(inputs: OpInputs<K>, attrs?: OpAttrs<K>): Tensor[] {
    const args = this.#arguments(inputs, attrs);
    let ids: TensorId[];
    try {
      ids = this.#fn(...args);
    } catch (error) {
      ids = retryAfterCollection(error, () => this.#fn(...args), this.#called);
    }
    return ids.map((id) => {
      const handle = new Handle();
      handle.id = id;
      addon().adopt(handle, id);
      return new Tensor(handle);
    });
  }

  /** Writes the result over the first input. */
  into(inputs: OpInputs<K>, attrs?: OpAttrs<K>): void {
    const called = { op: this.name, name: `${this.#called.name}_` };
    const args = this.#arguments(inputs, attrs, called.name);
    const fn = addon().inplace[this.name];
    try {
      fn(...args);
    } catch (error) {
      retryAfterCollection(
        error,
        () => {
          fn(...args);
        },
        called,
      );
    }
  }
}

const calls = new Map<OpName, NativeCall<OpName>>();

export function nativeCall<K extends OpName>(name: K): NativeCall<K> {
  let call = calls.get(name);
  if (call === undefined) {
    call = new NativeCall<OpName>(name);
    calls.set(name, call);
  }
  return call as unknown as NativeCall<K>;
}

export function invokeView<K extends ViewName>(name: K, input: Tensor, attrs: ViewSchemas[K]): Tensor {
  const handle = new Handle();
  const id = Tensor.handleOf(input, name, 'tensor').id;
  const fn = addon().views[name];
  const values = addon().viewSchema[name].map((attr) => (attrs as Record<string, unknown>)[attr.name]);
  try {
    handle.id = fn(handle, id, ...values);
  } catch (error) {
    handle.id = retryAfterCollection(error, () => fn(handle, id, ...values));
  }
  return new Tensor(handle);
}

/** Runs `fn`, a call of the native op, for a function of another name: errors name that one. */
export function calledAs<R>(name: string, op: OpName, fn: () => R): R {
  try {
    return fn();
  } catch (error) {
    if (error instanceof HrmError) error.message = underName(error.message, publicName(op), name);
    throw error;
  }
}
