import { addon } from '../native/boundary';
import { currentRecording } from '../tensor/capture';
import { dtypeCode } from '../tensor/dtype';
import { nativeCall } from '../tensor/invoke';
import { Tensor } from '../tensor/tensor';

let isRefreshedByOwner = false;

/**
 * Runs a function that is captured, whose owner calls `refresh` on the copies it reads before each of its runs: what is
 * recorded of it reads them as they are then, and rounds none.
 */
export function withRefreshedCopies<R>(fn: () => R): R {
  const before = isRefreshedByOwner;
  isRefreshedByOwner = true;
  try {
    return fn();
  } finally {
    isRefreshedByOwner = before;
  }
}

/**
 * A bfloat16 copy of a float32 leaf, rounded to nearest even, that ops read in the leaf's place. Gradients arrive at the
 * leaf, in float32. The copy follows the leaf: after a write to the leaf it is rounded again before its next use, unless
 * whoever wrote the leaf has written the copy too (`written`). A recording rounds it anew before its first use in it: each
 * launch then reads the leaf as it is, which may have been written since.
 */
export class RoundedCopy {
  readonly leaf: Tensor;
  #copy: Tensor | undefined;
  /** The memory of the leaf, and the version of it, that the copy was made of. */
  #id = -1;
  #version = -1;
  /** The recording in which it was, 0: none. What is recorded has not run, and may never. */
  #recording = 0;

  constructor(leaf: Tensor) {
    this.leaf = leaf;
  }

  /** The copy, up to date, on the leaf's device; it stays this object's. Nothing is read on the host. */
  get tensor(): Tensor {
    this.refresh();
    return this.#copy!;
  }

  /** Rounds the leaf again where it was written since, or may be before what is recorded runs. */
  refresh(): void {
    const { id } = Tensor.handleOf(this.leaf, 'RoundedCopy', 'the leaf');
    const isOfNow = this.#recording === currentRecording() || (this.#recording === 0 && isRefreshedByOwner);
    if (!isOfNow || this.#id !== id || this.#version !== addon().version(id)) this.#round();
  }

  /** Says that the leaf and its copy have been written together. */
  written(): void {
    const { id } = Tensor.handleOf(this.leaf, 'RoundedCopy', 'the leaf');
    this.#id = id;
    this.#version = addon().version(id);
    this.#recording = currentRecording();
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
    this.written();
  }

  dispose(): void {
    this.#copy?.dispose();
    this.#copy = undefined;
    this.#id = -1;
  }
}
