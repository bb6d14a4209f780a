/** Which `tidy` scope a new tensor belongs to, and the record of creation stacks in leak mode. */

interface Disposable {
  dispose(): void;
}

class Scopes {
  readonly #stack: Disposable[][] = [];
  #asyncCount = 0;
  #asyncStore: (() => Disposable[] | undefined) | undefined;

  current(): Disposable[] | undefined {
    const top = this.#stack[this.#stack.length - 1];
    return top ?? (this.#asyncCount > 0 ? this.#asyncStore?.() : undefined);
  }
  add(tensor: Disposable): void {
    if (this.#stack.length > 0 || this.#asyncCount > 0) this.current()?.push(tensor);
  }
  push(scope: Disposable[]): void {
    this.#stack.push(scope);
  }
  pop(): void {
    this.#stack.pop();
  }
  enterAsync(store: () => Disposable[] | undefined): void {
    this.#asyncStore = store;
    ++this.#asyncCount;
  }
  leaveAsync(): void {
    --this.#asyncCount;
  }
  /** Removes a tensor from every open scope. */
  forget(tensor: Disposable): void {
    for (const scope of [...this.#stack, this.#asyncStore?.()]) {
      const index = scope?.lastIndexOf(tensor) ?? -1;
      if (index >= 0) scope?.splice(index, 1);
    }
  }
}

export const scopes = new Scopes();

/** One living tensor handle, as leak mode saw it made. */
export interface LiveTensor {
  shape: readonly number[];
  dtype: string;
  /** JavaScript stack of the call that made it. */
  stack: string;
}

interface Leakable {
  readonly isDisposed: boolean;
  readonly shape: readonly number[];
  readonly dtype: string;
}

class Leaks {
  enabled = false;
  readonly #entries = new Set<{ tensor: WeakRef<Leakable>; stack: string }>();

  record(tensor: Leakable): void {
    const stack = new Error('created').stack ?? '';
    this.#entries.add({ tensor: new WeakRef(tensor), stack: stack.split('\n').slice(3).join('\n') });
  }
  list(): LiveTensor[] {
    const live: LiveTensor[] = [];
    for (const entry of this.#entries) {
      const tensor = entry.tensor.deref();
      if (tensor === undefined || tensor.isDisposed) this.#entries.delete(entry);
      else live.push({ shape: tensor.shape, dtype: tensor.dtype, stack: entry.stack });
    }
    return live;
  }
  clear(): void {
    this.#entries.clear();
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
