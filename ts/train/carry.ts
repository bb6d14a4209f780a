/** Batches and carries in tensors that keep their memory from one segment to the next, as a captured segment needs them. */
import { noGrad } from '../autograd/no_grad';
import { ShapeError } from '../error';
import type { BatchTensors, Carry } from '../hrm/act';
import type { Device } from '../native/device';
import { copy_ } from '../ops/cast';
import { zeros } from '../tensor/create';
import { keep } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';

/** The tensors of a carry by name. */
export function carryTensors({ zH, zL, steps, halted, current }: Carry): Map<string, Tensor> {
  return new Map([
    ['zH', zH],
    ['zL', zL],
    ['steps', steps],
    ['halted', halted],
    ['inputs', current.inputs],
    ['labels', current.labels],
    ['puzzleIdentifiers', current.puzzleIdentifiers],
  ]);
}

export function disposeCarry(carry: Carry | undefined): void {
  if (carry) for (const item of carryTensors(carry).values()) item.dispose();
}

export function disposeBatch(batch: BatchTensors | undefined): void {
  if (batch) for (const item of [batch.inputs, batch.labels, batch.puzzleIdentifiers]) item.dispose();
}

/** Its values in memory of its own, in no scope. */
function owned(item: Tensor, device: Device): Tensor {
  const { shape, dtype } = item;
  return noGrad(() => keep(copy_(zeros(shape, { dtype, device }), item)));
}

/** A batch in memory of its own. */
export function ownBatch({ inputs, labels, puzzleIdentifiers }: BatchTensors, device: Device): BatchTensors {
  return {
    inputs: owned(inputs, device),
    labels: owned(labels, device),
    puzzleIdentifiers: owned(puzzleIdentifiers, device),
  };
}

/** A carry in memory of its own. */
export function ownCarry({ zH, zL, steps, halted, current }: Carry, device: Device): Carry {
  return {
    zH: owned(zH, device),
    zL: owned(zL, device),
    steps: owned(steps, device),
    halted: owned(halted, device),
    current: ownBatch(current, device),
  };
}

/** Whether two batches have rows of the same number and length. */
export function sameShape(a: BatchTensors, b: BatchTensors): boolean {
  return a.inputs.shape.join() === b.inputs.shape.join();
}

/** Writes the rows of a batch over those of another. @throws ShapeError */
export function writeBatch(target: BatchTensors, source: BatchTensors): void {
  if (!sameShape(target, source)) {
    const [expected, got] = [target, source].map(({ inputs }) => inputs.shape.join(', '));
    throw new ShapeError(`train: every batch must have the shape of the first, [${expected}], got [${got}]`);
  }
  noGrad(() => {
    copy_(target.inputs, source.inputs);
    copy_(target.labels, source.labels);
    copy_(target.puzzleIdentifiers, source.puzzleIdentifiers);
  });
}

/** Writes a carry over another of the same shapes. */
export function writeCarry(target: Carry, source: Carry): void {
  const values = carryTensors(source);
  noGrad(() => {
    for (const [name, item] of carryTensors(target)) copy_(item, values.get(name)!);
  });
}
