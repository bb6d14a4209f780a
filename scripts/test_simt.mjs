// npm run test:simt: the suites that run on every device, on the CUDA backend over simulated threads (docs/cuda.md), and the
// C++ tests of the simulation itself and of its products. Arguments go to jest. `--slice`: what `npm test` runs, ops and parity.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { rootDir } from './source_files.mjs';

const require = createRequire(import.meta.url);
const addon = path.join(rootDir, 'build', 'Release', 'hrm_simt.node');
const SUITES = ['dist-test/test/ops/', 'dist-test/test/hrm/', 'dist-test/test/optim/', 'dist-test/test/train/device'];
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
const jobs = String(availableParallelism());
run('cmake', ['--build', 'build', '--target', 'simt_test', 'gemm_device_test', '--parallel', jobs]);
const native = path.join('build', 'native_tests');
run(path.join(native, 'simt_test'), []);
run(path.join(native, 'gemm_device_test'), [path.resolve(rootDir, native, 'libfake_cublas_lt.so')]);
const jest = path.join(path.dirname(require.resolve('jest/package.json')), 'bin/jest.js');
run(process.execPath, [jest, ...(chosen.length > 0 ? chosen : slice ? SLICE : SUITES)], { HRM_ADDON: addon });
