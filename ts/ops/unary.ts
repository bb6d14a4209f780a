/** Functions of one element. */
import type { Tensor } from '../tensor/tensor';
import { divOp, mulOp } from './arithmetic';
import { defineOp, type Op } from './define';

export const expOp: Op<'exp'> = defineOp('exp', {
  save: ['y'],
  vjp: ({ dy, saved }) => [mulOp.one([dy, saved.y])],
});

/** e^x; integers as float32. */
export function exp(x: Tensor): Tensor {
  return expOp.one([x]);
}

export const logOp: Op<'log'> = defineOp('log', {
  save: ['x'],
  vjp: ({ dy, saved }) => [divOp.one([dy, saved.x])],
});

/** Natural logarithm; integers as float32. log(0) is -Infinity, of negative numbers NaN. */
export function log(x: Tensor): Tensor {
  return logOp.one([x]);
}
