/** One row of tokens through a model, a segment at a time, with what the model makes of every cell. */
import { IGNORE_LABEL } from '../hrm/loss';
import type { Hrm } from '../hrm/model';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { haltingRows } from './evaluate';
import { SegmentRunner } from './segment_runner';
import { batchTensors } from './step';

/** A puzzle as the model reads it. */
export interface PuzzleRow {
  /** [seqLen] */
  readonly inputs: Int32Array;
  readonly puzzleIdentifier: number;
}

/** The answer after one segment. */
export interface SegmentAnswer {
  /** [seqLen]: the best token of each cell; the lowest where several are equally good. */
  readonly tokens: Int32Array;
  /** [seqLen]: its probability under the loss that the model was trained with, 0 to 1. */
  readonly confidence: Float64Array;
  readonly qHalt: number;
  readonly qContinue: number;
  /** Whether the model would stop here. */
  readonly halts: boolean;
}

/**
 * Runs segment after segment on one row, as in evaluation: the row never halts by itself. Every `next` is one segment;
 * ending the iteration early frees what it holds.
 *
 * @param row fits the model: seqLen tokens of its vocabulary
 */
export function* runSegments(model: Hrm, row: PuzzleRow, segments: number): Generator<SegmentAnswer, void, void> {
  const labels = new Int32Array(row.inputs.length).fill(IGNORE_LABEL);
  const puzzleIdentifiers = Int32Array.of(row.puzzleIdentifier);
  const runner = new SegmentRunner(model);
  try {
    tidy(() => {
      runner.start(batchTensors({ inputs: row.inputs, labels, puzzleIdentifiers }));
    });
    for (let segment = 0; segment < segments; segment++) {
      const { outputs } = runner.next();
      yield {
        ...decode(model, outputs.logits),
        qHalt: Number(outputs.qHalt.item()),
        qContinue: Number(outputs.qContinue.item()),
        halts: haltingRows(model, outputs, false)[0]!,
      };
    }
  } finally {
    runner.dispose();
  }
}

/** Weight of a logit under the loss that the model was trained with; probabilities are weights over their sum. */
function weightOf(lossType: Hrm['config']['lossType'], logit: number, max: number): number {
  if (lossType === 'softmax') return Math.exp(logit - max);
  return logit >= 0 ? logit + 1 : 1 / (1 - logit + 1e-30);
}

function decode({ config }: Hrm, logits: Tensor): Pick<SegmentAnswer, 'tokens' | 'confidence'> {
  const { vocabSize, lossType, seqLen } = config;
  const values = logits.dataSync();
  const tokens = new Int32Array(seqLen);
  const confidence = new Float64Array(seqLen);
  for (let cell = 0; cell < seqLen; cell++) {
    const row = Array.from(values.subarray(cell * vocabSize, (cell + 1) * vocabSize));
    const max = Math.max(...row);
    tokens[cell] = row.indexOf(max);
    const sum = row.reduce((part, logit) => part + weightOf(lossType, logit, max), 0);
    confidence[cell] = weightOf(lossType, max, max) / sum;
  }
  return { tokens, confidence };
}
