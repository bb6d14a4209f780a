import { ArgumentError } from '../error';
import { readArgument } from '../tensor/arguments';
import { describe } from '../tensor/dtype';

let recording = true;

/** Whether ops record gradients now. */
export function isGradEnabled(): boolean {
  return recording;
}

/** @throws ArgumentError where a callback returned a promise, whose rejection is then nobody's to handle */
export function requireSynchronous(op: string, callback: string, result: unknown): void {
  const of = `the result of ${callback}`;
  const then = readArgument(op, of, () => (result as { then?: unknown } | null | undefined)?.then);
  if (typeof then !== 'function') return;
  void Promise.resolve(result).catch(() => undefined);
  throw new ArgumentError(`${op}: ${callback} must be synchronous, it returned a promise; wrap the synchronous parts`);
}

function withRecording<R>(value: boolean, op: string, fn: () => R): R {
  if (typeof fn !== 'function') throw new ArgumentError(`${op}: fn must be a function, got ${describe(fn)}`);
  const previous = recording;
  recording = value;
  try {
    const result = fn();
    requireSynchronous(op, 'fn', result);
    return result;
  } finally {
    recording = previous;
  }
}

/** Runs a synchronous `fn` without recording: nothing is saved for backward, results need no gradient. */
export function noGrad<R>(fn: () => R): R {
  return withRecording(false, 'noGrad', fn);
}

/** Records again inside `noGrad`. */
export function enableGrad<R>(fn: () => R): R {
  return withRecording(true, 'enableGrad', fn);
}
