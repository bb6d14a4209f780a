// npm run test:simt: the suites that run on every device, on the CUDA backend over simulated threads (docs/cuda.md); the
// C++ tests of the simulation itself, of every kernel against the CPU, and of faults planted in kernels of ours.
// Arguments go to jest. `--slice`: what `npm test` runs.
import path from 'node:path';
import { availableParallelism } from 'node:os';
import { jestPassed, ran, SUITES } from './device_suites.mjs';
import { writePlants } from './plant_faults.mjs';
import { rootDir } from './source_files.mjs';

const addon = path.join(rootDir, 'build', 'Release', 'hrm_simt.node');
// Forward in every dtype and gradients, thinned out (test/support/op_suite.ts); a training step; tensors of a device.
const SLICE = ['ops/forward', 'ops/gradients', 'ops/devices', 'train/device'].map((name) => `dist-test/test/${name}`);

function need(passed) {
  if (!passed) process.exit(1);
}

const [first, ...rest] = process.argv.slice(2);
const slice = first === '--slice';
const chosen = slice ? rest : process.argv.slice(2);
const started = Date.now();
need(ran(process.execPath, ['scripts/build.mjs', '--if-needed', '--tests', '--simt']));
writePlants(path.join(rootDir, 'build', 'plants'));
const tests = ['simt_test', 'plant_test', 'op_test'];
need(ran('cmake', ['--build', 'build', '--target', ...tests, '--parallel', String(availableParallelism())]));
const built = Date.now();
for (const test of tests) need(ran(path.join('build', 'native_tests', test), []));
const paths = chosen.length > 0 ? chosen : slice ? SLICE : SUITES;
need(jestPassed(addon, paths, slice ? { HRM_SLICE: '1' } : {}));
const seconds = (from, to) => ((to - from) / 1000).toFixed(0);
console.log(`test:simt: passed; built in ${seconds(started, built)} s, ran in ${seconds(built, Date.now())} s`);
