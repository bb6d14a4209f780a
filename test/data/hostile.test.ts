import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as data from '../../ts/data';
import { ArgumentError, HrmError } from '../../ts/error';

const small = data.geometryOf(2, 2);
const set = data.generateSudoku({ geometry: small, count: 3, seed: 1, blanks: { min: 4, max: 6 } });
const dataset = data.sudokuDataset(set);
const grid = set.puzzle(0);
const sampler = data.sudokuSampler(set, { augmentations: 2, seed: 1 }, { batchSize: 2, seed: 1, epochsPerInterval: 1 });
const throwing = {
  get geometry(): never {
    throw new Error('hostile getter');
  },
};

/** Arbitrary values, among them ones that look right; numbers stay small, because large requests are legitimate work. */
const hostile = fc.oneof(
  fc
    .anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withNullPrototype: true,
      withSparseArray: true,
    })
    .filter((value) => typeof value !== 'number'),
  fc.integer({ min: -50, max: 50 }),
  fc.constantFrom<unknown>(
    NaN,
    Infinity,
    -0,
    0.5,
    2 ** 32,
    Symbol('s'),
    throwing,
    Object.create(null),
    new Proxy(
      {},
      {
        get: () => {
          throw new Error('trap');
        },
      },
    ),
  ),
  fc.constantFrom<unknown>(
    small,
    set,
    dataset,
    grid,
    new data.Philox(1),
    { min: 1, max: 2 },
    'minimal',
    new Set(['x']),
  ),
);

/** Either a result or one of our errors; a callback's own error passes. */
function tame(call: () => unknown): void {
  try {
    const result = call();
    if (result instanceof Promise) throw new Error('await it');
  } catch (error) {
    if (!(error instanceof HrmError)) throw error;
    expect(error.message).toMatch(/\S: \S/);
  }
}

type Call = (...values: never[]) => unknown;
const targets: Record<string, { call: Call; good: readonly unknown[] }> = {
  Philox: { call: (a: number, b: number, c: number) => new data.Philox(a, b, c), good: [1, 2, 3] },
  below: { call: (n: number) => new data.Philox(1).below(n), good: [3] },
  permutation: { call: (n: number) => new data.Philox(1).permutation(n), good: [3] },
  choose: { call: (n: number, k: number) => new data.Philox(1).choose(n, k), good: [3, 2] },
  shuffle: { call: (items: number[]) => new data.Philox(1).shuffle(items), good: [[1, 2]] },
  fromJSON: { call: (state: unknown) => data.Philox.fromJSON(state), good: [new data.Philox(1).toJSON()] },
  geometryOf: { call: data.geometryOf, good: [2, 2] },
  geometryOfSize: { call: data.geometryOfSize, good: [4] },
  parseGrid: { call: data.parseGrid, good: ['1'.repeat(16), small] },
  formatGrid: { call: data.formatGrid, good: [grid] },
  prettyGrid: { call: data.prettyGrid, good: [grid, small] },
  findConflicts: { call: data.findConflicts, good: [grid, small] },
  checkAnswer: { call: data.checkAnswer, good: [grid, grid, small] },
  solveSudoku: { call: data.solveSudoku, good: [grid, small, {}] },
  identity: { call: (geometry: data.Geometry) => data.SudokuTransform.identity(geometry), good: [small] },
  random: {
    call: (geometry: data.Geometry, rng: data.Philox) => data.SudokuTransform.random(geometry, rng),
    good: [small, new data.Philox(1)],
  },
  generateSudoku: {
    call: data.generateSudoku,
    good: [{ geometry: small, count: 1, seed: 1, blanks: { min: 1, max: 2 } }],
  },
  enumerateSolutions: { call: data.enumerateSolutions, good: [small, 288] },
  generateSplits: {
    call: data.generateSplits,
    good: [{ geometry: small, seed: 1, blanks: { min: 4, max: 4 }, trainPuzzles: 1, validPuzzles: 1, testPuzzles: 1 }],
  },
  splitByGrid: { call: data.splitByGrid, good: [set, 0.5, 1] },
  overlapOf: { call: data.overlapOf, good: [set, set] },
  blanksHistogram: { call: data.blanksHistogram, good: [set] },
  sudokuDataset: { call: data.sudokuDataset, good: [set, { augmentations: 1, seed: 1 }] },
  sudokuSampler: {
    call: data.sudokuSampler,
    good: [set, { augmentations: 1, seed: 1 }, { batchSize: 1, seed: 1, epochsPerInterval: 1 }],
  },
  datasetSampler: {
    call: data.datasetSampler,
    good: [dataset, { batchSize: 1, seed: 1, epochsPerInterval: 1 }],
  },
  testBatches: {
    call: (...args: Parameters<typeof data.testBatches>) => [...data.testBatches(...args)],
    good: [dataset, 2, undefined],
  },
  fixedSubset: { call: data.fixedSubset, good: [3, 2, 1] },
  restore: { call: (cursor: unknown) => sampler.restore(cursor), good: [sampler.cursor] },
  loadDataset: { call: data.loadDataset, good: ['/nonexistent', 'train'] },
  loadIdentifiers: { call: data.loadIdentifiers, good: ['/nonexistent'] },
};

describe('any value in any argument', () => {
  it.each(Object.entries(targets))('%s gives a result or one of our errors', (_name, { call, good }) => {
    const plain = good.every((value) => typeof value !== 'string');
    if (plain) call(...(good as never[]));
    fc.assert(
      fc.property(fc.nat(good.length - 1), hostile, fc.string(), (position, value, key) => {
        tame(() => call(...(good.map((item, i) => (i === position ? value : item)) as never[])));
        // An options object with one property replaced.
        const options = good[position];
        if (typeof options === 'object' && options !== null && !ArrayBuffer.isView(options)) {
          const names = [...Object.keys(options), key];
          const name = names[key.length % names.length]!;
          const changed = { ...options, [name]: value };
          tame(() => call(...(good.map((item, i) => (i === position ? changed : item)) as never[])));
        }
      }),
      { numRuns: 150 },
    );
  });

  it('names what cannot be read, wherever it is', () => {
    const { proxy, revoke } = Proxy.revocable<unknown[]>([], {});
    revoke();
    const getter = Object.defineProperty([1, 2, 3], 0, { get: () => throwing.geometry });
    const task = { name: 'a', role: 'evaluation', file: 'f', train: [], test: [] };
    for (const call of [
      () => set.select(proxy as number[]),
      () => new data.Philox(1).shuffle(getter),
      () => data.findArcLeaks([], [[[1]] as never]),
      () => data.findArcLeaks([], [{ ...task, train: [{ input: proxy }] } as never]),
      () => data.findArcLeaks([{ ...task, role: 'x' } as never], []),
      () => data.assertDisjoint(set, set, ''),
    ]) {
      expect(call).toThrow(ArgumentError);
      tame(call);
    }
    // What is no number is no colour.
    expect(data.decodeArcGrid([3, 6, proxy as never, 1])).toEqual({ rows: 1, cols: 2, cells: new Uint8Array([1, 4]) });
  });

  it('holds for the asynchronous ones and for writing', async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'hrm-hostile-'));
    const origin = { kind: 'generate', trainPuzzles: 1, testPuzzles: 1, blanks: { min: 2, max: 2 } } as const;
    const build = { out: path.join(dir, 'absent', 'x'), geometry: small, seed: 1, augmentations: 0, origin };
    const check = async (call: () => unknown): Promise<void> => {
      try {
        await call();
      } catch (error) {
        if (!(error instanceof HrmError)) throw error;
      }
    };
    try {
      await fc.assert(
        fc.asyncProperty(hostile, fc.nat(20), async (value, pick) => {
          await check(() => data.importSudokuCsv(value as string));
          await check(() => data.importSudokuCsv(dir, value as object));
          await check(() => data.verifyData(dir, value as object));
          if (typeof value !== 'string') await check(() => data.verifyData(value as string));
          const key = Object.keys(build)[pick % 5]!;
          if (key !== 'out' || typeof value !== 'string') {
            await check(() => data.buildSudokuDataset({ ...build, [key]: value }));
          }
          const part = Object.keys(origin)[pick % 4]!;
          await check(() => data.buildSudokuDataset({ ...build, origin: { ...origin, [part]: value } }));
          await check(() => data.writeDataset(build.out, value as object, ['a']));
          await check(() => data.writeDataset(build.out, { train: value as typeof dataset }, ['a']));
          await check(() => data.writeDataset(build.out, { train: dataset }, value as string[]));
          const field = Object.keys(dataset.sets[0]!)[pick % 7]!;
          const broken = { ...dataset, sets: [{ ...dataset.sets[0]!, [field]: value }] };
          await check(() => data.writeDataset(build.out, { train: broken }, ['a']));
        }),
        { numRuns: 150 },
      );
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
