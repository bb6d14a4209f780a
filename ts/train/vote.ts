/** Several initial states answer the same puzzles and vote on every cell. */
import { ArgumentError } from '../error';
import type { BatchTensors, StepOutputs } from '../hrm/act';
import type { ModelConfig } from '../hrm/config';
import type { Hrm } from '../hrm/model';
import { neg, sub } from '../ops/arithmetic';
import { cast } from '../ops/cast';
import { concat, stack } from '../ops/concat';
import { logStablemax } from '../ops/cross_entropy';
import { indexSelect } from '../ops/indexing';
import { mean, sum } from '../ops/reduce';
import { logSoftmax, logsumexp } from '../ops/softmax';
import { exp } from '../ops/unary';
import { describe } from '../tensor/dtype';
import { tensor, toDevice } from '../tensor/create';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { batchSegments, type BatchSegment, type SegmentsOptions, selectOutputs } from './segments';

/** The last segment of every row of a batch, in the order of the rows. */
export interface FinalOutputs {
  readonly outputs: StepOutputs;
  /** int32 [B]: segments run */
  readonly steps: Tensor;
}

/** The most initial states: each of them is a whole run. */
const MAX_INITIAL_STATES = 4096;

/** @param model whose states are to be drawn */
export function requireInitialStates(op: string, value: unknown, model?: Pick<Hrm, 'config'>): void {
  if (value !== 1 && model?.config.stateInit === 'zero') {
    throw new ArgumentError(
      `${op}: initialStates must be 1 for a model whose states begin as zeros (stateInit 'zero'), got ${describe(value)}`,
    );
  }
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= MAX_INITIAL_STATES) return;
  throw new ArgumentError(
    `${op}: initialStates must be an integer in [1, ${MAX_INITIAL_STATES}], got ${describe(value)}`,
  );
}

/**
 * Runs all rows to their end.
 *
 * @param visit sees every segment
 */
export function finalOutputs(
  model: Hrm,
  batch: BatchTensors,
  options: SegmentsOptions,
  visit?: (segment: BatchSegment) => void,
): FinalOutputs {
  return tidy(() => {
    const [order, parts, steps]: [number[], StepOutputs[], number[]] = [[], [], []];
    let nSegments = 0;
    for (const segment of batchSegments(model, batch, options)) {
      nSegments++;
      visit?.(segment);
      if (segment.done.length === 0) continue;
      parts.push(tidy(() => selectOutputs(segment.outputs, segment.done)));
      for (const place of segment.done) {
        order.push(segment.rows[place]!);
        steps[segment.rows[place]!] = nSegments;
      }
    }
    const places = new Int32Array(order.length);
    order.forEach((row, place) => (places[row] = place));
    const { device } = batch.inputs;
    const ids = tensor(places, { device });
    const ordered = (of: 'logits' | 'qHalt' | 'qContinue'): Tensor =>
      indexSelect(
        concat(
          parts.map((part) => part[of]),
          0,
        ),
        0,
        ids,
      );
    return {
      outputs: {
        ...{ logits: ordered('logits'), qHalt: ordered('qHalt'), qContinue: ordered('qContinue') },
        ...{ targetQContinue: undefined, puzzleRows: undefined },
      },
      steps: tensor(Int32Array.from(steps), { device }),
    };
  });
}

/**
 * The vote of several runs of the same rows: the mean of their probabilities for each cell, as logits that give these probabilities
 * under the model's loss; the mean of their Q logits; the sum of their segments.
 */
export function vote({ lossType }: Pick<ModelConfig, 'lossType'>, runs: readonly FinalOutputs[]): FinalOutputs {
  return tidy(() => {
    const all = (of: (run: FinalOutputs) => Tensor): Tensor => stack(runs.map(of));
    return {
      outputs: {
        logits: votedLogits(
          lossType,
          runs.map(({ outputs }) => outputs.logits),
        ),
        qHalt: mean(
          all(({ outputs }) => outputs.qHalt),
          0,
        ),
        qContinue: mean(
          all(({ outputs }) => outputs.qContinue),
          0,
        ),
        targetQContinue: undefined,
        puzzleRows: undefined,
      },
      steps: sum(
        all(({ steps }) => steps),
        0,
      ),
    };
  });
}

/** @param logits [B, seqLen, V] of each run */
function votedLogits(lossType: ModelConfig['lossType'], logits: readonly Tensor[]): Tensor {
  const { device } = logits[0]!;
  const dtype = logits[0]!.dtype === 'float64' ? 'float64' : 'float32';
  // In logarithms, because probabilities of a confident model leave the range of float32. Those of stablemax are computed in
  // float64, which the CPU alone has.
  const logs = logits.map((each) =>
    lossType === 'softmax' ? logSoftmax(cast(each, dtype), -1) : logStablemax(toDevice(each, 'cpu', 'vote')),
  );
  const total = sub(logsumexp(stack(logs), 0), Math.log(logs.length));
  // Stablemax of v < 0 is 1 / (1 - v) over a sum that is 1 here: the v of probability p is 1 - 1/p.
  return lossType === 'softmax' ? total : toDevice(cast(sub(1, exp(neg(total))), dtype), device, 'vote');
}
