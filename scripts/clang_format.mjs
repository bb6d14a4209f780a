// Formats the C++ and CUDA sources: `node scripts/clang_format.mjs [--write] [FILE...]`. Without --write it only
// reports files that differ, and exits 1 if there is one. The binary is the pinned development dependency, so that
// everybody formats alike.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { isNativeSource, rootDir, sourceFiles } from './source_files.mjs';

const { clangFormatPath } = createRequire(import.meta.url)('clang-format-node');

const args = process.argv.slice(2);
const write = args.includes('--write');
const unknown = args.filter((arg) => arg.startsWith('-') && arg !== '--write');
if (unknown.length > 0) {
  console.error(`clang_format: unknown option ${unknown[0]}; usage: clang_format.mjs [--write] [FILE...]`);
  process.exit(2);
}
const named = args.filter((arg) => !arg.startsWith('-'));
const files = named.length > 0 ? named : sourceFiles().filter(isNativeSource);

if (files.length === 0) {
  console.log('clang-format: no C++ files');
  process.exit(0);
}
const mode = write ? ['-i'] : ['--dry-run', '--Werror'];
const result = spawnSync(clangFormatPath, ['--style=file', ...mode, ...files], {
  cwd: named.length > 0 ? process.cwd() : rootDir,
  encoding: 'utf8',
  maxBuffer: 1 << 26,
});
if (result.error) throw result.error;
if (result.status !== 0) {
  // One line a file is enough: the fix is the same for all of them.
  const wrong = new Set([...result.stderr.matchAll(/^(.+?):\d+:\d+: error/gm)].map((match) => match[1]));
  if (wrong.size === 0) console.error(result.stderr);
  for (const file of wrong) console.error(`${file}: not formatted; run npm run format`);
  process.exit(1);
}
