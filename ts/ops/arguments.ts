/** Checks of what callers pass to the functions of this folder; shapes and dtypes are the native rules' business. */
import { ShapeError } from '../error';
import { readArray, readFields, requireInteger } from '../tensor/arguments';
import { Tensor } from '../tensor/tensor';

export { requireInteger };

/** A living tensor, or an error naming the argument. */
export function requireTensor(op: string, name: string, value: unknown): Tensor {
  Tensor.handleOf(value, op, name);
  return value as Tensor;
}

export function requireIntegers(op: string, name: string, value: unknown): readonly number[] {
  return readArray(op, name, value, 'an array of integers').map((item, i) => requireInteger(op, `${name}[${i}]`, item));
}

/** An array of living tensors. */
export function requireTensors(op: string, name: string, value: unknown): Tensor[] {
  return readArray(op, name, value, 'an array of tensors').map((item, i) => requireTensor(op, `${name}[${i}]`, item));
}

/** Tensors under these names in an object. */
export function requireNamed<K extends string>(
  op: string,
  name: string,
  value: unknown,
  keys: readonly K[],
): Record<K, Tensor> {
  const fields = readFields(op, name, value as Record<K, unknown>, keys);
  for (const key of keys) requireTensor(op, `${name}.${key}`, fields[key]);
  return fields as Record<K, Tensor>;
}

/** A dimension of a tensor of that rank, counted from 0; negative ones count from the end. */
export function requireDim(op: string, name: string, value: unknown, rank: number): number {
  const dim = requireInteger(op, name, value);
  if (dim < -rank || dim >= rank)
    throw new ShapeError(
      `${op}: ${name} must be in ${-rank}..${rank - 1} for a tensor of rank ${rank}, got ${dim}${rank === 0 ? '; a scalar has no dimensions' : ''}`,
    );
  return dim < 0 ? dim + rank : dim;
}

export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}
