import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadDataset } from '../../ts/data/dataset';
import { generateMazes } from '../../ts/data/maze/generate';
import { formatMaze } from '../../ts/data/maze/text';
import { runCli } from '../support/run_cli';
import { tinyRun } from '../support/tiny_run';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'hrm-cli-maze-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

describe('hrm data maze and verify', () => {
  it('make a dataset that is found good, byte for byte the same', async () => {
    const make = async (out: string): Promise<string> => {
      const sizes = [
        '--count',
        '30',
        '--test',
        '12',
        '--size',
        '6',
        '--min-path',
        '7',
        '--walls',
        '30-45',
        '--seed',
        '3',
      ];
      const made = await runCli(['data', 'maze', '--out', out, ...sizes]);
      expect(made).toMatchObject({ exitCode: 0, stderr: '' });
      return made.stdout;
    };
    const [one, two] = [path.join(dir, 'one'), path.join(dir, 'two')];
    expect(await make(one)).toMatch(
      /^6x6 mazes\ntrain: 30 mazes, 30 rows; shortest paths of 8 to \d+ moves, mean [\d.]+\ntest: 12 mazes, 12 rows/,
    );
    await make(two);
    for (const file of ['train/all__inputs.npy', 'train/all__labels.npy', 'test/all__inputs.npy']) {
      expect(readFileSync(path.join(two, file)).equals(readFileSync(path.join(one, file)))).toBe(true);
    }
    expect(loadDataset(one, 'train').sets[0]!.nExamples).toBe(30);
    const checked = await runCli(['data', 'verify', one]);
    expect(checked.stdout).toMatch(/train and test share 0 layouts; up to symmetry 0\n.* is good: every label is/);
    expect(checked.exitCode).toBe(0);
    const json = await runCli(['data', 'verify', one, '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ kind: 'maze', ok: true, splits: [{ rows: 30 }, { rows: 12 }] });
  });

  it('import a csv, name its bad rows and fail', async () => {
    const mazes = generateMazes({ size: 5, count: 20, seed: 1, minPath: 5 });
    const rows = Array.from(
      { length: 20 },
      (_, i) => `x,${formatMaze(mazes.maze(i))},${formatMaze(mazes.answer(i))},6`,
    );
    const file = path.join(dir, 'mazes.csv');
    writeFileSync(file, ['source,q,a,rating', ...rows].join('\n'));
    const made = await runCli(['data', 'maze', '--csv', file, '--out', path.join(dir, 'imported')]);
    expect(made.stdout).toMatch(/^5x5 mazes\ntrain: 18 mazes, 18 rows.*\ntest: 2 mazes/);
    const bad = path.join(dir, 'bad.csv');
    writeFileSync(
      bad,
      ['source,q,a,rating', ...rows, `x,${formatMaze(mazes.maze(0))},${formatMaze(mazes.maze(0))},6`].join('\n'),
    );
    const refused = await runCli(['data', 'maze', '--csv', bad, '--out', path.join(dir, 'refused')]);
    expect(refused.stderr).toContain('bad.csv: line 22: the answer is wrong: it is not a path');
    expect(refused.exitCode).toBe(1);
    const checked = await runCli(['data', 'verify', bad]);
    expect(checked.stdout).toMatch(
      /21 rows.*1 bad\n[^]*row 22: the answer is wrong: it is not a path.*\n.*is not good\n$/,
    );
    expect(checked.exitCode).toBe(1);
  });

  it.each([
    [['--walls', 'many'], '--walls: must be a range of percent such as 30-45, got "many"'],
    [['--test-csv', 'y'], '--test-csv: needs --csv too'],
    [['--csv', 'y', '--size', '10'], '--size: is for generated mazes, got --csv y'],
    [['--csv', 'y', '--min-path', '10'], '--min-path: is for generated mazes'],
    [['--count', 'x'], '--count: must be a number, got "x"'],
  ])('refuse %j', async (args, message) => {
    const { exitCode, stderr } = await runCli(['data', 'maze', '--out', path.join(dir, 'x'), ...args]);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });
});

describe('hrm train, eval and solve', () => {
  it('know mazes', async () => {
    const out = path.join(dir, 'run');
    const config = path.join(dir, 'run.json');
    const data = { kind: 'mazeGenerated', size: 5, minPath: 5, trainPuzzles: 30, validPuzzles: 8, testPuzzles: 9 };
    writeFileSync(config, JSON.stringify({ ...tinyRun, data, train: { ...tinyRun.train, steps: 5 } }));
    const trained = await runCli(['train', '--config', config, '--out', out]);
    expect(trained.exitCode).toBe(0);
    expect(trained.stderr).toMatch(
      /5x5 mazes, no layout in two splits.*\n {2}training +30 mazes of +30 layouts, shortest/,
    );
    expect(trained.stderr).toContain('overlap of training and test: 0 layouts, 0 up to symmetry');
    expect(trained.stderr).toMatch(
      /test: 0\.0% ± 0\.0% of 9 puzzles exactly right, 0\.0% ± 0\.0% right by any shortest path/,
    );
    const judged = await runCli(['eval', out, '--json']);
    expect(JSON.parse(judged.stdout)).toMatchObject({
      fixed: { count: 9, lenientAccuracy: 0, lenientStandardError: 0 },
    });

    const file = path.join(dir, 'maze.txt');
    writeFileSync(file, 'S\n####.\n.....\n.####\n....G\n');
    const solved = await runCli(['solve', out, '--file', file]);
    expect(solved.stdout).toMatch(/puzzle +segment 1 +segment 2\n/);
    expect(solved.stdout).toMatch(/^S\.\.\.\. /m);
    expect(solved.stdout).toMatch(/The answer is wrong: /);
    expect(solved.exitCode).toBe(1);
    const given = await runCli(['solve', out, 'S....|####.|.....|.####|....G', '--json']);
    expect(JSON.parse(given.stdout)).toMatchObject({ segments: [{}, {}] });
    const closed = await runCli(['solve', out, 'S#...|##...|.....|.....|....G']);
    expect(closed.stderr).toContain('the maze must have a path from S to G, got none');
    expect(closed.exitCode).toBe(1);
  });
});
