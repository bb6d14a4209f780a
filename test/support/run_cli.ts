import { type ChildProcess, fork, spawn } from 'node:child_process';
import path from 'node:path';
import { afterAll } from '@jest/globals';
import type { HostCall, HostResult } from './cli_host';

export interface CliResult {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  env?: Record<string, string | undefined>;
  cwd?: string;
}

const mainModule = path.resolve(__dirname, '../../ts/cli/main.js');
// What bin/hrm.cjs does, with the command line that was compiled for the tests.
const script = 'require(process.argv[1]).main(process.argv.slice(2)).then((code) => { process.exitCode = code; })';
// Without npm_execpath: hints say `hrm`, whoever runs the tests.
const environment = { ...process.env, HRM_DEBUG: '', npm_execpath: undefined };

/** The program and its arguments that run the command line, in a process of its own. */
export function cliProcess(args: readonly string[]): string[] {
  return [process.execPath, '-e', script, mainModule, ...args];
}

/** Runs the command line: with an environment in a process of its own, else in the one that this test file's calls share. */
export function runCli(args: readonly string[], { env, cwd = process.cwd() }: CliOptions = {}): Promise<CliResult> {
  if (env === undefined) return runInHost({ args, cwd });
  return new Promise((resolve, reject) => {
    const [program, ...rest] = cliProcess(args);
    const child = spawn(program!, rest, { cwd, stdio: ['ignore', 'pipe', 'pipe'], env: { ...environment, ...env } });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }));
  });
}

let host: ChildProcess | undefined;
let previous: Promise<unknown> = Promise.resolve();

function runInHost(call: HostCall): Promise<CliResult> {
  const result = previous.then(() => callHost(call));
  previous = result.catch(() => undefined);
  return result;
}

function callHost(call: HostCall): Promise<CliResult> {
  // Nothing of it is a terminal, whatever the tests run in.
  host ??= fork(path.join(__dirname, 'cli_host.js'), { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], env: environment });
  const child = host;
  let crash = '';
  const collect = (chunk: Buffer): string => (crash += chunk.toString());
  child.stderr!.on('data', collect);
  return new Promise<CliResult>((resolve, reject) => {
    const onClose = (exitCode: number | null, signal: NodeJS.Signals | null): void => {
      host = undefined;
      reject(new Error(`the process of the command line ended (${signal ?? String(exitCode)}): ${crash}`));
    };
    child.once('close', onClose);
    child.once('message', (result: HostResult) => {
      child.off('close', onClose);
      child.stderr!.off('data', collect);
      resolve({ ...result, signal: null });
    });
    child.send(call);
  });
}

afterAll(() => {
  host?.kill();
});
