import { noGrad } from '../autograd/no_grad';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { fusedOr } from './fused';
import { fusedLLoop } from './fused_block';
import {
  type BlockOptions,
  type BlockWeights,
  composedLevel,
  fusedObstacle,
  fusedOptions,
  fusedWeights,
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
  return fusedOr(
    'l_loop',
    fusedObstacle([...lWeights, ...hWeights]),
    () => {
      const forFused = fusedOptions([...lWeights, ...hWeights], options);
      return fusedLLoop(zH, zL, x, fusedWeights(lWeights), fusedWeights(hWeights), forFused);
    },
    () => composedLLoop(zH, zL, x, lWeights, hWeights, options),
  );
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
  const { hCycles, lCycles, gradSteps, hTokens } = options;
  let states: States = { zH, zL };
  noGrad(() => {
    for (let step = 1; step <= hCycles * lCycles - gradSteps; ++step) {
      const before = states;
      states = tidy(() => {
        const newL = composedLevel(before.zL, [before.zH, x], lWeights, options);
        const newH = step % lCycles === 0 ? composedLevel(before.zH, [newL], hWeights, options) : before.zH;
        return { zH: newH, zL: newL };
      });
      for (const old of [before.zH, before.zL])
        if (old !== zH && old !== zL && old !== states.zH && old !== states.zL) old.dispose();
    }
    if (hTokens !== undefined) states = { ...states, zH: narrow(states.zH, 1, 0, hTokens) };
  });
  return states;
}
