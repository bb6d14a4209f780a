import { linear } from '../ops/linear';
import { truncNormal, type Generator } from '../ops/random';
import { ArgumentError } from '../error';
import { requireInteger } from '../ops/arguments';
import { readOptions } from '../tensor/arguments';
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
    const { generator, bias } = readOptions('Linear', options, ['bias', 'generator']);
    for (const [name, size] of Object.entries({ inFeatures, outFeatures }))
      if (requireInteger('Linear', name, size) < 0)
        throw new ArgumentError(`Linear: ${name} must not be negative, got ${size}`);
    this.weight = this.parameter(
      'weight',
      truncNormal([outFeatures, inFeatures], { std: 1 / Math.sqrt(inFeatures), generator }),
    );
    if (bias) this.bias = this.parameter('bias', zeros([outFeatures]));
  }

  /** @param x [..., in] @returns [..., out] */
  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }
}
