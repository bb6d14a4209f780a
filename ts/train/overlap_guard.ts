/** Looks at the rows that training really uses for what is held out. */
import type { Batch } from '../data/sampler';
import { ArgumentError } from '../error';

export class OverlapGuard {
  readonly #heldOut: ReadonlySet<string>;
  readonly #keysOf: (batch: Batch, row: number) => readonly string[];
  #nRows = 0;
  #nOverlaps = 0;

  /**
   * @param heldOut what no training row may have: texts of puzzles, solutions, layouts
   * @param keysOf the same of a row of a batch
   */
  constructor(heldOut: ReadonlySet<string>, keysOf: (batch: Batch, row: number) => readonly string[]) {
    this.#heldOut = heldOut;
    this.#keysOf = keysOf;
  }

  /** Rows of training batches that were looked at, and how many of them a held-out split has. */
  get seen(): { readonly nRows: number; readonly nOverlaps: number } {
    return { nRows: this.#nRows, nOverlaps: this.#nOverlaps };
  }

  /** Looks at every row of a training batch. @throws ArgumentError when one is held out */
  check(batch: Batch): void {
    for (let row = 0; row < batch.nValid; row++) {
      this.#nRows++;
      if (this.#keysOf(batch, row).some((key) => this.#heldOut.has(key))) this.#nOverlaps++;
    }
    if (this.#nOverlaps > 0) {
      throw new ArgumentError(`train: no training row must be held out, got ${this.#nOverlaps} of ${this.#nRows}`);
    }
  }
}
