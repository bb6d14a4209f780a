/** Checks of what callers pass to the functions of a model. */
import { ArgumentError } from '../error';
import { requireNamed } from '../ops/arguments';
import { isInstance, readFields } from '../tensor/arguments';
import { describe } from '../tensor/dtype';
import type { BatchTensors, Carry, StepOutputs } from './act';
import { Hrm } from './model';

export function requireModel(op: string, value: unknown): Hrm {
  if (isInstance(value, Hrm)) return value;
  throw new ArgumentError(`${op}: model must be an Hrm, got ${describe(value)}`);
}

export function requireBatch(op: string, name: string, value: unknown): BatchTensors {
  return requireNamed(op, name, value, ['inputs', 'labels', 'puzzleIdentifiers']);
}

export function requireCarry(op: string, value: unknown): Carry {
  const { current } = readFields(op, 'carry', value as Carry, ['current']);
  return {
    ...requireNamed(op, 'carry', value, ['zH', 'zL', 'steps', 'halted']),
    current: requireBatch(op, 'carry.current', current),
  };
}

export function requireOutputs(op: string, value: unknown): StepOutputs {
  const { targetQContinue, puzzleRows } = readFields(op, 'outputs', value as StepOutputs, [
    'targetQContinue',
    'puzzleRows',
  ]);
  if (targetQContinue !== undefined) requireNamed(op, 'outputs', { targetQContinue }, ['targetQContinue']);
  return { ...requireNamed(op, 'outputs', value, ['logits', 'qHalt', 'qContinue']), targetQContinue, puzzleRows };
}
