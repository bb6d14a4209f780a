/**
 * Hostile calls of every public function. `npm run test:fuzz -- [--calls N] [--seed S] [--only NAME] [--sanitize]` makes
 * them in a process of its own, so that a crash is seen and the call that caused it is named; exits 1 if any call gave
 * anything but a result or a typed error. With --sanitize the addon is the one of `npm run build -- --sanitize`.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { formatReport, fuzz } from '../fuzz/run';

const root = path.resolve(__dirname, '../../..');
const sanitized = path.join(root, 'build-asan/Release/hrm.node');
/** The last line of the child's journal names the call that was under way. */
const JOURNAL = 'call.txt';
const JOURNAL_WIDTH = 100;
/** Exit code of a child that found failures; the sanitizers end a process with 1. */
const FOUND = 9;

async function child(calls: number, seed: number, only: string | undefined): Promise<number> {
  const journal = openSync(JOURNAL, 'r+');
  let shown = Date.now();
  const report = await fuzz({
    calls,
    seed,
    ...(only === undefined ? {} : { only }),
    onCall: (name, call) => {
      writeSync(journal, `in call ${call}: ${name}`.padEnd(JOURNAL_WIDTH), 0);
      if (Date.now() - shown < 30_000) return;
      shown = Date.now();
      process.stderr.write(`  ${call} calls\n`);
    },
  });
  process.stdout.write(`${formatReport(report)}\n`);
  return report.failures.length === 0 ? 0 : FOUND;
}

/** Environment in which Node, which is not sanitized itself, loads a sanitized addon. */
function sanitizerEnvironment(): Record<string, string> {
  if (!existsSync(sanitized)) {
    process.stderr.write('building the addon with AddressSanitizer and UndefinedBehaviorSanitizer ...\n');
    execFileSync(process.execPath, [path.join(root, 'scripts/build.mjs'), '--sanitize'], { stdio: 'inherit' });
  }
  const library = (name: string): string =>
    execFileSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
  return {
    HRM_ADDON: sanitized,
    LD_PRELOAD: `${library('libasan.so')} ${library('libubsan.so')}`,
    // Node keeps what it allocates until it exits, and handles its own signals.
    ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1:allocator_may_return_null=1',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  };
}

function parent(args: readonly string[], sanitize: boolean): Promise<number> {
  const directory = mkdtempSync(path.join(tmpdir(), 'hrm-fuzz-'));
  const journal = path.join(directory, JOURNAL);
  // The child may end before it writes there.
  writeFileSync(journal, 'before its first call');
  const started = Date.now();
  return new Promise((resolve, reject) => {
    // In a directory of its own: some calls write files under relative names.
    const run = spawn(process.execPath, [__filename, '--child', ...args], {
      cwd: directory,
      stdio: 'inherit',
      env: { ...process.env, TMPDIR: directory, ...(sanitize ? sanitizerEnvironment() : {}) },
    });
    run.on('error', (error) => {
      rmSync(directory, { recursive: true, force: true });
      reject(error);
    });
    run.on('close', (code, signal) => {
      const last = readFileSync(journal, 'utf8').trim();
      rmSync(directory, { recursive: true, force: true });
      if (code !== 0 && code !== FOUND) {
        process.stdout.write(`CRASH: the process ended with ${signal ?? `code ${code}`} ${last}\n`);
      }
      const seconds = ((Date.now() - started) / 1000).toFixed(0);
      process.stdout.write(`${sanitize ? 'under ASan and UBSan, ' : ''}${seconds} s\n`);
      resolve(code === 0 ? 0 : 1);
    });
  });
}

async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      calls: { type: 'string', default: '100000' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
      only: { type: 'string' },
      sanitize: { type: 'boolean', default: false },
      child: { type: 'boolean', default: false },
    },
  });
  const { calls, seed, only, sanitize } = values;
  if (values.child) return child(Number(calls), Number(seed), only);
  process.stdout.write(`${calls} calls, seed ${seed}\n`);
  return parent(['--calls', calls, '--seed', seed, ...(only === undefined ? [] : ['--only', only])], sanitize);
}

if (require.main === module) void main(process.argv.slice(2)).then((code) => (process.exitCode = code));
