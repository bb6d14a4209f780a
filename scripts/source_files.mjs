// The files of this package that are sources: tracked, or new and not ignored by git.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const rootDir = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** @returns {string[]} paths relative to the root, with forward slashes, sorted */
export function sourceFiles() {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: rootDir,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return [...new Set(listed.split('\0'))].filter((file) => file && existsSync(path.join(rootDir, file))).sort();
}

export const isNativeSource = (file) => /^(native|kernels|test|bench)\/.*\.(h|hpp|cpp|cc|cu|cuh)$/.test(file);
export const isScript = (file) => /\.(tsx?|mts|cts|mjs|cjs|js)$/.test(file);
