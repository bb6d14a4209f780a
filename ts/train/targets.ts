/** Labels that depend on what the model answers, where several answers are right. */
import { noGrad } from '../autograd/no_grad';
import type { BatchTensors } from '../hrm/act';
import type { ModelSettings } from '../hrm/config';
import { cast } from '../ops/cast';
import { tensor } from '../tensor/create';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';

/** Rows of a step and the logits that the model gave them; returns the labels [n, seqLen] they are held to. */
export type TargetChooser = (rows: {
  /** [n, seqLen] */
  readonly inputs: Int32Array;
  /** [n, seqLen], the data's */
  readonly labels: Int32Array;
  /** [n, seqLen, vocabSize] */
  readonly logits: Float32Array;
  readonly vocabSize: number;
  /** How the logits become probabilities. */
  readonly lossType: ModelSettings['lossType'];
}) => Int32Array;

/** The rows with the labels that are chosen for them. Reads the host's side of everything: not for a captured step. */
export function chooseTargets(
  choose: TargetChooser,
  rows: BatchTensors,
  { logits, lossType }: { logits: Tensor; lossType: ModelSettings['lossType'] },
): BatchTensors {
  const labels = tidy(() =>
    choose({
      inputs: rows.inputs.dataSync() as Int32Array,
      labels: rows.labels.dataSync() as Int32Array,
      logits: noGrad(() => cast(logits, 'float32')).dataSync() as Float32Array,
      vocabSize: logits.shape.at(-1)!,
      lossType,
    }),
  );
  return { ...rows, labels: tensor(labels, { shape: [...rows.labels.shape], device: rows.labels.device }) };
}
