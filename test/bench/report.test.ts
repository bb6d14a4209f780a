import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Row, toRow } from '../../bench/harness';
import { formatComparison, formatFigure, formatMarkdown, formatTable, readSavedRows } from '../../bench/report';
import { FileError, FormatError } from '../../ts/error';

const slow: Row = toRow({
  subject: 'step',
  case: 'hidden 512',
  unit: 'ms',
  better: 'lower',
  samples: [1000, 1010, 990],
  peer: { name: 'PyTorch', samples: [1500] },
  bound: { of: 'ratio', atLeast: 1.3 },
  details: { 'share of peak': 0.75 },
});
const alone: Row = toRow({ subject: 'sgemm', case: 'M 82', unit: 'GFLOP/s', better: 'higher', samples: [80] });

describe('formatFigure', () => {
  it.each([
    [0, '0'],
    [0.001234, '0.001234'],
    [1.23456, '1.235'],
    [123.45, '123.5'],
    [98765.4, '98765'],
    [-2.5, '-2.500'],
  ])('writes %p as %p', (value, text) => {
    expect(formatFigure(value)).toBe(text);
  });
});

describe('formatTable', () => {
  it('has one table a subject, and leaves out columns that no row of it fills', () => {
    const text = formatTable([slow, alone], new Map([['step', 'training step']]));
    const [first, second] = text.split('\n\n') as [string, string];
    expect(first.split('\n')[0]).toBe('step: training step');
    expect(first).toContain('PyTorch');
    expect(first).toContain('ratio >= 1.300: met');
    expect(first).toContain('share of peak 0.7500');
    expect(second.split('\n')[1]).not.toContain('peer');
    const lines = first.split('\n').slice(1);
    expect(lines[0]!.indexOf('unit')).toBe(lines[2]!.indexOf('ms'));
  });

  it('says aloud that a bound was missed', () => {
    const missed = toRow({ ...slow, samples: [1400], peer: { name: 'P', samples: [1500] }, bound: slow.bound! });
    expect(formatTable([missed])).toContain('MISSED');
  });
});

describe('formatMarkdown', () => {
  it('escapes what would break a table', () => {
    const machine = {
      cpu: 'cpu',
      isa: 'avx2',
      cores: 2,
      threads: 2,
      memoryBytes: 2 ** 33,
      os: 'Linux',
      compiler: 'g++',
      versions: { node: '20' },
      date: '2026-01-01T00:00:00.000Z',
      commit: 'abc',
      loadAtStart: 0.5,
      loadAtEnd: 1,
    };
    const row = { ...alone, case: 'a|b' };
    const text = formatMarkdown({ format: 1, command: 'npm run bench', machine, notes: ['n'], rows: [row] });
    expect(text).toContain('a\\|b');
    expect(text).toContain('8.0 GiB');
    const table = text.split('\n').filter((line) => line.startsWith('|'));
    expect(new Set(table.map((line) => line.replaceAll('\\|', '').split('|').length)).size).toBe(1);
  });
});

describe('saved rows', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'hrm-bench-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  const save = (content: string): string => {
    const file = path.join(folder, 'results.json');
    writeFileSync(file, content);
    return file;
  };

  it('come back as they were written, and are compared with the rows of now', () => {
    const file = save(JSON.stringify({ format: 1, rows: [{ ...slow, ours: 2000 }, alone] }));
    const text = formatComparison([slow, alone, { ...alone, case: 'new' }], readSavedRows(file));
    expect(text.split('\n')).toHaveLength(3);
    expect(text).toMatch(/step: hidden 512.*2000.*1000.*better/);
    expect(text).toMatch(/sgemm: M 82.*within the spread/);
    expect(text).not.toContain('new');
  });

  it('call worse what is worse', () => {
    const file = save(JSON.stringify({ format: 1, rows: [{ ...alone, ours: 100 }] }));
    expect(formatComparison([alone], readSavedRows(file))).toContain('WORSE');
  });

  it('are refused where the file is none of ours', () => {
    expect(() => readSavedRows(path.join(folder, 'missing.json'))).toThrow(FileError);
    expect(() => readSavedRows(save('{'))).toThrow(FormatError);
    expect(() => readSavedRows(save('{"format":2,"rows":[]}'))).toThrow(FormatError);
    expect(() => readSavedRows(save('{"format":1,"rows":[{"subject":1}]}'))).toThrow(FormatError);
  });
});
