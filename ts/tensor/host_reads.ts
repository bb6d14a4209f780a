import { AutogradError } from '../error';
import { requireFunction } from './arguments';

/**
 * Guard for code that must not read tensor values on the host (a training step that is to be captured into a graph):
 * inside `withoutHostReads` every read throws, naming itself.
 */
class HostReads {
  #forbidden = 0;

  check(op: string): void {
    if (this.#forbidden > 0) throw new AutogradError(`${op}: the host must not read tensors inside a captured step`);
  }
  forbid<R>(fn: () => R): R {
    ++this.#forbidden;
    try {
      return fn();
    } finally {
      --this.#forbidden;
    }
  }
}

export const hostReads = new HostReads();

/** Runs `fn`; `item`, `data`, `dataSync` and printing throw an AutogradError inside. */
export function withoutHostReads<R>(fn: () => R): R {
  requireFunction('withoutHostReads', 'fn', fn);
  return hostReads.forbid(fn);
}
