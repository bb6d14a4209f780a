import { noGrad } from '../autograd/no_grad';
import { embedding } from '../ops/indexing';
import { zeros } from '../tensor/create';
import type { Tensor } from '../tensor/tensor';
import { Module } from './module';

/**
 * The puzzle embedding: `weights` [n, width], zero at first. It is no dense parameter: a step touches only the rows in
 * use, whose gradient arrives at the leaf that `rows` returns and goes to SparseSignSGD (HRM section 4).
 */
export class SparseEmbedding extends Module {
  readonly weights: Tensor;

  constructor(n: number, width: number) {
    super();
    this.weights = this.buffer('weights', zeros([n, width]));
  }

  /** @param ids int32 [B] @returns copies of their rows [B, width]: a leaf that collects their gradient */
  rows(ids: Tensor): Tensor {
    const rows = noGrad(() => embedding(this.weights, ids));
    rows.requiresGrad = true;
    return rows;
  }
}
