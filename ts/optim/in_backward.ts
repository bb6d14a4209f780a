import { backward } from '../autograd/tape';
import type { Tensor } from '../tensor/tensor';
import type { AdamATan2 } from './adam_atan2';

/**
 * Goes backward and updates each parameter as soon as its gradient is complete, which is then dropped: there are never all
 * gradients at once. What `optimizer.begin` began. Gradients of other leaves stay in their `.grad`.
 *
 * @param parameters of the optimizer
 * @param lr as in `AdamATan2.step`
 * @param finiteOf bool []: whether to update a parameter, whose `.grad` is there
 */
export function updateInBackward(
  loss: Tensor,
  optimizer: AdamATan2,
  parameters: readonly Tensor[],
  lr: Tensor,
  finiteOf: (parameter: Tensor) => Tensor,
): void {
  const own = new Set(parameters);
  backward(loss, undefined, {
    onGradient: (leaf) => {
      if (!own.has(leaf)) return;
      optimizer.update(leaf, lr, finiteOf(leaf));
      leaf.grad?.dispose();
      leaf.grad = undefined;
    },
  });
}
