/** Inner answers, scaling by segments and halting against loops over plain numbers and against `evaluate`. */
import { describe, expect, it } from '@jest/globals';
import {
  accuracyBySegments,
  batchTensors,
  compareHalting,
  copy_,
  evaluate,
  type Hrm,
  IGNORE_LABEL,
  intermediateAnswers,
  noGrad,
  type PuzzleDataset,
  type Tensor,
  tensor,
} from '../../ts';
import { startOf } from '../../ts/analyze/puzzles';
import { cyclingModel, puzzles, rowsOf } from '../support/analysis_model';
import { composedH, composedSegment } from '../support/composed_hrm';
import { FLOAT64_PLACES } from '../support/tolerance';

const SEGMENTS = 3;
const [COUNT, CELLS, VOCAB] = [9, 16, 6];

/** The same puzzles with some labels that are not scored: half of the first puzzle's and all of the last one's. */
const partlyScored: PuzzleDataset = {
  ...puzzles,
  sets: puzzles.sets.map((set) => {
    const labels = Int32Array.from(set.labels);
    labels.fill(IGNORE_LABEL, 0, 8);
    labels.fill(IGNORE_LABEL, (COUNT - 1) * CELLS);
    return { ...set, labels };
  }),
};

/** lm_head(z) and its best tokens over plain numbers. */
function naiveAnswers(model: Hrm, z: Tensor): number[][] {
  const head = new Map(model.namedParameters()).get('lm_head.weight')!.dataSync() as Float32Array;
  const values = z.dataSync() as Float64Array;
  const [width, tokens] = [16, 17];
  return Array.from({ length: COUNT }, (_, row) =>
    Array.from({ length: CELLS }, (__, cell) => {
      const at = (row * tokens + cell + 1) * width;
      const logits = Array.from({ length: VOCAB }, (___, v) =>
        Array.from({ length: width }, (____, k) => values[at + k]! * head[v * width + k]!).reduce((a, b) => a + b),
      );
      return logits.indexOf(Math.max(...logits));
    }),
  );
}

interface Naive {
  segment: number;
  step: number;
  answers: number[][];
}

/** lm_head(H(zH, zL)) after every L update. */
function naiveSteps(model: Hrm): Naive[] {
  return noGrad(() => {
    const { x, states: first } = startOf(model, batchTensors(rowsOf(puzzles)));
    let states = first;
    return Array.from({ length: SEGMENTS }, (_, s) => {
      const { updates, states: next } = composedSegment(model, states, x);
      let zH = states.zH;
      states = next;
      return updates.flatMap(({ level, step, after }) => {
        if (level === 'H') zH = after;
        return level === 'H'
          ? []
          : [{ segment: s + 1, step, answers: naiveAnswers(model, composedH(model, { zH, zL: after })) }];
      });
    }).flat();
  });
}

const labels = Array.from({ length: COUNT }, (_, row) =>
  Array.from(partlyScored.sets[0]!.labels.subarray(row * CELLS, (row + 1) * CELLS)),
);
const scoredRows = Array.from({ length: COUNT - 1 }, (_, row) => row);
const scored = (row: number): number[] => labels[row]!.flatMap((label, cell) => (label === IGNORE_LABEL ? [] : [cell]));
const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b) / values.length;
const estimate = (values: readonly number[]) => ({
  mean: expect.closeTo(meanOf(values), FLOAT64_PLACES),
  standardError: expect.closeTo(
    Math.sqrt(meanOf(values.map((v) => (v - meanOf(values)) ** 2)) / values.length),
    FLOAT64_PLACES,
  ),
});
const shares = (answers: number[][]): number[] =>
  scoredRows.map((row) => meanOf(scored(row).map((cell) => (answers[row]![cell] === labels[row]![cell] ? 1 : 0))));

/** A model whose q head halts where zH's first token says so, and that answers some puzzles right. */
function undecided(): Hrm {
  const model = cyclingModel();
  const state = model.stateDict();
  noGrad(() => {
    copy_(state.get('q_head.bias')!, tensor([0, 0]));
    copy_(
      state.get('q_head.weight')!,
      tensor(
        Float32Array.from({ length: 32 }, (_, i) => Math.sin(i * i)),
        { shape: [2, 16] },
      ),
    );
  });
  return model;
}

describe('intermediateAnswers', () => {
  const model = cyclingModel();
  const naive = naiveSteps(model);

  it('decodes every inner step, over scored cells and puzzles alone', async () => {
    const { count, steps, example } = await intermediateAnswers(model, partlyScored, {
      batchSize: 4,
      segments: SEGMENTS,
    });
    expect(count).toBe(COUNT - 1);
    expect(example).toBeNull();
    expect(steps).toEqual(
      naive.map(({ segment, step, answers }, i) => ({
        segment,
        step,
        accuracy: estimate(shares(answers)),
        exactAccuracy: estimate(shares(answers).map((share) => (share === 1 ? 1 : 0))),
        changed:
          i === 0
            ? null
            : estimate(
                scoredRows.map(
                  (row) => scored(row).filter((c) => answers[row]![c] !== naive[i - 1]!.answers[row]![c]).length,
                ),
              ),
      })),
    );
    // Otherwise nothing was compared.
    expect(steps.some(({ changed }) => changed !== null && changed.mean > 0)).toBe(true);
  });

  it('keeps the answers to one puzzle', async () => {
    const { example } = await intermediateAnswers(model, partlyScored, {
      batchSize: 4,
      segments: SEGMENTS,
      example: 6,
    });
    expect(example!.inputs).toEqual(Array.from(puzzles.sets[0]!.inputs.subarray(6 * CELLS, 7 * CELLS)));
    expect(example!.labels).toEqual(labels[6]);
    expect(example!.answers).toEqual(
      naive.map(({ segment, step, answers }) => ({ segment, step, tokens: answers[6] })),
    );
    await expect(intermediateAnswers(model, puzzles, { puzzles: 3, example: 3 })).rejects.toThrow(
      /intermediateAnswers: example must be an integer in \[0, 2\], got 3/,
    );
  });

  it('ends each segment with the answer of the evaluation', async () => {
    const { steps } = await intermediateAnswers(model, puzzles, { segments: SEGMENTS });
    for (let segment = 1; segment <= SEGMENTS; ++segment) {
      const { accuracy, accuracyStandardError } = await evaluate(model, puzzles, { segments: segment });
      const last = steps.filter((step) => step.segment === segment).at(-1)!.accuracy;
      expect(last.mean).toBeCloseTo(accuracy, 6);
      expect(last.standardError).toBeCloseTo(accuracyStandardError, 6);
    }
  });
});

/** The puzzles with labels that the model gives after some segment, so that some of its answers are right. */
function answeredBy(model: Hrm): PuzzleDataset {
  const answers = naiveSteps(model).filter(({ step }) => step === 4);
  const set = puzzles.sets[0]!;
  // Rows 0 to 3 are right after segment 1, rows 4 to 6 after segment 3, two never.
  const labelsOf = (row: number): number[] => {
    if (row <= 3) return answers[0]!.answers[row]!;
    return row <= 6 ? answers[2]!.answers[row]! : answers[2]!.answers[row]!.map((token) => (token + 1) % VOCAB);
  };
  const given = Int32Array.from(Array.from({ length: COUNT }, (_, row) => labelsOf(row)).flat());
  return { ...puzzles, sets: [{ ...set, labels: given }] };
}

describe('accuracyBySegments', () => {
  it('is that of evaluations with so many segments, also more than in training', async () => {
    const model = cyclingModel({ haltMaxSteps: 2 });
    const dataset = answeredBy(model);
    const { count, trainedSegments, bySegments } = await accuracyBySegments(model, dataset, { batchSize: 4 });
    expect([count, trainedSegments, bySegments.length]).toEqual([COUNT, 2, 8]);
    for (const { segments, accuracy, exactAccuracy } of bySegments.slice(0, 4)) {
      const result = await evaluate(model, dataset, { segments });
      expect(accuracy.mean).toBeCloseTo(result.accuracy, 6);
      expect(accuracy.standardError).toBeCloseTo(result.accuracyStandardError, 6);
      expect(exactAccuracy.mean).toBeCloseTo(result.exactAccuracy, FLOAT64_PLACES);
      expect(exactAccuracy.standardError).toBeCloseTo(result.exactStandardError, 6);
    }
    expect(bySegments[0]!.exactAccuracy.mean).toBeGreaterThanOrEqual(4 / 9);
    expect(bySegments[0]!.exactAccuracy.mean).toBeLessThan(1);
  });

  it('counts what was right then or earlier', async () => {
    const model = cyclingModel();
    const steps = naiveSteps(model).filter(({ step }) => step === 4);
    const dataset = answeredBy(model);
    const right = Int32Array.from(dataset.sets[0]!.labels);
    const isRight = ({ answers }: Naive, row: number): boolean =>
      answers[row]!.every((t, c) => t === right[row * CELLS + c]);
    const { bySegments } = await accuracyBySegments(model, dataset, { segments: SEGMENTS, batchSize: 4 });
    const rows = Array.from({ length: COUNT }, (_, row) => row);
    expect(bySegments.map(({ everExact }) => everExact)).toEqual(
      steps.map((_, i) => estimate(rows.map((row) => (steps.slice(0, i + 1).some((s) => isRight(s, row)) ? 1 : 0)))),
    );
    expect(bySegments.map(({ exactAccuracy }) => exactAccuracy)).toEqual(
      steps.map((step) => estimate(rows.map((row) => (isRight(step, row) ? 1 : 0)))),
    );
  });
});

describe('compareHalting', () => {
  it('has the figures of fixed and adaptive evaluations, each limit once', async () => {
    const model = undecided();
    const { count, trainedSegments, rows } = await compareHalting(model, puzzles, { rounds: 2, limits: [2, 6, 2] });
    expect([count, trainedSegments, rows.map(({ limit }) => limit)]).toEqual([COUNT, 3, [2, 6]]);
    for (const { limit: segments, ...row } of rows) {
      for (const [name, adaptive] of [
        ['fixed', false],
        ['adaptive', true],
      ] as const) {
        const result = await evaluate(model, puzzles, { segments, adaptive });
        const { accuracy, accuracyStandardError, exactAccuracy, exactStandardError } = result;
        expect(row[name]).toMatchObject({ accuracy, accuracyStandardError, exactAccuracy, exactStandardError });
        expect(row[name].segments).toBe(result.steps);
        expect(row[name].puzzlesPerSecond).toBeGreaterThan(0);
        expect(row[name].spread).toBeGreaterThanOrEqual(0);
      }
      expect(row.fixed.segments).toBe(segments);
    }
    // Otherwise both were the same.
    expect(rows.at(-1)!.adaptive.segments).toBeLessThan(6);
  });

  it('chooses limits around those of training', async () => {
    const { rows } = await compareHalting(undecided(), puzzles, { rounds: 1, puzzles: 2 });
    expect(rows.map(({ limit }) => limit)).toEqual([1, 2, 3, 6]);
    await expect(compareHalting(undecided(), puzzles, { limits: [] })).rejects.toThrow(/limits must have at least one/);
    await expect(compareHalting(undecided(), puzzles, { limits: [0] })).rejects.toThrow(
      /limits\[0\] must be an integer/,
    );
  });
});
