import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { loadDataset, writeDataset } from '../../../ts/data/dataset';
import { buildMazeDataset, type MazeBuildOptions } from '../../../ts/data/maze/build';
import { dihedralImage } from '../../../ts/data/maze/dihedral';
import { generateMazes } from '../../../ts/data/maze/generate';
import { MazeSet } from '../../../ts/data/maze/set';
import { mazeDataset } from '../../../ts/data/maze/source';
import { formatMaze } from '../../../ts/data/maze/text';
import { isMazeData, verifyMazeData } from '../../../ts/data/maze/verify';
import { geometryOf } from '../../../ts/data/sudoku/geometry';
import { buildSudokuDataset } from '../../../ts/data/sudoku/build';
import { ArgumentError, FileError, FormatError } from '../../../ts/error';

const mazes = generateMazes({ size: 6, count: 60, seed: 4, minPath: 6 });
const csv = (set: MazeSet): string => {
  const rows = Array.from({ length: set.length }, (_, i) => [
    ...['own', formatMaze(set.maze(i)), formatMaze(set.answer(i)), set.rating(i)],
  ]);
  return ['source,q,a,rating', ...rows.map((fields) => fields.join(','))].join('\n').concat('\n');
};
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** The mazes of a set turned by a quarter. */
function turned(set: MazeSet): MazeSet {
  const images = new MazeSet(set.size);
  for (let i = 0; i < set.length; i++) {
    images.push(dihedralImage(set.maze(i), 1), dihedralImage(set.answer(i), 1), set.rating(i));
  }
  return images;
}

let dir: string;
let next = 0;
const fresh = (): string => path.join(dir, `out${next++}`);
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'hrm-maze-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('buildMazeDataset and verifyMazeData', () => {
  const origin = { kind: 'generate', trainPuzzles: 40, testPuzzles: 20, size: 6, minPath: 6 } as const;

  it('generates a dataset whose splits share no layout, the same bytes for the same seed', async () => {
    const make = async (seed: number, dihedral = false): Promise<string> => {
      const out = fresh();
      const report = await buildMazeDataset({ out, seed, dihedral, origin });
      expect(report).toMatchObject({
        size: 6,
        train: { puzzles: 40, examples: dihedral ? 320 : 40 },
        test: { puzzles: 20, examples: 20 },
        droppedTrain: 0,
      });
      return out;
    };
    const [one, again, other, images] = [await make(1), await make(1), await make(2), await make(1, true)];
    const filesIn = (out: string): string[] =>
      readdirSync(out, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => path.join(path.relative(out, entry.parentPath), entry.name))
        .sort();
    expect(filesIn(one)).toHaveLength(13);
    for (const file of filesIn(one)) {
      expect(readFileSync(path.join(again, file)).equals(readFileSync(path.join(one, file)))).toBe(true);
    }
    const inputs = (out: string): Buffer => readFileSync(path.join(out, 'train', 'all__inputs.npy'));
    expect(inputs(other).equals(inputs(one))).toBe(false);
    for (const [out, rows] of [
      [one, 40],
      [images, 320],
    ] as const) {
      const report = await verifyMazeData(out);
      expect(report).toMatchObject({ kind: 'maze', ok: true, size: 6, overlap: { layouts: 0, symmetric: 0 } });
      expect(
        report.splits.map(({ split, rows: n, groups, nBad, duplicates }) => [split, n, groups, nBad, duplicates]),
      ).toEqual([
        ['train', rows, 40, 0, 0],
        ['test', 20, 20, 0, 0],
      ]);
      expect(report.splits[0]!.moves!.min).toBeGreaterThan(6);
      expect(report.splits[0]!.wallPercent!.min).toBeGreaterThanOrEqual(30);
      expect(report.splits[0]!.wallPercent!.max).toBeLessThanOrEqual(50);
    }
  });

  it('writes the official layout', async () => {
    const out = fresh();
    await buildMazeDataset({ out, seed: 1, origin });
    expect(JSON.parse(readFileSync(path.join(out, 'train', 'dataset.json'), 'utf8'))).toEqual({
      ...{ pad_id: 0, ignore_label_id: 0, blank_identifier_id: 0, vocab_size: 6, seq_len: 36 },
      ...{ num_puzzle_identifiers: 1, total_groups: 40, mean_puzzle_examples: 1, sets: ['all'] },
    });
    const [set] = loadDataset(out, 'train').sets;
    expect(set!.inputs.slice(0, 36).every((token) => token >= 1 && token <= 4)).toBe(true);
    expect(set!.labels.slice(0, 36)).toContain(5);
  });

  it('imports csv files, and drops training mazes with a test layout, turned ones too', async () => {
    const [train, test] = [path.join(dir, 'train.csv'), path.join(dir, 'test.csv.gz')];
    writeFileSync(train, csv(mazes.select(range(0, 50))));
    const held = turned(mazes.select(range(45, 60)));
    writeFileSync(test, gzipSync(csv(held)));
    const out = fresh();
    const all = await buildMazeDataset({ out, seed: 3, origin: { kind: 'csv', train, test } });
    expect(all).toMatchObject({ droppedTrain: 5, train: { puzzles: 45 }, test: { puzzles: 15 } });
    expect(await verifyMazeData(out)).toMatchObject({ ok: true });
    const some = await buildMazeDataset({
      out: fresh(),
      seed: 3,
      origin: { kind: 'csv', train, test, trainPuzzles: 20 },
    });
    expect(some.train.puzzles).toBe(20);
    const split = await buildMazeDataset({ out: fresh(), seed: 3, origin: { kind: 'csv', train, testFraction: 0.2 } });
    expect([split.train.puzzles, split.test.puzzles]).toEqual([40, 10]);
    // The files themselves overlap, and verify says so.
    const both = fresh();
    mkdirSync(both);
    cpSync(train, path.join(both, 'train.csv'));
    cpSync(test, path.join(both, 'test.csv.gz'));
    expect(await isMazeData(both)).toBe(true);
    expect(await verifyMazeData(both)).toMatchObject({ ok: false, overlap: { symmetric: 5 } });
  });

  it('refuses impossible requests and leaves nothing behind', async () => {
    const train = path.join(dir, 'refused.csv');
    writeFileSync(train, `${csv(mazes.select(range(0, 10)))}bad\n`);
    const options: MazeBuildOptions = { out: fresh(), seed: 1, origin };
    const from = (changes: object): MazeBuildOptions => ({ ...options, origin: { kind: 'csv', train, ...changes } });
    const before = readdirSync(dir);
    for (const [bad, error] of [
      [{ ...options, origin: { ...origin, trainPuzzles: 0 } }, ArgumentError],
      [{ ...options, origin: { ...origin, minPath: 33 } }, ArgumentError],
      [{ ...options, origin: { kind: 'else' } as never }, ArgumentError],
      [{ ...options, origin: { ...origin, walls: 3 } as never }, ArgumentError],
      [{ ...options, seed: -1 }, ArgumentError],
      [{ ...options, dihedral: 'yes' as never }, ArgumentError],
      [from({}), FormatError],
      [from({ badRows: 'skip', trainPuzzles: 100 }), ArgumentError],
      [from({ badRows: 'skip', trainPuzzles: 0 }), ArgumentError],
      [from({ badRows: 'skip', testFraction: 1 }), ArgumentError],
      [from({ train: path.join(dir, 'absent.csv') }), FileError],
    ] as const) {
      await expect(buildMazeDataset(bad)).rejects.toBeInstanceOf(error);
    }
    const reason = new Error('enough');
    await expect(buildMazeDataset({ ...options, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(buildMazeDataset({ ...options, signal: {} as AbortSignal })).rejects.toBeInstanceOf(ArgumentError);
    expect(readdirSync(dir)).toEqual(before);
    expect((await buildMazeDataset(from({ badRows: 'skip' }))).bad).toEqual({ train: 1, test: 0 });
    expect(existsSync(options.out)).toBe(true);
    await expect(buildMazeDataset(from({ badRows: 'skip' }))).rejects.toBeInstanceOf(FileError);
  });
});

describe('verifyMazeData', () => {
  const sound = mazeDataset(mazes.select(range(0, 20)), { dihedral: true });
  const test = mazeDataset(mazes.select(range(20, 30)));

  it('finds a planted fault of any kind, and no other', async () => {
    const set = sound.sets[0]!;
    const row = set.labels.subarray(5 * 36, 6 * 36);
    const [wall, path5, free] = [row.indexOf(1), row.indexOf(5), row.indexOf(2)];
    const cases = [
      ['labels', wall, 2, 'is a wall, not free'],
      ['labels', path5, 2, 'it is not a path: the marked cells do not join S and G'],
      ['labels', free, 5, 'marked cells are not on the path'],
      ['labels', free, -100, 'is free, not padding'],
      ['inputs', free, 4, 'a maze has one goal G, got 2'],
      ['inputs', path5, 1, 'is a wall, not path'],
      ['inputs', free, 0, 'a maze has no padding, got 1 cells'],
    ] as const;
    for (const [field, cell, token, reason] of cases) {
      const out = fresh();
      const tokens = set[field].slice();
      tokens[5 * 36 + cell] = token;
      writeDataset(out, { train: { ...sound, sets: [{ ...set, [field]: tokens }] }, test }, ['<blank>']);
      expect(await isMazeData(out)).toBe(true);
      const report = await verifyMazeData(out);
      expect(report).toMatchObject({ ok: false, splits: [{ nBad: 1, bad: [{ line: 6 }] }, { nBad: 0 }] });
      // A wall on the path may also cut the maze in two.
      expect(report.splits[0]!.bad[0]!.reason).toMatch(new RegExp(`${reason}|${token === 1 ? 'no path' : reason}`));
    }
  });

  it('finds layouts that occur twice in a split or in both, turned or not', async () => {
    const first = mazes.select(range(0, 10));
    const write = (train: MazeSet, held: MazeSet): string => {
      const out = fresh();
      writeDataset(out, { train: mazeDataset(train), test: mazeDataset(held) }, ['<blank>']);
      return out;
    };
    const twice = write(mazes.select([...range(0, 10), 3]), mazes.select(range(10, 20)));
    expect(await verifyMazeData(twice)).toMatchObject({
      ok: false,
      splits: [{ duplicates: 1, nBad: 0 }, { duplicates: 0 }],
    });
    const shared = write(first, mazes.select([2, 3, 15]));
    expect(await verifyMazeData(shared)).toMatchObject({ ok: false, overlap: { layouts: 2, symmetric: 2 } });
    const disguised = write(first, turned(mazes.select([2, 3, 4])));
    expect(await verifyMazeData(disguised)).toMatchObject({ ok: false, overlap: { layouts: 0, symmetric: 3 } });
  });

  it('reports bad csv rows with their lines', async () => {
    const file = path.join(dir, 'verify.csv');
    writeFileSync(file, `${csv(mazes.select([0, 1]))}bad\n`);
    expect(await verifyMazeData(file)).toMatchObject({
      ok: false,
      overlap: null,
      splits: [{ split: 'verify.csv', rows: 3, nBad: 1, bad: [{ line: 4, reason: 'expected 4 fields, got 1' }] }],
    });
  });

  it('knows what is no maze data', async () => {
    const sudokus = fresh();
    await buildSudokuDataset({
      ...{ out: sudokus, geometry: geometryOf(2, 2), seed: 1, augmentations: 0 },
      origin: { kind: 'generate', trainPuzzles: 30, testPuzzles: 5, blanks: { min: 4, max: 9 } },
    });
    expect(await isMazeData(sudokus)).toBe(false);
    const file = path.join(dir, 'sudoku.csv');
    writeFileSync(file, `source,q,a,rating\nx,${'.'.repeat(16)},1234341221434321,0\n`);
    expect(await isMazeData(file)).toBe(false);
    const empty = fresh();
    mkdirSync(empty);
    expect(await isMazeData(empty)).toBe(false);
    await expect(verifyMazeData(empty)).rejects.toThrow(/must hold train\/dataset.json/);
    await expect(verifyMazeData(path.join(dir, 'absent'))).rejects.toBeInstanceOf(FileError);
    await expect(isMazeData('')).rejects.toBeInstanceOf(ArgumentError);
    await expect(verifyMazeData(file, { signal: {} as AbortSignal })).rejects.toBeInstanceOf(ArgumentError);
    await expect(verifyMazeData(file, { unique: 'all' } as never)).rejects.toBeInstanceOf(ArgumentError);
    writeFileSync(path.join(empty, 'train.csv'), csv(mazes.select([0])));
    writeFileSync(path.join(empty, 'train.csv.gz'), gzipSync(csv(mazes.select([0]))));
    await expect(verifyMazeData(empty)).rejects.toThrow('must have one of train.csv and train.csv.gz');
  });
});
