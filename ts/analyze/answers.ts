/** Answers of a batch held against its labels, on the host. */
import { IGNORE_LABEL } from '../hrm/loss';
import { argmax } from '../ops/softmax';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { type MeanEstimate, RunningMean } from './statistics';

/** How many puzzles were right, over those with a scored cell (HRM section 3.5). */
export interface Accuracy {
  /** Share of the scored cells of a puzzle that are right. */
  readonly accuracy: MeanEstimate;
  /** Puzzles with all scored cells right. */
  readonly exactAccuracy: MeanEstimate;
}

/** The most probable token of each cell, ties to the lowest. @param logits [B, seqLen, V] @returns B * seqLen tokens */
export function answersOf(logits: Tensor): Int32Array {
  return tidy(() => Int32Array.from(argmax(logits, 2).dataSync()));
}

/** Calls `each` for every puzzle of a batch with the cells of it that are scored. */
export function eachScoredRow(
  labels: Int32Array,
  seqLen: number,
  each: (row: number, scored: readonly number[]) => void,
): void {
  for (let row = 0; row * seqLen < labels.length; ++row) {
    const scored: number[] = [];
    for (let cell = row * seqLen; cell < (row + 1) * seqLen; ++cell)
      if (labels[cell] !== IGNORE_LABEL) scored.push(cell);
    if (scored.length > 0) each(row, scored);
  }
}

/** Accuracies of puzzles that come batch by batch. */
export class AccuracyMeans {
  readonly #share = new RunningMean();
  readonly #exact = new RunningMean();

  /** @returns the rows that are exactly right */
  add(answers: Int32Array, labels: Int32Array, seqLen: number): Set<number> {
    const right = new Set<number>();
    eachScoredRow(labels, seqLen, (row, scored) => {
      const nRight = scored.filter((cell) => answers[cell] === labels[cell]).length;
      this.#share.add(nRight / scored.length);
      this.#exact.add(nRight === scored.length ? 1 : 0);
      if (nRight === scored.length) right.add(row);
    });
    return right;
  }
  get count(): number {
    return this.#exact.count;
  }
  get accuracy(): Accuracy {
    return { accuracy: this.#share.estimate, exactAccuracy: this.#exact.estimate };
  }
}
