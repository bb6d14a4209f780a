import { ArgumentError, ShapeError } from '../error';
import { isGradEnabled } from '../autograd/no_grad';
import { remat } from '../autograd/remat';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { add } from './arithmetic';
import { requireTensor, requireTensors, shapeText } from './arguments';
import { block, type BlockOptions, type BlockWeights, requireBlockOptions, requireWeights } from './block';
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
  const { state, added, blocks, given } = requireLevel('level', z, injections, weights, options);
  return fusedOr(
    'level',
    fusedObstacle(blocks),
    () => tidy(() => fusedLevel(levelInput(state, added), fusedWeights(blocks), fusedOptions(blocks, given))),
    () => composedLevel(state, added, blocks, given),
  );
}

/**
 * `level` in less memory, the same numbers: block by block, each with its packed weights freed after its use (on the CPU), and
 * each computed again in backward, so that between forward and backward only the blocks' inputs are kept.
 *
 * @returns the new state [B, S, D]
 */
export function streamedLevel(
  z: Tensor,
  injections: readonly Tensor[],
  weights: readonly BlockWeights[],
  options: BlockOptions,
): Tensor {
  const { state, added, blocks, given } = requireLevel('level', z, injections, weights, options);
  return tidy(() =>
    blocks.reduce(
      (h, w) => {
        const next = streamedBlock(h, w, given);
        if (!isGradEnabled()) h.dispose();
        return next;
      },
      levelInput(state, added),
    ),
  );
}

function streamedBlock(h: Tensor, weights: BlockWeights, options: BlockOptions): Tensor {
  const names = Object.keys(weights);
  return remat(
    (input, ...list) => {
      const w = Object.fromEntries(list.map((tensor, i) => [names[i], tensor])) as unknown as BlockWeights;
      const y = fusedLevel(input, fusedWeights([w]), fusedOptions([w], options));
      for (const tensor of list) tensor.forgetDerived();
      return y;
    },
    h,
    ...(Object.values(weights) as Tensor[]),
  );
}

/** A state [B, S, D]. */
export function requireState(op: string, name: string, value: unknown): Tensor {
  const { shape } = requireTensor(op, name, value);
  if (shape.length !== 3) throw new ShapeError(`${op}: ${name} must have shape [B, S, D], got ${shapeText(shape)}`);
  return value as Tensor;
}

/** The arguments of `level` and its other forms, checked. */
function requireLevel(op: string, z: unknown, injections: unknown, weights: unknown, options: BlockOptions) {
  return {
    state: requireState(op, 'z', z),
    added: requireInjections(op, injections),
    blocks: requireWeights(op, 'weights', weights),
    given: requireBlockOptions(op, options),
  };
}

function requireInjections(op: string, value: unknown): Tensor[] {
  const injections = requireTensors(op, 'injections', value);
  if (injections.length === 0) throw new ArgumentError(`${op}: injections must have at least one tensor, got none`);
  return injections;
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
  const { state, added, blocks, given } = requireLevel('composedLevel', z, injections, weights, options);
  return blocks.reduce((h, w) => block(h, w, given), levelInput(state, added));
}
