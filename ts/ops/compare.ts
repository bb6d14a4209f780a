/** Comparisons and logic: bool, without gradient. false where either side is NaN, `ne` true. */
import { abs } from './unary';
import type { Tensor } from '../tensor/tensor';
import { requireTensor } from './arguments';
import { binary, type Operand } from './arithmetic';
import { defineOp, type Op } from './define';

export const eqOp: Op<'eq'> = defineOp('eq');
export const neOp: Op<'ne'> = defineOp('ne');
export const ltOp: Op<'lt'> = defineOp('lt');
export const leOp: Op<'le'> = defineOp('le');
export const gtOp: Op<'gt'> = defineOp('gt');
export const geOp: Op<'ge'> = defineOp('ge');
export const logicalAndOp: Op<'logical_and'> = defineOp('logical_and');
export const logicalOrOp: Op<'logical_or'> = defineOp('logical_or');
export const logicalXorOp: Op<'logical_xor'> = defineOp('logical_xor');

/** a == b, element by element with broadcasting. */
export function eq(a: Operand, b: Operand): Tensor {
  return binary(eqOp, a, b);
}
/** a != b */
export function ne(a: Operand, b: Operand): Tensor {
  return binary(neOp, a, b);
}
/** a < b */
export function lt(a: Operand, b: Operand): Tensor {
  return binary(ltOp, a, b);
}
/** a <= b */
export function le(a: Operand, b: Operand): Tensor {
  return binary(leOp, a, b);
}
/** a > b */
export function gt(a: Operand, b: Operand): Tensor {
  return binary(gtOp, a, b);
}
/** a >= b */
export function ge(a: Operand, b: Operand): Tensor {
  return binary(geOp, a, b);
}
/** Whether both are true; numbers other than 0 are true, NaN included. */
export function logicalAnd(a: Operand, b: Operand): Tensor {
  return binary(logicalAndOp, a, b);
}
/** Whether one or both are true. */
export function logicalOr(a: Operand, b: Operand): Tensor {
  return binary(logicalOrOp, a, b);
}
/** Whether exactly one is true. */
export function logicalXor(a: Operand, b: Operand): Tensor {
  return binary(logicalXorOp, a, b);
}
/** Whether x is false (0). */
export function logicalNot(x: Tensor): Tensor {
  return binary(eqOp, requireTensor('logicalNot', 'x', x), 0);
}
/** Whether x is neither NaN nor infinite; true for integers. */
export function isFinite(x: Tensor): Tensor {
  return binary(ltOp, abs(x), Infinity);
}
