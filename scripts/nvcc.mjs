// nvcc, and what CMakeLists.txt wants of it: the targets and flags are listed there alone.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { rootDir } from './source_files.mjs';

/** The words of `set(NAME word word)` in CMakeLists.txt. */
function cmakeList(name) {
  const text = readFileSync(path.join(rootDir, 'CMakeLists.txt'), 'utf8');
  const found = new RegExp(`set\\(${name}\\s+([^)]*)\\)`).exec(text);
  if (found === null) throw new Error(`CMakeLists.txt: expected set(${name} ...)`);
  return found[1].split(/\s+/).filter(Boolean);
}

/** @returns {{arch: string, kind: string}[]} such as {arch: '90a', kind: 'real'}: `real` is machine code, `virtual` PTX */
export function cudaTargets() {
  return cmakeList('HRM_CUDA_TARGETS').map((word) => {
    const [arch, kind] = word.split('-');
    return { arch, kind };
  });
}

export const cudaFlags = () => cmakeList('HRM_CUDA_FLAGS');

/** @returns {{path: string, version: string} | null} NVCC, the first on PATH, or where it is usually installed */
export function findNvcc() {
  const usual = '/usr/local/cuda/bin/nvcc';
  const candidates = process.env.NVCC ? [process.env.NVCC] : ['nvcc', ...(existsSync(usual) ? [usual] : [])];
  for (const candidate of candidates) {
    const { status, stdout } = spawnSync(candidate, ['--version'], { encoding: 'utf8' });
    const version = status === 0 ? /V(\d[\d.]*)/.exec(stdout)?.[1] : undefined;
    if (version !== undefined) return { path: candidate, version };
  }
  return null;
}
