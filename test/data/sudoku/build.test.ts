import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { loadDataset, writeDataset, type PuzzleDataset } from '../../../ts/data/dataset';
import { Philox } from '../../../ts/data/philox';
import { buildSudokuDataset, type BuildOptions } from '../../../ts/data/sudoku/build';
import { generateSudoku } from '../../../ts/data/sudoku/generate';
import { geometryOf } from '../../../ts/data/sudoku/geometry';
import { sudokuDataset } from '../../../ts/data/sudoku/source';
import { formatGrid } from '../../../ts/data/sudoku/text';
import { SudokuTransform } from '../../../ts/data/sudoku/transform';
import { verifyData } from '../../../ts/data/sudoku/verify';
import { ArgumentError, FileError, FormatError } from '../../../ts/error';

const small = geometryOf(2, 2);
const six = geometryOf(2, 3);
const puzzles = generateSudoku({ geometry: six, count: 60, seed: 4, blanks: { min: 12, max: 18 } });
const csv = (rows: readonly number[]): string =>
  [
    'source,q,a,rating',
    ...rows.map((i) => `own,${formatGrid(puzzles.puzzle(i))},${formatGrid(puzzles.solution(i))},${i}`),
  ]
    .join('\n')
    .concat('\n');
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

let dir: string;
let next = 0;
const fresh = (): string => path.join(dir, `out${next++}`);
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'hrm-build-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('buildSudokuDataset and verifyData', () => {
  it('generates a 4x4 dataset whose splits share nothing, the same bytes for the same seed', async () => {
    const make = async (seed: number): Promise<string> => {
      const out = fresh();
      const origin = { kind: 'generate', trainPuzzles: 200, testPuzzles: 100, blanks: { min: 8, max: 12 } } as const;
      const report = await buildSudokuDataset({ out, geometry: small, seed, augmentations: 10, origin });
      expect(report).toMatchObject({
        train: { puzzles: 200, examples: 2200 },
        test: { puzzles: 100, examples: 100 },
        droppedTrain: 0,
      });
      return out;
    };
    const [one, again, other] = [await make(1), await make(1), await make(2)];
    const inputs = (out: string): Buffer => readFileSync(path.join(out, 'train', 'all__inputs.npy'));
    expect(inputs(again).equals(inputs(one))).toBe(true);
    expect(inputs(other).equals(inputs(one))).toBe(false);
    const report = await verifyData(one);
    expect(report).toMatchObject({ kind: 'sudoku', ok: true });
    expect(report.splits.map(({ split, rows, groups, nBad }) => [split, rows, groups, nBad])).toEqual([
      ['train', 2200, 200, 0],
      ['test', 100, 100, 0],
    ]);
    expect(report.overlap).toMatchObject({ puzzles: 0, solutions: 0, undecided: 0 });
    // 4x4 has few puzzles up to symmetry, so most test puzzles are equivalent to a training one.
    expect(report.overlap!.equivalent).toBeGreaterThan(0);
    expect([...report.splits[1]!.blanks.keys()]).toEqual([8, 9, 10, 11, 12]);
  });

  it('imports csv files, drops training rows with a test grid, and samples by the seed', async () => {
    const train = path.join(dir, 'train.csv');
    const test = path.join(dir, 'test.csv.gz');
    writeFileSync(train, csv(range(0, 50)));
    writeFileSync(test, gzipSync(csv(range(45, 60))));
    const base = { geometry: six, seed: 3, augmentations: 2 };
    const origin = { kind: 'csv', train, test } as const;
    const all = await buildSudokuDataset({ ...base, out: fresh(), origin });
    expect(all).toMatchObject({ droppedTrain: 5, train: { puzzles: 45, examples: 135 }, test: { puzzles: 15 } });
    expect(all.test.meanRating).toBe(52);
    const out = fresh();
    const some = await buildSudokuDataset({ ...base, out, origin: { ...origin, trainPuzzles: 20 } });
    expect(some.train.puzzles).toBe(20);
    expect(await verifyData(out)).toMatchObject({ ok: true, overlap: { puzzles: 0, solutions: 0, equivalent: 0 } });
    const split = await buildSudokuDataset({
      ...base,
      out: fresh(),
      origin: { kind: 'csv', train, testFraction: 0.2 },
    });
    expect([split.train.puzzles, split.test.puzzles]).toEqual([40, 10]);
    // The files themselves overlap, and verify says so.
    const both = fresh();
    mkdirSync(both);
    cpSync(train, path.join(both, 'train.csv'));
    cpSync(test, path.join(both, 'test.csv.gz'));
    const report = await verifyData(both, { geometry: six });
    expect(report).toMatchObject({ ok: false, overlap: { puzzles: 5, solutions: 5, equivalent: 5 } });
    expect(report.splits.map(({ split: name, rows }) => [name, rows])).toEqual([
      ['train.csv', 50],
      ['test.csv.gz', 15],
    ]);
  });

  it('refuses impossible requests and leaves nothing behind', async () => {
    const train = path.join(dir, 'refused.csv');
    writeFileSync(train, `${csv(range(0, 10))}bad\n`);
    const generate = { kind: 'generate', trainPuzzles: 5, testPuzzles: 5, blanks: { min: 8, max: 9 } } as const;
    const options: BuildOptions = { out: fresh(), geometry: small, seed: 1, augmentations: 1, origin: generate };
    const origin = (changes: object): BuildOptions => ({
      ...options,
      geometry: six,
      origin: { kind: 'csv', train, ...changes },
    });
    const before = readdirSync(dir);
    for (const [bad, error] of [
      [{ ...options, origin: { ...generate, trainPuzzles: 0 } }, ArgumentError],
      [{ ...options, origin: { ...generate, testPuzzles: -1 } }, ArgumentError],
      [{ ...options, origin: { ...generate, blanks: { min: 14, max: 14 } } }, ArgumentError],
      [{ ...options, origin: { kind: 'else' } as never }, ArgumentError],
      [{ ...options, augmentations: -1 }, ArgumentError],
      [{ ...options, seed: -1 }, ArgumentError],
      [origin({}), FormatError],
      [origin({ badRows: 'skip', trainPuzzles: 100 }), ArgumentError],
      [origin({ badRows: 'skip', trainPuzzles: 0 }), ArgumentError],
      [origin({ badRows: 'skip', testFraction: 1 }), ArgumentError],
      [origin({ train: path.join(dir, 'absent.csv') }), FileError],
    ] as const) {
      await expect(buildSudokuDataset(bad)).rejects.toBeInstanceOf(error);
    }
    expect(readdirSync(dir)).toEqual(before);
    const skipped = await buildSudokuDataset(origin({ badRows: 'skip' }));
    expect(skipped.bad).toEqual({ train: 1, test: 0 });
    await expect(buildSudokuDataset(origin({ badRows: 'skip' }))).rejects.toBeInstanceOf(FileError);
    expect(existsSync(options.out)).toBe(true);
  });
});

describe('a signal', () => {
  const options = (signal: AbortSignal): BuildOptions => ({
    ...{ out: fresh(), geometry: small, seed: 1, augmentations: 1, signal },
    origin: { kind: 'generate', trainPuzzles: 2, testPuzzles: 1, blanks: { min: 2, max: 4 } },
  });

  it('must be one, and not only look like one', async () => {
    const file = path.join(dir, 'signal.csv');
    writeFileSync(file, csv([0]));
    for (const wrong of [{}, { aborted: false }, null, 1]) {
      const signal = wrong as AbortSignal;
      await expect(verifyData(file, { geometry: six, signal })).rejects.toBeInstanceOf(ArgumentError);
      await expect(buildSudokuDataset(options(signal))).rejects.toBeInstanceOf(ArgumentError);
    }
  });

  it('ends the work with its reason, and leaves nothing', async () => {
    const reason = new Error('enough');
    const given = options(AbortSignal.abort(reason));
    await expect(buildSudokuDataset(given)).rejects.toBe(reason);
    expect(existsSync(given.out)).toBe(false);
  });
});

describe('verifyData', () => {
  const sound = sudokuDataset(puzzles.select(range(0, 20)), { augmentations: 1, seed: 1 });
  const test = sudokuDataset(puzzles.select(range(20, 30)));

  /** Writes a copy with one token changed: [array, row, cell, token]. */
  function planted(...[field, row, cell, token]: ['inputs' | 'labels', number, number, number]): string {
    const out = fresh();
    const set = sound.sets[0]!;
    const tokens = set[field].slice();
    tokens[row * 36 + cell] = token;
    writeDataset(out, { train: { ...sound, sets: [{ ...set, [field]: tokens }] }, test }, ['<blank>']);
    return out;
  }

  it('finds a planted fault of any kind, and no other', async () => {
    const set = sound.sets[0]!;
    const clue = set.inputs.subarray(5 * 36, 6 * 36).findIndex((token) => token > 1);
    const right = set.labels[5 * 36 + clue]!;
    const wrong = right === 7 ? 2 : right + 1;
    const cases = [
      [planted('labels', 5, clue, wrong), 'the answer breaks a rule'],
      [planted('inputs', 5, clue, wrong), 'the answer does not match the puzzle'],
      [planted('inputs', 5, clue, 0), 'the puzzle has padding tokens'],
      [planted('labels', 5, clue, 1), 'the answer has blank, padding or ignored tokens'],
      [planted('labels', 5, clue, -100), 'the answer has blank, padding or ignored tokens'],
    ] as const;
    for (const [out, reason] of cases) {
      const report = await verifyData(out);
      expect(report.ok).toBe(false);
      expect(report.splits.map(({ nBad }) => nBad)).toEqual([1, 0]);
      expect(report.splits[0]!.bad[0]).toMatchObject({ line: 6 });
      expect(report.splits[0]!.bad[0]!.reason).toContain(reason);
    }
  });

  it('finds an ambiguous puzzle, in any row or in the first of a group as asked', async () => {
    const set = sound.sets[0]!;
    const inputs = set.inputs.slice();
    inputs.fill(1, 3 * 36, 4 * 36);
    const out = fresh();
    writeDataset(out, { train: { ...sound, sets: [{ ...set, inputs }] }, test }, ['<blank>']);
    // Row 3 is the augmented version in group 1.
    expect((await verifyData(out)).splits[0]).toMatchObject({ nBad: 1, bad: [{ line: 4 }] });
    expect((await verifyData(out, { unique: 'groups' })).splits[0]!.nBad).toBe(0);
    expect((await verifyData(out, { unique: 'none' })).splits[0]).toMatchObject({ nBad: 0, guesses: null });
  });

  it('finds training puzzles among the test puzzles, literally and up to symmetry', async () => {
    const disguised = puzzles.select(range(0, 3));
    const moved = puzzles.select([]);
    const rng = new Philox(3);
    for (let i = 0; i < disguised.length; i++) {
      const transform = SudokuTransform.random(six, rng);
      moved.push(transform.apply(disguised.puzzle(i)), transform.apply(disguised.solution(i)), 0);
    }
    for (let i = 20; i < 25; i++) moved.push(puzzles.puzzle(i), puzzles.solution(i), 0);
    const out = fresh();
    writeDataset(out, { train: sound, test: sudokuDataset(moved) }, ['<blank>']);
    const report = await verifyData(out);
    expect(report.ok).toBe(true);
    expect(report.overlap).toEqual({ puzzles: 0, solutions: 0, equivalent: 3, undecided: 0 });
    expect((await verifyData(out, { symmetry: false })).overlap).toMatchObject({ equivalent: null });
    const same = fresh();
    writeDataset(same, { train: sound, test: sudokuDataset(disguised) }, ['<blank>']);
    expect(await verifyData(same)).toMatchObject({ ok: false, overlap: { puzzles: 3, solutions: 3, equivalent: 3 } });
  });

  it('reports bad csv rows with their lines, duplicates and guesses', async () => {
    const file = path.join(dir, 'verify.csv');
    writeFileSync(file, `${csv([0, 1, 1, 2])}bad\nown,${'.'.repeat(36)},${formatGrid(puzzles.solution(5))},1\n`);
    const report = await verifyData(file, { geometry: six });
    expect(report).toMatchObject({ ok: false, overlap: null });
    expect(report.splits[0]).toMatchObject({ rows: 6, nBad: 2, duplicates: 1, distinctSolutions: 4 });
    expect(report.splits[0]!.bad[0]).toEqual({ line: 6, reason: 'expected 4 fields, got 1' });
    expect(report.splits[0]!.guesses).not.toBeNull();
  });

  it('checks the structure alone of data that is no Sudoku', async () => {
    const out = fresh();
    const other: PuzzleDataset = {
      metadata: { ...sound.metadata, vocabSize: 12, totalGroups: 20 },
      sets: sound.sets,
    };
    writeDataset(out, { train: other }, ['<blank>']);
    expect(await verifyData(out)).toMatchObject({ kind: 'other', ok: true, splits: [{ split: 'train', rows: 40 }] });
    rmSync(path.join(out, 'train', 'all__labels.npy'));
    await expect(verifyData(out)).rejects.toBeInstanceOf(FileError);
    expect(() => loadDataset(out, 'train')).toThrow(FileError);
  });

  it('refuses what holds nothing to check', async () => {
    const empty = fresh();
    mkdirSync(empty);
    await expect(verifyData(empty)).rejects.toThrow('must hold train/dataset.json');
    await expect(verifyData(path.join(dir, 'absent'))).rejects.toBeInstanceOf(FileError);
    await expect(verifyData('')).rejects.toBeInstanceOf(ArgumentError);
    await expect(verifyData(empty, { unique: 'some' as 'all' })).rejects.toBeInstanceOf(ArgumentError);
    writeFileSync(path.join(empty, 'train.csv'), csv([0]));
    writeFileSync(path.join(empty, 'train.csv.gz'), gzipSync(csv([0])));
    await expect(verifyData(empty, { geometry: six })).rejects.toThrow('must have one of train.csv and train.csv.gz');
  });
});
