import { spawn } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { cliProcess, runCli } from '../support/run_cli';
import { tinyArguments } from '../support/tiny_run';

let dir: string;
let run: string;
beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'hrm-interrupt-'));
  run = path.join(dir, 'run');
  const settings = tinyArguments({ 'train.steps': 1, 'train.stopAtExactAccuracy': 'none', 'eval.everySteps': 'none' });
  const { exitCode, stderr } = await runCli(['train', '--preset', 'demo-4x4', ...settings, '--out', run]);
  if (exitCode !== 0) throw new Error(stderr);
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

interface Interrupted {
  exitCode: number | null;
  killedBy: NodeJS.Signals | null;
  stderr: string;
}

/** Sends SIGINT once the program catches it. */
function interrupt(args: readonly string[]): Promise<Interrupted> {
  const [program, ...rest] = cliProcess(args);
  const script = `process.on('newListener', (name) => {
    if (name === 'SIGINT') setTimeout(() => process.kill(process.pid, 'SIGINT'), 100);
  });`;
  rest[rest.indexOf('-e') + 1] = script + rest[rest.indexOf('-e') + 1]!;
  return new Promise((resolve) => {
    const child = spawn(program!, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('close', (exitCode, killedBy) => {
      resolve({ exitCode, killedBy, stderr });
    });
  });
}

describe('Ctrl-C', () => {
  const expected = { exitCode: 130, killedBy: null, stderr: '\ninterrupted: stopping; once more to stop at once\n' };

  it('ends hrm eval', async () => {
    const data = ['--set', 'data.testPuzzles=4000', '--segments', '64', '--batch', '64'];
    expect(await interrupt(['eval', run, ...data])).toEqual(expected);
  });

  it('ends hrm solve', async () => {
    const file = path.join(dir, 'puzzles.txt');
    writeFileSync(file, '1...............\n'.repeat(20_000));
    expect(await interrupt(['solve', run, '--file', file])).toEqual(expected);
  });

  it.each([
    ['generating', ['--train', '20000', '--blanks', 'minimal']],
    ['augmenting', ['--train', '100', '--augmentations', '20000', '--box', '2x3', '--test', '10']],
  ])('ends hrm data sudoku while %s, and leaves nothing behind', async (_what, sizes) => {
    const out = path.join(dir, 'data');
    expect(await interrupt(['data', 'sudoku', '--out', out, ...sizes])).toEqual(expected);
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(dir).filter((name) => name.includes('tmp'))).toEqual([]);
  });

  it('ends hrm train before there is a run', async () => {
    const settings = tinyArguments({ 'data.trainPuzzles': 200_000, 'data.boxRows': 3, 'data.boxCols': 3 });
    const result = await interrupt(['train', '--preset', 'demo-4x4', ...settings, '--out', path.join(dir, 'early')]);
    expect(result).toMatchObject({ exitCode: 130, killedBy: null });
    expect(result.stderr).toMatch(/interrupted: finishing this step/);
    expect(result.stderr).not.toMatch(/internal error/);
  });
});
