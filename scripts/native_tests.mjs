// npm run test:native: the C++ tests, linked to the objects of the addon's build, run with ctest for every instruction set.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { rootDir } from './source_files.mjs';

const build = path.join(rootDir, 'build');

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', cwd: rootDir });
  if (status === 0) return;
  console.error(`native tests: ${command} failed${error ? `: ${error.message}` : ''}`);
  process.exit(1);
}

const flags = existsSync(path.join(build, 'CMakeCache.txt')) ? ['--if-needed'] : [];
run(process.execPath, 'scripts/build.mjs', ...flags, '--native-only');
const started = Date.now();
const jobs = String(availableParallelism());
run('cmake', '--build', build, '--target', 'hrm_native_tests', '--config', 'Release', '--parallel', jobs);
const seconds = ((Date.now() - started) / 1000).toFixed(1);
console.log(`built the C++ tests in ${seconds} s`);
run('ctest', '--test-dir', build, '--build-config', 'Release', '--output-on-failure', '--parallel', jobs);
