/** Functions of one element. Integers are computed as float32 unless a function says otherwise. */
import { ArgumentError } from '../error';
import { readObject, readOptions } from '../tensor/arguments';
import { describe, isFloat } from '../tensor/dtype';
import type { Tensor } from '../tensor/tensor';
import { div, divOp, mul, mulOp, negOp } from './arithmetic';
import { requireTensor } from './arguments';
import { cast } from './cast';
import { defineOp, type Op } from './define';

export const expOp: Op<'exp'> = defineOp('exp', {
  save: ['y'],
  vjp: ({ dy, saved }) => [mulOp.one([dy, saved.y])],
});
/** e^x */
export function exp(x: Tensor): Tensor {
  return expOp.one([x]);
}

export const logOp: Op<'log'> = defineOp('log', {
  save: ['x'],
  vjp: ({ dy, saved }) => [divOp.one([dy, saved.x])],
});
/** Natural logarithm; -Infinity of 0, NaN of negative numbers. */
export function log(x: Tensor): Tensor {
  return logOp.one([x]);
}

export const sqrtOp: Op<'sqrt'> = defineOp('sqrt', {
  save: ['y'],
  vjp: ({ dy, saved }) => [divOp.one([mul(dy, 0.5), saved.y])],
});
/** Square root; NaN of negative numbers. */
export function sqrt(x: Tensor): Tensor {
  return sqrtOp.one([x]);
}

export const rsqrtOp: Op<'rsqrt'> = defineOp('rsqrt', {
  save: ['y'],
  // d x^(-1/2) = -1/2 x^(-3/2)
  vjp: ({ dy, saved: { y } }) => [mulOp.one([mul(dy, -0.5), mulOp.one([y, mulOp.one([y, y])])])],
});
/** 1 / sqrt(x) */
export function rsqrt(x: Tensor): Tensor {
  return rsqrtOp.one([x]);
}

export const sinOp: Op<'sin'> = defineOp('sin', {
  save: ['x'],
  vjp: ({ dy, saved }) => [mulOp.one([dy, cosOp.one([saved.x])])],
});
/** Sine; x in radians. */
export function sin(x: Tensor): Tensor {
  return sinOp.one([x]);
}

export const cosOp: Op<'cos'> = defineOp('cos', {
  save: ['x'],
  vjp: ({ dy, saved }) => [negOp.one([mulOp.one([dy, sinOp.one([saved.x])])])],
});
/** Cosine; x in radians. */
export function cos(x: Tensor): Tensor {
  return cosOp.one([x]);
}

export const tanhGradOp: Op<'tanh_grad'> = defineOp('tanh_grad');
export const tanhOp: Op<'tanh'> = defineOp('tanh', {
  save: ['y'],
  vjp: ({ dy, saved }) => [tanhGradOp.one([dy, saved.y])],
});
/** Hyperbolic tangent. */
export function tanh(x: Tensor): Tensor {
  return tanhOp.one([x]);
}

export const sigmoidGradOp: Op<'sigmoid_grad'> = defineOp('sigmoid_grad');
export const sigmoidOp: Op<'sigmoid'> = defineOp('sigmoid', {
  save: ['y'],
  vjp: ({ dy, saved }) => [sigmoidGradOp.one([dy, saved.y])],
});
/** 1 / (1 + e^-x) */
export function sigmoid(x: Tensor): Tensor {
  return sigmoidOp.one([x]);
}

export const siluGradOp: Op<'silu_grad'> = defineOp('silu_grad');
export const siluOp: Op<'silu'> = defineOp('silu', {
  save: ['x'],
  vjp: ({ dy, saved }) => [siluGradOp.one([dy, saved.x])],
});
/** x sigmoid(x) (arXiv 1702.03118). */
export function silu(x: Tensor): Tensor {
  return siluOp.one([x]);
}

export const geluGradOp: Op<'gelu_grad'> = defineOp('gelu_grad');
export const geluOp: Op<'gelu'> = defineOp('gelu', {
  save: ['x'],
  vjp: ({ dy, saved }) => [geluGradOp.one([dy, saved.x])],
});
export const geluTanhGradOp: Op<'gelu_tanh_grad'> = defineOp('gelu_tanh_grad');
export const geluTanhOp: Op<'gelu_tanh'> = defineOp('gelu_tanh', {
  save: ['x'],
  vjp: ({ dy, saved }) => [geluTanhGradOp.one([dy, saved.x])],
});

export interface GeluOptions {
  /** 'none' (default): x Phi(x) exactly; 'tanh': the approximation of arXiv 1606.08415. */
  readonly approximate?: 'none' | 'tanh';
}
/** x Phi(x), Phi the distribution function of the normal distribution. */
export function gelu(x: Tensor, options: GeluOptions = {}): Tensor {
  const { approximate = 'none' } = readOptions('gelu', options, ['approximate']);
  if (approximate !== 'none' && approximate !== 'tanh')
    throw new ArgumentError(`gelu: approximate must be 'none' or 'tanh', got ${describe(approximate)}`);
  return approximate === 'tanh' ? geluTanhOp.one([x]) : geluOp.one([x]);
}

export const reluGradOp: Op<'relu_grad'> = defineOp('relu_grad');
export const reluOp: Op<'relu'> = defineOp('relu', {
  save: ['y'],
  vjp: ({ dy, saved }) => [reluGradOp.one([dy, saved.y])],
});
/** max(x, 0), integers as they are. */
export function relu(x: Tensor): Tensor {
  return reluOp.one([x]);
}

export const absOp: Op<'abs'> = defineOp('abs', {
  save: ['x'],
  vjp: ({ dy, saved }) => [mulOp.one([dy, signOp.one([saved.x])])],
});
/** |x|, integers as they are; of int32's least value itself. */
export function abs(x: Tensor): Tensor {
  return absOp.one([x]);
}

export const signOp: Op<'sign'> = defineOp('sign', { vjp: ({ dy }) => [mul(dy, 0)] });
/** -1, 0 or 1, integers as they are; 0 of 0 and of NaN. */
export function sign(x: Tensor): Tensor {
  return signOp.one([x]);
}

export const floorOp: Op<'floor'> = defineOp('floor', { vjp: ({ dy }) => [mul(dy, 0)] });
/** The largest integer that is not above x, in x's dtype; integers as they are. The gradient is 0. */
export function floor(x: Tensor): Tensor {
  return floorOp.one([x]);
}

export const roundOp: Op<'round'> = defineOp('round', { vjp: ({ dy }) => [mul(dy, 0)] });
/** The nearest integer, of two the even one, in x's dtype; integers as they are. The gradient is 0. */
export function round(x: Tensor): Tensor {
  return roundOp.one([x]);
}

/** 1 / x */
export function reciprocal(x: Tensor): Tensor {
  return div(1, requireTensor('reciprocal', 'x', x));
}

export const clampGradOp: Op<'clamp_grad'> = defineOp('clamp_grad');
export const clampOp: Op<'clamp'> = defineOp('clamp', {
  save: ['x'],
  vjp: ({ dy, saved, attrs }) => [clampGradOp.one([dy, saved.x], attrs)],
});

export interface ClampOptions {
  /** Default: no lower bound. */
  readonly min?: number;
  /** Default: no upper bound. */
  readonly max?: number;
}
function isFractional(...bounds: readonly number[]): boolean {
  return bounds.some((bound) => Number.isFinite(bound) && !Number.isInteger(bound));
}

/** min(max(x, min), max). Integers stay integers, but with fractional bounds become float32; NaN stays NaN. */
export function clamp(x: Tensor, options: ClampOptions): Tensor {
  const { min = -Infinity, max = Infinity } = readObject('clamp', 'options', options);
  const input = isFractional(min, max) && !isFloat(requireTensor('clamp', 'x', x).dtype) ? cast(x, 'float32') : x;
  return clampOp.one([input], { min, max });
}

/** x = e^x. Like every function with a trailing underscore: not recorded, integers are refused where x would change dtype. */
export function exp_(x: Tensor): Tensor {
  return expOp.into([x]);
}
/** x = sqrt(x) */
export function sqrt_(x: Tensor): Tensor {
  return sqrtOp.into([x]);
}
/**
 * x = min(max(x, min), max)
 * @throws DTypeError for integers with fractional bounds: the result would be float32
 */
export function clamp_(x: Tensor, options: ClampOptions): Tensor {
  const { min = -Infinity, max = Infinity } = readObject('clamp_', 'options', options);
  return clampOp.into([x], { min, max });
}
