import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { NativeError } from '../error';
import type { OpName, OpSchemas, ViewName } from './schema.gen';

/** The number by which native code knows a tensor. */
export type TensorId = number;
/** The number by which native code knows a captured graph. */
export type GraphId = number;
/** The object whose garbage collection releases a tensor. */
export interface Owner {
  id: TensorId;
}

type NativeOp = (...args: unknown[]) => TensorId & TensorId[];

export interface MemoryInfo {
  /** Bytes of living tensors and caches of packed weights, in the allocator's size classes. */
  liveBytes: number;
  /** Bytes freed by tensors and kept for reuse. */
  cachedBytes: number;
  /** Largest liveBytes since the start or `resetPeakMemory()`. */
  peakBytes: number;
  limitBytes: number;
  /** Blocks asked from the system so far: constant over a steady loop. */
  systemAllocations: number;
  /** Living tensors, views included. */
  tensors: number;
}

/** How many threads a process is worth, and why. */
export interface CpuLimits {
  /** CPUs that it may run on. */
  affinity: number;
  /** Physical cores among them. */
  cores: number;
  /** CPUs' worth of time that its control groups grant; null without a limit. */
  quota: number | null;
  /** min(cores, quota), at least 1. */
  threads: number;
}

export interface NativeInfo {
  isa: string;
  detectedIsa: string;
  cpu: string;
  compiler: string;
  hardwareThreads: number;
  cpus: CpuLimits;
  /** Among how many environments (main thread and workers) the threads are divided. */
  environments: number;
  threads: number;
  physicalMemoryBytes: number;
  defaultMemoryLimitBytes: number;
}

/** The kind of accelerator that this addon was built for. */
export interface GpuInfo {
  /** null: the CPU alone. */
  name: 'cuda' | 'simt' | null;
  count: number;
  /** Why there is none; null otherwise. */
  missing: string | null;
}

/** What an addon with CUDA was built with, and the library of matrix products that it finds on this machine. */
export interface CudaBuild {
  /** Of CUDA, as 13.0. */
  runtimeVersion: string;
  /** The file is empty where there is none; then `missing` says what was tried. */
  cublasLt: { file: string; version: string; missing: string };
}

/** The exports of the addon; native/binding says what each does. */
export interface Addon {
  ops: Record<OpName, NativeOp>;
  inplace: Record<OpName, (...args: unknown[]) => void>;
  views: Record<ViewName, (...args: unknown[]) => TensorId>;
  schema: {
    [K in OpName]: {
      inputs: { name: string; kind: 'tensor' | 'optional' | 'list'; mutated: boolean }[];
      outputs: string[];
      attrs: { name: keyof OpSchemas<unknown>[K]['attrs'] & string; kind: string }[];
      inPlace: boolean;
    };
  };
  viewSchema: Record<ViewName, { name: string; kind: string }[]>;
  empty(owner: object, dtype: number, shape: readonly number[], device: number): TensorId;
  write(id: TensorId, data: ArrayBufferView): void;
  read(id: TensorId, target: ArrayBufferView): void;
  readAsync(id: TensorId, target: ArrayBufferView): Promise<void>;
  /** Orders a read of the values of now; `endRead` waits for it, or forgets it where there is no target. */
  readLater(id: TensorId): number;
  endRead(read: number, target: ArrayBufferView | undefined): void;
  adopt(owner: object, id: TensorId): void;
  release(id: TensorId): void;
  shape(id: TensorId): number[];
  strides(id: TensorId): number[];
  dtype(id: TensorId): number;
  /** 0 for the CPU, n + 1 for the accelerator of index n. */
  device(id: TensorId): number;
  /** A contiguous copy there. */
  toDevice(owner: object, id: TensorId, device: number): TensorId;
  version(id: TensorId): number;
  forgetDerived(id: TensorId): void;
  /** Whether a number is that of a living tensor. */
  isLive(id: TensorId): boolean;
  isContiguous(id: TensorId): boolean;
  isExclusive(id: TensorId): boolean;
  sameStorage(a: TensorId, b: TensorId): boolean;
  memory(device: number): MemoryInfo;
  resetPeak(device: number): void;
  trimMemory(device: number): void;
  synchronize(device: number): void;
  /** From here on work of the device is recorded, not run. */
  beginCapture(device: number): void;
  /** The graph of what was recorded; it dies with `owner` at the latest. */
  endCapture(owner: object, device: number): GraphId;
  /** Forgets what is being recorded, and the tensors made meanwhile; nothing happens where nothing is. */
  abortCapture(device: number): void;
  launchGraph(graph: GraphId): void;
  /** With all tensors in its memory. */
  releaseGraph(graph: GraphId): void;
  /** How many ops ran on each accelerator so far, by index. */
  opCalls(): number[];
  gpu(): GpuInfo;
  /** Null: for the CPU alone. Loads the library. */
  cuda(): CudaBuild | null;
  setMemoryLimit(bytes: number): void;
  setNumThreads(n: number): void;
  getNumThreads(): number;
  info(): NativeInfo;
  /** The limits of CPUs 0..n-1 with `/proc` and `/sys` under another root. */
  cpuLimits(root: string, n: number): CpuLimits;
  groupMemoryLimit(root: string): number | null;
}

/** Folder of package.json, from dist/native or dist-test/ts/native. */
function packageRoot(): string {
  let folder = __dirname;
  while (!existsSync(path.join(folder, 'binding.gyp')) && path.dirname(folder) !== folder)
    folder = path.dirname(folder);
  return folder;
}

/** Files by the time they were written, the last first; those that do not exist at the end. */
export function newestFirst(files: readonly string[]): string[] {
  const time = (file: string): number => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return [...files].sort((a, b) => time(b) - time(a));
}

/** Where the addon is looked for, in this order: of what was built here, the newest. HRM_ADDON names a file to use instead. */
export function addonCandidates(): string[] {
  if (process.env['HRM_ADDON']) return [path.resolve(process.env['HRM_ADDON'])];
  const root = packageRoot();
  return [
    path.join(root, 'prebuilds', `${process.platform}-${process.arch}`, 'hrm.node'),
    ...newestFirst(['build', 'build-cuda'].map((folder) => path.join(root, folder, 'Release', 'hrm.node'))),
    path.join(root, 'build-gyp', 'Release', 'hrm.node'),
  ];
}

export function loadAddon(): Addon {
  const tried: string[] = [];
  for (const file of addonCandidates()) {
    if (!existsSync(file)) {
      tried.push(`${file}: does not exist`);
      continue;
    }
    try {
      const loaded = createRequire(__filename)(file) as Partial<Addon> | null;
      if (typeof loaded?.ops === 'object' && typeof loaded.gpu === 'function' && typeof loaded.info === 'function')
        return loaded as Addon;
      tried.push(`${file}: is not the addon of this version`);
    } catch (error) {
      tried.push(`${file}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new NativeError(
    [
      `hrm-engine: the native addon could not be loaded (${process.platform}-${process.arch}, Node ${process.version}).`,
      'Tried:',
      ...tried.map((line) => `  ${line}`),
      ...(process.env['HRM_ADDON']
        ? ['What to do: HRM_ADDON names this file and no other is tried; unset it, or name an addon of this version.']
        : [
            'What to do: run `npm run build` in the package folder (needs CMake and a C++17 compiler), or `npm run build:gyp`',
            '(needs Python 3 and a C++17 compiler); `npx hrm doctor` says what is missing.',
          ]),
    ].join('\n'),
  );
}
