// npm run gpu:pack: one archive with all that the GPU's tests and benches need on a machine without Node and without a
// network: build/gpu/hrm-gpu.tar.xz, and build/gpu/run.sh, which unpacks and runs it. See docs/gpu.md.
//   --arch=90a   the architecture that the addon, op_test and the ceilings program are built for
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { CUDA_ADDON, CUDA_BUILD, nvidiaLibraries, OP_TEST } from './cuda_addon.mjs';
import { ran } from './device_suites.mjs';
import { rootDir, sourceFiles } from './source_files.mjs';

process.chdir(rootDir);
// Small enough to be carried by whatever reaches such a machine.
const MAX_BYTES = 64 * 2 ** 20;
// What the compiled tests, benches and the command line import; their own dependencies follow.
const ROOT_PACKAGES = ['@jest/globals', 'fast-check', 'jest'];
const out = path.join('build', 'gpu');
const folder = path.join(out, 'hrm-gpu');
const archive = `${folder}.tar.xz`;

const unknown = process.argv.slice(2).filter((flag) => !/^--arch=\d+[af]?$/.test(flag));
if (unknown.length > 0) {
  console.error(`gpu:pack: unknown argument ${unknown[0]}; known: --arch=ARCH`);
  process.exit(2);
}
const arch = process.argv[2]?.slice('--arch='.length) ?? '90a';

const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const size = (file) => mib(statSync(file).size);

function need(passed, what) {
  if (passed) return;
  console.error(`gpu:pack: ${what}`);
  process.exit(1);
}

/** Paths in node_modules of the packages that are needed to run, from the lock file. */
function packages() {
  const locked = JSON.parse(readFileSync('package-lock.json', 'utf8')).packages;
  const found = new Set();
  // As Node looks for it: beside the importer's own packages, then further up.
  const resolve = (name, from) => {
    for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
      const candidate = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
      if (locked[candidate] !== undefined) return candidate;
      if (at === '') return undefined;
    }
  };
  const add = (name, from) => {
    const at = resolve(name, from);
    // Optional ones are those of other systems.
    if (at === undefined || found.has(at) || !existsSync(at)) return;
    found.add(at);
    const { dependencies = {}, optionalDependencies = {} } = locked[at];
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) add(next, at);
  };
  const builders = new Set(['cmake-js', 'node-gyp', 'node-addon-api']);
  for (const name of [...ROOT_PACKAGES, ...Object.keys(locked[''].dependencies)])
    if (!builders.has(name)) add(name, '');
  return [...found];
}

function build() {
  need(ran(process.execPath, ['scripts/build.mjs', '--if-needed', '--tests']), 'the tests cannot be built');
  const flags = [`--cuda=${arch}`, '--native-only'];
  need(ran(process.execPath, ['scripts/build.mjs', ...flags]), 'the addon with CUDA cannot be built');
  const jobs = String(availableParallelism());
  need(ran('cmake', ['--build', CUDA_BUILD, '--target', 'op_test', '--parallel', jobs]), 'op_test cannot be built');
  const ceilings = path.join(CUDA_BUILD, 'ceilings');
  need(ran('bash', ['bench/gpu/ceilings/build.sh', ceilings, arch]), 'the ceilings program cannot be built');
  return ceilings;
}

function put(from, to) {
  mkdirSync(path.dirname(to), { recursive: true });
  cpSync(from, to, { recursive: true, dereference: true });
}

const ceilings = build();
const linked = nvidiaLibraries(CUDA_ADDON);
need(linked.length === 0, `${CUDA_ADDON} is linked to ${linked.join(', ')}`);

rmSync(folder, { recursive: true, force: true });
for (const file of sourceFiles()) put(file, path.join(folder, file));
for (const made of ['dist', 'dist-test', ...packages()]) put(made, path.join(folder, made));
for (const [from, to] of [
  [CUDA_ADDON, path.relative(rootDir, CUDA_ADDON)],
  [OP_TEST, path.relative(rootDir, OP_TEST)],
  [ceilings, ceilings],
  [process.execPath, 'node/node'],
]) {
  put(from, path.join(folder, to));
  execFileSync('strip', ['-s', path.join(folder, to)]);
}
const parity = path.join(process.env.HRM_SHARED ?? path.join('..', 'shared'), 'parity');
if (existsSync(parity)) put(parity, path.join(folder, 'shared', 'parity'));
else console.log('gpu:pack: HRM_SHARED has no reference outputs; parity will be skipped there');
const commit = execFileSync('git', ['describe', '--always', '--dirty', '--abbrev=12'], { encoding: 'utf8' }).trim();
writeFileSync(path.join(folder, 'bench', 'gpu', 'COMMIT'), `${commit}\n`);
copyFileSync('bench/gpu/run.sh', path.join(out, 'run.sh'));

// Same bytes for the same contents.
const tar = [
  '--sort=name',
  '--mtime=@0',
  '--owner=0',
  '--group=0',
  '--numeric-owner',
  '-cf',
  '-',
  '-C',
  out,
  'hrm-gpu',
];
rmSync(archive, { force: true });
execFileSync('bash', ['-c', 'set -o pipefail; tar "$@" | xz -9 -T0 > "$0"', archive, ...tar]);
for (const [what, file] of [
  ['addon', path.join(folder, path.relative(rootDir, CUDA_ADDON))],
  ['op_test', path.join(folder, path.relative(rootDir, OP_TEST))],
  ['node', path.join(folder, 'node/node')],
]) {
  console.log(`  ${what.padEnd(8)} ${size(file)}`);
}
const bytes = statSync(archive).size;
console.log(
  `gpu:pack: ${archive}: ${mib(bytes)} for sm_${arch}, commit ${commit}; bash ${path.join(out, 'run.sh')} runs it`,
);
need(bytes < MAX_BYTES, `the archive must be under ${mib(MAX_BYTES)}`);
