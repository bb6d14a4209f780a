import { utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { NativeError } from '../../ts/error';
import { expect, it } from '@jest/globals';
import { loadAddon, newestFirst } from '../../ts/native/addon';
import { withDirectory } from '../support/tiny_run';

it('takes the build that was made last', async () => {
  await withDirectory((dir) => {
    const [old, young, none] = ['old', 'young', 'none'].map((name) => path.join(dir, name)) as [string, string, string];
    for (const [file, seconds] of [
      [old, 1000],
      [young, 2000],
    ] as const) {
      writeFileSync(file, '');
      utimesSync(file, seconds, seconds);
    }
    expect(newestFirst([none, old, young])).toEqual([young, old, none]);
    expect(newestFirst([young, none, old])).toEqual([young, old, none]);
  });
});

it('takes nothing else for an addon, and says who named it', async () => {
  await withDirectory((dir) => {
    const other = path.join(dir, 'other.cjs');
    writeFileSync(other, 'module.exports = { ops: {} };');
    const before = process.env['HRM_ADDON'];
    try {
      for (const file of [other, path.join(dir, 'none.node'), path.resolve('package.json')]) {
        process.env['HRM_ADDON'] = file;
        expect(() => loadAddon()).toThrow(NativeError);
        expect(() => loadAddon()).toThrow(/HRM_ADDON names this file and no other is tried; unset it/);
      }
      process.env['HRM_ADDON'] = other;
      expect(() => loadAddon()).toThrow(/other\.cjs: is not the addon of this version/);
    } finally {
      if (before === undefined) delete process.env['HRM_ADDON'];
      else process.env['HRM_ADDON'] = before;
    }
  });
});
