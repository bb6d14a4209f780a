import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { add } from './arithmetic';
import { block, type BlockOptions, type BlockWeights } from './block';
import { fusedOr } from './fused';
import { fusedLevel, type FusedOptions, type FusedWeights } from './fused_block';

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
  return fusedOr(
    'level',
    fusedObstacle(weights),
    () => tidy(() => fusedLevel(levelInput(z, injections), fusedWeights(weights), fusedOptions(weights, options))),
    () => composedLevel(z, injections, weights, options),
  );
}

/** Why the fused ops cannot take these blocks; undefined: they can. */
export function fusedObstacle(weights: readonly BlockWeights[]): string | undefined {
  if (weights.length === 0) return 'there are no blocks';
  const differ = (of: (w: BlockWeights) => unknown): boolean =>
    weights.some((w) => of(w) !== of(weights[0] as BlockWeights));
  if (differ((w) => 'qkv' in w)) return 'some blocks mix tokens by attention, others by a SwiGLU over the sequence';
  if (differ((w) => w.down.shape[1])) return 'the blocks differ in F';
  if (differ((w) => 'tDown' in w && w.tDown.shape[1])) return "the blocks differ in F'";
  return undefined;
}

/** One list of each weight. */
export function fusedWeights(weights: readonly BlockWeights[]): FusedWeights {
  const list = (name: keyof FusedWeights): Tensor[] =>
    weights.flatMap((w) => (w as Partial<Record<keyof FusedWeights, Tensor>>)[name] ?? []);
  const names = ['qkv', 'o', 'gateUp', 'down', 'tGateUp', 'tDown'] as const;
  return Object.fromEntries(names.map((name) => [name, list(name)])) as unknown as FusedWeights;
}

/** A SwiGLU over the sequence has no q and k to rotate. */
export function fusedOptions<O extends FusedOptions>(weights: readonly BlockWeights[], options: O): O {
  return weights.every((w) => 'qkv' in w) ? options : { ...options, rope: undefined };
}

function levelInput(z: Tensor, injections: readonly Tensor[]): Tensor {
  // The injections first, as in L(zL, zH + x): the order of a floating sum is part of the function.
  const injection = injections.reduce((sum, term) => add(sum, term));
  return add(z, injection);
}

/** The definition in generic ops: specification, fallback and oracle of the fused op. */
export function composedLevel(
  z: Tensor,
  injections: readonly Tensor[],
  weights: readonly BlockWeights[],
  options: BlockOptions,
): Tensor {
  return weights.reduce((h, w) => block(h, w, options), levelInput(z, injections));
}
