import { linear } from '../ops/linear';
import { truncNormal, type Generator } from '../ops/random';
import { zeros } from '../tensor/create';
import type { Tensor } from '../tensor/tensor';
import { Module } from './module';

export interface LinearOptions {
  bias?: boolean;
  generator?: Generator;
}

/** y = x W^T (+ b); weight [out, in], truncated LeCun normal: std 1/sqrt(in) (HRM section 1), bias zero. */
export class Linear extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  constructor(inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    super();
    const { generator } = options;
    this.weight = this.parameter(
      'weight',
      truncNormal([outFeatures, inFeatures], { std: 1 / Math.sqrt(inFeatures), generator }),
    );
    if (options.bias) this.bias = this.parameter('bias', zeros([outFeatures]));
  }

  /** @param x [..., in] @returns [..., out] */
  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }
}
