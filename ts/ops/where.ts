import { ArgumentError } from '../error';
import { describe, dtypeCode, promote } from '../tensor/dtype';
import type { Tensor } from '../tensor/tensor';
import { type Operand, operands } from './arithmetic';
import { castOp } from './cast';
import { defineOp, type Op } from './define';

export const whereOp: Op<'where'> = defineOp('where', {
  save: ['condition'],
  vjp: ({ dy, saved, needs }) => [
    undefined,
    needs[1] ? where(saved.condition, dy, 0) : undefined,
    needs[2] ? where(saved.condition, 0, dy) : undefined,
  ],
});

/**
 * condition ? a : b, element by element with broadcasting. The unchosen side has no influence, not even as NaN.
 *
 * @param condition bool
 * @throws DTypeError where condition is not bool
 */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  if (typeof a === 'number' && typeof b === 'number')
    throw new ArgumentError(`where: a or b must be a tensor, got two numbers; make one with full([], ${describe(a)})`);
  const [x, y] = operands('where', a, b);
  const dtype = promote(x.dtype, y.dtype);
  const as = (t: Tensor): Tensor => (t.dtype === dtype ? t : castOp.one([t], { dtype: dtypeCode(dtype) }));
  return whereOp.one([condition, as(x), as(y)]);
}
