// npm run test:simt: the suites that run on every device, on the CUDA backend over simulated threads (docs/cuda.md), and the
// C++ test of the simulation itself. Arguments go to jest. `--slice`: what `npm test` runs, ops and parity.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { rootDir } from './source_files.mjs';

const require = createRequire(import.meta.url);
const addon = path.join(rootDir, 'build', 'Release', 'hrm_simt.node');
const SUITES = ['ops/', 'hrm/', 'optim/', 'tensor/capture', 'train/device', 'train/graph'].map(
  (name) => `dist-test/test/${name}`,
);
const SLICE = ['dist-test/test/ops/forward', 'dist-test/test/ops/gradients', 'dist-test/test/ops/devices'];

function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, {
    stdio: 'inherit',
    cwd: rootDir,
    env: { ...process.env, ...env },
  });
  if (status === 0) return;
  console.error(`test:simt: ${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`);
  process.exit(1);
}

const [first, ...rest] = process.argv.slice(2);
const slice = first === '--slice';
const chosen = slice ? rest : process.argv.slice(2);
run(process.execPath, ['scripts/build.mjs', '--if-needed', '--tests', '--simt']);
run('cmake', ['--build', 'build', '--target', 'simt_test', '--parallel', String(availableParallelism())]);
run(path.join('build', 'native_tests', 'simt_test'), []);
const jest = path.join(path.dirname(require.resolve('jest/package.json')), 'bin/jest.js');
run(process.execPath, [jest, ...(chosen.length > 0 ? chosen : slice ? SLICE : SUITES)], { HRM_ADDON: addon });
