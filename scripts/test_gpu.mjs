// npm run test:gpu: the suites of devices on the GPU, nothing skipped (REQUIRE_CUDA=1), then every kernel under
// compute-sanitizer's memcheck and synccheck. Builds first, unless HRM_ADDON names an addon. Exit 3 without a GPU.
//   --arch=native   what to build for      --allow-no-gpu  ends well where there is no GPU, saying so
//   suites | sanitizers                    only these; what else is given goes to jest
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { CUDA_ADDON, CUDA_BUILD, gpuOf, nvidiaLibraries, OP_TEST } from './cuda_addon.mjs';
import { jestPassed, ran, SUITES } from './device_suites.mjs';

const NO_DEVICE = 3;
const given = process.argv.slice(2);
const arch = given.find((flag) => flag.startsWith('--arch='))?.slice('--arch='.length) ?? 'native';
const parts = ['suites', 'sanitizers'].filter((part) => given.includes(part));
const rest = given.filter((flag) => !/^--(arch=|allow-no-gpu$)/.test(flag) && !parts.includes(flag));
const wants = (part) => parts.length === 0 || parts.includes(part);
const addon = process.env.HRM_ADDON ? path.resolve(process.env.HRM_ADDON) : CUDA_ADDON;

function fail(message, code = 1) {
  console.error(`test:gpu: ${message}`);
  process.exit(code);
}

function noDevice(why) {
  fail(`no device: ${why}; nothing was tested`, given.includes('--allow-no-gpu') ? 0 : NO_DEVICE);
}

if (!process.env.HRM_ADDON) {
  // What to build for is the GPU's to say.
  if (arch === 'native' && spawnSync('nvidia-smi', ['-L']).status !== 0) noDevice('nvidia-smi finds none');
  if (!ran(process.execPath, ['scripts/build.mjs', `--cuda=${arch}`, '--tests'])) fail('it cannot be built');
  const jobs = String(availableParallelism());
  if (!ran('cmake', ['--build', CUDA_BUILD, '--target', 'op_test', '--parallel', jobs]))
    fail('op_test cannot be built');
}
const linked = nvidiaLibraries(addon);
if (linked.length > 0) fail(`${addon} must be linked to no library of NVIDIA, got ${linked.join(', ').trim()}`);
const { name, missing } = gpuOf(addon);
if (name !== 'cuda') fail(`${addon} must be built with CUDA, got one for ${name ?? 'the CPU alone'}`);
if (missing !== null) noDevice(missing);

const failed = [];
if (wants('suites') && !jestPassed(addon, rest.length > 0 ? rest : SUITES, { REQUIRE_CUDA: '1' }))
  failed.push('suites');
if (wants('sanitizers')) {
  const usual = '/usr/local/cuda/bin/compute-sanitizer';
  const sanitizer = existsSync(usual) ? usual : 'compute-sanitizer';
  for (const tool of ['memcheck', 'synccheck'])
    if (!ran(sanitizer, ['--tool', tool, '--error-exitcode', '9', OP_TEST])) failed.push(tool);
}
if (failed.length > 0) fail(`failed: ${failed.join(', ')}`);
console.log(`test:gpu: passed on the GPU with ${path.relative('.', addon)}`);
