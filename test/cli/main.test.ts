import { describe, expect, it } from '@jest/globals';
import { reportError } from '../../ts/cli/main';
import { ConfigError, FormatError } from '../../ts/error';
import { runCli } from '../support/run_cli';

describe('hrm', () => {
  it('lists its commands', async () => {
    const { exitCode, stdout, stderr } = await runCli(['--help']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('hrm doctor');
    expect(stdout).toContain('Exit codes');
    expect(stderr).toBe('');
  });

  it('names itself in hints as it was called', async () => {
    const { stderr } = await runCli([], { env: { npm_execpath: '/npm' } });
    expect(stderr).toBe('hrm: a command must be given; npx hrm --help lists them\n');
  });

  it('prints its version', async () => {
    expect(await runCli(['--version'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });

  it('shows options and examples of a command', async () => {
    const { exitCode, stdout } = await runCli(['doctor', '--help']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/--json.*\n[^]*Examples:[^]*hrm doctor --json/);
  });

  it.each([
    [[], 'hrm: a command must be given; hrm --help lists them\n'],
    [['doctr'], 'hrm: unknown command; did you mean "doctor"?\n'],
    [['doctor', '--jsn'], 'hrm: unknown argument "jsn"; did you mean --json?\n'],
    [['doctor', 'x'], /^hrm: unknown argument "x"; hrm --help .*\n$/],
    [['train', '--set'], 'hrm: --set: a value must follow, got none\n'],
    [['data', 'arc', '--input', '--out', 'x'], 'hrm: --input: a value must follow, got none\n'],
    [['data', 'sudoku', '--out', '/nowhere/x', '--seed', ''], 'hrm: --seed: must be a number, got ""\n'],
    [['data', 'maze'], 'hrm: --out: must be given, got nothing; the command with --help shows examples\n'],
    [
      ['solve', 'runs/x'],
      'hrm: solve: a puzzle or --file must be given, and not both, as in hrm solve runs/x --file puzzles.txt\n',
    ],
    [['eval', 'runs/x', '--states'], 'hrm: --states: a value must follow, got none\n'],
    [['doctor', '--json=maybe'], 'hrm: --json: must be given alone, or as true or false, got "maybe"\n'],
    [['solve'], 'hrm: the command needs 1 arguments, got 0; with --help it says which\n'],
    [['train', '--config', '/dev/zero'], 'hrm: --config /dev/zero: must be a regular file\n'],
  ])('refuses %j with exit code 2 and one line', async (args, message) => {
    const { exitCode, stdout, stderr } = await runCli(args);
    expect(stderr).toMatch(message);
    expect(stdout).toBe('');
    expect(exitCode).toBe(2);
  });
});

describe('reportError', () => {
  const report = (error: unknown): { code: number; text: string } => {
    let text = '';
    const code = reportError(error, (part) => (text += part));
    return { code, text };
  };

  it('gives typed errors one line and their exit code', () => {
    expect(report(new ConfigError('--set a: no'))).toEqual({ code: 2, text: 'hrm: --set a: no\n' });
    expect(report(new FormatError('npy: no'))).toEqual({ code: 1, text: 'hrm: npy: no\n' });
  });

  it('says when it is a defect', () => {
    expect(report(new TypeError('x is undefined')).text).toMatch(/^hrm: internal error: x is undefined\nHRM_DEBUG=1/);
    expect(report('text').code).toBe(1);
  });

  it('prints the stack on request', () => {
    process.env.HRM_DEBUG = '1';
    try {
      expect(report(new FormatError('npy: no')).text).toMatch(/\n\s+at /);
    } finally {
      delete process.env.HRM_DEBUG;
    }
  });
});
