/** Residuals, dimensions and trajectories against loops over plain numbers. */
import { describe, expect, it } from '@jest/globals';
import {
  batchTensors,
  forwardResiduals,
  Generator,
  Hrm,
  mul,
  noGrad,
  participationRatio,
  randn,
  stateDimensions,
  stateTrajectories,
  type Tensor,
  tensor,
} from '../../ts';
import { jacobiEigen, leadingEigen } from '../../ts/analyze/eigen';
import { startOf } from '../../ts/analyze/puzzles';
import { median, RunningMean, spread } from '../../ts/analyze/statistics';
import { memory } from '../../ts/native/runtime';
import { cyclingModel, puzzles, rowsOf } from '../support/analysis_model';
import { type ComposedUpdate, composedSegment } from '../support/composed_hrm';
import { randomSource } from '../support/arrays';

const SEGMENTS = 2;
const COUNT = 9;

/** Rows of numbers, one a puzzle. */
function rowsOfState(z: Tensor): number[][] {
  const values = Array.from(z.dataSync() as Float64Array);
  const size = values.length / COUNT;
  return Array.from({ length: COUNT }, (_, row) => values.slice(row * size, (row + 1) * size));
}

type Update = ComposedUpdate & { readonly segment: number };

/** Every update of some segments in generic ops. */
function composedUpdates(model: Hrm): { updates: Update[]; first: { zH: Tensor; zL: Tensor } } {
  return noGrad(() => {
    const { x, states: first } = startOf(model, batchTensors(rowsOf(puzzles)));
    const updates: Update[] = [];
    let states = first;
    for (let segment = 1; segment <= SEGMENTS; ++segment) {
      const next = composedSegment(model, states, x);
      updates.push(...next.updates.map((update) => ({ ...update, segment })));
      states = next.states;
    }
    return { updates, first };
  });
}

const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b) / values.length;
const standardErrorOf = (values: readonly number[]): number =>
  Math.sqrt(meanOf(values.map((v) => (v - meanOf(values)) ** 2)) / values.length);

describe('forwardResiduals', () => {
  const model = cyclingModel();

  it('has the norms of the differences, with their standard errors', async () => {
    const result = await forwardResiduals(model, puzzles, { segments: SEGMENTS, batchSize: 4 });
    expect(result.count).toBe(COUNT);
    expect(result.stateNorm).toBe(Math.sqrt(17 * 16));
    const { updates } = composedUpdates(model);
    for (const level of ['H', 'L'] as const) {
      const mine = result[level];
      const theirs = updates.filter((update) => update.level === level);
      expect(mine).toHaveLength(theirs.length);
      theirs.forEach(({ segment, step, before, after }, i) => {
        const [a, b] = [rowsOfState(before), rowsOfState(after)];
        const norms = a.map((row, r) => Math.hypot(...row.map((value, k) => b[r]![k]! - value)));
        expect(mine[i]).toEqual({
          ...{ segment, step, time: (segment - 1) * 4 + step },
          mean: expect.closeTo(meanOf(norms), 9),
          standardError: expect.closeTo(standardErrorOf(norms), 9),
        });
      });
    }
  });

  it('contrasts L alone, which is L until H first moves', async () => {
    const { L, lAlone } = await forwardResiduals(model, puzzles, { segments: SEGMENTS });
    expect(lAlone.map(({ time }) => time)).toEqual(L.map(({ time }) => time));
    expect(lAlone.slice(0, 2)).toEqual(L.slice(0, 2));
    expect(lAlone[2]!.mean).not.toBeCloseTo(L[2]!.mean, 3);
  });

  it('leaves no tensor behind, and ends when it is told to', async () => {
    await forwardResiduals(model, puzzles);
    const before = memory().tensors;
    await forwardResiduals(model, puzzles);
    // The collector may take what earlier tests dropped.
    expect(memory().tensors).toBeLessThanOrEqual(before);
    await expect(forwardResiduals(model, puzzles, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/);
  });

  it.each([
    [{ segments: 0 }, /forwardResiduals: segments must be an integer in \[1, 65536\], got 0/],
    [{ batchSize: 1.5 }, /forwardResiduals: batchSize must be an integer/],
    [{ puzzles: -1 }, /forwardResiduals: puzzles must be an integer/],
    [{ steps: 3 }, /forwardResiduals: options are .*, got "steps"/],
  ])('refuses %j', async (options, message) => {
    await expect(forwardResiduals(model, puzzles, options as object)).rejects.toThrow(message);
  });

  it('refuses puzzles of another size', async () => {
    const other = cyclingModel({ seqLen: 15 });
    await expect(forwardResiduals(other, puzzles)).rejects.toThrow(
      /the dataset must fit the model's seqLen 15.*, got 16/,
    );
  });
});

/** Eigenvalues by the angle that makes an element zero, rotating rows and then columns: nothing in common with what is tested. */
function naiveEigenvalues(matrix: readonly (readonly number[])[]): number[] {
  const n = matrix.length;
  const a = matrix.map((row) => [...row]);
  for (let sweep = 0; sweep < 20; ++sweep)
    for (let p = 0; p < n; ++p)
      for (let q = p + 1; q < n; ++q) {
        const angle = 0.5 * Math.atan2(2 * a[p]![q]!, a[q]![q]! - a[p]![p]!);
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        for (let k = 0; k < n; ++k)
          [a[p]![k], a[q]![k]] = [c * a[p]![k]! - s * a[q]![k]!, s * a[p]![k]! + c * a[q]![k]!];
        for (let k = 0; k < n; ++k)
          [a[k]![p], a[k]![q]] = [c * a[k]![p]! - s * a[k]![q]!, s * a[k]![p]! + c * a[k]![q]!];
      }
  return a.map((row, i) => row[i]!).sort((x, y) => y - x);
}

/** Covariance of samples, by definition. */
function covarianceOf(samples: readonly (readonly number[])[]): number[][] {
  const width = samples[0]!.length;
  const mean = Array.from({ length: width }, (_, k) => meanOf(samples.map((sample) => sample[k]!)));
  return Array.from({ length: width }, (_, i) =>
    Array.from({ length: width }, (__, j) =>
      meanOf(samples.map((sample) => (sample[i]! - mean[i]!) * (sample[j]! - mean[j]!))),
    ),
  );
}

function naiveRatio(samples: readonly (readonly number[])[]): number {
  const values = naiveEigenvalues(covarianceOf(samples));
  return values.reduce((a, b) => a + b) ** 2 / values.reduce((sum, v) => sum + v * v, 0);
}

describe('participation ratios', () => {
  it('come from eigenvalues, though none is computed', () => {
    const x = mul(randn([40, 7], { generator: new Generator(3), dtype: 'float64' }), tensor([9, 4, 3, 1, 1, 0.5, 0.1]));
    const values = Array.from(x.dataSync() as Float64Array);
    const samples = Array.from({ length: 40 }, (_, i) => values.slice(7 * i, 7 * i + 7));
    expect(participationRatio(x)).toBeCloseTo(naiveRatio(samples), 9);
    // Far from the origin, where second moments cancel.
    expect(participationRatio(x.add(1e5))).toBeCloseTo(naiveRatio(samples), 5);
    expect(
      participationRatio(
        tensor([
          [1, 2],
          [1, 2],
        ]),
      ),
    ).toBeNull();
    expect(
      participationRatio(
        tensor([
          [0, 0],
          [2, 1],
          [4, 2],
        ]),
      ),
    ).toBeCloseTo(1, 12);
    expect(() => participationRatio(tensor(1))).toThrow(/participationRatio: x must have shape/);
  });

  it('are of the tokens without the puzzle embedding, by segment and over all updates', async () => {
    const model = cyclingModel({ hidden: 8 });
    const result = await stateDimensions(model, puzzles, { segments: SEGMENTS, batchSize: 5 });
    expect(result).toMatchObject({ count: COUNT, tokens: 16, hidden: 8 });
    const { updates } = composedUpdates(model);
    // 17 tokens of 8 numbers, the first of which belongs to the puzzle.
    const tokens = (z: Tensor): number[][] =>
      rowsOfState(z).flatMap((row) => Array.from({ length: 16 }, (_, t) => row.slice(8 * (t + 1), 8 * (t + 2))));
    const last = (level: 'H' | 'L', segment: number): number =>
      naiveRatio(tokens(updates.filter((u) => u.level === level && u.segment === segment).at(-1)!.after));
    const all = (level: 'H' | 'L'): number =>
      naiveRatio(updates.filter((u) => u.level === level).flatMap(({ after }) => tokens(after)));
    result.trained.bySegment.forEach(({ zH, zL }, i) => {
      expect(zH).toBeCloseTo(last('H', i + 1), 8);
      expect(zL).toBeCloseTo(last('L', i + 1), 8);
    });
    expect(result.trained.all.zH).toBeCloseTo(all('H'), 8);
    expect(result.trained.all.zL).toBeCloseTo(all('L'), 8);
  });

  it('compare with the same configuration and fresh weights', async () => {
    const model = cyclingModel({ hidden: 8 });
    const options = { segments: 1, untrainedSeed: 7 };
    const fresh = new Hrm(model.config, new Generator(7));
    const { untrained } = await stateDimensions(model, puzzles, options);
    expect(untrained).toEqual((await stateDimensions(fresh, puzzles, options)).trained);
    const before = memory().tensors;
    await stateDimensions(model, puzzles, options);
    // The collector may take what earlier tests dropped.
    expect(memory().tensors).toBeLessThanOrEqual(before);
  });
});

describe('eigenvectors', () => {
  const random = randomSource('eigen');
  const factor = Array.from({ length: 30 }, () => Float64Array.from({ length: 12 }, () => random() - 0.5));
  const gram = factor.map((a) => Float64Array.from(factor, (b) => a.reduce((sum, v, k) => sum + v * b[k]!, 0)));
  const exact = naiveEigenvalues(gram.map((row) => [...row]));

  it.each([
    ['all', jacobiEigen(gram), 30],
    ['leading', leadingEigen(gram, 3), 3],
  ])('%s: values and vectors', (_, pairs, count) => {
    expect(pairs).toHaveLength(count);
    pairs.forEach(({ value, vector }, i) => {
      expect(value).toBeCloseTo(exact[i]!, 10);
      const image = gram.map((row) => row.reduce((sum, v, k) => sum + v * vector[k]!, 0));
      image.forEach((v, k) => expect(v).toBeCloseTo(value * vector[k]!, 5));
      expect(Math.hypot(...vector)).toBeCloseTo(1, 10);
    });
  });

  it('are as many as the rank', () => {
    const line = [1, 2, 3].map((a) => Float64Array.from([1, 2, 3], (b) => a * b));
    expect(leadingEigen(line, 3)).toEqual([{ value: expect.closeTo(14, 10), vector: expect.anything() }]);
    expect(
      leadingEigen(
        [0, 0].map(() => new Float64Array(2)),
        2,
      ),
    ).toEqual([]);
  });
});

describe('stateTrajectories', () => {
  const model = cyclingModel({ hidden: 8 });

  it('keeps distances as far as its components explain them', async () => {
    const { count, dimensions, ...states } = await stateTrajectories(model, puzzles, { segments: 2, puzzles: 9 });
    expect([count, dimensions]).toEqual([9, 17 * 8]);
    const { updates, first } = composedUpdates(model);
    for (const [name, level] of [
      ['zH', 'H'],
      ['zL', 'L'],
    ] as const) {
      const { explained, paths } = states[name];
      const points = [first[name], ...updates.filter((u) => u.level === level).map(({ after }) => after)].map(
        rowsOfState,
      );
      const all = points.flat();
      const mean = all[0]!.map((_, k) => meanOf(all.map((point) => point[k]!)));
      const centred = all.map((point) => point.map((v, k) => v - mean[k]!));
      const gram = centred.map((a) => centred.map((b) => a.reduce((sum, v, k) => sum + v * b[k]!, 0)));
      const total = gram.reduce((sum, row, i) => sum + row[i]!, 0);
      // The variance along each component is an eigenvalue; its sum over the coordinates squared.
      expect(paths.map((path) => path.length)).toEqual(new Array(9).fill(points.length));
      explained.forEach((share, i) => {
        const squares = paths.flat().reduce((sum, { at }) => sum + at[i]! ** 2, 0);
        expect(squares / total).toBeCloseTo(share, 9);
        // Gram times coordinates = eigenvalue times coordinates.
        const ordered = points.flatMap((_, t) => paths.map((path) => path[t]!.at[i]!));
        const image = gram[0]!.reduce((sum, v, k) => sum + v * ordered[k]!, 0);
        expect(image).toBeCloseTo(share * total * ordered[0]!, 4);
      });
      expect(paths[0]!.slice(0, 2)).toMatchObject([
        { segment: 0, step: 0 },
        { segment: 1, step: level === 'H' ? 2 : 1 },
      ]);
      expect(explained[0]!).toBeGreaterThan(explained[1]!);
    }
  });

  it('refuses more points than it can hold against each other', async () => {
    await expect(stateTrajectories(model, puzzles, { puzzles: 9, segments: 400 })).rejects.toThrow(
      /at most 4096 points, got 14409; fewer puzzles or segments/,
    );
  });
});

describe('statistics', () => {
  it('has the mean and its standard error', () => {
    const values = [3, 1, 4, 1, 5, 9, 2, 6];
    const running = new RunningMean();
    expect(running.estimate.mean).toBeNaN();
    for (const value of values) running.add(value + 1e6);
    expect(running.estimate.mean).toBeCloseTo(meanOf(values) + 1e6, 9);
    expect(running.estimate.standardError).toBeCloseTo(standardErrorOf(values), 6);
    expect([median([4, 1, 3]), spread([8, 9, 10, 11, 12])]).toEqual([3, expect.closeTo(0.1, 12)]);
  });
});
