/** Long loops that can pause: written once as a generator, run to the end at once or in turns with the event loop. */

/** Milliseconds of work between two turns of the event loop. */
const TURN_MS = 50;

/** Runs a loop to its end. */
export function finish<T>(loop: Generator<number, T>): T {
  for (;;) {
    const { done, value } = loop.next();
    if (done === true) return value;
  }
}

/** How {@link finishInTurns} is watched. */
export interface TurnOptions {
  /** Ends the loop early. */
  readonly signal?: AbortSignal | undefined;
  /** Called before each turn with what the loop yielded last. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

/** Runs a loop to its end, letting signals and timers in between. @throws the signal's reason when it is aborted */
export async function finishInTurns<T>(loop: Generator<number, T>, options: TurnOptions = {}): Promise<T> {
  let turn = performance.now();
  for (;;) {
    const { done, value } = loop.next();
    if (done === true) return value;
    if (performance.now() - turn < TURN_MS) continue;
    options.onProgress?.(value);
    await new Promise((resolve) => setImmediate(resolve));
    options.signal?.throwIfAborted();
    turn = performance.now();
  }
}
