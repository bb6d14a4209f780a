import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { cliProcess, runCli } from '../support/run_cli';
import { withDirectory } from '../support/tiny_run';

describe('hrm view', () => {
  it('serves a directory until Ctrl-C', async () => {
    await withDirectory(async (dir) => {
      const [command, ...args] = cliProcess(['view', dir, '--no-open']);
      const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'ignore'] });
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const [url] = /^http:\/\/127\.0\.0\.1:\d+\//.exec(line.toString())!;
      const page = await fetch(url);
      expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
      const run = (await (await fetch(`${url}api/run`)).json()) as object;
      expect(run).toMatchObject({ name: path.basename(dir), state: { ok: false } });
      child.kill('SIGINT');
      expect(await once(child, 'close')).toEqual([0, null]);
    });
  });

  it.each([
    [['view'], 2, 'the command needs'],
    [['view', '/nowhere/at/all', '--no-open'], 1, 'view: /nowhere/at/all must be the directory of a run'],
    [['view', '.', '--port', '70000'], 2, '--port: must be an integer from 0 to 65535, got 70000'],
    [['view', '.', '--port', 'x'], 2, '--port: must be a number, got "x"'],
  ])('refuses %j', async (args, code, message) => {
    const { exitCode, stderr } = await runCli(args);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(code);
  });
});
