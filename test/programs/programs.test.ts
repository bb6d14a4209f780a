import { expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
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
