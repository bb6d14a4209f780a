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

/** Typed error for what native code threw: its errors are made here, so that they belong to the caller's realm. */
export function typedError(error: unknown): unknown {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const ErrorType = typeof code === 'string' ? errorClasses[code] : undefined;
  return ErrorType ? new ErrorType(String(message)) : error;
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
export function guarded<R>(call: () => R): R {
  try {
    return call();
  } catch (error) {
    return retryAfterCollection(error, call);
  }
}

/** The rare path of `guarded`, apart so that callers on the hot path can catch without a closure. */
export function retryAfterCollection<R>(error: unknown, call: () => R): R {
  const typed = typedError(error);
  if (!(typed instanceof OutOfMemoryError)) throw typed;
  collectGarbage();
  try {
    return call();
  } catch (second) {
    throw typedError(second);
  }
}

let loaded: Addon | undefined;

/** The addon of this environment (main thread or worker), loaded at first use. */
export function addon(): Addon {
  return (loaded ??= loadAddon());
}
