/**
 * The ops as methods: t.add(u) is add(t, u). Importing this file adds them to Tensor (ts/index.ts does). One list: a method
 * has the parameters of its function after the first.
 */
import { backward, type BackwardOptions } from '../autograd/tape';
import { readOptions } from '../tensor/arguments';
import type { Device } from '../native/device';
import { type DType, isDType } from '../tensor/dtype';
import { Tensor } from '../tensor/tensor';
import * as arithmetic from './arithmetic';
import { cast, clone, contiguous, copy_, detach, fill_, moved, zero_ } from './cast';
import * as compare from './compare';
import { pad, split, unbind } from './concat';
import { gather, indexSelect, scatterAdd } from './indexing';
import { matmul } from './matmul';
import * as power from './power';
import { all, any, max, mean, min, std, sum, variance } from './reduce';
import { broadcastTo, expand, flatten, permute, reshape, squeeze, transpose, unsqueeze } from './reshape';
import { narrow, select, slice } from './slice';
import { argmax, argmin, logSoftmax, logsumexp, softmax } from './softmax';
import * as unary from './unary';

const { add, add_, div, div_, mul, mul_, neg, neg_, sub, sub_ } = arithmetic;
const { eq, ge, gt, isFinite, le, logicalAnd, logicalNot, logicalOr, logicalXor, lt, ne } = compare;
const { maximum, minimum, pow, pow_, square } = power;
const { abs, clamp, clamp_, cos, exp, exp_, floor, gelu, log, reciprocal, relu, rsqrt, sigmoid, sign, silu, sin } =
  unary;
const { round, sqrt, sqrt_, tanh } = unary;

const functions = {
  // arithmetic
  ...{ add, add_, div, div_, maximum, minimum, mul, mul_, neg, neg_, pow, pow_, square, sub, sub_ },
  // comparison and logic
  ...{ eq, ge, gt, isFinite, le, logicalAnd, logicalNot, logicalOr, logicalXor, lt, ne },
  // functions of one element
  ...{
    abs,
    clamp,
    clamp_,
    cos,
    exp,
    exp_,
    floor,
    gelu,
    log,
    reciprocal,
    relu,
    round,
    rsqrt,
    sigmoid,
    sign,
    silu,
    sin,
    sqrt,
    sqrt_,
    tanh,
  },
  // copies
  ...{ clone, contiguous, copy_, detach, fill_, zero_ },
  // reductions
  ...{ all, any, argmax, argmin, logSoftmax, logsumexp, max, mean, min, softmax, std, sum },
  // `var` is no name that a function may have
  ...{ var: variance, variance },
  // views
  ...{ broadcastTo, expand, flatten, narrow, permute, reshape, select, slice, squeeze, transpose, unsqueeze },
  // indexing and parts
  ...{ gather, indexSelect, pad, scatterAdd, split, unbind },
  // products
  ...{ matmul },
};

export type OpMethod<F> = F extends (x: Tensor, ...rest: infer Rest) => infer Result
  ? (...rest: Rest) => Result
  : never;
export type OpMethods = { [K in keyof typeof functions]: OpMethod<(typeof functions)[K]> };

declare module '../tensor/tensor' {
  interface Tensor extends OpMethods {
    /**
     * This tensor in another dtype (and on another device); itself where nothing changes. Differentiable between floating
     * dtypes.
     */
    to(target: DType | Device | { dtype?: DType; device?: Device }): Tensor;
    /** Adds d(this)/d(leaf) to `.grad` of every leaf that requires gradients. See `backward`. */
    backward(gradient?: Tensor, options?: BackwardOptions): void;
  }
}

function to(x: Tensor, target: DType | Device | { dtype?: DType; device?: Device }): Tensor {
  if (typeof target === 'string') return to(x, isDType(target) ? { dtype: target } : { device: target });
  const { dtype = x.dtype, device = x.device } = readOptions('to', target, ['dtype', 'device']);
  const converted = dtype === x.dtype ? x : cast(x, dtype);
  return moved(converted, device);
}

for (const [name, fn] of Object.entries({ ...functions, to, backward })) {
  const value = function (this: Tensor, ...rest: unknown[]): unknown {
    return (fn as (...args: unknown[]) => unknown)(this, ...rest);
  };
  Object.defineProperty(value, 'name', { value: name });
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true });
}
