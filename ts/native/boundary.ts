/** The one way into native code: errors come back typed, and a full budget gets one garbage collection and a retry. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  ArgumentError,
  DeviceError,
  DisposedError,
  DTypeError,
  type HrmError,
  NativeError,
  OutOfMemoryError,
  ShapeError,
} from '../error';
import { type Addon, loadAddon } from './addon';
import { underName } from './op_names';

type ErrorClass = new (message: string, options?: ErrorOptions) => HrmError;
const errorClasses: Record<string, ErrorClass> = {
  HRM_SHAPE: ShapeError,
  HRM_DTYPE: DTypeError,
  HRM_DEVICE: DeviceError,
  HRM_DISPOSED: DisposedError,
  HRM_OUT_OF_MEMORY: OutOfMemoryError,
  HRM_ARGUMENT: ArgumentError,
  HRM_NATIVE: NativeError,
};

/** A native op and the function that was called to run it. */
export interface Called {
  readonly op: string;
  readonly name: string;
}

/** Typed error for what native code threw: its errors are made here, so that they belong to the caller's realm. */
export function typedError(error: unknown, called?: Called): unknown {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const ErrorType = typeof code === 'string' ? errorClasses[code] : undefined;
  if (ErrorType === undefined) return error;
  return new ErrorType(called ? underName(String(message), called.op, called.name) : String(message));
}

let collect: (() => void) | undefined;

/** A full collection, which runs the finalizers of dead tensors. Needs no command line flag. */
export function collectGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
    setFlagsFromString('--no-expose-gc');
  }
  collect();
}

/** Runs `call`; when the memory budget is full, dead tensors are collected and it is tried once more. */
export function guarded<R>(call: () => R, called?: Called): R {
  try {
    return call();
  } catch (error) {
    return retryAfterCollection(error, call, called);
  }
}

/** The rare path of `guarded`, apart so that callers on the hot path can catch without a closure. */
export function retryAfterCollection<R>(error: unknown, call: () => R, called?: Called): R {
  const typed = typedError(error, called);
  if (!(typed instanceof OutOfMemoryError)) throw typed;
  collectGarbage();
  try {
    return call();
  } catch (second) {
    throw typedError(second, called);
  }
}

let loaded: Addon | undefined;

/** The addon of this environment (main thread or worker), loaded at first use. */
export function addon(): Addon {
  return (loaded ??= loadAddon());
}
