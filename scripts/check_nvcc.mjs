// npm run check:nvcc: compiles every kernel with nvcc for every target of CMakeLists.txt and fails on warnings, on spilled
// registers and on wgmma instructions that ptxas had to serialise, none of which shows in a result. Prints what each file
// needs of a multiprocessor. Without nvcc it says that it is skipped; REQUIRE_NVCC=1 makes that a failure.
//   check_nvcc.mjs [FILE...]   only these sources
//   --all   a PTX of its own for every target, as a release has. Otherwise all but sm_90a are assembled from the PTX of
//           sm_80, which takes a third of the time: spills are made by the assembler.
// What was compiled before, from the same sources by the same nvcc, is taken from build/nvcc/.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { cudaFlags, cudaTargets, findNvcc } from './nvcc.mjs';
import { parsePtxas } from './ptxas_output.mjs';
import { rootDir } from './source_files.mjs';

process.chdir(rootDir);
const cache = path.join('build', 'nvcc');

/** @param {{ptx: string, sass: string[], withPtx: boolean}} group one PTX and what is assembled from it */
function gencode({ ptx, sass, withPtx }) {
  const code = [...sass.map((target) => `sm_${target}`), ...(withPtx ? [`compute_${ptx}`] : [])];
  return `-gencode=arch=compute_${ptx},code=[${code.join(',')}]`;
}

/** Targets by the PTX that they are assembled from. One with a letter has instructions of that chip alone. */
function groupsOf(targets, all) {
  const real = targets.filter(({ kind }) => kind === 'real').map(({ arch }) => arch);
  const virtual = targets.filter(({ kind }) => kind === 'virtual').map(({ arch }) => arch);
  const lowest = virtual[0];
  const shared = real.filter((arch) => !all && /^\d+$/.test(arch) && Number(arch) >= Number(lowest));
  const own = real.filter((arch) => !shared.includes(arch));
  const groups = shared.length > 0 ? [{ ptx: lowest, sass: shared, withPtx: true }] : [];
  for (const arch of own) groups.push({ ptx: arch, sass: [arch], withPtx: virtual.includes(arch) });
  // PTX alone spills nothing.
  for (const arch of all ? virtual : [])
    if (!groups.some(({ ptx }) => ptx === arch)) groups.push({ ptx: arch, sass: [], withPtx: true });
  return groups;
}

const digest = (text) => createHash('sha256').update(text).digest('hex');

/** Of what a compilation read, now; null if one of them is gone. */
function digestOfFiles(files) {
  const hash = createHash('sha256');
  for (const file of files) {
    if (!existsSync(file)) return null;
    hash.update(`${file}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** The files that a make rule names, those of this repository. */
function dependencies(rule) {
  const words = rule
    .replaceAll('\\\n', ' ')
    .replace(/^[^:]*:/, '')
    .split(/\s+/)
    .filter(Boolean);
  const inside = words
    .map((word) => path.relative(rootDir, path.resolve(word)))
    .filter((file) => !/^\.\.|^\//.test(file));
  return [...new Set(inside)].sort();
}

function start(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    child.on('error', (error) => resolve({ status: 1, output: error.message }));
    child.on('close', (status) => resolve({ status, output: Buffer.concat(chunks).toString() }));
  });
}

/** One source for one group. @returns {Promise<{kernels: object[], problems: string[], isCached: boolean}>} */
async function compile(nvcc, job) {
  const args = [...job.flags, job.source];
  const entry = path.join(cache, `${digest([nvcc.version, ...args].join('\0')).slice(0, 32)}.json`);
  if (existsSync(entry)) {
    const known = JSON.parse(readFileSync(entry, 'utf8'));
    if (known.digest === digestOfFiles(known.files)) return { ...parsePtxas(known.output), isCached: true };
  }
  const folder = mkdtempSync(path.join(cache, 'run-'));
  try {
    const rule = path.join(folder, 'deps.d');
    const { status, output } = await start(nvcc.path, [...args, '-MMD', '-MF', rule, '-o', path.join(folder, 'out')]);
    const found = parsePtxas(output);
    if (status !== 0 && found.problems.length === 0) found.problems.push(`nvcc ended with ${status}`);
    if (found.problems.length > 0) return { ...found, isCached: false, output };
    const files = dependencies(readFileSync(rule, 'utf8'));
    writeFileSync(entry, JSON.stringify({ source: job.source, files, digest: digestOfFiles(files), output }));
    return { ...found, isCached: false };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function jobsOf(sources, groups) {
  const flags = ['-std=c++17', '-O3', '-DNDEBUG', '-DHRM_GPU', '-Inative', '-Ikernels', '-Xptxas=-v', ...cudaFlags()];
  const jobs = [];
  for (const source of sources) {
    if (source.endsWith('.cpp')) jobs.push({ source, flags: [...flags, '-Xcompiler=-Wall,-Wextra,-Werror', '-c'] });
    else
      groups.forEach((group, index) => {
        // What the host runs of a kernel's file is compiled once.
        jobs.push({ source, flags: [...flags, gencode(group), index === 0 ? '-c' : '-fatbin'] });
      });
  }
  return jobs;
}

const widest = (kernels, field) => Math.max(0, ...kernels.map((kernel) => kernel[field]));

function table(rows, archs) {
  const head = ['file', 'kernels', ...archs.map((arch) => `sm_${arch}`), 'spills', 'stack', 'shared'];
  const lines = [...rows].map(([file, kernels]) => [
    file,
    String(new Set(kernels.map(({ name }) => name)).size),
    ...archs.map((arch) =>
      String(
        widest(
          kernels.filter((kernel) => kernel.arch === arch),
          'registers',
        ) || '',
      ),
    ),
    ...['spills', 'stack', 'shared'].map((field) => String(widest(kernels, field))),
  ]);
  const widths = head.map((name, i) => Math.max(name.length, ...lines.map((line) => line[i].length)));
  const cell = (text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]));
  return [head, ...lines].map((line) => line.map(cell).join('  ')).join('\n');
}

/** Mangled names as people write them, where the compiler's program for it is there. */
function readable(text) {
  const { status, stdout } = spawnSync('c++filt', [], { input: text, encoding: 'utf8' });
  return status === 0 ? stdout : text;
}

const all = process.argv.includes('--all');
const named = process.argv.slice(2).filter((argument) => argument !== '--all');
const unknown = named.filter((file) => !existsSync(file));
if (unknown.length > 0) {
  console.error(`check:nvcc: no file ${unknown.join(', ')}`);
  process.exit(2);
}
const nvcc = findNvcc();
if (nvcc === null) {
  const isDemanded = process.env.REQUIRE_NVCC === '1';
  console.log(
    `check:nvcc: ${isDemanded ? 'FAILED' : 'SKIPPED'}, there is no nvcc (PATH, NVCC): kernels are not compiled`,
  );
  process.exit(isDemanded ? 1 : 0);
}
const list = (folder, ending) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .map((name) => `${folder}/${name}`);
const sources = named.length > 0 ? named : [...list('kernels', '.cu'), ...list('native/cuda', '.cpp')];
const targets = cudaTargets();
const groups = groupsOf(targets, all);
mkdirSync(cache, { recursive: true });
const started = performance.now();
const queue = jobsOf(sources, groups);
const nJobs = queue.length;
const rows = new Map(sources.filter((source) => source.endsWith('.cu')).map((source) => [source, []]));
const failures = [];
let nCached = 0;
async function work() {
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
    const found = await compile(nvcc, job);
    nCached += found.isCached ? 1 : 0;
    rows.get(job.source)?.push(...found.kernels);
    if (found.problems.length === 0) continue;
    const text = [...found.problems.map((problem) => `  ${problem}`), found.output.trimEnd().slice(-4000)].join('\n');
    failures.push(`${job.source}:\n${readable(text)}`);
  }
}
await Promise.all(Array.from({ length: availableParallelism() }, work));

console.log(
  table(
    [...rows].sort(([a], [b]) => (a < b ? -1 : 1)),
    targets.filter(({ kind }) => kind === 'real').map(({ arch }) => arch),
  ),
);
const seconds = ((performance.now() - started) / 1000).toFixed(1);
console.log(
  'registers: the most of a kernel; spills, stack and static shared memory: the most bytes of a kernel and target',
);
const how = `${groups.map(gencode).join(' ')}; nvcc ${nvcc.version}`;
for (const failure of failures) console.error(`FAIL ${failure}`);
console.log(
  `check:nvcc: ${failures.length === 0 ? 'passed' : `${failures.length} of ${nJobs} compilations FAILED`}; ` +
    `${nJobs} compilations, ${nCached} from build/nvcc, ${seconds} s; ${how}`,
);
process.exit(failures.length === 0 ? 0 : 1);
