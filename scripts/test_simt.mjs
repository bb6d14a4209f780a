// npm run test:simt: the suites that run on every device, on the CUDA backend over simulated threads (docs/cuda.md); the
// C++ tests of the simulation itself, of products (by a double of cuBLASLt too), of every kernel against the CPU, and of
// faults planted in kernels of ours.
// Arguments go to jest. `--slice`: what `npm test` runs.
import path from 'node:path';
import { availableParallelism } from 'node:os';
import { jestPassed, ran, SUITES } from './device_suites.mjs';
import { writePlants } from './plant_faults.mjs';
import { rootDir } from './source_files.mjs';

const addon = path.join(rootDir, 'build', 'Release', 'hrm_simt.node');
// Forward in every dtype and gradients; tensors of a device; a training step.
const SLICE = ['ops/forward', 'ops/gradients', 'ops/devices', 'train/device'].map(
  (name) => `dist-test/test/${name}[.]test`,
);

function need(passed) {
  if (!passed) process.exit(1);
}

const [first, ...rest] = process.argv.slice(2);
const slice = first === '--slice';
const chosen = slice ? rest : process.argv.slice(2);
const started = Date.now();
need(ran(process.execPath, ['scripts/build.mjs', '--if-needed', '--tests', '--simt']));
writePlants(path.join(rootDir, 'build', 'plants'));
const tests = ['simt_test', 'stream_test', 'plant_test', 'op_test', 'gemm_device_test'];
const native = path.resolve(rootDir, 'build', 'native_tests');
const cublasLt = path.join(native, 'libfake_cublas_lt.so');
need(ran('cmake', ['--build', 'build', '--target', ...tests, '--parallel', String(availableParallelism())]));
const built = Date.now();
for (const test of tests) need(ran(path.join(native, test), test === 'gemm_device_test' ? [cublasLt] : []));
const paths = chosen.length > 0 ? chosen : slice ? SLICE : SUITES;
need(jestPassed(addon, paths));
const seconds = (from, to) => ((to - from) / 1000).toFixed(0);
console.log(`test:simt: passed; built in ${seconds(started, built)} s, ran in ${seconds(built, Date.now())} s`);
