import { full } from '../tensor/create';
import { dtypeCode, promote } from '../tensor/dtype';
import type { Tensor } from '../tensor/tensor';
import { type Operand, operands, scalarDType } from './arithmetic';
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

/** Two weak scalars that meet no tensor, as in arange. */
function scalars(a: number, b: number): [Tensor, Tensor] {
  const dtype = promote(scalarDType(a, 'int32'), scalarDType(b, 'int32'));
  return [full([], a, { dtype }), full([], b, { dtype })];
}

/**
 * condition ? a : b, element by element with broadcasting. The unchosen side has no influence, not even as NaN. Of two
 * numbers the result is int32 where both are integers that int32 holds, else float32.
 *
 * @param condition bool
 * @throws DTypeError where condition is not bool
 */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  const [x, y] = typeof a === 'number' && typeof b === 'number' ? scalars(a, b) : operands('where', a, b);
  const dtype = promote(x.dtype, y.dtype);
  const as = (t: Tensor): Tensor => (t.dtype === dtype ? t : castOp.one([t], { dtype: dtypeCode(dtype) }));
  return whereOp.one([condition, as(x), as(y)]);
}
