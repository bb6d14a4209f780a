import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { getNumThreads, HrmError, memory } from '../../ts';
import { damagedCalls, formatReport, fuzz } from './run';
import { exportedNames, subjects } from './subjects';

/** `npm run test:fuzz` makes 100,000, under the sanitizers with `--sanitize`. */
const CALLS = 1500;

// In a directory of its own: some calls write files under relative names.
const root = process.cwd();
const directory = mkdtempSync(path.join(tmpdir(), 'hrm-fuzz-'));
beforeAll(() => process.chdir(directory));
afterAll(() => {
  process.chdir(root);
  rmSync(directory, { recursive: true, force: true });
});

it('names every function, class and method that the package exports', async () => {
  const named = Object.keys(await subjects());
  expect(exportedNames().filter((name) => !named.includes(name))).toEqual([]);
});

it('gives a result or a typed error for hostile calls, half of which reach native code', async () => {
  const settings = (): unknown[] => [memory().limitBytes, getNumThreads()];
  const before = settings();
  const report = await fuzz({ calls: CALLS, seed: 20 });
  expect(settings()).toEqual(before);
  expect(report.failures).toEqual([]);
  expect(report.calls).toBe(CALLS);
  expect(report.reachedNative / report.calls).toBeGreaterThan(0.4);
  process.stdout.write(`${formatReport(report)}\n`);
});

it('notices a raw error', async () => {
  const raw = damagedCalls((value) => (value as { length: number }).length);
  expect((await fuzz({ calls: 200, seed: 1, subjects: raw })).failures.length).toBeGreaterThan(0);
  const typed = damagedCalls((value) => {
    if (typeof value !== 'number')
      throw new (class ProbeError extends HrmError {
        readonly code = 'PROBE';
      })('probe: a number');
  });
  expect((await fuzz({ calls: 200, seed: 1, subjects: typed })).failures).toEqual([]);
});
