import { embedding } from '../ops/indexing';
import { type Generator, truncNormal } from '../ops/random';
import { requireInteger } from '../ops/arguments';
import { readOptions } from '../tensor/arguments';
import type { Tensor } from '../tensor/tensor';
import { Module } from './module';

/** A table of vectors, `embedding_weight` [n, width], truncated normal with std 1/sqrt(width) (HRM section 1). */
export class Embedding extends Module {
  readonly weight: Tensor;

  constructor(n: number, width: number, options: { generator?: Generator } = {}) {
    super();
    const { generator } = readOptions('Embedding', options, ['generator']);
    const std = 1 / Math.sqrt(requireInteger('Embedding', 'width', width));
    this.weight = this.parameter('embedding_weight', truncNormal([n, width], { std, generator }));
  }

  /** @param ids int32 [...] @returns [..., width] */
  forward(ids: Tensor): Tensor {
    return embedding(this.weight, ids);
  }
}
