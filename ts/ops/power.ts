/** Powers and extremes of two operands. */
import type { Tensor } from '../tensor/tensor';
import { binary, binaryInto, mul, mulOp, type Operand, sub } from './arithmetic';
import { eq, ge, logicalAnd, lt } from './compare';
import { defineOp, type Op } from './define';
import { log } from './unary';
import { where } from './where';

export const powOp: Op<'pow'> = defineOp('pow', {
  save: ([, b]) => (b ? ['a', 'b', 'y'] : ['a', 'b']),
  vjp: ({ dy, saved, needs }) => {
    const { a, b } = saved;
    return [
      // x^0 is constant, also at 0 where 0^-1 is infinite.
      needs[0] ? mul(dy, where(eq(b, 0), 0, mul(b, pow(a, sub(b, 1))))) : undefined,
      // 0^b stays 0 as b moves.
      needs[1] ? mul(dy, where(logicalAnd(eq(a, 0), ge(b, 0)), 0, mul(saved.y, log(a)))) : undefined,
    ];
  },
});

/**
 * a ^ b with broadcasting. Integers stay integers and wrap; with a negative exponent their integer part is left. A negative
 * base with a fractional exponent gives NaN.
 */
export function pow(a: Operand, b: Operand): Tensor {
  if (b === 2 && typeof a !== 'number') return square(a);
  return binary(powOp, a, b);
}
/** a = a ^ b */
export function pow_(a: Tensor, b: Operand): Tensor {
  return binaryInto(powOp, a, b);
}

/** x * x */
export function square(x: Tensor): Tensor {
  return mulOp.one([x, x]);
}

/** Of equal operands each gets half of the gradient. */
function extremeGradient(dy: Tensor, loses: Tensor, ties: Tensor): Tensor {
  return where(loses, 0, where(ties, mul(dy, 0.5), dy));
}

export const maximumOp: Op<'maximum'> = defineOp('maximum', {
  save: ['a', 'b'],
  vjp: ({ dy, saved: { a, b }, needs }) => {
    const ties = eq(a, b);
    return [
      needs[0] ? extremeGradient(dy, lt(a, b), ties) : undefined,
      needs[1] ? extremeGradient(dy, lt(b, a), ties) : undefined,
    ];
  },
});
/** The larger of a and b with broadcasting; NaN where either is. */
export function maximum(a: Operand, b: Operand): Tensor {
  return binary(maximumOp, a, b);
}

export const minimumOp: Op<'minimum'> = defineOp('minimum', {
  save: ['a', 'b'],
  vjp: ({ dy, saved: { a, b }, needs }) => {
    const ties = eq(a, b);
    return [
      needs[0] ? extremeGradient(dy, lt(b, a), ties) : undefined,
      needs[1] ? extremeGradient(dy, lt(a, b), ties) : undefined,
    ];
  },
});
/** The smaller of a and b with broadcasting; NaN where either is. */
export function minimum(a: Operand, b: Operand): Tensor {
  return binary(minimumOp, a, b);
}
