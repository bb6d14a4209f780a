/** Arithmetic of two operands. bool counts as int32; int32 wraps; the larger dtype wins (ARCHITECTURE section 4). */
import type { DType } from '../tensor/dtype';
import { describe, isFloat } from '../tensor/dtype';
import { full } from '../tensor/create';
import { ArgumentError } from '../error';
import { publicName } from '../native/op_names';
import { Tensor } from '../tensor/tensor';
import type { OpInputs } from '../tensor/invoke';
import { defineOp, type Op } from './define';

/** A tensor, or a JavaScript number as a weak scalar: it takes the dtype of the tensor it meets. */
export type Operand = Tensor | number;

/** dtype of a weak scalar beside a tensor: the tensor's, but a fraction beside integers makes float32. */
export function scalarDType(value: number, beside: DType): DType {
  if (isFloat(beside)) return beside;
  if (!Number.isInteger(value) || Math.abs(value) > 2 ** 31 - 1) return 'float32';
  if (beside === 'bool') return 'int32';
  return beside === 'uint8' && (value < 0 || value > 255) ? 'int32' : beside;
}

function toOperand(op: string, name: string, value: unknown, other: unknown): Tensor {
  if (Tensor.isTensor(value)) return value;
  if (typeof value !== 'number')
    throw new ArgumentError(`${op}: ${name} must be a tensor or a number, got ${describe(value)}`);
  const dtype = Tensor.isTensor(other) ? scalarDType(value, other.dtype) : 'float32';
  return full([], value, { dtype });
}

/** Both operands as tensors; at least one of them is one already. */
export function operands(op: string, a: unknown, b: unknown): [Tensor, Tensor] {
  return [toOperand(op, 'a', a, b), toOperand(op, 'b', b, a)];
}

/** Ops of two operands called a and b. */
export type BinaryName = 'add' | 'sub' | 'mul' | 'div' | 'pow' | 'maximum' | 'minimum' | ComparisonName;
export type ComparisonName = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge' | 'logical_and' | 'logical_or' | 'logical_xor';

/** A broadcasting op on two operands of which one may be a number. */
export function binary<K extends BinaryName>(op: Op<K>, a: Operand, b: Operand): Tensor {
  const inputs = Tensor.isTensor(a) && Tensor.isTensor(b) ? ([a, b] as const) : operands(publicName(op.opName), a, b);
  return op.one(inputs as unknown as OpInputs<K>);
}

/** The same, written over `a`. */
export function binaryInto<K extends BinaryName>(op: Op<K>, a: Tensor, b: Operand): Tensor {
  if (!Tensor.isTensor(a)) throw new ArgumentError(`${publicName(op.opName)}_: a must be a tensor, got ${describe(a)}`);
  const inputs = Tensor.isTensor(b) ? ([a, b] as const) : operands(`${publicName(op.opName)}_`, a, b);
  return op.into(inputs as unknown as OpInputs<K>);
}

export const addOp: Op<'add'> = defineOp('add', { vjp: ({ dy }) => [dy, dy] });

/** a + b with broadcasting. */
export function add(a: Operand, b: Operand): Tensor {
  return addOp.one(Tensor.isTensor(a) && Tensor.isTensor(b) ? [a, b] : operands('add', a, b));
}

export const subOp: Op<'sub'> = defineOp('sub', {
  vjp: ({ dy, needs }) => [dy, needs[1] ? negOp.one([dy]) : undefined],
});

/** a - b with broadcasting. */
export function sub(a: Operand, b: Operand): Tensor {
  return binary(subOp, a, b);
}

export const mulOp: Op<'mul'> = defineOp('mul', {
  save: ([a, b]) => [...(b ? (['a'] as const) : []), ...(a ? (['b'] as const) : [])],
  vjp: ({ dy, saved, needs }) => [
    needs[0] ? mulOp.one([dy, saved.b]) : undefined,
    needs[1] ? mulOp.one([dy, saved.a]) : undefined,
  ],
});

/** a * b with broadcasting. */
export function mul(a: Operand, b: Operand): Tensor {
  return mulOp.one(Tensor.isTensor(a) && Tensor.isTensor(b) ? [a, b] : operands('mul', a, b));
}

export const divOp: Op<'div'> = defineOp('div', {
  save: ([, b]) => (b ? ['b', 'y'] : ['b']),
  // d(a / b) = da / b - (a / b) db / b
  vjp: ({ dy, saved, needs }) => {
    const da = divOp.one([dy, saved.b]);
    return [da, needs[1] ? negOp.one([mulOp.one([da, saved.y])]) : undefined];
  },
});

/** a / b with broadcasting; integers divide as float32. */
export function div(a: Operand, b: Operand): Tensor {
  return binary(divOp, a, b);
}

export const negOp: Op<'neg'> = defineOp('neg', { vjp: ({ dy }) => [negOp.one([dy])] });

/** -x. */
export function neg(x: Tensor): Tensor {
  return negOp.one([x]);
}

/** a += b. Like every function with a trailing underscore: not recorded, the result must have a's shape and dtype. */
export function add_(a: Tensor, b: Operand): Tensor {
  return binaryInto(addOp, a, b);
}
/** a -= b */
export function sub_(a: Tensor, b: Operand): Tensor {
  return binaryInto(subOp, a, b);
}
/** a *= b */
export function mul_(a: Tensor, b: Operand): Tensor {
  return binaryInto(mulOp, a, b);
}
/** a /= b */
export function div_(a: Tensor, b: Operand): Tensor {
  return binaryInto(divOp, a, b);
}
/** x = -x */
export function neg_(x: Tensor): Tensor {
  return negOp.into([x]);
}
