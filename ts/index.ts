export * from './error';
export { tensor, full, zeros, ones } from './tensor/create';
export { Tensor } from './tensor/tensor';
export { tidy, tidyAsync, keep } from './tensor/scope';
export { backward, grad, valueAndGrad, vjp } from './autograd/tape';
export { noGrad, enableGrad, isGradEnabled } from './autograd/no_grad';
export { add, mul } from './ops/arithmetic';
