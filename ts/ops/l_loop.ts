import { isGradEnabled, noGrad } from '../autograd/no_grad';
import { ArgumentError } from '../error';
import { readFields } from '../tensor/arguments';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { requireInteger } from './arguments';
import { requireBlockOptions, requireWeights } from './block';
import { fusedOr } from './fused';
import { fusedLLoop } from './fused_block';
import {
  type BlockOptions,
  type BlockWeights,
  composedLevel,
  fusedObstacle,
  fusedOptions,
  fusedWeights,
  requireState,
} from './level';
import { narrow } from './slice';

export interface LoopOptions extends BlockOptions {
  /** N */
  hCycles: number;
  /** T */
  lCycles: number;
  /** How many of the last L updates are left to the caller, with the H updates among and after them; 0 leaves none. */
  gradSteps: number;
  /** How many leading tokens of the new zH are wanted, all by default: the last H block computes no others. */
  hTokens?: number | undefined;
}

export interface States {
  zH: Tensor;
  zL: Tensor;
}

/**
 * All updates of a segment that carry no gradient (HRM section 2): for i in 1..N, for j in 1..T: zL = L(zL, zH + x), and
 * zH = H(zH, zL) after each T of them, stopping before the last `gradSteps` L updates. Nothing is recorded.
 *
 * @param zH [B, S, D] @param zL [B, S, D] @param x [B, S, D] input embedding
 * @returns the new states: zH [B, hTokens, D], zL [B, S, D]
 */
export function lLoop(
  zH: Tensor,
  zL: Tensor,
  x: Tensor,
  lWeights: readonly BlockWeights[],
  hWeights: readonly BlockWeights[],
  options: LoopOptions,
): States {
  const [h, l, input] = requireStates('lLoop', zH, zL, x);
  const lBlocks = requireWeights('lLoop', 'lWeights', lWeights);
  const hBlocks = requireWeights('lLoop', 'hWeights', hWeights);
  const given = requireLoopOptions('lLoop', options);
  return fusedOr(
    'l_loop',
    fusedObstacle([...lBlocks, ...hBlocks]),
    () => {
      const forFused = fusedOptions([...lBlocks, ...hBlocks], given);
      return fusedLLoop(h, l, input, fusedWeights(lBlocks), fusedWeights(hBlocks), forFused);
    },
    () => composedLLoop(h, l, input, lBlocks, hBlocks, given),
  );
}

function requireStates(op: string, zH: unknown, zL: unknown, x: unknown): readonly [Tensor, Tensor, Tensor] {
  return [requireState(op, 'zH', zH), requireState(op, 'zL', zL), requireState(op, 'x', x)];
}

function requireLoopOptions(op: string, options: LoopOptions): LoopOptions {
  const counts = readFields(op, 'options', options, ['hCycles', 'lCycles', 'gradSteps']);
  for (const [name, count] of Object.entries(counts))
    if (requireInteger(op, name, count) < (name === 'gradSteps' ? 0 : 1))
      throw new ArgumentError(`${op}: ${name} must be positive, got ${count}`);
  const { hTokens } = readFields(op, 'options', options, ['hTokens']);
  if (hTokens !== undefined && requireInteger(op, 'hTokens', hTokens) < 0)
    throw new ArgumentError(`${op}: hTokens must be at least 0, got ${hTokens}`);
  return { ...requireBlockOptions(op, options), ...counts, hTokens };
}

/** The definition in generic ops: specification, fallback and oracle of the fused op. */
export function composedLLoop(
  zH: Tensor,
  zL: Tensor,
  x: Tensor,
  lWeights: readonly BlockWeights[],
  hWeights: readonly BlockWeights[],
  options: LoopOptions,
): States {
  requireStates('composedLLoop', zH, zL, x);
  const lBlocks = requireWeights('composedLLoop', 'lWeights', lWeights);
  const hBlocks = requireWeights('composedLLoop', 'hWeights', hWeights);
  const given = requireLoopOptions('composedLLoop', options);
  const { hCycles, lCycles, gradSteps, hTokens } = given;
  const steps = { first: 1, last: hCycles * lCycles - gradSteps, lCycles };
  return noGrad(() => {
    const states = updateStates({ zH, zL }, steps, {
      l: (state, other) => composedLevel(state, [other, x], lBlocks, given),
      h: (state, other) => composedLevel(state, [other], hBlocks, given),
    });
    return hTokens === undefined ? states : { ...states, zH: narrow(states.zH, 1, 0, hTokens) };
  });
}

/**
 * L updates number `first` to `last` of a segment, from 1, and the H updates among and after them. Without gradient, memory does
 * not grow with their number.
 *
 * @param update from the level's own state and the other level's [B, S, D] to its new state
 */
export function updateStates(
  from: States,
  { first, last, lCycles }: { first: number; last: number; lCycles: number },
  update: { l: (zL: Tensor, zH: Tensor) => Tensor; h: (zH: Tensor, zL: Tensor) => Tensor },
): States {
  let states = from;
  for (let step = first; step <= last; ++step) {
    const before = states;
    states = tidy(() => {
      const newL = update.l(before.zL, before.zH);
      const newH = step % lCycles === 0 ? update.h(before.zH, newL) : before.zH;
      return { zH: newH, zL: newL };
    });
    if (isGradEnabled()) continue;
    for (const old of [before.zH, before.zL])
      if (![from.zH, from.zL, states.zH, states.zL].includes(old)) old.dispose();
  }
  return states;
}
