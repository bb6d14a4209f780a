import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { importMazeCsv } from '../../../ts/data/maze/csv';
import { generateMazes } from '../../../ts/data/maze/generate';
import { shortestPath, withPath } from '../../../ts/data/maze/search';
import { formatMaze } from '../../../ts/data/maze/text';
import { ArgumentError, FileError, FormatError } from '../../../ts/error';

const set = generateMazes({ size: 5, count: 30, seed: 2, minPath: 5 });
const header = 'source,q,a,rating';
const row = (i: number): string => `own,${formatMaze(set.maze(i))},${formatMaze(set.answer(i))},${set.rating(i)}`;
const good = (count: number): string => [header, ...Array.from({ length: count }, (_, i) => row(i))].join('\n');

let dir: string;
let next = 0;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'hrm-maze-csv-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));
function fileOf(content: string | Uint8Array): string {
  const file = path.join(dir, `${next++}.csv`);
  writeFileSync(file, content);
  return file;
}

describe('importMazeCsv', () => {
  it('reads plain and gzip files alike', async () => {
    for (const content of [good(30), `${good(30)}\n`, gzipSync(good(30)), good(30).replaceAll('\n', '\r\n')]) {
      const read = await importMazeCsv(fileOf(content));
      expect(read).toMatchObject({ bad: [], nBad: 0 });
      expect(read.set.size).toBe(5);
      for (let i = 0; i < 30; i++) {
        expect(read.set.maze(i)).toEqual(set.maze(i));
        expect(read.set.answer(i)).toEqual(set.answer(i));
        expect(read.set.rating(i)).toBe(set.rating(i));
      }
    }
    expect((await importMazeCsv(fileOf(good(30)), { maxRows: 4 })).set.length).toBe(4);
  });

  it.each([
    ['x', 'expected 4 fields, got 1'],
    ['own,S..G,SooG,x', 'rating must be an integer'],
    ['own,S  ,S  ,1', 'q must have 2 x 2 cells, got 3'],
    ['own,S  G,So ,2', 'a must have 2 x 2 cells, got 3'],
    ['own,S.#G,So#G,2', 'q: character 2 must be one of "# SGo", got'],
    ['own,S #G,So#g,2', 'a: character 4 must be one of'],
    ['own,S #S,So#S,2', 'a maze has one start S, got 2'],
    ['own,So#G,So#G,2', 'a maze to solve has no path cells, got 1'],
    ['own,S##G,S##G,2', 'the maze has no path from S to G'],
    ['own,S  G,S  G,2', 'the answer is wrong: it is not a path'],
    ['own,S  G,SooG,2', 'the answer is wrong: 1 marked cells are not on the path'],
    ['own,SG  ,SGoo,1', 'the answer is wrong: 2 marked cells are not on the path'],
    ['own,S #G,SooG,2', 'the answer is wrong: the cell at row 2 column 1 is a wall, not path'],
    ['own,S #G,GooS,2', 'the answer is wrong: the cell at row 1 column 1 is the start, not the goal'],
  ])('refuses %j with its line, or skips it', async (bad, reason) => {
    const file = fileOf([header, 'own,S #G,So#G,2', bad, 'own,G #S,Go#S,2'].join('\n'));
    await expect(importMazeCsv(file)).rejects.toThrow(FormatError);
    await expect(importMazeCsv(file)).rejects.toThrow(`importMazeCsv: ${file}: line 3: ${reason}`);
    const skipped = await importMazeCsv(file, { badRows: 'skip' });
    expect(skipped).toMatchObject({ nBad: 1, bad: [{ line: 3, reason: expect.stringContaining(reason) }] });
    expect(skipped.set.length).toBe(2);
  });

  it('refuses a longer path, and takes any shortest one', async () => {
    const open = Uint8Array.from({ length: 9 }, () => 2);
    open[0] = 3;
    open[2] = 4;
    const text = (answer: Uint8Array): string => `own,${formatMaze(open)},${formatMaze(answer)},2`;
    const long = fileOf([header, text(withPath(open, [0, 3, 4, 5, 2]))].join('\n'));
    await expect(importMazeCsv(long)).rejects.toThrow('not a shortest one: 4 moves, where 2 are enough');
    open[2] = 2;
    open[8] = 4;
    const own = shortestPath(open)!;
    const other = [0, 3, 6, 7, 8];
    expect(own).not.toEqual(other);
    const both = fileOf([header, text(withPath(open, own)), text(withPath(open, other))].join('\n'));
    expect((await importMazeCsv(both)).set.length).toBe(2);
  });

  it('refuses files that are none, and bad options', async () => {
    await expect(importMazeCsv(path.join(dir, 'absent.csv'))).rejects.toBeInstanceOf(FileError);
    await expect(importMazeCsv(fileOf('q,a\n'))).rejects.toThrow(/header must be source,q,a,rating/);
    await expect(importMazeCsv(fileOf(`${header}\n`))).rejects.toThrow(/must have a good row, got none/);
    await expect(importMazeCsv(fileOf(`${header}\nx\n`), { badRows: 'skip' })).rejects.toThrow(
      /must have a good row, got line 2: expected 4 fields/,
    );
    await expect(importMazeCsv(fileOf(good(2)), { size: 6 })).rejects.toThrow(/q must have 6 x 6 cells, got 25/);
    for (const options of [
      { size: 1 },
      { badRows: 'x' },
      { maxRows: 0 },
      { maxBytes: -1 },
      { onProgress: 1 },
      { x: 1 },
    ]) {
      await expect(importMazeCsv(fileOf(good(1)), options as never)).rejects.toBeInstanceOf(ArgumentError);
    }
  });
});

// The real files are not part of the repository: HRM_SHARED names the folder that holds data/maze/*.csv.gz.
const shared = process.env['HRM_SHARED'];
if (shared === undefined) console.warn('skipped: import of maze files, HRM_SHARED is not set');
describe('the maze files', () => {
  (shared === undefined ? it.skip : it)('are read whole, with the labels that A* gives', async () => {
    const { set: mazes } = await importMazeCsv(path.join(shared!, 'data/maze/test.csv.gz'));
    expect([mazes.length, mazes.size]).toEqual([1000, 30]);
    for (let i = 0; i < mazes.length; i++) {
      const route = shortestPath(mazes.maze(i))!;
      expect(route.length - 1).toBe(mazes.rating(i));
      expect(mazes.rating(i)).toBeGreaterThan(110);
      expect(formatMaze(withPath(mazes.maze(i), route))).toBe(formatMaze(mazes.answer(i)));
    }
  });
});
