import { describe, expect, it } from '@jest/globals';
import { add, cast, DTypeError, exp, lt, mul, ShapeError, softmax, sum, type Tensor, tensor } from '../../ts/index';
import { defineOp } from '../../ts/ops/define';
import { addCase } from '../cases/arithmetic';
import { softmaxCase } from '../cases/softmax';
import { expCase } from '../cases/unary';
import { arr, zip } from './arrays';
import { gradcheck } from './gradcheck';
import type { OpCase } from './op_case';
import { checkForward, checkGradients, checkRefused, checkSamples, checkSpecials } from './op_suite';

const x = { value: arr([2, 3], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]) };

describe('gradcheck', () => {
  it('accepts a right gradient', () => {
    gradcheck('exp', ([t]) => exp(t as Tensor), [x]);
  });

  it('catches a wrong vjp', () => {
    const wrong = defineOp('exp', { save: ['x'], vjp: ({ dy, saved }) => [mul(dy, saved.x)] });
    expect(() => gradcheck('exp', ([t]) => wrong.one([t as Tensor]), [x])).toThrow(/exp: gradient of input 0/);
  });

  it('catches a vjp that is wrong in the sixth digit', () => {
    const wrong = defineOp('exp', { save: ['y'], vjp: ({ dy, saved }) => [mul(mul(dy, saved.y), 1 + 4e-6)] });
    expect(() => gradcheck('exp', ([t]) => wrong.one([t as Tensor]), [x])).toThrow(/central differences/);
  });

  it('catches what is saved only for one of the inputs', () => {
    const wrong = defineOp('mul', {
      save: ['a', 'b'],
      vjp: ({ dy, saved, needs }) => [mul(dy, needs[1] ? saved.b : saved.a), mul(dy, saved.a)],
    });
    expect(() =>
      gradcheck('mul', ([a, b]) => wrong.one([a as Tensor, b as Tensor]), [x, { value: arr([3], [1, 2, 3]) }]),
    ).toThrow(/when only it is wanted/);
  });

  it('catches a missing gradient', () => {
    const none = defineOp('exp', { vjp: () => [undefined] });
    expect(() => gradcheck('exp', ([t]) => none.one([t as Tensor]), [x])).toThrow(/gradient of input 0/);
  });
});

describe('the checks of a case', () => {
  const faulty = (change: Partial<OpCase>): OpCase => ({ ...expCase, ...change });

  it('catch a wrong value in the last digits', () => {
    const spec = faulty({ call: ([t]) => mul(exp(t as Tensor), 1 + 2e-6) });
    expect(() => checkForward('exp', spec, 'float32')).toThrow(/element 0 of result 0/);
  });
  it('catch a wrong shape', () => {
    expect(() =>
      checkForward('exp', faulty({ call: ([t]) => sum(exp(t as Tensor), undefined, { keepdim: true }) }), 'float32'),
    ).toThrow(/has shape/);
  });
  it('catch a wrong dtype', () => {
    expect(() => checkForward('exp', faulty({ call: ([t]) => cast(exp(t as Tensor), 'float32') }), 'float64')).toThrow(
      /result 0 is float32/,
    );
  });
  it('catch a dtype that is accepted but should not be', () => {
    expect(() => checkForward('exp', faulty({ dtypes: [] }), 'float64')).toThrow(/was accepted, expected a DTypeError/);
  });
  it('catch a wrong special value', () => {
    const spec = faulty({ reference: (inputs) => zip(inputs, (v) => (Number.isNaN(v) ? 0 : Math.exp(v))) });
    expect(() => checkSpecials('exp', spec)).toThrow(/special values/);
  });
  it('catch a wrong gradient', () => {
    const wrong = defineOp('add', { vjp: ({ dy }) => [dy, undefined] });
    const spec: OpCase = { ...addCase, call: ([a, b]) => wrong.one([a as Tensor, b as Tensor]) };
    expect(() => checkGradients('add', spec)).toThrow(/gradient of input 1/);
  });
  it('catch an accepted bad input and a wrong class of error', () => {
    const refused = (run: () => unknown): OpCase => faulty({ refused: [{ what: 'it', run, error: ShapeError }] });
    expect(() =>
      checkRefused(
        'exp',
        refused(() => exp(tensor([1]))),
      ),
    ).toThrow(/was accepted/);
    expect(() =>
      checkRefused(
        'exp',
        refused(() => {
          throw new DTypeError('exp: no');
        }),
      ),
    ).toThrow(/expected a ShapeError/);
  });
  it('catch missing samples', () => {
    expect(() => checkSamples('exp', faulty({ samples: expCase.samples.slice(0, 5) }))).toThrow(/needs at least 12/);
    expect(() =>
      checkSamples('exp', faulty({ samples: expCase.samples.map(() => ({ shapes: [[2]], options: undefined })) })),
    ).toThrow(/empty/);
  });
});

describe('errors in small elements', () => {
  /** x whose softmax has elements of 1e-6, one of them off by a thousandth. */
  const shifted = (change: number): OpCase => ({
    ...softmaxCase,
    dtypes: ['float32'],
    value: (u) => (u < 0.5 ? 12 + u : -2 + u),
    call: ([t], dim) => {
      const y = softmax(t as Tensor, dim as number);
      const small = cast(lt(y, 1e-4), y.dtype);
      return mul(y, add(mul(small, change), 1));
    },
  });
  it('are caught in softmax, whose large ones hide them', () => {
    checkForward('softmax', shifted(0), 'float32');
    expect(() => checkForward('softmax', shifted(1e-3), 'float32')).toThrow(/softmax of float32.* is .*, expected/);
  });
  it('are hidden by the default scale, which is for sums', () => {
    const { termScale: _, ...byLargest } = shifted(1e-3);
    checkForward('softmax', byLargest, 'float32');
  });
});
