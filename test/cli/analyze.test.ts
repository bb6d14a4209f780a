import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { train } from '../../ts';
import { renderTable } from '../../ts/cli/table';
import { runCli } from '../support/run_cli';
import { tinyRun, withDirectory } from '../support/tiny_run';

const COMMANDS: Readonly<Record<string, { args: string[]; table: RegExp }>> = {
  residuals: { args: ['--puzzles', '5'], table: /segment {2}step +L +H +L alone\n +1 +1 +[\d.]+ ± [\d.]+ +[\d.]+ ± / },
  trajectories: { args: ['--puzzles', '2'], table: /zL +10 +[\d.]+% / },
  dimensions: { args: [], table: /paper, D = 512 +89\.95 +30\.22 +40\.75 +42\.09/ },
  steps: { args: ['--puzzle', '1'], table: /cells changed\n[^]*puzzle +solution +segment 1 step 1[^]*\+-----\+/ },
  segments: { args: ['--segments', '3'], table: / 2 .*<- most in training\n +3 / },
  halting: { args: ['--limits', '1,2', '--rounds', '1'], table: /2\*.*x\n$/ },
  gradients: {
    args: ['--cycles', '1x2,2x2', '--rounds', '1', '--grad-steps', '1,full'],
    table: /2x2 +full +1\.000 +1\.000/,
  },
};

describe('hrm analyze', () => {
  it('prints a table and writes figures, for each analysis', async () => {
    await withDirectory(async (dir) => {
      const run = path.join(dir, 'run');
      await train({ config: { ...tinyRun, train: { ...tinyRun.train, steps: 2 } }, out: run });
      const out = path.join(dir, 'figures', 'all');
      for (const [what, { args, table }] of Object.entries(COMMANDS)) {
        const { exitCode, stdout, stderr } = await runCli(['analyze', what, run, ...args, '--out', out]);
        expect({ what, exitCode, stderr }).toEqual({
          ...{ what, exitCode: 0 },
          stderr: `wrote ${path.join(out, what)}.json and ${path.join(out, what)}.svg\n`,
        });
        expect(stdout).toMatch(/step 2, averaged weights, test puzzles\n/);
        expect(stdout).toMatch(table);
        const report = JSON.parse(readFileSync(path.join(out, `${what}.json`), 'utf8')) as object;
        expect(report).toMatchObject({ analysis: what, step: 2, split: 'test', result: expect.any(Object) });
        expect(readFileSync(path.join(out, `${what}.svg`), 'utf8')).toMatch(/^<svg [^]*<\/svg>\n$/);
      }
      const json = await runCli(['analyze', 'segments', run, '--segments', '1', '--json', '--split', 'valid', '--raw']);
      expect(JSON.parse(json.stdout)).toMatchObject({ isAveraged: false, split: 'valid', result: { count: 12 } });

      const file = path.join(dir, 'steps.svg');
      mkdirSync(dir, { recursive: true });
      writeFileSync(file, 'mine');
      const refused = await runCli(['analyze', 'steps', run, '--out', dir]);
      expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
      expect(refused.stderr).toContain(`--out ${dir}: must not have steps yet, got ${file}; choose another`);
      expect(readFileSync(file, 'utf8')).toBe('mine');
      expect(existsSync(path.join(dir, 'steps.json'))).toBe(false);
    });
  });

  it.each([
    [['analyze'], 2, 'hrm analyze: a command must be given'],
    [['analyze', 'residuals', '/nowhere/at/all'], 1, 'no such directory; hrm train makes a run'],
    [['analyze', 'residuals', '/nowhere', '--set', 'train.seed=3'], 2, 'must set a key of data'],
    [['analyze', 'halting', '/nowhere', '--puzzels', '3'], 2, 'did you mean --puzzles?'],
  ])('refuses %j', async (args, code, message) => {
    const { exitCode, stderr } = await runCli(args);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(code);
  });
});

describe('renderTable', () => {
  it('is as wide as its cells', () => {
    expect(
      renderTable(
        ['name', 'n'],
        [
          ['a', '10'],
          ['longer', '7'],
        ],
      ),
    ).toBe('name     n\na       10\nlonger   7\n');
    expect(renderTable(['a', 'b'], [['1', 'x']], 2)).toBe('a  b\n1  x\n');
  });
});
