import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { Report } from '../../bench/harness';
import { noteBlasSettings } from '../../bench/torch';

const names = ['OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE'] as const;
const before = names.map((name) => process.env[name]);
const unset = (): void => {
  for (const name of names) Reflect.deleteProperty(process.env, name);
};
beforeEach(unset);
afterEach(() => {
  unset();
  for (const [i, name] of names.entries()) if (before[i] !== undefined) process.env[name] = before[i];
});

function notes(): string[] {
  const said: string[] = [];
  const report: Report = { row: () => undefined, version: () => undefined, note: (text) => said.push(text) };
  noteBlasSettings(report);
  return said;
}

it('says which settings hold the peer back, and nothing where there are none', () => {
  expect(notes()).toEqual([]);
  process.env['OPENBLAS_CORETYPE'] = 'Haswell';
  expect(notes()).toEqual([expect.stringContaining('sets OPENBLAS_CORETYPE=Haswell; unset to compare')]);
  process.env['OPENBLAS_L2_SIZE'] = '512';
  expect(notes()[0]).toMatch(/OPENBLAS_CORETYPE=Haswell and OPENBLAS_L2_SIZE=512/);
});
