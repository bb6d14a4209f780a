import { expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Runs a program of this folder. */
function run(name: string, ...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(__dirname, `${name}.js`), ...args], {
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

it('goes on under a memory limit of 256 MB', () => {
  const { status, output } = run('memory_limit');
  expect(output).not.toContain('Error');
  expect(status).toBe(0);
});

it.each([
  ['noGrad', 'default'],
  ['recording', 'default'],
  ['recording', 'cli'],
])('runs a loop that frees nothing in bounded memory: %s, V8 flags %s', (mode, flags) => {
  // 1.5 GB are allocated; `npm run test:soak` allocates 100 GB in each mode.
  const { status, output } = run('soak', '1500', mode, flags);
  expect(output).toContain('MB over the start');
  expect(status).toBe(0);
});

it('the fuzzer names a child that dies before its first call', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'hrm-programs-'));
  try {
    const dying = path.join(directory, 'dying.cjs');
    writeFileSync(dying, "if (process.argv.includes('--child')) process.exit(3);");
    const program = path.join(__dirname, 'fuzz.js');
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, '--calls', '1'], {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: `--require=${dying}` },
    });
    expect(stdout + stderr).toContain('CRASH: the process ended with code 3 before its first call');
    expect(status).toBe(1);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
