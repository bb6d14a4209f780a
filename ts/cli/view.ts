/** `hrm view`: a page on this machine with a run's curves, and its model at work. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { ConfigError } from '../error';
import { startViewer } from '../viz/server';
import { defineCommand, EXIT_OK, interruptible } from './command';
import { deviceOption } from './open_model';
import { packageRoot } from './package_info';

/** Opens an address in the person's browser; where there is none, the printed address is all. */
function openBrowser(url: string): void {
  const [program, args] =
    process.platform === 'darwin'
      ? ['open', [url]]
      : process.platform === 'win32'
        ? ['explorer.exe', [url]]
        : ['xdg-open', [url]];
  const child = spawn(program, args, { stdio: 'ignore', detached: true });
  child.on('error', () => process.stderr.write(`no browser could be opened (${program}); open the address yourself\n`));
  child.unref();
}

export const view = defineCommand({
  command: 'view <run>',
  describe: 'Show a run in the browser: curves as it trains, and its model solving puzzles segment by segment',
  examples: [
    ['$0 view runs/demo', 'opens the page; Ctrl-C ends the server'],
    ['$0 view runs/demo --port 8080 --no-open', 'a fixed address, for ssh -L 8080:127.0.0.1:8080'],
  ],
  options: (parser) =>
    deviceOption(parser)
      .positional('run', {
        type: 'string',
        demandOption: true,
        describe: 'Directory of a run, also one that still trains, or of a checkpoint',
      })
      .option('port', { type: 'number', default: 0, describe: 'Port on 127.0.0.1; 0 is any that is free' })
      .option('open', { type: 'boolean', default: true, describe: 'Open the browser; --no-open only prints where' }),
  run: ({ run, port, open, device }) => {
    if (!Number.isInteger(port) || port < 0 || port > 65535) {
      throw new ConfigError(`--port: must be an integer from 0 to 65535, got ${port}`);
    }
    return interruptible(async (signal) => {
      const viewer = await startViewer({
        ...{ dir: run, port, device },
        pageDir: path.join(packageRoot(), 'dist', 'viewer'),
      });
      process.stdout.write(`${viewer.url}  shows ${run}; Ctrl-C ends it\n`);
      if (open) openBrowser(viewer.url);
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await viewer.close();
      return EXIT_OK;
    });
  },
});
