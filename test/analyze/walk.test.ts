/** Inner states one by one against the model's own segment and against generic ops. */
import { describe, expect, it } from '@jest/globals';
import {
  actStep,
  batchTensors,
  type Hrm,
  initialCarry,
  memory,
  type ModelSettings,
  noGrad,
  resetPeakMemory,
  type States,
  type Tensor,
  tidy,
  walkSegment,
  zeros,
} from '../../ts';
import { startOf } from '../../ts/analyze/puzzles';
import { runSegments, walkSegments } from '../../ts/analyze/walk';
import { cyclingModel, puzzles, rowsOf } from '../support/analysis_model';
import { composedSegment } from '../support/composed_hrm';
import { heldMemory } from '../support/memory';
import { tinyModel } from '../support/tiny_model';
import { FUSED_BOUND } from '../support/tolerance';

const batch = batchTensors(rowsOf(puzzles));

function distance(a: Tensor, b: Tensor): number {
  const [x, y] = [a.dataSync(), b.dataSync()];
  expect(x.length).toBe(y.length);
  return Array.from(x).reduce((most, value, i) => Math.max(most, Math.abs(value - y[i]!)), 0);
}

/** The states after each of `segments` segments of actStep in evaluation, which is what `evaluate` runs. */
function statesByActStep(model: Hrm, segments: number): States[] {
  return noGrad(() => {
    let carry = initialCarry(model, batch);
    return Array.from({ length: segments }, () => {
      const next = actStep(model, carry, batch, { training: false }).carry;
      carry = { ...next, halted: zeros([batch.inputs.shape[0]!], { dtype: 'bool' }) };
      return { zH: next.zH, zL: next.zL };
    });
  });
}

const VARIANTS: Readonly<Record<string, Partial<ModelSettings>>> = {
  'two cycles of two': {},
  'one cycle of three': { hCycles: 1, lCycles: 3 },
  'three cycles of one': { hCycles: 3, lCycles: 1 },
  'shared levels': { sharedLevels: true },
  'a SwiGLU over the sequence': { mlpT: true, posEncodings: 'none' },
  'rotary positions': { posEncodings: 'rope' },
};

describe.each(Object.entries(VARIANTS))('walking through segments: %s', (_, changes) => {
  const model = cyclingModel(changes);

  it('shows every update as generic ops compute it', () => {
    const { rows: _rows, x, states } = startOf(model, batch);
    const expected = noGrad(() => composedSegment(model, states, x));
    let i = 0;
    const last = walkSegment(model, states, x, ({ level, step, before, after, states: now }) => {
      const update = expected.updates[i++]!;
      expect([level, step]).toEqual([update.level, update.step]);
      expect(distance(before, update.before)).toBeLessThan(FUSED_BOUND);
      expect(distance(after, update.after)).toBeLessThan(FUSED_BOUND);
      expect(level === 'H' ? now.zH : now.zL).toBe(after);
    });
    expect(i).toBe(expected.updates.length);
    expect(distance(last.zH, expected.states.zH)).toBeLessThan(FUSED_BOUND);
  });

  it('arrives where actStep and recur arrive, segment after segment', () => {
    const expected = statesByActStep(model, 3);
    const start = noGrad(() => startOf(model, batch));
    let seen = 0;
    const check = (segment: number, { zH, zL }: States): void => {
      expect(distance(zH, expected[segment - 1]!.zH)).toBeLessThan(FUSED_BOUND);
      expect(distance(zL, expected[segment - 1]!.zL)).toBeLessThan(FUSED_BOUND);
      ++seen;
    };
    walkSegments(model, start, 3, () => undefined, check);
    runSegments(model, start, 3, check);
    expect(seen).toBe(6);
  });
});

describe('walkSegment', () => {
  it('agrees in float32 to its rounding, and takes no gradient', () => {
    const model = tinyModel({ hCycles: 2 });
    const { x, states } = startOf(model, batch);
    const mine = walkSegment(model, states, x, ({ after }) => expect(after.requiresGrad).toBe(false));
    const recur = model.recurNoGrad(states, x);
    expect(distance(mine.zH, recur.zH)).toBeLessThan(1e-5);
    expect(distance(mine.zL, recur.zL)).toBeLessThan(1e-5);
  });

  it('keeps two states, however many updates there are', () => {
    const peak = (hCycles: number): number => {
      const model = tinyModel({ hCycles });
      const bytes = tidy(() => {
        const { x, states } = noGrad(() => startOf(model, batch));
        const before = heldMemory().liveBytes;
        resetPeakMemory();
        walkSegment(model, states, x, () => undefined);
        return memory().peakBytes - before;
      });
      model.dispose();
      return bytes;
    };
    peak(2);
    expect(peak(20)).toBeLessThanOrEqual(peak(2));
  });

  it('refuses what is no visitor, and one that would look later', () => {
    const model = tinyModel();
    const { x, states } = startOf(model, batch);
    expect(() => walkSegment(model, states, x, 3 as never)).toThrow(/walkSegment: visit must be a function, got/);
    const later = (() => Promise.resolve()) as unknown as () => undefined;
    expect(() => walkSegment(model, states, x, later)).toThrow(/promise/);
    expect(() => walkSegment({} as never, states, x, () => undefined)).toThrow(/walkSegment: model must be an Hrm/);
  });
});
