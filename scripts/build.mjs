// npm run build: the addon (cmake-js, or node-gyp with --gyp), the op types generated from it, TypeScript, the viewer's page.
//   --if-needed  skip what is up to date      --tests  also compile tests and benches to dist-test/
//   --gyp        build with node-gyp          --sanitize  AddressSanitizer and UBSan (build-asan/)
//   --cuda       with the CUDA backend (needs nvcc, takes minutes), in build-cuda/; --cuda=90a,80: only for these
//                architectures. Of build/ and build-cuda/ the newer addon is loaded
//   --simt       also the tests' addon: the CUDA backend over simulated threads (build/Release/hrm_simt.node)
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CUDA_BUILD, gpuOf, nvidiaLibraries } from './cuda_addon.mjs';
import { cudaTargets } from './nvcc.mjs';
import { buildPage, PAGE_OUT, PAGE_SOURCES } from './page.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(root);
const require = createRequire(import.meta.url);
const cudaFlag = /^--cuda(?:=((?:native|\d+[af]?(?:-real|-virtual)?)(?:,\d+[af]?(?:-real|-virtual)?)*))?$/;
const cuda = process.argv
  .slice(2)
  .map((flag) => cudaFlag.exec(flag))
  .find(Boolean);
const flags = new Set(process.argv.slice(2).filter((flag) => !cudaFlag.test(flag)));
const known = new Set(['--if-needed', '--tests', '--gyp', '--sanitize', '--native-only', '--simt']);
for (const flag of flags) {
  if (!known.has(flag)) {
    console.error(`build: unknown flag ${flag}; known: ${[...known].join(' ')} --cuda[=ARCH,ARCH]`);
    process.exit(2);
  }
}

function run(command, args, options = {}) {
  const started = Date.now();
  const result = spawnSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', ...options });
  if (result.status !== 0) {
    console.error(result.stdout ?? '', result.stderr ?? '');
    console.error(`build: ${command} ${args.join(' ')} failed${result.error ? `: ${result.error.message}` : ''}`);
    process.exit(1);
  }
  return ((Date.now() - started) / 1000).toFixed(1);
}

/** Time of the newest file under the given paths. */
function newest(...paths) {
  let time = 0;
  for (const entry of paths) {
    if (!existsSync(entry)) continue;
    const stat = statSync(entry);
    if (stat.isDirectory())
      for (const name of readdirSync(entry)) time = Math.max(time, newest(path.join(entry, name)));
    else time = Math.max(time, stat.mtimeMs);
  }
  return time;
}

const outDir = flags.has('--sanitize') ? 'build-asan' : cuda ? CUDA_BUILD : 'build';
const addon = flags.has('--gyp') ? 'build-gyp/Release/hrm.node' : `${outDir}/Release/hrm.node`;

function buildNative() {
  const sources = newest('native', 'kernels', 'CMakeLists.txt', 'binding.gyp');
  if (flags.has('--if-needed') && sources <= newest(addon)) return;
  console.log(`building the addon (${addon}) ...`);
  const jobs = String(availableParallelism());
  if (flags.has('--gyp')) {
    // node-gyp always writes to build/, which is cmake-js's: it gets a copy of the sources' folder of its own.
    const nodedir = path.resolve(process.execPath, '../..');
    const headers = existsSync(path.join(nodedir, 'include/node/node_api.h')) ? [`--nodedir=${nodedir}`] : [];
    const gyp = require.resolve('node-gyp/bin/node-gyp.js');
    mkdirSync('build-gyp', { recursive: true });
    for (const name of ['binding.gyp', 'native', 'kernels', 'scripts']) linkInto('build-gyp/src', name);
    const seconds = run(process.execPath, [gyp, 'rebuild', '-C', 'build-gyp/src', `--jobs=${jobs}`, ...headers]);
    mkdirSync('build-gyp/Release', { recursive: true });
    require('node:fs').copyFileSync('build-gyp/src/build/Release/hrm.node', addon);
    console.log(`  node-gyp: ${seconds} s`);
    return;
  }
  const cmakeJs = require.resolve('cmake-js/bin/cmake-js');
  const args = [cmakeJs, 'compile', '--out', outDir, '--parallel', jobs];
  if (flags.has('--sanitize')) args.push('--CDHRM_SANITIZE=ON');
  if (cuda) {
    // cmake-js configures a folder once, and other architectures may be asked for than the last time.
    const architectures = cuda[1]?.split(',') ?? cudaTargets().map(({ arch, kind }) => `${arch}-${kind}`);
    const settings = ['--CDHRM_CUDA=ON', `--CDCMAKE_CUDA_ARCHITECTURES=${architectures.join(';')}`];
    run(process.execPath, [cmakeJs, 'configure', '--out', outDir, ...settings]);
    args.push(...settings);
  }
  const seconds = run(process.execPath, args);
  console.log(`  cmake-js: ${seconds} s`);
  // It must load where there is no driver, and then say so.
  const linked = cuda ? nvidiaLibraries(path.resolve(addon)) : [];
  if (linked.length > 0) {
    console.error(`build: ${addon} is linked to libraries of NVIDIA:\n${linked.join('\n')}`);
    process.exit(1);
  }
  const made = cuda ? gpuOf(path.resolve(addon)).name : null;
  if (cuda && made !== 'cuda') {
    console.error(`build: ${addon} must have the CUDA backend, got one for ${made ?? 'the CPU alone'}`);
    process.exit(1);
  }
  // Nothing may have been out of date: the last one that was asked for is the one that is loaded.
  utimesSync(addon, new Date(), new Date());
}

/** After the addon, whose configuration it shares. */
function buildSimt() {
  const file = 'build/Release/hrm_simt.node';
  if (flags.has('--if-needed') && newest('native', 'kernels', 'CMakeLists.txt') <= newest(file)) return;
  console.log(`building the tests' addon (${file}) ...`);
  const args = ['--build', 'build', '--config', 'Release', '--target', 'hrm_simt_addon'];
  const seconds = run('cmake', [...args, '--parallel', String(availableParallelism())]);
  console.log(`  cmake: ${seconds} s`);
}

function linkInto(folder, name) {
  const fs = require('node:fs');
  mkdirSync(folder, { recursive: true });
  const link = path.join(folder, name);
  rmSync(link, { force: true, recursive: false });
  fs.symlinkSync(path.resolve(name), link);
}

/** The types of the native ops, from the addon's own description of itself: ops.def stays the only list. */
function generateTypes() {
  const out = 'ts/native/schema.gen.ts';
  if (flags.has('--if-needed') && newest(out) >= newest(addon, 'scripts/schema_types.mjs')) return;
  const script = path.join(root, 'scripts/schema_types.mjs');
  const result = spawnSync(process.execPath, [script, path.resolve(addon)], { encoding: 'utf8' });
  if (result.status !== 0) {
    console.error(result.stderr);
    console.error('build: the addon does not load');
    process.exit(1);
  }
  writeFileSync(out, result.stdout);
}

async function compile(project, outDirTs) {
  const stamp = path.join(outDirTs, '.built');
  const sources = newest('ts', 'test', 'bench', 'tsconfig.json', project);
  if (flags.has('--if-needed') && newest(stamp) >= sources) return;
  rmSync(outDirTs, { recursive: true, force: true });
  const started = Date.now();
  const tsc = [require.resolve('typescript/bin/tsc'), '-p', project];
  await promisify(execFile)(process.execPath, tsc).catch(({ stdout, stderr, message }) => {
    console.error(stdout ?? '', stderr ?? '');
    console.error(`build: tsc ${project} failed: ${message}`);
    process.exit(1);
  });
  writeFileSync(stamp, '');
  console.log(`  tsc ${project}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

/** The page changes less often than the rest, and the demo does without: it is built only when it is out of date. */
async function compilePage() {
  if (newest(path.join(PAGE_OUT, 'index.html')) >= newest(...PAGE_SOURCES)) return;
  const started = Date.now();
  await buildPage();
  console.log(`  page: ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

buildNative();
if (flags.has('--simt')) buildSimt();
if (!flags.has('--native-only') && !flags.has('--sanitize')) {
  generateTypes();
  await Promise.all([
    compile('tsconfig.build.json', 'dist'),
    flags.has('--tests') && compile('tsconfig.test.json', 'dist-test'),
  ]);
  const { writeEsmEntry } = await import('./esm_entry.mjs');
  writeEsmEntry(path.join(root, 'dist'));
  await compilePage();
}
