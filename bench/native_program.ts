/** The C++ benches: built from the objects of the addon, run as processes. */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { NativeError } from '../ts/error';
import { repositoryRoot } from './machine';

const buildFolder = path.join(repositoryRoot, 'build');

/**
 * Builds bench/native/<name>.cpp where it is out of date.
 *
 * @returns the program's path
 * @throws NativeError with the compiler's words
 */
export function buildNativeProgram(name: string): string {
  if (!existsSync(path.join(buildFolder, 'CMakeCache.txt')))
    throw new NativeError(`bench: ${name} needs the CMake build of the addon, there is none; run npm run build`);
  const result = spawnSync('cmake', ['--build', buildFolder, '--target', `hrm_bench_${name}`], { encoding: 'utf8' });
  if (result.status !== 0) {
    const words = result.error?.message ?? `${result.stdout}${result.stderr}`;
    throw new NativeError(`bench: ${name} must build (cmake --build build --target hrm_bench_${name}), got: ${words}`);
  }
  return path.join(buildFolder, 'bench', `hrm_bench_${name}`);
}

/** Runs a program and gives every line that it prints to `onLine`. @throws NativeError when it fails */
export async function runProgram(
  program: string,
  args: readonly string[],
  onLine: (line: string) => void,
): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? '' : `exit ${signal ?? String(code)}`));
  });
  for await (const line of createInterface({ input: child.stdout })) onLine(line);
  const failure = await closed;
  if (failure !== '') throw new NativeError(`bench: ${path.basename(program)} must succeed, got ${failure}`);
}

/** GFLOP/s that a loop of nothing but multiply-adds reaches on the given threads, whenever asked. */
export class FmaPeak {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: Interface;
  readonly #exited: Promise<void>;
  readonly #threads: number;

  constructor(program: string, threads: number) {
    this.#threads = threads;
    this.#child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout });
    this.#exited = new Promise((resolve) => {
      this.#child.once('error', () => resolve());
      this.#child.once('close', () => resolve());
    });
    // A write to a process that died is reported by the missing answer.
    this.#child.stdin.on('error', () => undefined);
  }

  async measure(): Promise<number> {
    const answer = new Promise<string>((resolve, reject) => {
      this.#lines.once('line', resolve);
      void this.#exited.then(() => reject(new NativeError('bench: fma_peak must answer, but it has exited')));
    });
    this.#child.stdin.write(`${this.#threads}\n`);
    return Number(await answer);
  }

  async close(): Promise<void> {
    this.#child.stdin.end();
    await this.#exited;
    this.#lines.close();
  }
}
