import { AsyncLocalStorage } from 'node:async_hooks';
import { types } from 'node:util';
import { ArgumentError } from '../error';
import { readArgument } from './arguments';
import { describe } from './dtype';
import { Tensor } from './tensor';
import { type Disposable, Scope, scopes } from './lifetime';

/** Adds every tensor found in a result (tensor, array, plain object, Map, Set; nested) to `found`. */
function collectTensors(result: unknown, found: Set<unknown>): void {
  const seen = new Set<object>();
  // Without recursion: a result may be nested deeper than the stack.
  const pending: unknown[] = [result];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== 'object' || value === null || seen.has(value)) continue;
    if (Tensor.isTensor(value)) {
      found.add(value);
      continue;
    }
    seen.add(value);
    if (ArrayBuffer.isView(value)) continue;
    if (types.isMap(value) || types.isSet(value)) for (const item of value.values()) pending.push(item);
    else for (const key of Object.keys(value)) pending.push((value as Record<string, unknown>)[key]);
  }
}

/** Ends a scope: disposes its tensors, except those in the result, which go to `pass`; `kept` becomes all of the result's. */
function leave(
  scope: Scope,
  result: unknown,
  op: string,
  pass: (tensor: Disposable) => void,
  kept = new Set<unknown>(),
): void {
  scope.open = false;
  try {
    readArgument(op, 'the result of fn', () => {
      collectTensors(result, kept);
    });
  } finally {
    for (const tensor of scope.tensors.splice(0)) {
      if (kept.has(tensor)) pass(tensor);
      else tensor.dispose();
    }
  }
}

function toParent(scope: Scope): (tensor: Disposable) => void {
  return (tensor) => scope.parent?.tensors.push(tensor);
}

function runIn<R>(
  scope: Scope,
  op: string,
  fn: () => R,
  pass: (tensor: Disposable) => void,
  kept = new Set<unknown>(),
): R {
  scopes.push(scope);
  let result: R | undefined;
  try {
    result = fn();
    if (isPromise(op, result)) {
      const promise = result;
      result = undefined;
      throw asyncInSync(op, promise);
    }
    return result;
  } finally {
    scopes.pop();
    leave(scope, result, op, pass, kept);
  }
}

const asyncScope = new AsyncLocalStorage<Scope>();

/**
 * Runs `fn` and disposes every tensor created in it, except those in its result (in arrays, objects, Maps, Sets too),
 * those given to `keep`, and gradients in `.grad`. `fn` is synchronous; `tidyAsync` is for async functions.
 *
 * @returns what `fn` returns
 */
export function tidy<R>(fn: () => R): R {
  if (typeof fn !== 'function') throw new ArgumentError(`tidy: fn must be a function, got ${describe(fn)}`);
  const scope = new Scope(scopes.current());
  return runIn(scope, 'tidy', fn, toParent(scope));
}

/**
 * `tidy` whose tensors belong to the caller, whatever scope is around it.
 * @returns with the result its tensors, and those of them that fn made: they live until the caller disposes them
 */
export function tidyApart<R>(op: string, fn: () => R): { result: R; tensors: Set<Tensor>; made: Set<Tensor> } {
  const made = new Set<Tensor>();
  const tensors = new Set<unknown>();
  const keepMade = (tensor: Disposable): void => {
    if (tensor instanceof Tensor) made.add(tensor);
  };
  try {
    const result = runIn(new Scope(undefined), op, fn, keepMade, tensors);
    return { result, tensors: tensors as Set<Tensor>, made };
  } catch (error) {
    // A result that cannot be read to its end.
    for (const tensor of made) tensor.dispose();
    throw error;
  }
}

/**
 * `tidy` for an async function: the scope follows its awaits, concurrent ones do not mix. Its result goes to the `tidy` or
 * `tidyAsync` around the call, unless that has ended before; then it is the caller's to dispose.
 */
export async function tidyAsync<R>(fn: () => Promise<R>): Promise<R> {
  if (typeof fn !== 'function') throw new ArgumentError(`tidyAsync: fn must be a function, got ${describe(fn)}`);
  const scope = new Scope(scopes.current());
  scopes.enterAsync(() => asyncScope.getStore());
  let result: R | undefined;
  try {
    result = await asyncScope.run(scope, () => {
      // Until its first await fn runs inside whatever called: what it makes there is its own all the same.
      scopes.push(scope);
      try {
        return fn();
      } finally {
        scopes.pop();
      }
    });
    return result;
  } finally {
    scopes.leaveAsync();
    leave(scope, result, 'tidyAsync', toParent(scope));
  }
}

/** Takes a tensor out of the surrounding `tidy`: it lives until its own `dispose()`. */
export function keep<T extends Tensor>(tensor: T): T {
  scopes.forget(tensor);
  return tensor;
}

function isPromise(op: string, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return readArgument(op, 'the result of fn', () => typeof (value as { then?: unknown }).then === 'function');
}

function asyncInSync(op: string, result: unknown): ArgumentError {
  // The rejection of the abandoned promise must not end the process.
  void Promise.resolve(result).catch(() => undefined);
  const hint = op === 'tidy' ? '; use tidyAsync for async functions' : ', it must be synchronous';
  return new ArgumentError(`${op}: fn returned a promise${hint}`);
}
