import { noGrad } from '../autograd/no_grad';
import { requireTensor } from '../ops/arguments';
import { signSgd_ } from '../ops/optimizers';
import { readOptions } from '../tensor/arguments';
import type { Tensor } from '../tensor/tensor';

/**
 * Sign descent on the rows of a sparse embedding that a step used (HRM section 4): gradients of equal ids are summed, decay
 * applies once a distinct id, also where its gradient is 0; the other rows do not change. It has no state.
 */
export class SparseSignSGD {
  readonly #weights: Tensor;
  readonly #weightDecay: number;

  /** @param weights [n, width], float32 */
  constructor(weights: Tensor, options: { readonly weightDecay?: number } = {}) {
    this.#weights = requireTensor('SparseSignSGD', 'weights', weights);
    this.#weightDecay = readOptions('SparseSignSGD', options, ['weightDecay']).weightDecay ?? 0;
  }

  /**
   * @param ids int32 [B]: the rows in use
   * @param gradients [B, width]
   * @param lr float32 []
   * @param finite bool []: where it is false nothing changes
   * @throws ArgumentError for an id that is no row
   */
  step(ids: Tensor, gradients: Tensor, lr: Tensor, finite: Tensor): void {
    noGrad(() => {
      signSgd_(this.#weights, ids, gradients, { lr, finite }, { weightDecay: this.#weightDecay });
    });
  }
}
