/** Work of an accelerator recorded once and run again as a whole: `capture(fn)`. docs/cuda.md shows its use. */
import { ArgumentError, DeviceError, DisposedError } from '../error';
import type { GraphId } from '../native/addon';
import { addon, guarded } from '../native/boundary';
import { type Device, type DeviceCode, deviceCode, deviceName } from '../native/device';
import { readOptions, requireFunction } from './arguments';
import { tidyApart } from './scope';
import type { Tensor } from './tensor';

export interface CaptureOptions {
  /** Whose work is recorded; 'cpu': none, `fn` runs at every call. Default: the accelerator that the first call works on. */
  readonly device?: Device;
}

/** A function that runs what it was made of, after the second call without its JavaScript. */
export interface Captured<R> {
  /**
   * Runs it once.
   * @returns what `fn` returned. Its tensors carry no graph and belong to this function: they hold until the next call, so
   * `clone` what is to stay
   * @throws DisposedError; DeviceError inside another captured function, and where `fn` cannot be recorded
   */
  (): R;
  /** Frees the graph and its memory: tensors that it returned become disposed. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** Whether a captured function runs; they cannot run in each other. */
let running = false;
/** Recordings begun so far. */
let begun = 0;
let recording = 0;

/** Which recording is being made, from 1; 0: none. What is asked for in one has not run when its JavaScript has. */
export function currentRecording(): number {
  return recording;
}

/** The accelerators that work was asked of since `before`. */
function devicesUsed(before: readonly number[]): DeviceCode[] {
  return addon()
    .opCalls()
    .flatMap((calls, index) => (calls > (before[index] ?? 0) ? [index + 1] : []));
}

/** What a captured function has come to. Native code frees the graph when this object is collected. */
class Recorder<R> {
  readonly #fn: () => R;
  #device: DeviceCode | undefined;
  #isWarm = false;
  #isRunning = false;
  /** Made for the CPU: as good inside another as what it was made of. */
  readonly #isNeverRecorded: boolean;
  #isDisposed = false;
  #graph: GraphId | undefined;
  #result: R | undefined;
  /** Tensors of the result that fn made. */
  #made = new Set<Tensor>();

  constructor(fn: () => R, device: DeviceCode | undefined) {
    this.#fn = fn;
    this.#device = device;
    this.#isNeverRecorded = device === 0;
  }

  call(): R {
    if (this.#isDisposed) throw new DisposedError('capture: the captured function has been disposed');
    if (running && !this.#isNeverRecorded)
      throw new DeviceError(
        'capture: a captured function cannot run inside another; call the function that it was made of',
      );
    const graph = this.#graph;
    if (graph !== undefined) {
      guarded(() => {
        addon().launchGraph(graph);
      });
      return this.#result as R;
    }
    if (this.#isRunning) throw new ArgumentError('capture: a captured function must not call itself');
    const outer = running;
    running = this.#isRunning = true;
    try {
      return this.#isWarm && this.#device !== 0 ? this.#record(this.#device!) : this.#runEagerly();
    } finally {
      running = outer;
      this.#isRunning = false;
    }
  }

  /** The first call on an accelerator, which fills pools and makes what is made once; every call on the CPU. */
  #runEagerly(): R {
    const before = addon().opCalls();
    const result = this.#take(tidyApart('capture', this.#fn));
    this.#device ??= devicesUsed(before)[0] ?? 0;
    this.#isWarm = true;
    return result;
  }

  #record(device: DeviceCode): R {
    guarded(() => {
      addon().beginCapture(device);
    });
    recording = ++begun;
    try {
      const before = addon().opCalls();
      const run = tidyApart('capture', this.#fn);
      const others = devicesUsed(before).filter((used) => used !== device);
      if (others.length > 0)
        throw new DeviceError(
          `capture: fn must work on one accelerator, ${deviceName(device)}, it also worked on ${others.map(deviceName).join(', ')}`,
        );
      this.#graph = guarded(() => addon().endCapture(this, device));
      this.#result = this.#take(run);
    } catch (error) {
      addon().abortCapture(device);
      throw error;
    } finally {
      recording = 0;
    }
    const graph = this.#graph;
    guarded(() => {
      addon().launchGraph(graph);
    });
    return this.#result;
  }

  /** Takes the tensors of a run over and lets go of those of the run before. */
  #take({ result, tensors, made }: { result: R; tensors: Set<Tensor>; made: Set<Tensor> }): R {
    for (const tensor of this.#made)
      if (tensors.has(tensor)) made.add(tensor);
      else tensor.dispose();
    for (const tensor of made) tensor.producer = undefined;
    this.#made = made;
    return result;
  }

  dispose(): void {
    if (this.#isDisposed) return;
    // A graph cannot go while another is recorded; what has none can.
    if (this.#isRunning || (running && this.#graph !== undefined))
      throw new ArgumentError('capture: dispose() must not be called inside a captured function');
    this.#isDisposed = true;
    this.#result = undefined;
    for (const tensor of this.#made) tensor.dispose();
    this.#made.clear();
    if (this.#graph !== undefined) addon().releaseGraph(this.#graph);
  }
}

/**
 * Makes a function of `fn` that runs the same work without its JavaScript. On an accelerator the first call runs `fn` as it
 * is (what is made once is made here), the second records what `fn` asks of the device into a graph and runs that, and each
 * later call runs the graph: one launch, no allocation. On the CPU every call runs `fn`.
 *
 * In the graph everything but the contents of tensors stays as it was when it was recorded: numbers, shapes, branches, and
 * scalars that live on the CPU. So what changes from call to call lives in tensors of the device made outside: `copy_` new
 * values into them before the call. They stay alive as long as the graph. State is carried over by writing into such
 * tensors at the end of `fn`; `backward` inside `fn` adds to gradients that were there before.
 *
 * Inside `fn` the host must not read, upload or wait (`item`, `dataSync`, `data`, `tensor([...], { device })`,
 * `synchronize`): nothing has run. `zeros`, `full`, numbers and CPU scalars as operands are fine. When `fn` throws, the
 * recording is dropped with the tensors made in it, and the next call records anew.
 *
 * @param fn synchronous, without arguments; returns tensors, in arrays, objects, Maps or Sets, or nothing
 * @throws ArgumentError, DeviceError for a device that is not there
 */
export function capture<R>(fn: () => R, options: CaptureOptions = {}): Captured<R> {
  requireFunction('capture', 'fn', fn);
  const { device } = readOptions('capture', options, ['device']);
  const recorder = new Recorder(fn, device === undefined ? undefined : deviceCode(device, 'capture'));
  const dispose = (): void => {
    recorder.dispose();
  };
  return Object.assign(() => recorder.call(), { dispose, [Symbol.dispose]: dispose });
}
