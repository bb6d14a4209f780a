import { spawn } from 'node:child_process';
import path from 'node:path';

export interface CliResult {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  env?: Record<string, string | undefined>;
  cwd?: string;
  input?: string;
}

const mainModule = path.resolve(__dirname, '../../ts/cli/main.js');
// What bin/hrm.cjs does, with the command line that was compiled for the tests.
const script = 'require(process.argv[1]).main(process.argv.slice(2)).then((code) => { process.exitCode = code; })';

/** The program and its arguments that run the command line. */
export function cliProcess(args: readonly string[]): string[] {
  return [process.execPath, '-e', script, mainModule, ...args];
}

/** Runs the command line in a process of its own. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const [program, ...rest] = cliProcess(args);
    const child = spawn(program!, rest, {
      cwd: options.cwd,
      // Without npm_execpath: hints say `hrm`, whoever runs the tests.
      env: { ...process.env, HRM_DEBUG: '', npm_execpath: undefined, ...options.env },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }));
    child.stdin.end(options.input ?? '');
  });
}
