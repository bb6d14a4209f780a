import type { Tensor } from '../tensor/tensor';
import { add } from './arithmetic';
import { block, type BlockOptions, type BlockWeights } from './block';

export type { BlockOptions, BlockWeights } from './block';

/**
 * One application of a level: layers(z + injections), the function that both recurrent modules are (HRM section 1).
 *
 * @param z [B, S, D] state of the level
 * @param injections [B, S, D] each, added to z
 * @param weights of the blocks, in order
 * @returns the new state [B, S, D]
 */
export function level(
  z: Tensor,
  injections: readonly Tensor[],
  weights: readonly BlockWeights[],
  options: BlockOptions,
): Tensor {
  return composedLevel(z, injections, weights, options);
}

/** The definition in generic ops: specification, fallback and oracle of the fused op. */
export function composedLevel(
  z: Tensor,
  injections: readonly Tensor[],
  weights: readonly BlockWeights[],
  options: BlockOptions,
): Tensor {
  // The injections first, as in L(zL, zH + x): the order of a floating sum is part of the function.
  const injection = injections.reduce((sum, term) => add(sum, term));
  return weights.reduce((h, w) => block(h, w, options), add(z, injection));
}
