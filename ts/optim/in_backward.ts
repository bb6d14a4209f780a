import { backward } from '../autograd/tape';
import type { Tensor } from '../tensor/tensor';
import type { AdamATan2 } from './adam_atan2';

/**
 * Goes backward and updates each parameter as soon as its gradient is complete, which is then dropped: there are never all
 * gradients at once, unless all weights are used as early as the first of them. What `optimizer.begin` began. Gradients of
 * other leaves stay in their `.grad`.
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
  const take = (parameter: Tensor): void => {
    optimizer.update(parameter, lr, finiteOf(parameter));
    parameter.grad?.dispose();
    parameter.grad = undefined;
  };
  backward(loss, undefined, {
    onGradient: (leaf) => {
      if (own.has(leaf)) take(leaf);
    },
  });
  // A gradient from before that this loss adds nothing to.
  for (const parameter of parameters) if (parameter.grad) take(parameter);
}
