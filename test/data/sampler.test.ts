import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { PuzzleDataset, PuzzleSet } from '../../ts/data/dataset';
import { datasetSampler, fixedSubset, testBatches, type Batch, type TrainSampler } from '../../ts/data/sampler';
import { generateSudoku } from '../../ts/data/sudoku/generate';
import { geometryOf } from '../../ts/data/sudoku/geometry';
import { sudokuDataset, sudokuSampler } from '../../ts/data/sudoku/source';
import { ArgumentError, ConfigError, FormatError } from '../../ts/error';

const seqLen = 2;

/** A set whose inputs say where they come from: [example number, group]; identifiers count puzzles from 1. */
function makeSet(name: string, groups: readonly (readonly number[])[]): PuzzleSet {
  const puzzleIndices = [0];
  const groupIndices = [0];
  const inputs: number[] = [];
  groups.forEach((puzzles, group) => {
    for (const nExamples of puzzles) {
      for (let k = 0; k < nExamples; k++) inputs.push(inputs.length / seqLen, group);
      puzzleIndices.push(inputs.length / seqLen);
    }
    groupIndices.push(puzzleIndices.length - 1);
  });
  return {
    name,
    nExamples: inputs.length / seqLen,
    inputs: Int32Array.from(inputs),
    labels: Int32Array.from(inputs),
    puzzleIdentifiers: Int32Array.from({ length: puzzleIndices.length - 1 }, (_, i) => i + 1),
    puzzleIndices: Int32Array.from(puzzleIndices),
    groupIndices: Int32Array.from(groupIndices),
  };
}

function makeDataset(...sets: PuzzleSet[]): PuzzleDataset {
  const metadata = {
    padId: 9,
    ignoreLabelId: null,
    blankIdentifierId: 0,
    vocabSize: 10_000,
    seqLen,
    numPuzzleIdentifiers: 1000,
    totalGroups: 1,
    meanPuzzleExamples: 1,
    sets: sets.map(({ name }) => name),
  };
  return { metadata, sets };
}

const groupLists = fc.array(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }), {
  minLength: 3,
  maxLength: 8,
});

/** All batches of some intervals. */
function drawIntervals(sampler: TrainSampler, count: number): Batch[][] {
  return Array.from({ length: count }, () => {
    const batches: Batch[] = [];
    for (let batch = sampler.next(); batch !== null; batch = sampler.next()) batches.push(batch);
    return batches;
  });
}

describe('TrainSampler', () => {
  it('draws one puzzle of every group an epoch, its examples without replacement, across batch borders', () => {
    fc.assert(
      fc.property(groupLists, fc.integer({ min: 1, max: 3 }), fc.nat(), (groups, epochsPerInterval, seed) => {
        const set = makeSet('all', groups);
        const batchSize = 3;
        const sampler = datasetSampler(makeDataset(set), { batchSize, seed, epochsPerInterval });
        for (const batches of drawIntervals(sampler, 3)) {
          const rows: { id: number; example: number; group: number; batch: number }[] = [];
          batches.forEach((batch, b) => {
            expect([batch.setName, batch.nValid]).toEqual(['all', batchSize]);
            expect(batch.labels).toEqual(batch.inputs);
            batch.puzzleIdentifiers.forEach((id, i) => {
              rows.push({ id, example: batch.inputs[2 * i]!, group: batch.inputs[2 * i + 1]!, batch: b });
            });
          });
          // Runs of one group: whole puzzles in random order, cut only by the end of a batch.
          const seen: number[] = [];
          for (let i = 0; i < rows.length;) {
            const { id, group, batch } = rows[i]!;
            const puzzle = id - 1;
            expect(puzzle).toBeGreaterThanOrEqual(set.groupIndices[group]!);
            expect(puzzle).toBeLessThan(set.groupIndices[group + 1]!);
            const [from, to] = [set.puzzleIndices[puzzle]!, set.puzzleIndices[puzzle + 1]!];
            const taken = Math.min(to - from, (batch + 1) * batchSize - i);
            const examples = rows.slice(i, i + taken);
            expect(examples.every((row) => row.id === id && row.example >= from && row.example < to)).toBe(true);
            expect(new Set(examples.map((row) => row.example)).size).toBe(taken);
            seen.push(group);
            i += taken;
          }
          // Every epoch is a permutation of all groups; only the end of the interval may be missing.
          for (let epoch = 0; epoch * groups.length < seen.length; epoch++) {
            const part = seen.slice(epoch * groups.length, (epoch + 1) * groups.length);
            expect(new Set(part).size).toBe(part.length);
          }
          const missing = groups.length * epochsPerInterval - seen.length;
          expect(missing).toBeGreaterThanOrEqual(0);
          expect(missing).toBeLessThan(batchSize);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('drops one incomplete batch an interval, no more', () => {
    // 50 groups x 20 epochs = 1000 rows = 52 batches of 19 and 12 rows that are dropped, each time.
    const set = makeSet(
      'all',
      Array.from({ length: 50 }, () => [1]),
    );
    const sampler = datasetSampler(makeDataset(set), { batchSize: 19, seed: 1, epochsPerInterval: 20 });
    const counts = drawIntervals(sampler, 3).map((batches) => batches.length);
    expect(counts).toEqual([52, 52, 52]);
    expect(sampler.cursor).toMatchObject({ interval: 3, set: 0, position: 0 });
  });

  it('resumes exactly from the JSON of its cursor at any batch', () => {
    fc.assert(
      fc.property(groupLists, fc.nat(), fc.nat(40), fc.integer({ min: 1, max: 3 }), (groups, seed, skip, nSets) => {
        const sets = Array.from({ length: nSets }, (_, i) => makeSet(`set${i}`, groups.slice(0, 3 + i)));
        const options = { batchSize: 3, seed, epochsPerInterval: 2 };
        const sampler = datasetSampler(makeDataset(...sets), options);
        for (let i = 0; i < skip; i++) sampler.next();
        const cursor: unknown = JSON.parse(JSON.stringify(sampler.cursor));
        const resumed = datasetSampler(makeDataset(...sets), options);
        for (let i = 0; i < 3; i++) resumed.next();
        resumed.restore(cursor);
        for (let i = 0; i < 20; i++) {
          expect(resumed.next()).toEqual(sampler.next());
          expect(resumed.cursor).toEqual(sampler.cursor);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('visits several sets in turn, and depends on the seed', () => {
    const dataset = makeDataset(makeSet('a', [[1], [1], [1], [1]]), makeSet('b', [[2], [2]]));
    const names = (seed: number): string[] => {
      const sampler = datasetSampler(dataset, { batchSize: 2, seed, epochsPerInterval: 1 });
      return drawIntervals(sampler, 1)[0]!.map((batch) => `${batch.setName}:${batch.inputs.join(' ')}`);
    };
    expect(names(1).map((text) => text[0])).toEqual(['a', 'a', 'b', 'b']);
    expect(names(1)).toEqual(names(1));
    expect(new Set([1, 2, 3, 4, 5].map((seed) => names(seed).join())).size).toBeGreaterThan(1);
  });

  it('permutes anew in every epoch and interval', () => {
    const groups = Array.from({ length: 12 }, () => [1, 1, 1]);
    const sampler = datasetSampler(makeDataset(makeSet('all', groups)), {
      batchSize: 12,
      seed: 1,
      epochsPerInterval: 2,
    });
    const epochs = drawIntervals(sampler, 3).flat();
    expect(epochs.length).toBe(6);
    const order = (batch: Batch): string => batch.inputs.filter((_, i) => i % 2 === 1).join(' ');
    const drawn = (batch: Batch): string => [...batch.puzzleIdentifiers].sort((a, b) => a - b).join(' ');
    expect(new Set(epochs.map(order)).size).toBe(6);
    expect(new Set(epochs.map(drawn)).size).toBe(6);
  });

  it('draws every puzzle of a group equally often', () => {
    const sampler = datasetSampler(makeDataset(makeSet('all', [[1, 1, 1, 1]])), {
      batchSize: 1,
      seed: 4,
      epochsPerInterval: 4000,
    });
    const counts = new Map<number, number>();
    for (const batch of drawIntervals(sampler, 1)[0]!) {
      const id = batch.puzzleIdentifiers[0]!;
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    expect(counts.size).toBe(4);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(140);
  });

  it('refuses bad options and cursors of another run', () => {
    const dataset = makeDataset(makeSet('all', [[1], [2], [3]]));
    const options = { batchSize: 2, seed: 1, epochsPerInterval: 2 };
    const make = (change: object): TrainSampler => datasetSampler(dataset, { ...options, ...change });
    for (const change of [
      { batchSize: 0 },
      { batchSize: 1.5 },
      { epochsPerInterval: 0 },
      { seed: -1 },
      { seed: '1' },
    ]) {
      expect(() => make(change)).toThrow(ArgumentError);
    }
    expect(() => make({ batchSize: 13 })).toThrow('must have at least batchSize = 13 examples in 2 epochs, got 12');
    expect(() => datasetSampler({ ...dataset, sets: [] }, options)).toThrow(ArgumentError);
    const { cursor } = make({});
    for (const change of [{ seed: 2 }, { batchSize: 3 }, { epochsPerInterval: 3 }]) {
      expect(() => make(change).restore(cursor)).toThrow(ConfigError);
    }
    expect(() => make({}).restore({ ...cursor, groups: [4] })).toThrow(ConfigError);
    const bad: unknown[] = [
      null,
      7,
      {},
      { ...cursor, interval: -1 },
      { ...cursor, interval: 0.5 },
      { ...cursor, set: 1 },
      { ...cursor, position: 7 },
      { ...cursor, position: '0' },
      { ...cursor, interval: undefined },
    ];
    for (const value of bad) expect(() => make({}).restore(value)).toThrow(FormatError);
  });
});

describe('sudokuSampler', () => {
  it('gives the very batches of the materialised dataset, through a cursor too', () => {
    const geometry = geometryOf(2, 3);
    const puzzles = generateSudoku({ geometry, count: 5, seed: 3, blanks: { min: 8, max: 14 } });
    const augment = { augmentations: 4, seed: 8 };
    const options = { batchSize: 3, seed: 9, epochsPerInterval: 4 };
    const drawn = sudokuSampler(puzzles, augment, options);
    const stored = datasetSampler(sudokuDataset(puzzles, augment), options);
    expect(drawn.metadata).toEqual(stored.metadata);
    for (let i = 0; i < 30; i++) {
      expect(drawn.next()).toEqual(stored.next());
      if (i === 12) drawn.restore(JSON.parse(JSON.stringify(stored.cursor)));
    }
  });

  it('augments differently for every version, puzzle and seed', () => {
    const geometry = geometryOf(3, 3);
    const one = generateSudoku({ geometry, count: 1, seed: 3, blanks: { min: 30, max: 30 } });
    const twice = one.select([0, 0]);
    const rows = new Set<string>();
    for (const seed of [1, 2]) {
      const { inputs } = sudokuDataset(twice, { augmentations: 20, seed }).sets[0]!;
      for (let row = 0; row < 42; row++) rows.add(inputs.subarray(row * 81, row * 81 + 81).join(' '));
    }
    // The original, and 20 others for each of two puzzles and two seeds.
    expect(rows.size).toBe(81);
  });

  it('draws what the hook accepts only, in both forms', () => {
    const geometry = geometryOf(2, 2);
    const puzzles = generateSudoku({ geometry, count: 3, seed: 3, blanks: { min: 6, max: 6 } });
    const accept = (solution: Uint8Array): boolean => solution[0] === 2;
    const augment = { augmentations: 20, seed: 8, accept };
    const { inputs, labels } = sudokuDataset(puzzles, augment).sets[0]!;
    for (let row = 0; row < 63; row++) {
      if (row % 21 !== 0) expect(labels[row * 16]).toBe(3);
      expect(inputs.subarray(row * 16, row * 16 + 16).filter((token) => token === 1).length).toBe(6);
    }
    const never = sudokuSampler(
      puzzles,
      { ...augment, augmentations: 1000, accept: () => false },
      { batchSize: 8, seed: 1, epochsPerInterval: 8 },
    );
    expect(() => never.next()).toThrow('refusals in a row');
    for (const augmentations of [-1, 0.5, 2 ** 31, NaN]) {
      expect(() => sudokuDataset(puzzles, { augmentations, seed: 1 })).toThrow(ArgumentError);
    }
    expect(() => sudokuDataset(puzzles, { augmentations: 2 ** 30, seed: 1 })).toThrow('cells fit');
    expect(() => sudokuDataset(puzzles.select([]))).toThrow('at least one puzzle');
  });
});

describe('testBatches', () => {
  it('gives every example once, in order, and pads the last batch of a set', () => {
    fc.assert(
      fc.property(groupLists, fc.integer({ min: 1, max: 9 }), (groups, batchSize) => {
        const sets = [makeSet('a', groups), makeSet('b', groups.slice(1))];
        const dataset = makeDataset(...sets);
        const batches = [...testBatches(dataset, batchSize)];
        for (const set of sets) {
          const own = batches.filter((batch) => batch.setName === set.name);
          expect(own.length).toBe(Math.ceil(set.nExamples / batchSize));
          let example = 0;
          for (const batch of own) {
            for (let i = 0; i < batchSize; i++) {
              const row = [...batch.inputs.subarray(2 * i, 2 * i + 2)];
              const label = [...batch.labels.subarray(2 * i, 2 * i + 2)];
              if (i >= batch.nValid) {
                expect([row, label, batch.puzzleIdentifiers[i]]).toEqual([[9, 9], [-100, -100], 0]);
                continue;
              }
              const puzzle = batch.puzzleIdentifiers[i]! - 1;
              expect(row[0]).toBe(example);
              expect(label).toEqual(row);
              expect(set.puzzleIndices[puzzle]).toBeLessThanOrEqual(example);
              expect(set.puzzleIndices[puzzle + 1]).toBeGreaterThan(example);
              example++;
            }
          }
          expect(example).toBe(set.nExamples);
        }
      }),
    );
  });

  it('gives a fixed subset when asked', () => {
    const dataset = makeDataset(makeSet('a', [[5], [5]]));
    const subset = fixedSubset(10, 4, 7);
    expect([...subset]).toEqual([...fixedSubset(10, 4, 7)]);
    expect([...subset]).toEqual([...new Set(subset)].sort((a, b) => a - b));
    const [batch, ...rest] = [...testBatches(dataset, 8, (n) => fixedSubset(n, 4, 7))];
    expect([rest.length, batch!.nValid]).toEqual([0, 4]);
    expect([0, 2, 4, 6].map((at) => batch!.inputs[at])).toEqual([...subset]);
    expect(fixedSubset(3, 10).length).toBe(3);
    expect(() => [...testBatches(dataset, 0)]).toThrow(ArgumentError);
    expect(() => fixedSubset(3, -1)).toThrow(ArgumentError);
  });
});
