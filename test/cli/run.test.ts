import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { cliProcess, runCli } from '../support/run_cli';
import { train } from '../../ts/train/train';
import { tinyArguments, tinyRun, withDirectory } from '../support/tiny_run';

const small = { 'train.steps': 6, 'eval.everySteps': 5 };
const trainArguments = (changes: Record<string, string | number> = {}): string[] => [
  'train',
  '--preset',
  'demo-4x4',
  ...tinyArguments({ 'train.stopAtExactAccuracy': 'none', ...changes }),
];

describe('hrm train, eval and solve', () => {
  it('say that halting means nothing where no loss trained it', async () => {
    await withDirectory(async (dir) => {
      const out = path.join(dir, 'run');
      const trained = await runCli([...trainArguments({ ...small, 'model.haltLoss': 'none' }), '--out', out]);
      expect(trained.exitCode).toBe(0);
      const judged = await runCli(['eval', out, '--adaptive', '--puzzles', '5']);
      expect(judged.stderr).toContain('note: this model was trained with haltLoss "none"');
      expect(judged.stdout).not.toContain('qHalt says');
      const puzzle = '1...|..2.|.3..|...4';
      expect((await runCli(['solve', out, puzzle, '--adaptive'])).stderr).toContain('haltLoss "none"');
      expect((await runCli(['solve', out, puzzle])).stderr).not.toContain('note:');
    });
  });

  it('trains, evaluates and solves from the command line', async () => {
    await withDirectory(async (dir) => {
      const out = path.join(dir, 'run');
      const trained = await runCli([...trainArguments(small), '--out', out]);
      expect(trained.stdout).toContain('finished after step 6');
      expect(trained.exitCode).toBe(0);
      expect(trained.stderr).toMatch(/4x4 Sudokus.*\n {2}training +48 puzzles of .*\n.*\n {2}test +12 puzzles/);
      expect(trained.stderr).toContain('overlap of training and test: 0 puzzles, 0 solution grids');
      // Plain lines, because stderr is no terminal here.
      expect(trained.stderr).toMatch(/^step 3\/6 {2}loss [\d.]+/m);
      expect(trained.stderr).toMatch(/step 6: at the end, test: [\d.]+% ± [\d.]+% of 12 puzzles exactly right/);

      const judged = await runCli(['eval', out, '--adaptive', '--json']);
      const report = JSON.parse(judged.stdout) as Record<string, { count: number }>;
      expect(report).toMatchObject({
        step: 6,
        isAveraged: true,
        fixed: { count: 12, segments: 2 },
        adaptive: { count: 12 },
      });
      const text = await runCli(['eval', out, '--adaptive', '--puzzles', '5']);
      expect(text.stdout).toMatch(/of 5 puzzles.*\n.*\nqHalt says.*\nadaptive halting:.*\nhalting costs/);
      expect(text.stderr).not.toContain('note:');

      const votes = await runCli(['eval', out, '--adaptive', '--states', '2', '--puzzles', '5']);
      expect(votes.stdout).toMatch(
        /\nvote of 2 initial states: .* of 5 puzzles .*, 4 segments, [\d.]+ puzzles\/s\nthe vote gains [+-][\d.]+% ± /,
      );
      expect(votes.stdout).toMatch(/\nadaptive halting, vote of 2 initial states: .*\nthe vote gains/);
      const refused = await runCli(['eval', out, '--states', '0']);
      expect(refused.stderr).toContain('--states: initialStates must be an integer in [1, 4096], got 0');

      const puzzle = '1...|..2.|.3..|...4';
      const solved = await runCli(['solve', out, puzzle]);
      expect(solved.stdout).toMatch(/segment 1.*segment 2/);
      expect(solved.stdout).toMatch(/The answer is wrong: /);
      expect(solved.exitCode).toBe(1);
      const file = path.join(dir, 'puzzles.txt');
      writeFileSync(file, `1...............\n.2..............\n`);
      const several = await runCli(['solve', out, '--file', file, '--json']);
      expect(several.stdout.trimEnd().split('\n')).toHaveLength(2);
      expect(several.stderr).toMatch(/^0 of 2 right, 2\.00 segments each, [\d.]+ puzzles\/s$/m);
      const voted = await runCli([
        'solve',
        out,
        '--file',
        file,
        '--adaptive',
        '--states',
        '2',
        '--batch',
        '1',
        '--json',
      ]);
      const [first] = voted.stdout.split('\n').map((line) => (line === '' ? null : (JSON.parse(line) as unknown)));
      expect(first).toMatchObject({ vote: { states: [{ answer: expect.any(Array) }, {}] } });
      expect(voted.stderr).toMatch(/^0 of 2 right, [234]\.\d\d segments each/m);
    });
  });

  it.each(['eval', 'solve', 'view'])('says at once that there is no such device: %s', async (command) => {
    await withDirectory(async (root) => {
      const out = path.join(root, 'run');
      await train({ preset: 'demo-4x4', config: tinyRun, out });
      const puzzle = command === 'solve' ? ['1...|..2.|.3..|...4'] : [];
      for (const [device, message] of [
        ['cuda:63', /^hrm: \w+: no device cuda:63: /],
        ['gpu', /^hrm: \w+: device must be 'cpu', 'cuda' or 'cuda:<index>', got "gpu"/],
      ] as const) {
        const { exitCode, stdout, stderr } = await runCli([command, out, ...puzzle, '--device', device]);
        expect(stderr).toMatch(message);
        expect([exitCode, stdout]).toEqual([1, '']);
      }
    });
  });

  it('finishes the step and saves on Ctrl-C, exits with 130, and resumes', async () => {
    await withDirectory(async (dir) => {
      const out = path.join(dir, 'run');
      const args = trainArguments({
        'train.steps': 100000,
        'train.checkpointEverySteps': 'none',
        'eval.everySteps': 'none',
      });
      const [command, ...rest] = cliProcess([...args, '--out', out]);
      const child = spawn(command!, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
      let stderr = '';
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk.toString();
        if (stderr.includes('step 6/') && !stderr.includes('interrupted')) child.kill('SIGINT');
      });
      const exitCode = await new Promise((resolve) => child.on('close', resolve));
      expect(stderr).toMatch(/saved step \d+ in .*; (npx )?hrm train --resume .* goes on/);
      expect(exitCode).toBe(130);
      const saved = Number(/saved step (\d+)/.exec(stderr)![1]);
      expect(existsSync(path.join(out, 'checkpoints'))).toBe(true);

      const resumed = await runCli(['train', '--resume', out, '--set', `train.steps=${saved + 3}`]);
      expect(resumed.stderr).toContain(`changed since the checkpoint: train.steps 100000 -> ${saved + 3}: the run has`);
      expect(resumed.stderr).toContain(`going on after step ${saved}`);
      const over = await runCli(['train', '--resume', out]);
      expect(over.stderr).toContain(`nothing is left to train after step ${saved + 3}; a larger train.steps`);
      expect(resumed.stdout).toContain(`finished after step ${saved + 3}`);
      const lines = readFileSync(path.join(out, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
      const steps = lines.map((line) => JSON.parse(line) as { step: number; kind: string });
      const trainSteps = steps.filter(({ kind }) => kind === 'train').map(({ step }) => step);
      expect(trainSteps).toEqual(trainSteps.map((_, i) => 3 * (i + 1)));
    });
  });

  it.each([
    [['train'], 2, 'train: --preset or --config must be given'],
    [['train', '--preset', 'demo-4x5'], 2, 'did you mean "demo-4x4"?'],
    [['train', '--preset', 'demo-4x4', '--set', 'train.step=3'], 2, 'did you mean "train.steps"?'],
    // Node's own recursive mkdir never returns here.
    [
      ['train', '--preset', 'demo-4x4', '--out', '/proc/nothing/run'],
      1,
      '/proc/nothing/run: cannot make the directory',
    ],
    [['train', '--preset', 'demo-4x4', '--out', '/dev/null'], 1, '/dev/null: cannot make the directory'],
    [['demo', '--seed', 'abc'], 2, '--seed: must be a number, got "abc"'],
    [['demo', '--seed', '1', '--seed=2'], 2, '--seed: must be given once, got 1 and 2'],
    [['demo', '--minutes', '0'], 2, '--minutes: must be a number in (0, 1440], got 0'],
    [['demo', '--minutes', '1e9'], 2, '--minutes: must be a number in (0, 1440], got 1000000000'],
    [['train', '--config', '/dev/null'], 2, 'hrm: --config /dev/null: '],
    [['train', '--resume', '/nowhere/at/all'], 2, '/nowhere/at/all must hold a run'],
    [['eval', '/nowhere/at/all'], 1, 'no such directory; hrm train makes a run'],
    [['eval', '/nowhere/at/all', '--set', 'train.seed=3'], 2, '--set train.seed=3: must set a key of data'],
    [['solve', '/nowhere/at/all'], 2, 'solve: a puzzle or --file must be given'],
  ])('refuses %j', async (args, code, message) => {
    const { exitCode, stderr } = await runCli(args);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(code);
  });
});
