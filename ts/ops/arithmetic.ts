import type { DType } from '../tensor/dtype';
import { describe, isFloat } from '../tensor/dtype';
import { full } from '../tensor/create';
import { ArgumentError } from '../error';
import { Tensor } from '../tensor/tensor';
import { defineOp, type Op } from './define';

/** A tensor, or a JavaScript number as a weak scalar: it takes the dtype of the tensor it meets. */
export type Operand = Tensor | number;

/** dtype of a weak scalar beside a tensor: the tensor's, but a fraction beside integers makes float32. */
export function scalarDType(value: number, beside: DType): DType {
  if (isFloat(beside)) return beside;
  if (!Number.isInteger(value)) return 'float32';
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

export const addOp: Op<'add'> = defineOp('add', { vjp: ({ dy }) => [dy, dy] });

/** a + b with broadcasting. int32 wraps. */
export function add(a: Operand, b: Operand): Tensor {
  return addOp.one(Tensor.isTensor(a) && Tensor.isTensor(b) ? [a, b] : operands('add', a, b));
}

export const mulOp: Op<'mul'> = defineOp('mul', {
  save: ([a, b]) => [...(b ? (['a'] as const) : []), ...(a ? (['b'] as const) : [])],
  vjp: ({ dy, saved, needs }) => [
    needs[0] ? mulOp.one([dy, saved.b]) : undefined,
    needs[1] ? mulOp.one([dy, saved.a]) : undefined,
  ],
});

/** a * b with broadcasting. int32 wraps. */
export function mul(a: Operand, b: Operand): Tensor {
  return mulOp.one(Tensor.isTensor(a) && Tensor.isTensor(b) ? [a, b] : operands('mul', a, b));
}

export const subOp: Op<'sub'> = defineOp('sub', {
  vjp: ({ dy, needs }) => [dy, needs[1] ? negOp.one([dy]) : undefined],
});

/** a - b with broadcasting. int32 wraps. */
export function sub(a: Operand, b: Operand): Tensor {
  return subOp.one(Tensor.isTensor(a) && Tensor.isTensor(b) ? [a, b] : operands('sub', a, b));
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
  return divOp.one(Tensor.isTensor(a) && Tensor.isTensor(b) ? [a, b] : operands('div', a, b));
}

export const negOp: Op<'neg'> = defineOp('neg', { vjp: ({ dy }) => [negOp.one([dy])] });

/** -x. int32 wraps; bool becomes int32. */
export function neg(x: Tensor): Tensor {
  return negOp.one([x]);
}
