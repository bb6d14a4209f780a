// The test files that run on whatever device the addon has (test/support/devices.ts): over simulated threads in
// npm run test:simt, on a GPU in npm run test:gpu.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { rootDir } from './source_files.mjs';

export const SUITES = ['ops/', 'hrm/', 'optim/', 'tensor/capture', 'train/device', 'train/graph', 'analyze/device'].map(
  (name) => `dist-test/test/${name}`,
);

/** Runs a program in the repository's root, its output on ours. @returns {boolean} whether it ended well */
export function ran(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, {
    stdio: 'inherit',
    cwd: rootDir,
    env: { ...process.env, ...env },
  });
  if (status !== 0)
    console.error(`${command} ${args.join(' ')} failed${error ? `: ${error.message}` : `: exit ${status}`}`);
  return status === 0;
}

/** Runs jest on the compiled tests with an addon. @param {string[]} args paths and flags of jest */
export function jestPassed(addon, args, env = {}) {
  const jest = path.join(path.dirname(createRequire(import.meta.url).resolve('jest/package.json')), 'bin/jest.js');
  return ran(process.execPath, [jest, ...args], { HRM_ADDON: addon, ...env });
}
