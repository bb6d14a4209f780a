import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { withDirectory } from '../support/tiny_run';
import { trainTiny, viewRun } from '../support/viewer_run';

describe('a model that cannot be used', () => {
  it('says what to do, and is loaded once it can be', async () => {
    await withDirectory(async (root) => {
      const run = path.join(root, 'run');
      const trained = path.join(root, 'trained');
      mkdirSync(run);
      await trainTiny(trained);
      const empty = await viewRun(run);
      const ask = async (target: string, init: RequestInit = {}): Promise<unknown> =>
        (await fetch(`${empty.url.slice(0, -1)}${target}`, init)).json();
      const reload = (): Promise<unknown> =>
        ask('/api/reload', {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', Origin: empty.url.slice(0, -1) },
          body: '{}',
        });
      try {
        expect(await ask('/api/run')).toMatchObject({
          state: { ok: false, error: { code: 'HRM_FILE', hint: expect.stringMatching(/writes its first checkpoint/) } },
        });
        expect(await ask('/api/puzzle?index=0')).toMatchObject({
          error: { message: expect.stringMatching(/a model must be loaded/) },
        });
        expect(await ask('/api/metrics')).toMatchObject({ lines: [], total: 0, newestStep: null });

        const from = path.join(trained, 'checkpoints');
        const checkpoints = path.join(run, 'checkpoints');
        mkdirSync(checkpoints);
        const name = readdirSync(from).sort().at(-1)!;
        mkdirSync(path.join(checkpoints, name));
        writeFileSync(path.join(checkpoints, name, 'manifest.json'), '{"format":"hrm-checkpoint"');
        expect(await reload()).toMatchObject({
          state: {
            ok: false,
            error: { code: 'HRM_FORMAT', hint: expect.stringMatching(/Every checkpoint of the run is damaged/) },
          },
        });

        renameSync(path.join(from, name), path.join(checkpoints, 'whole'));
        rmSync(path.join(checkpoints, name), { recursive: true });
        renameSync(path.join(checkpoints, 'whole'), path.join(checkpoints, name));
        expect(await reload()).toMatchObject({ state: { ok: true, model: { step: 12 } } });
      } finally {
        await empty.close();
      }
    });
  });
});
