/** What `hrm doctor` reports: facts about this machine and installation, each gathered so that nothing can fail it. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { addonCandidates } from '../native/addon';
import { packageInfo } from './package_info';

/** What the addon says about itself: its `info()`. */
export const nativeInfoSchema = z.looseObject({
  /** Instruction set in use, and the best one that CPU and system support: base, avx2 or avx512. */
  isa: z.string(),
  detectedIsa: z.string(),
  cpu: z.string(),
  compiler: z.string(),
  hardwareThreads: z.number(),
  /** Why an environment starts as many threads as it does; quota: CPUs that the control groups grant. */
  cpus: z.looseObject({
    affinity: z.number(),
    cores: z.number(),
    quota: z.number().nullable(),
    threads: z.number(),
  }),
  physicalMemoryBytes: z.number(),
  /** Bytes the allocator hands out before it refuses, unless setMemoryLimit says otherwise. */
  defaultMemoryLimitBytes: z.number(),
  /** Its `gpu()`: the kind of accelerator it is built for, how many it can use, and why none; absent in an older build. */
  gpu: z.looseObject({ name: z.string().nullable(), count: z.number(), missing: z.string().nullable() }).nullish(),
  /** Its `cuda()`: null or absent in a build without. */
  cuda: z
    .looseObject({
      runtimeVersion: z.string(),
      cublasLt: z.looseObject({ file: z.string(), version: z.string(), missing: z.string() }),
    })
    .nullish(),
});
export type NativeInfo = z.infer<typeof nativeInfoSchema>;

export interface Tool {
  path: string;
  version: string;
}

export interface Facts {
  package: { name: string; version: string; root: string; isClone: boolean };
  node: { version: string; required: string; napi: string; modules: string };
  system: { platform: string; arch: string; release: string; libc: string | null };
  addon: {
    status: 'loaded' | 'missing' | 'broken';
    path: string | null;
    tried: string[];
    error: string | null;
    info: NativeInfo | null;
  };
  tools: { compiler: Tool | null; cmake: Tool | null; make: Tool | null; python: Tool | null; nvcc: Tool | null };
  cpu: { model: string; logical: number; physical: number; features: string[]; forcedIsa: string | null };
  threads: { available: number; cgroupCpus: number | null };
  memory: { totalBytes: number; availableBytes: number; cgroupLimitBytes: number | null; budgetBytes: number };
  gpu: { driver: string | null; devices: string[]; smiError: string | null };
}

const TOOL_TIMEOUT_MS = 10_000;
const ADDON_TIMEOUT_MS = 30_000;

interface Outcome {
  ok: boolean;
  stdout: string;
  error: string;
}

function execute(file: string, args: readonly string[], timeout = TOOL_TIMEOUT_MS): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(file, [...args], { timeout, encoding: 'utf8' }, (error, stdout, stderr) => {
      const { signal } = (error ?? {}) as { signal?: string | null };
      const reason = signal ? `killed by ${signal}` : stderr.trim() || (error?.message ?? '');
      resolve({ ok: error === null, stdout, error: error === null ? '' : reason });
    });
  });
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** Full path of a program on PATH, or null. */
function which(name: string): string | null {
  const extensions = process.platform === 'win32' ? ['.exe', '.cmd', ''] : [''];
  for (const dir of (process.env.PATH ?? '').split(path.delimiter)) {
    for (const extension of extensions) {
      const file = path.join(dir, name + extension);
      if (dir !== '' && existsSync(file)) return file;
    }
  }
  return null;
}

/** The first of the programs that exists and answers, with the version in its first line that has one. */
async function findTool(names: readonly (string | undefined)[], args: readonly string[]): Promise<Tool | null> {
  for (const name of names) {
    if (name === undefined || name === '') continue;
    const file = path.isAbsolute(name) ? name : which(name);
    if (file === null) continue;
    const { ok, stdout } = await execute(file, args);
    if (!ok) continue;
    const line = stdout.split('\n').find((text) => /\d+\.\d+/.test(text)) ?? stdout.split('\n')[0] ?? '';
    // ninja prints its number alone.
    return { path: file, version: /[a-z]/i.test(line) ? line.trim() : `${path.basename(file)} ${line.trim()}` };
  }
  return null;
}

/** Loads the addon in a process of its own: a broken one may crash rather than throw. */
export async function probeAddon(tried = addonCandidates()): Promise<Facts['addon']> {
  const found = tried.find((file) => existsSync(file));
  if (found === undefined) return { status: 'missing', path: null, tried, error: null, info: null };
  const script =
    'const a = require(process.argv[1]); process.stdout.write(JSON.stringify({ ...a.info(), gpu: a.gpu?.(), cuda: a.cuda?.() }))';
  const { ok, stdout, error } = await execute(process.execPath, ['-e', script, found], ADDON_TIMEOUT_MS);
  const broken = (reason: string): Facts['addon'] => ({
    status: 'broken',
    path: found,
    tried,
    error: reason,
    info: null,
  });
  if (!ok) {
    const line = error.split('\n').find((text) => /^\w*Error: |killed by/.test(text)) ?? error.split('\n')[0]!;
    return broken(line.trim());
  }
  try {
    return { status: 'loaded', path: found, tried, error: null, info: nativeInfoSchema.parse(JSON.parse(stdout)) };
  } catch {
    return broken('info() does not answer as this version expects: the addon is of another build');
  }
}

const INTERESTING = /^(sse4_2|avx|avx2|fma|f16c|avx512\w*|avx512_\w+|avx_vnni|amx_\w+|asimd|asimddp|bf16|sve\d?)$/;

/** Model, cores and vector features from Linux's cpuinfo; elsewhere what Node knows. */
export function parseCpuInfo(text: string): { model: string | null; physical: number | null; features: string[] } {
  const field = (block: string, name: string): string | null =>
    new RegExp(`^${name}\\s*:\\s*(.*)$`, 'm').exec(block)?.[1]?.trim() ?? null;
  const blocks = text.split(/\n\s*\n/).filter((block) => /^processor\s*:/m.test(block));
  const cores = new Set(
    blocks.flatMap((block) => {
      const core = field(block, 'core id');
      return core === null ? [] : [`${field(block, 'physical id') ?? '0'}/${core}`];
    }),
  );
  const flags = field(blocks[0] ?? '', 'flags') ?? field(blocks[0] ?? '', 'Features') ?? '';
  return {
    model: field(blocks[0] ?? '', 'model name'),
    physical: cores.size > 0 ? cores.size : null,
    features: flags.split(/\s+/).filter((flag) => INTERESTING.test(flag)),
  };
}

function probeCpu(): Facts['cpu'] {
  const parsed = parseCpuInfo(readText('/proc/cpuinfo') ?? '');
  const logical = os.cpus().length;
  return {
    model: parsed.model ?? os.cpus()[0]?.model ?? 'unknown',
    logical,
    physical: parsed.physical ?? logical,
    features: parsed.features,
    forcedIsa: process.env.HRM_ISA ?? null,
  };
}

function probeMemory(info: NativeInfo | null): Facts['memory'] {
  const totalBytes = os.totalmem();
  const constrained = process.constrainedMemory();
  // Without a limit systems report 0 or a number beyond any memory.
  const cgroupLimitBytes = constrained > 0 && constrained < totalBytes ? constrained : null;
  const budgetBytes = info?.defaultMemoryLimitBytes ?? Math.floor(0.8 * (cgroupLimitBytes ?? totalBytes));
  return { totalBytes, availableBytes: os.freemem(), cgroupLimitBytes, budgetBytes };
}

/** CPUs that the control group grants (`cpu.max` of cgroup v2: quota and period in microseconds), or null for all. */
export function parseCpuMax(text: string | null): number | null {
  const match = /^(\d+) (\d+)/.exec(text ?? '');
  return match === null ? null : Number(match[1]) / Number(match[2]);
}

async function probeGpu(): Promise<Facts['gpu']> {
  const driver = /Module\s+([\d.]+)/.exec(readText('/proc/driver/nvidia/version') ?? '')?.[1] ?? null;
  const smi = which('nvidia-smi');
  if (smi === null) return { driver, devices: [], smiError: null };
  const query = ['--query-gpu=name,compute_cap,memory.total,driver_version', '--format=csv,noheader'];
  const { ok, stdout, error } = await execute(smi, query);
  const devices = ok ? stdout.split('\n').filter((line) => line.trim() !== '') : [];
  return {
    driver: driver ?? devices[0]?.split(', ').at(-1) ?? null,
    devices,
    smiError: ok ? null : error || stdout.trim(),
  };
}

function libcVersion(): string | null {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  if (header?.glibcVersionRuntime !== undefined) return `glibc ${header.glibcVersionRuntime}`;
  return process.platform === 'linux' ? 'musl or unknown' : null;
}

/** Everything, gathered in parallel; takes as long as the slowest program asked. */
export async function gatherFacts(): Promise<Facts> {
  const { root, name, version, nodeRange } = packageInfo();
  const cudaHome = process.env.CUDA_HOME ?? process.env.CUDA_PATH ?? '/usr/local/cuda';
  const [addon, compiler, cmake, make, python, nvcc, gpu] = await Promise.all([
    probeAddon(),
    findTool([process.env.CXX, 'c++', 'g++', 'clang++', 'cl'], ['--version']),
    findTool(['cmake'], ['--version']),
    findTool(['ninja', 'make', 'msbuild'], ['--version']),
    findTool(['python3', 'python'], ['--version']),
    findTool(['nvcc', path.join(cudaHome, 'bin', 'nvcc')], ['--version']),
    probeGpu(),
  ]);
  return {
    package: { name, version, root, isClone: existsSync(path.join(root, 'ts')) },
    node: {
      version: process.versions.node,
      required: nodeRange,
      napi: process.versions.napi ?? 'unknown',
      modules: process.versions.modules,
    },
    system: { platform: process.platform, arch: process.arch, release: os.release(), libc: libcVersion() },
    addon,
    tools: { compiler, cmake, make, python, nvcc },
    cpu: probeCpu(),
    threads: { available: os.availableParallelism(), cgroupCpus: parseCpuMax(readText('/sys/fs/cgroup/cpu.max')) },
    memory: probeMemory(addon.info),
    gpu,
  };
}
