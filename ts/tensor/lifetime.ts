/** Which `tidy` scope a new tensor belongs to, and the record of creation stacks in leak mode. */
import type { TensorId } from '../native/addon';
import { addon } from '../native/boundary';
import { type DType, DTYPES } from './dtype';

/** What a scope holds: tensors, which are defined above this. */
export interface Disposable {
  dispose(): void;
}

/** The tensors that a `tidy` is answerable for. */
export class Scope {
  readonly tensors: Disposable[] = [];
  /** False once it has disposed them: what is made by work that outlives it goes to the next one out. */
  open = true;
  readonly #parent: Scope | undefined;

  constructor(parent: Scope | undefined) {
    this.#parent = parent;
  }
  get parent(): Scope | undefined {
    let scope = this.#parent;
    while (scope && !scope.open) scope = scope.parent;
    return scope;
  }
}

class Scopes {
  readonly #stack: Scope[] = [];
  #asyncCount = 0;
  #asyncStore: (() => Scope | undefined) | undefined;

  current(): Scope | undefined {
    const scope = this.#stack[this.#stack.length - 1] ?? (this.#asyncCount > 0 ? this.#asyncStore?.() : undefined);
    return scope === undefined || scope.open ? scope : scope.parent;
  }
  add(tensor: Disposable): void {
    if (this.#stack.length > 0 || this.#asyncCount > 0) this.current()?.tensors.push(tensor);
  }
  push(scope: Scope): void {
    this.#stack.push(scope);
  }
  pop(): void {
    this.#stack.pop();
  }
  enterAsync(store: () => Scope | undefined): void {
    this.#asyncStore = store;
    ++this.#asyncCount;
  }
  leaveAsync(): void {
    --this.#asyncCount;
  }
  /** Removes a tensor from the current scope and those around it. */
  forget(tensor: Disposable): void {
    for (let scope = this.current(); scope; scope = scope.parent) {
      const index = scope.tensors.lastIndexOf(tensor);
      if (index >= 0) scope.tensors.splice(index, 1);
    }
  }
}

export const scopes = new Scopes();

/** What holds a native tensor; the handles that are defined above this. */
export interface Held {
  readonly id: TensorId;
}

/** Told of the handle of every tensor that is read, while it is set (`remat`). */
export const reads: { watch: ((handle: Held) => void) | undefined } = { watch: undefined };

/** One living tensor, as leak mode saw it made: in use by a Tensor object or by the graph. */
export interface LiveTensor {
  shape: readonly number[];
  dtype: DType;
  /** JavaScript stack of the call that made it. */
  stack: string;
}

/** Entries of dead tensors are looked for when the record has doubled since, and from this many on. */
const FIRST_SWEEP = 1024;

/**
 * Stacks by native number. It holds no tensor, not even weakly: a WeakRef made in a loop keeps its target alive until the
 * loop returns to the event loop.
 */
class Leaks {
  enabled = false;
  readonly #stacks = new Map<TensorId, string>();
  #sweepAt = FIRST_SWEEP;

  get size(): number {
    return this.#stacks.size;
  }
  record(id: TensorId): void {
    if (this.#stacks.has(id)) return;
    if (this.#stacks.size >= this.#sweepAt) {
      for (const known of this.#stacks.keys()) if (!addon().isLive(known)) this.#stacks.delete(known);
      this.#sweepAt = Math.max(FIRST_SWEEP, 2 * this.#stacks.size);
    }
    const stack = new Error('created').stack ?? '';
    this.#stacks.set(id, stack.split('\n').slice(3).join('\n'));
  }
  list(): LiveTensor[] {
    const live: LiveTensor[] = [];
    for (const [id, stack] of this.#stacks) {
      if (addon().isLive(id)) live.push({ shape: addon().shape(id), dtype: DTYPES[addon().dtype(id)] as DType, stack });
      else this.#stacks.delete(id);
    }
    return live;
  }
  clear(): void {
    this.#stacks.clear();
    this.#sweepAt = FIRST_SWEEP;
  }
}

export const leaks = new Leaks();

/** Leak mode: every tensor made from now on remembers the stack of its creation (slow; for debugging). */
export function setLeakMode(enabled: boolean): void {
  leaks.enabled = enabled;
  if (!leaks.enabled) leaks.clear();
}

/** The living tensors made since leak mode was switched on, oldest first. */
export function liveTensors(): LiveTensor[] {
  return leaks.list();
}
