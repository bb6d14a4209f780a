import { addon } from '../native/boundary';
import { isRecording, recordingNumber } from '../tensor/capture';
import { dtypeCode } from '../tensor/dtype';
import { nativeCall } from '../tensor/invoke';
import { Tensor } from '../tensor/tensor';

/** Whether whoever launches what is being recorded rounds copies again before each launch. */
let areKept = false;

/** Runs `fn`, which may be recorded, for a caller that calls `refresh` of all copies before each launch. */
export function withKeptCopies<R>(fn: () => R): R {
  const before = areKept;
  areKept = true;
  try {
    return fn();
  } finally {
    areKept = before;
  }
}

/**
 * A bfloat16 copy of a float32 leaf, rounded to nearest even, that ops read in the leaf's place. Gradients arrive at the
 * leaf, in float32. The copy follows the leaf: after a write to the leaf it is rounded again before its next use, unless
 * whoever wrote the leaf has written the copy too (`written`). A graph asks no versions: rounding is part of it, unless
 * somebody sees to the copies before each launch (`withKeptCopies`).
 */
export class RoundedCopy {
  readonly leaf: Tensor;
  #copy: Tensor | undefined;
  /** The memory of the leaf, and the version of it, that the copy was made of. */
  #id = -1;
  #version = -1;
  /** The recording that rounds it. */
  #recording = 0;

  constructor(leaf: Tensor) {
    this.leaf = leaf;
  }

  /** The copy, up to date, on the leaf's device; it stays this object's. Nothing is read on the host. */
  get tensor(): Tensor {
    this.refresh();
    return this.#copy!;
  }

  /** Rounds the leaf again where it was written since. */
  refresh(): void {
    const { id } = Tensor.handleOf(this.leaf, 'RoundedCopy', 'the leaf');
    const recording = areKept ? 0 : recordingNumber();
    const isUnrecorded = recording !== 0 && recording !== this.#recording;
    if (isUnrecorded || this.#id !== id || this.#version !== addon().version(id)) this.#round();
    if (isUnrecorded) this.#recording = recording;
  }

  /** Says that the leaf and its copy have been written together. */
  written(): void {
    const { id } = Tensor.handleOf(this.leaf, 'RoundedCopy', 'the leaf');
    this.#id = id;
    this.#version = addon().version(id);
  }

  #round(): void {
    if (this.#copy?.isDisposed === false && this.#copy.device === this.leaf.device) {
      nativeCall('copy').many([this.#copy, this.leaf]);
    } else {
      this.dispose();
      const rounded = nativeCall('cast').one([this.leaf], { dtype: dtypeCode('bfloat16') });
      this.#copy = rounded.alias();
      this.#copy.leaf = this.leaf;
      rounded.dispose();
    }
    // What is recorded has not run, and may never.
    if (!isRecording()) this.written();
  }

  dispose(): void {
    this.#copy?.dispose();
    this.#copy = undefined;
    this.#id = -1;
  }
}
