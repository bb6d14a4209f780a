// `npm run check`: everything about the sources that does not need to run them. One line a check, a summary, exit 1 if
// any fails. `npm run check -- eslint prettier` runs only those named.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isNativeSource, isScript, rootDir, sourceFiles } from './source_files.mjs';

const WARN_LINES = 400;
const FAIL_LINES = 800;

// Written so that this file does not contain the marks it looks for.
const mark = (...parts) => parts.join('');
const FORBIDDEN = [
  { what: 'a test that silences the others', pattern: /\b(it|test|describe|suite)\.only\b|\bf(it|describe)\(/ },
  { what: 'a skipped test without a condition', pattern: /\b(it|test|describe)\.skip\(|\bx(it|describe)\(/ },
  { what: 'a suppressed type error', pattern: new RegExp(mark('@ts-', '(ignore|nocheck)')) },
  { what: 'a suppressed lint rule', pattern: new RegExp(mark('eslint', '-disable')) },
  { what: 'an unfinished mark', pattern: new RegExp(mark('\\b(TO', 'DO|FIX', 'ME|XX', 'X)\\b')) },
  { what: 'a debugger statement', pattern: /^\s*debugger\b/ },
];

/** Runs a program of node_modules/.bin or node itself. @returns {Promise<{failed: boolean, output: string}>} */
function run(command, args) {
  return new Promise((resolve) => {
    const bin = path.join(rootDir, 'node_modules', '.bin', command);
    const [program, programArgs] = command === 'node' ? [process.execPath, args] : [process.execPath, [bin, ...args]];
    const child = spawn(program, programArgs, { cwd: rootDir, env: { ...process.env, NO_COLOR: '1' } });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    child.on('error', (error) => resolve({ failed: true, output: error.message }));
    child.on('close', (code) => resolve({ failed: code !== 0, output: Buffer.concat(chunks).toString() }));
  });
}

const lineCount = (text) => text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
const readSource = (file) => readFileSync(path.join(rootDir, file), 'utf8');

function checkSizes() {
  const failures = [];
  const warnings = [];
  for (const file of sourceFiles().filter((name) => isNativeSource(name) || isScript(name))) {
    const lines = lineCount(readSource(file));
    if (lines > FAIL_LINES) failures.push(`${file}: ${lines} lines, more than ${FAIL_LINES}: split it`);
    else if (lines > WARN_LINES) warnings.push(`${file}: ${lines} lines, aim under ${WARN_LINES}`);
  }
  return { failed: failures.length > 0, output: [...failures, ...warnings].join('\n'), warnings: warnings.length };
}

function checkMarks() {
  const found = [];
  for (const file of sourceFiles().filter((name) => isNativeSource(name) || isScript(name))) {
    readSource(file)
      .split('\n')
      .forEach((line, index) => {
        for (const { what, pattern } of FORBIDDEN) {
          if (pattern.test(line)) found.push(`${file}:${index + 1}: ${what}: ${line.trim().slice(0, 80)}`);
        }
      });
  }
  return { failed: found.length > 0, output: found.join('\n') };
}

// The TypeScript sources import a schema generated from native/ops/ops.def; the build writes it.
async function ensureGenerated() {
  if (
    existsSync(path.join(rootDir, 'ts/native/schema.gen.ts')) ||
    !existsSync(path.join(rootDir, 'native/ops/ops.def'))
  ) {
    return { failed: false, output: '' };
  }
  return run('node', ['scripts/build.mjs', '--if-needed']);
}

const checks = {
  tsc: () => run('tsc', ['--noEmit', '-p', 'tsconfig.json', '--pretty', 'false']),
  'tsc page': () => run('tsc', ['--noEmit', '-p', 'ts/viz/page/tsconfig.json', '--pretty', 'false']),
  eslint: () => run('eslint', ['--max-warnings', '0', '.']),
  prettier: () => run('prettier', ['--check', '--log-level', 'warn', '.']),
  'clang-format': () => run('node', ['scripts/clang_format.mjs']),
  layers: () => run('depcruise', ['--config', 'scripts/layers.cjs', '--output-type', 'err', 'ts']),
  sizes: () => Promise.resolve(checkSizes()),
  marks: () => Promise.resolve(checkMarks()),
};

const named = process.argv.slice(2);
const unknown = named.filter((name) => !Object.hasOwn(checks, name));
if (unknown.length > 0) {
  console.error(`check: unknown check ${unknown.join(', ')}; there are ${Object.keys(checks).join(', ')}`);
  process.exit(2);
}

const indent = (text) => text.trimEnd().replace(/^/gm, '    ');
const selected = named.length > 0 ? named : Object.keys(checks);
const generated = await ensureGenerated();
if (generated.failed) {
  console.log(`FAIL generated\n${indent(generated.output)}`);
  process.exit(1);
}
let nFailed = 0;
for (const name of selected) {
  const start = performance.now();
  const { failed, output, warnings = 0 } = await checks[name]();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const note = warnings > 0 ? `, ${warnings} warning${warnings > 1 ? 's' : ''}` : '';
  console.log(`${failed ? 'FAIL' : 'ok  '} ${name} (${seconds} s${note})`);
  if ((failed || warnings > 0) && output.trim()) console.log(indent(output));
  if (failed) nFailed++;
}
console.log(nFailed === 0 ? `check: ${selected.length} passed` : `check: ${nFailed} of ${selected.length} failed`);
process.exit(nFailed === 0 ? 0 : 1);
