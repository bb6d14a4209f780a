import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { readCsv } from '../../../ts/data/csv';
import { importSudokuCsv } from '../../../ts/data/sudoku/csv';
import { generateSudoku } from '../../../ts/data/sudoku/generate';
import { geometryOf } from '../../../ts/data/sudoku/geometry';
import { solverOf } from '../../../ts/data/sudoku/solver';
import { formatGrid } from '../../../ts/data/sudoku/text';
import { ArgumentError, FileError, FormatError } from '../../../ts/error';

const small = geometryOf(2, 2);
const set = generateSudoku({ geometry: small, count: 40, seed: 1, blanks: { min: 6, max: 9 } });
const header = 'source,q,a,rating';
const row = (i: number): string => `own,${formatGrid(set.puzzle(i))},${formatGrid(set.solution(i))},${i}`;
const [q, a] = [formatGrid(set.puzzle(0)), formatGrid(set.solution(0))];
const swapped = a.replace(/[12]/g, (digit) => (digit === '1' ? '2' : '1'));

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'hrm-csv-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let next = 0;
function fileOf(content: string | Uint8Array): string {
  const file = path.join(dir, `${next++}.csv`);
  writeFileSync(file, content);
  return file;
}

describe('importSudokuCsv', () => {
  it('reads plain and gzip files alike, across chunk borders, LF or CRLF, with or without a last line break', async () => {
    const lines = [header, ...Array.from({ length: 5000 }, (_, i) => row(i % 40))];
    for (const end of ['\n', '\r\n']) {
      const text = lines.join(end);
      for (const content of [text, text + end, gzipSync(text), Buffer.concat([gzipSync(text), gzipSync(end)])]) {
        const { set: read, nBad } = await importSudokuCsv(fileOf(content), { geometry: small });
        expect([read.length, nBad]).toEqual([5000, 0]);
        for (const i of [0, 39, 1234, 4999]) {
          expect(read.puzzle(i)).toEqual(set.puzzle(i % 40));
          expect(read.solution(i)).toEqual(set.solution(i % 40));
          expect(read.rating(i)).toBe(i % 40);
        }
      }
    }
  });

  it('reads quoted fields and 0 for blanks', async () => {
    const text = `${header}\n"a ""b"", c","${q.replaceAll('.', '0')}",${a},"7"\n`;
    const { set: read } = await importSudokuCsv(fileOf(text), { geometry: small });
    expect([read.length, formatGrid(read.puzzle(0)), read.rating(0)]).toEqual([1, q, 7]);
  });

  // Each is line 3 of a file whose other lines are good.
  const badRows: readonly (readonly [string, string | Buffer, string])[] = [
    ['an empty line', '', 'the line is empty'],
    ['too few fields', `own,${q},${a}`, 'expected 4 fields, got 3'],
    ['too many fields', `own,${q},${a},1,2`, 'expected 4 fields, got 5'],
    ['an empty rating', `own,${q},${a},`, 'rating must be an integer'],
    ['a negative rating', `own,${q},${a},-1`, 'rating must be an integer'],
    ['a fractional rating', `own,${q},${a},1.5`, 'rating must be an integer'],
    ['a huge rating', `own,${q},${a},1000000000`, 'rating must be an integer'],
    ['a rating with a blank', `own,${q},${a}, 1`, 'rating must be an integer'],
    ['a short puzzle', `own,${q.slice(1)},${a},1`, 'q must have 16 cells, got 15'],
    ['a long puzzle', `own,${q}.,${a},1`, 'q must have 16 cells, got 17'],
    ['a short answer', `own,${q},${a.slice(1)},1`, 'a must have 16 cells, got 15'],
    ['a letter in the puzzle', `own,x${q.slice(1)},${a},1`, 'character 1 must be a digit'],
    ['a digit too large', `own,5${q.slice(1)},${a},1`, 'cell 1 must be at most 4'],
    ['layout inside the puzzle', `own,|${q.slice(1)},${a},1`, 'must have 16 cells'],
    ['a blank answer', `own,${q},${'.'.repeat(16)},1`, 'the answer has blank cells'],
    ['an answer of ones', `own,${q},${'1'.repeat(16)},1`, 'breaks a rule: row 1 has the digit 1 in 4 cells'],
    ['an answer for another puzzle', `own,${q},${swapped},1`, 'the answer does not match the puzzle: the clue'],
    ['an ambiguous puzzle', `own,${'.'.repeat(16)},${a},1`, 'ambiguous: it has several solutions'],
    ['invalid UTF-8', Buffer.concat([Buffer.from([0xff]), Buffer.from(row(0))]), 'the text must be UTF-8'],
    ['an overlong encoding', Buffer.concat([Buffer.from([0xc0, 0xaf]), Buffer.from(row(0))]), 'must be UTF-8'],
    ['a NUL', `\0${row(0)}`, 'control characters'],
    ['a lone carriage return', `own\r,${q},${a},1`, 'control characters'],
    ['a tab', `own\t,${q},${a},1`, 'control characters'],
    ['a quote inside a field', `o"wn,${q},${a},1`, 'a quote must open and close a whole field'],
    ['text after a quote', `"own"x,${q},${a},1`, 'a quote must open and close a whole field'],
    ['an unclosed quote', `"own,${q},${a},1`, 'a quoted field must close on its line'],
    ['an endless line', `${'x'.repeat(70_000)},${q},${a},1`, 'the line is too long'],
    ['a line of several chunks', 'x'.repeat(300_000), 'the line is too long'],
    ['non-ASCII digits', `own,${'\u0661'.repeat(16)},${a},1`, 'character 1 must be a digit'],
    ['another header', header, 'rating must be an integer'],
  ];

  it.each(badRows)('refuses %s with its line, and skips it on request', async (_name, bad, reason) => {
    const content = Buffer.concat([
      Buffer.from(`${header}\n${row(0)}\n`),
      Buffer.from(bad),
      Buffer.from(`\n${row(1)}\n`),
    ]);
    for (const file of [fileOf(content), fileOf(gzipSync(content))]) {
      const refused = importSudokuCsv(file, { geometry: small });
      await expect(refused).rejects.toBeInstanceOf(FormatError);
      await expect(refused).rejects.toThrow(`${file}: line 3: `);
      await expect(refused).rejects.toThrow(reason);
      const skipped = await importSudokuCsv(file, { geometry: small, badRows: 'skip' });
      expect([skipped.set.length, skipped.nBad, skipped.bad[0]?.line]).toEqual([2, 1, 3]);
      expect(skipped.bad[0]?.reason).toContain(reason);
      expect(skipped.set.puzzle(1)).toEqual(set.puzzle(1));
    }
  });

  const good = Buffer.from(`${header}\n${row(0)}\n`);
  const packed = gzipSync(good);
  const flipped = Buffer.from(packed);
  flipped[packed.length - 6]! ^= 1;
  const badFiles: readonly (readonly [string, string | Buffer, string])[] = [
    ['an empty file', '', 'got an empty file'],
    ['an empty gzip file', gzipSync(''), 'got an empty file'],
    ['no header', `${row(0)}\n`, 'line 1: header must be source,q,a,rating, got own,'],
    ['columns in another order', 'source,a,q,rating\n', 'got source,a,q,rating'],
    ['a missing column', 'source,q,a\n', 'expected 4 fields, got 3'],
    ['a byte order mark', `\ufeff${header}\n`, 'save it without a byte order mark'],
    ['a header in upper case', 'Source,q,a,rating\n', 'got Source'],
    ['__proto__ as a column', '__proto__,q,a,rating\n', 'got __proto__'],
    ['UTF-16', Buffer.from(`${header}\n`, 'utf16le'), 'control characters'],
    ['a truncated gzip file', packed.subarray(0, -5), 'undamaged gzip file, got Z_BUF_ERROR'],
    ['a gzip file with a wrong checksum', flipped, 'undamaged gzip file, got Z_DATA_ERROR'],
    ['garbage after gzip data', Buffer.concat([packed, Buffer.from('garbage')]), 'undamaged gzip file'],
    ['the magic alone', Buffer.from([0x1f, 0x8b]), 'undamaged gzip file'],
    ['gzip within gzip', gzipSync(packed), 'must be UTF-8'],
    ['a gzip bomb', gzipSync(Buffer.alloc(3_000_000, `${header}\n`)), 'must be at most 2000000 bytes of text'],
  ];

  it.each(badFiles)('refuses %s whatever the mode', async (_name, content, reason) => {
    const file = fileOf(content);
    const options = { geometry: small, badRows: 'skip', maxBytes: 2_000_000 } as const;
    await expect(importSudokuCsv(file, options)).rejects.toBeInstanceOf(FormatError);
    await expect(importSudokuCsv(file, options)).rejects.toThrow(reason);
    await expect(importSudokuCsv(file, options)).rejects.toThrow(file);
  });

  it('describes at most 20 bad rows but counts all, and stops after maxRows', async () => {
    const text = [header, ...Array.from({ length: 30 }, (_, i) => `${row(i)}\nbad`)].join('\n');
    const all = await importSudokuCsv(fileOf(text), { geometry: small, badRows: 'skip' });
    expect([all.set.length, all.nBad, all.bad.length]).toEqual([30, 30, 20]);
    const some = await importSudokuCsv(fileOf(text), { geometry: small, badRows: 'skip', maxRows: 3 });
    expect([some.set.length, some.nBad]).toEqual([3, 2]);
  });

  it('accepts ambiguous puzzles only when told not to look', async () => {
    const file = fileOf(`${header}\nown,${'.'.repeat(16)},${a},1\n`);
    expect((await importSudokuCsv(file, { geometry: small, unique: false })).set.length).toBe(1);
  });

  it('refuses what is no file and bad options', async () => {
    const folder = path.join(dir, 'folder');
    mkdirSync(folder);
    await expect(importSudokuCsv(folder)).rejects.toThrow('must be a regular file');
    await expect(importSudokuCsv(path.join(dir, 'absent'))).rejects.toBeInstanceOf(FileError);
    await expect(importSudokuCsv(path.join(dir, 'absent'))).rejects.toThrow('cannot read (ENOENT');
    for (const name of ['', 'a\0b', 5, null]) {
      await expect(importSudokuCsv(name as string)).rejects.toBeInstanceOf(ArgumentError);
    }
    const file = fileOf(good);
    await expect(importSudokuCsv(file, { badRows: 'keep' as 'skip' })).rejects.toBeInstanceOf(ArgumentError);
    await expect(importSudokuCsv(file, { maxRows: 0 })).rejects.toBeInstanceOf(ArgumentError);
  });

  it('closes its files when the reader stops early', async () => {
    const open = (): number => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);
    const file = fileOf(gzipSync([header, ...Array.from({ length: 20_000 }, (_, i) => row(i % 40))].join('\n')));
    const before = open();
    for (let i = 0; i < 50; i++) {
      for await (const lines of readCsv(file, { columns: header.split(',') })) {
        expect(lines.length).toBeGreaterThan(0);
        break;
      }
    }
    // Streams close a moment after they are destroyed.
    for (let wait = 0; open() > before + 2 && wait < 100; wait++) await setTimeout(20);
    expect(open()).toBeLessThanOrEqual(before + 2);
  });
});

// The real files are not part of the repository: HRM_SHARED names the folder that holds data/sudoku/*.csv.gz.
const shared = process.env['HRM_SHARED'];
if (shared === undefined) console.warn('skipped: import of real Sudoku files, HRM_SHARED is not set');
(shared === undefined ? describe.skip : describe)('real Sudoku files', () => {
  it('imports them without a bad row; a rating of 0 is a puzzle that our solver solves without guessing', async () => {
    for (const [name, rows] of [
      ['train', 1000],
      ['test', 20_000],
    ] as const) {
      const file = path.join(shared as string, 'data', 'sudoku', `${name}.csv.gz`);
      const { set: read, nBad } = await importSudokuCsv(file);
      expect([read.length, nBad]).toEqual([rows, 0]);
      for (let i = 0; i < read.length; i += 10) {
        const { guesses } = solverOf(read.geometry).solve(read.puzzle(i));
        expect(guesses === 0).toBe(read.rating(i) === 0);
      }
    }
  });
});
