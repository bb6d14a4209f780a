/** Gradients by depth against backpropagation through generic ops. */
import { describe, expect, it } from '@jest/globals';
import {
  actLoss,
  backward,
  batchTensors,
  type Carry,
  compareGradients,
  copy_,
  detach,
  div,
  full,
  Generator,
  type Hrm,
  memory,
  noGrad,
  randn,
  zeros,
} from '../../ts';
import { startOf } from '../../ts/analyze/puzzles';
import { cyclingModel, puzzles, rowsOf } from '../support/analysis_model';
import { composedSegment } from '../support/composed_hrm';

const COUNT = 9;

/** A model away from its start, where the Q head and the puzzle embedding are zero; halting without the second pass. */
function livelyModel(): Hrm {
  const model = cyclingModel({ haltLoss: 'halt' });
  const generator = new Generator(9);
  noGrad(() => {
    const q = new Map(model.namedParameters()).get('q_head.weight')!;
    copy_(q, randn(q.shape, { generator, std: 0.3 }));
    const { weights } = model.puzzleEmb!;
    copy_(weights, randn(weights.shape, { generator }));
  });
  return model;
}

/** Gradients of the loss of one segment in generic ops, whose last `depth` L updates carry it. */
function naiveGradients(model: Hrm, segment: number, depth: number): Map<string, Float64Array> {
  model.zeroGrad();
  const rows = batchTensors(rowsOf(puzzles));
  const puzzleRows = model.puzzleEmb!.rows(rows.puzzleIdentifiers);
  const x = model.inputEmbedding(rows.inputs, puzzleRows);
  let states = noGrad(() => startOf(model, rows).states);
  for (let i = 1; i < segment; ++i) states = noGrad(() => composedSegment(model, states, x).states);
  // A segment of fewer L updates in the graph is one whose first updates came before.
  const { hCycles, lCycles } = model.config;
  const updates = noGrad(() => composedSegment(model, states, x).updates);
  const first = hCycles * lCycles - depth;
  const before = updates.filter(({ step }) => step <= first);
  const last = (level: 'H' | 'L') => before.filter((update) => update.level === level).at(-1)?.after;
  let zH = detach(last('H') ?? states.zH);
  let zL = detach(last('L') ?? states.zL);
  for (let step = first + 1; step <= hCycles * lCycles; ++step) {
    zL = model.updateL(zL, zH, x);
    if (step % lCycles === 0) zH = model.updateH(zH, zL);
  }
  const carry: Carry = {
    ...{ zH, zL, current: rows },
    steps: full([COUNT], segment, { dtype: 'int32' }),
    halted: zeros([COUNT], { dtype: 'bool' }),
  };
  const outputs = { ...model.heads(zH), targetQContinue: undefined, puzzleRows };
  backward(div(actLoss(model.config, carry, outputs).loss, COUNT));
  const found = new Map(
    model
      .namedParameters()
      .map(([name, { grad, size }]): [string, Float64Array] => [
        name,
        Float64Array.from((grad?.dataSync() as Float32Array | undefined) ?? new Float32Array(size)),
      ]),
  );
  found.set('puzzle_emb (rows in use)', Float64Array.from(puzzleRows.grad!.dataSync() as Float64Array));
  model.zeroGrad();
  return found;
}

function agreement(a: ArrayLike<number>, b: ArrayLike<number>): { cosine: number; normRatio: number } {
  const dot = (x: ArrayLike<number>, y: ArrayLike<number>): number =>
    Array.from(x).reduce((sum, value, i) => sum + value * y[i]!, 0);
  return {
    cosine: expect.closeTo(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)), 5),
    normRatio: expect.closeTo(Math.sqrt(dot(a, a) / dot(b, b)), 5),
  } as unknown as { cosine: number; normRatio: number };
}

describe('compareGradients', () => {
  it.each([1, 2])('compares one step, two and all of segment %i, by parameter and together', async (segment) => {
    const model = livelyModel();
    const { rows, parameters, ...rest } = await compareGradients(model, puzzles, {
      ...{ puzzles: COUNT, segment, rounds: 1, cycles: [[2, 2]], gradSteps: [2, 'full', 1] },
    });
    expect(rest).toEqual({ puzzles: COUNT, segment, rounds: 1, gradSteps: [2, 1, 'full'], cycles: [2, 2] });
    const naive = new Map(([2, 1, 4] as const).map((depth) => [depth, naiveGradients(model, segment, depth)]));
    const reference = naive.get(4)!;
    const flat = (gradients: Map<string, Float64Array>): number[] => [...gradients.values()].flatMap((g) => [...g]);
    expect(rows).toMatchObject(
      ([2, 1, 4] as const).map((depth) => ({
        ...{ hCycles: 2, lCycles: 2, gradSteps: depth === 4 ? 'full' : depth },
        ...agreement(flat(naive.get(depth)!), flat(reference)),
      })),
    );
    expect(parameters).toEqual(
      [...reference].map(([name, values]) => ({
        name,
        size: values.length,
        agreements: ([2, 1, 4] as const).map((depth) => agreement(naive.get(depth)!.get(name)!, values)),
      })),
    );
    const [, one, all] = rows;
    expect(all!.cosine).toBe(1);
    expect(one!.cosine).toBeLessThan(0.9999);
  });

  it('shows that memory grows with the depth alone', async () => {
    const { rows } = await compareGradients(livelyModel(), puzzles, {
      ...{
        puzzles: COUNT,
        rounds: 1,
        cycles: [
          [2, 2],
          [4, 4],
        ],
        gradSteps: [1],
      },
    });
    const bytes = (h: number, depth: number | 'full'): number =>
      rows.find(({ hCycles, gradSteps }) => hCycles === h && gradSteps === depth)!.peakBytes;
    expect(bytes(4, 1)).toBeLessThan(1.05 * bytes(2, 1));
    expect(bytes(4, 'full')).toBeGreaterThan(2 * bytes(2, 'full'));
    expect(bytes(2, 'full')).toBeGreaterThan(1.5 * bytes(2, 1));
  });

  it('leaves depths out that a recurrence does not have, and the model as it was', async () => {
    const model = cyclingModel();
    const weights = (): number[] => model.parameters().flatMap((p) => [...(p.dataSync() as Float32Array)]);
    const before = weights();
    await compareGradients(model, puzzles, { puzzles: 2, rounds: 1, cycles: [[1, 1]] });
    const tensors = memory().tensors;
    const { rows } = await compareGradients(model, puzzles, {
      ...{
        puzzles: 2,
        rounds: 1,
        cycles: [
          [1, 1],
          [1, 2],
        ],
        gradSteps: [1, 2, 7],
      },
    });
    // The collector may take what earlier tests dropped.
    expect(memory().tensors).toBeLessThanOrEqual(tensors);
    expect(rows.map(({ lCycles, gradSteps }) => [lCycles, gradSteps])).toEqual([
      [1, 'full'],
      [2, 1],
      [2, 'full'],
    ]);
    expect(weights()).toEqual(before);
    expect(model.parameters().every((p) => p.grad === undefined)).toBe(true);
  });

  it('says that there is no angle with nothing', async () => {
    // Where labels are ignored and the Q head is at its start nothing but the Q head's bias has a gradient.
    const silent = {
      ...puzzles,
      sets: puzzles.sets.map((set) => ({ ...set, labels: new Int32Array(set.labels.length).fill(-100) })),
    };
    const { parameters } = await compareGradients(cyclingModel({ haltLoss: 'halt' }), silent, {
      puzzles: 2,
      rounds: 1,
      cycles: [[2, 2]],
    });
    const of = (name: string) => parameters.find((row) => row.name === name)!.agreements[0];
    expect(of('lm_head.weight')).toEqual({ cosine: null, normRatio: null });
    expect(of('q_head.bias')!.cosine).toBeCloseTo(1, 9);
  });

  it.each([
    [{ gradSteps: [0] }, /compareGradients: gradSteps\[0\] must be an integer/],
    [{ gradSteps: 1 }, /compareGradients: gradSteps must be a list of numbers and 'full', got/],
    [{ cycles: [[1, 2, 3]] }, /compareGradients: cycles\[0\] must be a pair of numbers/],
    [{ cycles: [] }, /compareGradients: cycles must have at least one pair/],
    [{ cycles: [[0, 2]] }, /compareGradients: cycles\[0\] hCycles must be an integer/],
    [{ batchSize: 2 }, /compareGradients: options are .*, got "batchSize"/],
  ])('refuses %j', async (options, message) => {
    await expect(compareGradients(cyclingModel(), puzzles, options as object)).rejects.toThrow(message);
  });
});
