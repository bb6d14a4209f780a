/**
 * The fused ops over transformer blocks: a whole level with its gradient, and all no-grad updates of a segment. What they
 * compute is defined in generic ops by `level` and `lLoop`.
 */
import { isGradEnabled, noGrad } from '../autograd/no_grad';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { cast } from './cast';
import { defineOp, type Op, savedList } from './define';

/** The gradient of `level`; it has none of its own. */
export const levelBackwardOp: Op<'level_backward'> = defineOp('level_backward');

export const levelOp: Op<'level'> = defineOp('level', {
  save: [
    ...(['h', 'cos', 'sin', 'wQkv', 'wO', 'wGateUp', 'wDown', 'wTGateUp', 'wTDown'] as const),
    ...(['y', 'qkv', 'attention', 'lse', 'y1', 'r1', 'gateUp', 'r2', 'inner', 'tGateUp'] as const),
  ],
  vjp({ dy, saved, attrs: { nHeads, eps } }) {
    const { y, h, qkv, attention, lse, y1, r1, gateUp, r2, inner, tGateUp, cos, sin } = saved;
    const list = (name: string): Tensor[] => savedList(saved, name);
    const mixer = [list('wQkv'), list('wO')] as const;
    const overSequence = [list('wTGateUp'), list('wTDown')] as const;
    const weights = [...mixer, list('wGateUp'), list('wDown'), ...overSequence] as const;
    const [dh, ...dWeights] = levelBackwardOp.many(
      [dy, y, h, qkv, attention, lse, y1, r1, gateUp, r2, inner, tGateUp, cos, sin, ...weights],
      { nHeads, eps },
    );
    // The native op gives them by block, inputs go by list.
    const present = weights.filter((blocks) => blocks.length > 0);
    const byList = present.flatMap((blocks, part) => blocks.map((_, i) => dWeights[present.length * i + part]));
    return [dh, undefined, undefined, ...byList];
  },
});

export const lLoopOp: Op<'l_loop'> = defineOp('l_loop');

/**
 * Weights of blocks, one entry a block: gateUp [2F, D], down [D, F], and either qkv [3D, D] and o [D, D] or tGateUp
 * [2F', S] and tDown [S, F']; the lists of the other mixer are empty.
 */
export interface FusedWeights {
  readonly qkv: readonly Tensor[];
  readonly o: readonly Tensor[];
  readonly gateUp: readonly Tensor[];
  readonly down: readonly Tensor[];
  readonly tGateUp: readonly Tensor[];
  readonly tDown: readonly Tensor[];
}

export interface FusedOptions {
  nHeads: number;
  /** Of both rmsNorms. */
  eps: number;
  /** Tables [>= S, D / nHeads]; left out: no rotation. Of attention alone. */
  rope?: { cos: Tensor; sin: Tensor } | undefined;
}

/** On the CPU bfloat16 is storage: the fused ops compute in float32 there and do not round in between. */
function toCompute(x: Tensor): Tensor {
  return x.dtype === 'bfloat16' && x.device === 'cpu' ? cast(x, 'float32') : x;
}

type List = Tensor[];

function lists(weights: FusedWeights): [List, List, List, List, List, List] {
  const of = (list: readonly Tensor[]): List => list.map(toCompute);
  const { qkv, o, gateUp, down, tGateUp, tDown } = weights;
  return [of(qkv), of(o), of(gateUp), of(down), of(tGateUp), of(tDown)];
}

/**
 * blocks(h), keeping for the gradient what HRM section 2 lists, or nothing where nothing records.
 *
 * @param h [B, S, D] bfloat16, float32 or float64, as the weights are
 * @returns [B, S, D]
 */
export function fusedLevel(h: Tensor, weights: FusedWeights, { nHeads, eps, rope }: FusedOptions): Tensor {
  return tidy(() => {
    const input = toCompute(h);
    const w = lists(weights);
    const keep = isGradEnabled() && (input.requiresGrad || w.flat().some((t) => t.requiresGrad));
    const [y] = levelOp.many([input, rope?.cos, rope?.sin, ...w], { nHeads, eps, keep }) as [Tensor];
    return castLike(y, h);
  });
}

/**
 * The updates of a segment that carry no gradient, in one native call. Nothing is recorded.
 *
 * @param zH [B, S, D] @param zL [B, S, D] @param x [B, S, D], all of one dtype
 * @returns the new states; of zH the first `hTokens` tokens, all by default
 */
export function fusedLLoop(
  zH: Tensor,
  zL: Tensor,
  x: Tensor,
  lWeights: FusedWeights,
  hWeights: FusedWeights,
  options: FusedOptions & { hCycles: number; lCycles: number; gradSteps: number; hTokens?: number | undefined },
): { zH: Tensor; zL: Tensor } {
  const { rope, nHeads, eps, hCycles, lCycles, gradSteps, hTokens = zH.shape[1] ?? 0 } = options;
  return noGrad(() =>
    tidy(() => {
      const states = [toCompute(zH), toCompute(zL), toCompute(x)] as const;
      const [newH, newL] = lLoopOp.many([...states, rope?.cos, rope?.sin, ...lists(lWeights), ...lists(hWeights)], {
        nHeads,
        hCycles,
        lCycles,
        gradSteps,
        hTokens,
        eps,
      }) as [Tensor, Tensor];
      return { zH: castLike(newH, zH), zL: castLike(newL, zL) };
    }),
  );
}

function castLike(y: Tensor, like: Tensor): Tensor {
  return y.dtype === like.dtype ? y : cast(y, like.dtype);
}
