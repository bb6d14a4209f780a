import { noGrad } from '../autograd/no_grad';
import { types } from 'node:util';
import { ArgumentError, DTypeError, FormatError, ShapeError } from '../error';
import { readArgument, readArray } from '../tensor/arguments';
import { describe, type DType } from '../tensor/dtype';
import { requireTensor } from '../ops/arguments';
import { copy_ } from '../ops/cast';
import type { Tensor } from '../tensor/tensor';

/** A parameter under its name in the state dict. */
export type NamedTensor = readonly [name: string, tensor: Tensor];

/** The parameters that a caller gives to an optimiser: their state is kept by name, so names are distinct. */
export function requireParameters(op: string, value: unknown): NamedTensor[] {
  const seen = new Set<string>();
  return readArray(op, 'parameters', value, 'an array of [name, tensor]').map((item, i) => {
    const [name, tensor] = readArray(op, `parameters[${i}]`, item, '[name, tensor]');
    if (typeof name !== 'string')
      throw new ArgumentError(`${op}: parameters[${i}] must have a name, got ${describe(name)}`);
    if (seen.has(name)) throw new ArgumentError(`${op}: parameters must have distinct names, got "${name}" twice`);
    seen.add(name);
    return [name, requireTensor(op, `parameters[${i}]`, tensor)];
  });
}

/** A tensor of one element. @throws ArgumentError, ShapeError, DTypeError */
export function requireScalar(op: string, name: string, value: unknown, dtypes: readonly DType[]): Tensor {
  const scalar = requireTensor(op, name, value);
  if (!dtypes.includes(scalar.dtype))
    throw new DTypeError(`${op}: ${name} must be ${dtypes.join(' or ')}, got ${scalar.dtype}`);
  if (scalar.size !== 1)
    throw new ShapeError(`${op}: ${name} must have one element, got shape [${scalar.shape.join(', ')}]`);
  return scalar;
}

/** Saved tensors by name, in a copy. */
export function requireState(op: string, value: unknown): Map<string, Tensor> {
  if (!types.isMap(value)) throw new ArgumentError(`${op}: state must be a Map of tensors, got ${describe(value)}`);
  const entries = readArgument(op, 'state', () => [...value]);
  return new Map(
    entries.map(([name, tensor]) => {
      if (typeof name !== 'string') throw new ArgumentError(`${op}: names must be strings, got ${describe(name)}`);
      return [name, requireTensor(op, name, tensor)];
    }),
  );
}

/**
 * Copies saved values into an optimizer's state.
 * @throws FormatError when a name is missing or unknown or a shape differs; then nothing has been changed
 */
export function restoreState(op: string, own: ReadonlyMap<string, Tensor>, state: ReadonlyMap<string, Tensor>): void {
  const saved = requireState(op, state);
  for (const name of saved.keys()) {
    if (!own.has(name)) throw new FormatError(`${op}: unknown state ${name}`);
  }
  for (const [name, target] of own) {
    const source = saved.get(name);
    if (source === undefined) throw new FormatError(`${op}: the state must have ${name}`);
    if (source.shape.join() !== target.shape.join()) {
      throw new FormatError(
        `${op}: ${name} must have shape [${target.shape.join(', ')}], got [${source.shape.join(', ')}]`,
      );
    }
  }
  noGrad(() => {
    for (const [name, target] of own) copy_(target, saved.get(name)!);
  });
}
