import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadDataset } from '../../ts/data/dataset';
import { runCli } from '../support/run_cli';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'hrm-data-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

describe('hrm data', () => {
  it('makes a dataset that it then finds good', async () => {
    const out = path.join(dir, 'small');
    const sizes = ['--box', '2x2', '--train', '40', '--test', '20', '--blanks', '6-8', '--augmentations', '2'];
    const made = await runCli(['data', 'sudoku', '--out', out, ...sizes]);
    expect(made).toMatchObject({ exitCode: 0, stderr: '' });
    expect(made.stdout).toMatch(
      /^train: 40 puzzles, 120 rows.*by blanks 6: \d+, 7: \d+, 8: \d+\ntest: 20 puzzles, 20 rows/,
    );
    expect(loadDataset(out, 'train').sets[0]!.nExamples).toBe(120);

    const checked = await runCli(['data', 'verify', out, '--json']);
    expect(checked.exitCode).toBe(0);
    expect(JSON.parse(checked.stdout)).toMatchObject({
      ok: true,
      overlap: { puzzles: 0, solutions: 0 },
      splits: [
        { split: 'train', rows: 120, nBad: 0 },
        { split: 'test', rows: 20 },
      ],
    });
  });

  it('makes the directories above, and finds a split without its dataset.json', async () => {
    const out = path.join(dir, 'new/deep/');
    const made = await runCli([
      'data',
      'sudoku',
      '--out',
      out,
      '--box',
      '2x2',
      '--train',
      '8',
      '--test',
      '4',
      '--blanks',
      '6-8',
    ]);
    expect(made).toMatchObject({ exitCode: 0, stderr: '' });
    expect(readdirSync(path.join(dir, 'new'))).toEqual(['deep']);
    rmSync(path.join(out, 'train/dataset.json'));
    const checked = await runCli(['data', 'verify', out]);
    expect(checked).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('train: must hold dataset.json beside') as unknown,
    });
  });

  it('names the bad rows of a csv and fails', async () => {
    const file = path.join(dir, 'bad.csv');
    const solution = '123434122143' + '4321';
    writeFileSync(
      file,
      `source,q,a,rating\nx,.${solution.slice(1)},${solution},0\nx,2${solution.slice(1)},${solution},0\n`,
    );
    const { exitCode, stdout } = await runCli(['data', 'verify', file, '--box', '2x2']);
    expect(stdout).toMatch(/2 rows.*1 bad/);
    expect(stdout).toMatch(/row 3: the answer does not match the puzzle/);
    expect(stdout).toMatch(/is not good\n$/);
    expect(exitCode).toBe(1);
  });

  it.each([
    [['data', 'sudoku', '--out', 'x', '--box', '3'], '--box: must be rows x columns such as 3x3, got "3"'],
    [
      ['data', 'sudoku', '--out', 'x', '--blanks', 'many'],
      '--blanks: must be a range such as 8-12 or minimal, got "many"',
    ],
    [['data', 'sudoku', '--out', 'x', '--test-csv', 'y'], '--test-csv: needs --train-csv too'],
    [['data'], 'hrm data: a command must be given'],
  ])('refuses %j', async (args, message) => {
    const { exitCode, stderr } = await runCli(args);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });
});
