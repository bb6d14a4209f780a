import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { subjects } from '../../bench/main';
import type { Results } from '../../bench/report';

// A linker works for seconds on a busy machine.
const TIMEOUT_MS = 300_000;

function bench(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.resolve(__dirname, '../../bench/main.js'), ...args]);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

describe('npm run bench', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'hrm-bench-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it.each(subjects.map(({ name }) => name))(
    'runs %s without peers, and writes its rows',
    async (name) => {
      const [json, markdown] = [path.join(folder, `${name}.json`), path.join(folder, `${name}.md`)];
      const files = ['--json', json, '--markdown', markdown];
      const { code, stderr } = await bench('--quick', '--no-peers', '--threads', '1', '--only', name, ...files);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const results = JSON.parse(readFileSync(json, 'utf8')) as Results;
      expect(results.rows.length).toBeGreaterThan(0);
      for (const row of results.rows) {
        expect(row.ours).toBeGreaterThanOrEqual(0);
        expect(Number.isFinite(row.spread)).toBe(true);
        expect(row.n).toBeGreaterThan(0);
      }
      expect(results.machine.cores).toBeGreaterThan(0);
      expect(readFileSync(markdown, 'utf8')).toContain(results.rows[0]!.case);
    },
    TIMEOUT_MS,
  );

  it('refuses what it does not know', async () => {
    expect(await bench('--only', 'nothing')).toMatchObject({ code: 2, stderr: expect.stringContaining('nothing') });
    expect((await bench('--threads', '0')).code).toBe(2);
    expect((await bench('--fast')).code).toBe(2);
  });

  it('lists its subjects', async () => {
    const { code, stdout } = await bench('--help');
    expect(code).toBe(0);
    for (const { name } of subjects) expect(stdout).toContain(name);
  });
});
