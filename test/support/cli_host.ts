/** Runs the command lines that its parent sends, one by one, in this process: the engine is loaded once for all of them. */
import { main } from '../../ts/cli/main';

export interface HostCall {
  args: readonly string[];
  cwd: string;
}
export interface HostResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

async function run({ args, cwd }: HostCall): Promise<HostResult> {
  const texts = { stdout: '', stderr: '' };
  const streams = ['stdout', 'stderr'] as const;
  for (const name of streams) {
    process[name].write = (chunk: string | Uint8Array, encoding?: unknown, done?: () => void): boolean => {
      texts[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
      const callback = typeof encoding === 'function' ? (encoding as () => void) : done;
      callback?.();
      return true;
    };
  }
  const [home, argv] = [process.cwd(), process.argv];
  process.chdir(cwd);
  process.argv = [...argv.slice(0, 2), ...args];
  try {
    return { exitCode: await main(args), ...texts };
  } finally {
    process.chdir(home);
    process.argv = argv;
    // Each command line adds its own.
    process.stdout.removeAllListeners('error');
    // What lies under it is the stream's own method.
    for (const name of streams) delete (process[name] as Partial<typeof process.stdout>).write;
  }
}

process.on('message', (call: HostCall) => {
  void run(call).then((result) => process.send!(result));
});
