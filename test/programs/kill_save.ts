/**
 * Kills a process that saves checkpoints, with SIGKILL at random instants, and checks what it leaves after each kill.
 * `node dist-test/test/programs/kill_save.js 300 [SEED]` does it 300 times and exits 1 if any directory is bad.
 * As a child: `save ROOT` saves until it is killed; `crash ROOT CALL` kills itself at its CALLth file system call.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CheckpointStore, verifyCheckpoint } from '../../ts/io/checkpoint_store';
import type { FileContent } from '../../ts/io/files';

const WEIGHTS_BYTES = 2 ** 18;
const KILLS_PER_ROOT = 10;
/** Longest wait before a kill: the first guess, then adapted to take a few saves on whatever disk and load there is. */
const FIRST_MAX_DELAY_MS = 100;
const LARGEST_MAX_DELAY_MS = 5000;

/** The files of a step: different at every step, so that a mixture of two saves would show. */
export function filesOfStep(step: number): Map<string, FileContent> {
  const piece = (n: number): Uint8Array => new Uint8Array(WEIGHTS_BYTES / 2).fill((step * 31 + n * 7) & 255);
  function* weights(): Generator<Uint8Array> {
    for (let n = 0; n < 2; n++) yield piece(n);
  }
  return new Map<string, FileContent>([
    ['weights.bin', weights()],
    ['state.json', Buffer.from(JSON.stringify({ step }))],
    ['empty', new Uint8Array(0)],
  ]);
}

/** Throws unless every checkpoint under the root is complete and true, and `reported` or a later one is the newest. */
export function checkRoot(root: string, reported: number): number {
  const names = fs.existsSync(root) ? fs.readdirSync(root) : [];
  const complete = names.filter((name) => !name.includes('.tmp-'));
  for (const name of complete) {
    const { step, files } = verifyCheckpoint(path.join(root, name));
    for (const [fileName, content] of filesOfStep(step)) {
      const hash = createHash('sha256');
      if (content instanceof Uint8Array) hash.update(content);
      else for (const chunk of content) hash.update(chunk);
      if (files.get(fileName)?.sha256 !== hash.digest('hex')) {
        throw new Error(`${name}/${fileName} is not step ${step}`);
      }
    }
  }
  const { checkpoint, rejected } = new CheckpointStore(root).latest();
  if (rejected.length > 0) throw new Error(`rejected: ${rejected[0]!.reason}`);
  if ((checkpoint?.step ?? -1) < reported) throw new Error(`step ${reported} was reported as saved and is gone`);
  if (complete.length > 3) throw new Error(`${complete.length} checkpoints are left, none was removed`);
  return complete.length;
}

function saveUntilKilled(root: string): never {
  const store = new CheckpointStore(root);
  for (let step = (store.latest().checkpoint?.step ?? -1) + 1; ; step++) {
    fs.writeSync(1, `saving ${step}\n`);
    store.save(step, filesOfStep(step));
    fs.writeSync(1, `saved ${step}\n`);
  }
}

const COUNTED_CALLS = ['openSync', 'writeSync', 'fsyncSync', 'closeSync', 'renameSync', 'mkdirSync', 'rmSync'] as const;

/** Saves twice, removes the first, and exits 0, unless killed before then by its own `fatalCall`th file system call. */
function crashAtCall(root: string, fatalCall: number): void {
  const write = fs.writeSync;
  let calls = 0;
  for (const name of COUNTED_CALLS) {
    const original = fs[name] as (...args: unknown[]) => unknown;
    Object.assign(fs, {
      [name]: (...args: unknown[]): unknown => {
        if (++calls === fatalCall) {
          // A write may be cut anywhere: half of it is done.
          const [fd, chunk] = args;
          if (name === 'writeSync' && chunk instanceof Uint8Array) write(fd as number, chunk, 0, chunk.length >> 1);
          process.kill(process.pid, 'SIGKILL');
        }
        return original(...args);
      },
    });
  }
  const store = new CheckpointStore(root, { keep: 1 });
  for (let step = 0; step < 2; step++) {
    store.save(step, filesOfStep(step));
    write(1, `saved ${step}\n`);
  }
}

function lastSaved(output: string): number {
  return Number(/.*^saved (\d+)$/ms.exec(output)?.[1] ?? -1);
}

/** Kills a saving child `count` times at random instants. Returns how many saves it completed. */
export async function killAtRandomInstants(count: number, seed: number): Promise<{ saves: number; midSave: number }> {
  let state = seed >>> 0;
  const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  let saves = 0;
  let midSave = 0;
  let root = '';
  let maxDelayMs = FIRST_MAX_DELAY_MS;
  try {
    for (let kill = 0; kill < count; kill++) {
      if (kill % KILLS_PER_ROOT === 0) {
        if (root !== '') fs.rmSync(root, { recursive: true });
        root = fs.mkdtempSync(path.join(tmpdir(), 'hrm-kill-'));
      }
      const output = await runAndKill(path.join(root, 'checkpoints'), random() * maxDelayMs);
      if (!output.endsWith(`saved ${lastSaved(output)}\n`)) midSave++;
      const completed = output.split('saved ').length - 1;
      saves += completed;
      if (completed === 0) maxDelayMs = Math.min(maxDelayMs * 1.5, LARGEST_MAX_DELAY_MS);
      if (completed > 4) maxDelayMs *= 0.8;
      checkRoot(path.join(root, 'checkpoints'), lastSaved(output));
    }
  } finally {
    fs.rmSync(root, { recursive: true, force: true });
  }
  return { saves, midSave };
}

function runAndKill(root: string, delayMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [__filename, 'save', root], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    let waiting = true;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (waiting) setTimeout(() => child.kill('SIGKILL'), delayMs);
      waiting = false;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === null) resolve(output);
      else reject(new Error(`the saving process ended by itself with ${code}: ${errors}`));
    });
  });
}

/** Crashes at the first file system call, the second, and so on until two saves complete. Returns how many calls. */
export function crashAtEveryCall(): number {
  for (let call = 1; ; call++) {
    const root = fs.mkdtempSync(path.join(tmpdir(), 'hrm-crash-'));
    try {
      const child = spawnSync(process.execPath, [__filename, 'crash', path.join(root, 'c'), String(call)], {
        encoding: 'utf8',
      });
      if (child.status !== 0 && child.signal !== 'SIGKILL') throw new Error(child.stderr);
      checkRoot(path.join(root, 'c'), lastSaved(child.stdout));
      if (child.status === 0) return call - 1;
      // Life goes on after the crash: the next save works and clears what the crash left.
      const store = new CheckpointStore(path.join(root, 'c'));
      const next = (store.latest().checkpoint?.step ?? -1) + 1;
      store.save(next, filesOfStep(next));
      checkRoot(path.join(root, 'c'), next);
      const left = fs.readdirSync(path.join(root, 'c')).filter((name) => name.includes('.tmp-'));
      if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
    } finally {
      fs.rmSync(root, { recursive: true, force: true });
    }
  }
}

async function main(args: readonly string[]): Promise<void> {
  const [mode = '300', argument = '1', call = '1'] = args;
  if (mode === 'save') saveUntilKilled(argument);
  if (mode === 'crash') {
    crashAtCall(argument, Number(call));
    return;
  }
  const calls = crashAtEveryCall();
  process.stdout.write(`killed at each of the ${calls} file system calls of two saves: every directory loads\n`);
  const { saves, midSave } = await killAtRandomInstants(Number(mode), Number(argument));
  process.stdout.write(
    `${mode} kills at random instants, ${midSave} inside a save, ${saves} saves: every directory loads\n`,
  );
}

if (require.main === module) void main(process.argv.slice(2));
