/** The training loss and the metrics of one segment (HRM section 3, steps 4 and 5). */
import { noGrad } from '../autograd/no_grad';
import { ArgumentError } from '../error';
import { detached } from '../autograd/tape';
import { IGNORE_LABEL } from '../tensor/ignore_label';
import { add, div, mul } from '../ops/arithmetic';
import { bceWithLogits } from '../ops/bce_with_logits';
import { cast } from '../ops/cast';
import { eq, ge, gt, logicalAnd, ne } from '../ops/compare';
import { crossEntropy } from '../ops/cross_entropy';
import { stack } from '../ops/concat';
import { maximum } from '../ops/power';
import { sum } from '../ops/reduce';
import { argmax } from '../ops/softmax';
import { where } from '../ops/where';
import { zeros } from '../tensor/create';
import { readFields } from '../tensor/arguments';
import { describe } from '../tensor/dtype';
import type { Tensor } from '../tensor/tensor';
import { requireCarry, requireOutputs } from './arguments';
import type { Carry, StepOutputs } from './act';
import { HALT_LOSSES, type ModelConfig } from './config';

export { IGNORE_LABEL };

/**
 * The entries of `metrics`, all sums over the batch: over the rows that halted in this step and have a label (count,
 * accuracy, exactAccuracy, qHaltAccuracy, steps), and over all rows (the losses).
 */
export const METRIC_NAMES = [
  'count',
  'accuracy',
  'exactAccuracy',
  'qHaltAccuracy',
  'steps',
  'lmLoss',
  'qHaltLoss',
  'qContinueLoss',
] as const;
export type MetricName = (typeof METRIC_NAMES)[number];

export interface LossResult {
  /** Scalar: summed over rows, to be divided by the global batch size before backward. */
  loss: Tensor;
  /** float32 [8] in the order of METRIC_NAMES */
  metrics: Tensor;
}

/**
 * total = lm + 0.5 (qHalt + qContinue), each summed over the rows; lm is the mean of a row over its scored tokens. With haltLoss
 * 'none' it is lm alone, and the metrics say how far off the untrained Q head is.
 *
 * @param carry the carry after the segment
 * @param outputs of the same segment
 * @throws ArgumentError for a lossType or haltLoss that there is not
 */
export function actLoss(
  config: Pick<ModelConfig, 'lossType'> & Partial<Pick<ModelConfig, 'haltLoss'>>,
  carry: Carry,
  outputs: StepOutputs,
): LossResult {
  const { lossType, haltLoss } = readFields('actLoss', 'config', config, ['lossType', 'haltLoss']);
  if (haltLoss !== undefined && !(HALT_LOSSES as readonly unknown[]).includes(haltLoss))
    throw new ArgumentError(
      `actLoss: config.haltLoss must be one of ${HALT_LOSSES.join(', ')}, got ${describe(haltLoss)}`,
    );
  const { halted, steps, current } = requireCarry('actLoss', carry);
  const { labels } = current;
  const { logits, qHalt, qContinue, targetQContinue } = requireOutputs('actLoss', outputs);

  const judged = noGrad(() => {
    const scored = ne(labels, IGNORE_LABEL);
    const nScored = sum(scored, 1);
    const correct = logicalAnd(scored, eq(argmax(logits, 2), labels));
    const nCorrect = sum(correct, 1);
    const perRow = cast(maximum(nScored, 1), logits.dtype === 'float64' ? 'float64' : 'float32');
    return { nScored, nCorrect, perRow, rowIsCorrect: eq(nCorrect, nScored) };
  });

  const tokenLosses = crossEntropy(logits, labels, {
    kind: lossType,
    ignoreIndex: IGNORE_LABEL,
    reduction: 'none',
  });
  const lmLoss = sum(div(sum(tokenLosses, 1), judged.perRow));
  const qHaltLoss = bceWithLogits(qHalt, cast(judged.rowIsCorrect, qHalt.dtype), { reduction: 'sum' });
  const qContinueLoss = targetQContinue
    ? bceWithLogits(qContinue, targetQContinue, { reduction: 'sum' })
    : zeros([], { dtype: qHalt.dtype, device: qHalt.device });
  const loss = haltLoss === 'none' ? lmLoss : add(lmLoss, mul(add(qHaltLoss, qContinueLoss), 0.5));

  const metrics = noGrad(() => {
    const { nScored, nCorrect, perRow, rowIsCorrect } = judged;
    const valid = logicalAnd(halted, gt(nScored, 0));
    const zero = zeros([]);
    const total = (values: Tensor): Tensor => cast(sum(values), 'float32');
    const fraction = div(cast(nCorrect, perRow.dtype), perRow);
    return stack([
      total(valid),
      total(where(valid, cast(fraction, 'float32'), zero)),
      total(logicalAnd(valid, rowIsCorrect)),
      total(logicalAnd(valid, eq(ge(qHalt, 0), rowIsCorrect))),
      total(where(valid, steps, zeros([], { dtype: 'int32' }))),
      ...[lmLoss, qHaltLoss, qContinueLoss].map((part) => cast(detached(part), 'float32')),
    ]);
  });
  return { loss, metrics };
}
