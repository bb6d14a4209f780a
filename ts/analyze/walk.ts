/**
 * The inner states of a segment. `recur` hides them in one native call; here the same updates run one by one, with the
 * model's own `updateL` and `updateH`, so that an analysis can look at each.
 */
import { noGrad } from '../autograd/no_grad';
import { requireModel } from '../hrm/arguments';
import type { Hrm } from '../hrm/model';
import { requireNamed, requireTensor } from '../ops/arguments';
import type { States } from '../ops/l_loop';
import { requireFunction } from '../tensor/arguments';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';

/** One update of a recurrent module, without gradient. */
export interface Update {
  readonly level: 'H' | 'L';
  /** Number of the L update in the segment, 1..hCycles*lCycles; an H update has that of the L update before it. */
  readonly step: number;
  /** The state that was updated, [B, S, D], before and after. */
  readonly before: Tensor;
  readonly after: Tensor;
  /** Both states after the update. */
  readonly states: States;
}

/**
 * One segment, update by update: for each of hCycles * lCycles steps zL = L(zL, zH + x), and after every lCycles of them
 * zH = H(zH, zL) (HRM section 2). The tensors that `visit` sees are disposed soon after it returns.
 *
 * @param from [B, S, D] each; stay the caller's
 * @param x [B, S, D] input embedding
 * @param visit called after each update; what tensors it makes are disposed
 * @returns the states after the segment
 */
export function walkSegment(model: Hrm, from: States, x: Tensor, visit: (update: Update) => void): States {
  const { hCycles, lCycles } = requireModel('walkSegment', model).config;
  const first = requireNamed('walkSegment', 'from', from, ['zH', 'zL']);
  requireTensor('walkSegment', 'x', x);
  requireFunction('walkSegment', 'visit', visit);
  let states: States = first;
  const take = (level: Update['level'], step: number, before: Tensor, after: Tensor): void => {
    states = level === 'L' ? { zH: states.zH, zL: after } : { zH: after, zL: states.zL };
    tidy(() => visit({ level, step, before, after, states }));
    // Not left to the end of the scope: the memory of a segment must not grow with its updates.
    if (before !== first.zH && before !== first.zL) before.dispose();
  };
  return noGrad(() =>
    tidy(() => {
      for (let step = 1; step <= hCycles * lCycles; ++step) {
        take('L', step, states.zL, model.updateL(states.zL, states.zH, x));
        if (step % lCycles === 0) take('H', step, states.zH, model.updateH(states.zH, states.zL));
      }
      return states;
    }),
  );
}

/**
 * Several segments on the same puzzles, each from the states that the last one left, as evaluation runs them.
 *
 * @param visit called after each update with the number of the segment, from 1
 * @param onSegment called after each segment with the states that it leaves
 */
export function walkSegments(
  model: Hrm,
  { states: from, x }: { readonly states: States; readonly x: Tensor },
  segments: number,
  visit: (segment: number, update: Update) => void,
  onSegment?: (segment: number, states: States) => void,
): void {
  tidy(() => {
    let states = from;
    for (let segment = 1; segment <= segments; ++segment) {
      const before = states;
      states = walkSegment(model, before, x, (update) => visit(segment, update));
      if (before !== from) disposeStates(before);
      tidy(() => onSegment?.(segment, states));
    }
  });
}

/** Several segments, each in one native call; `onSegment` sees the states that each leaves. */
export function runSegments(
  model: Hrm,
  { states: from, x }: { readonly states: States; readonly x: Tensor },
  segments: number,
  onSegment: (segment: number, states: States) => void,
): void {
  tidy(() => {
    let states = from;
    for (let segment = 1; segment <= segments; ++segment) {
      const before = states;
      states = model.recurNoGrad(before, x);
      if (before !== from) disposeStates(before);
      tidy(() => onSegment(segment, states));
    }
  });
}

function disposeStates({ zH, zL }: States): void {
  zH.dispose();
  zL.dispose();
}
