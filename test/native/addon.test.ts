import { utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from '@jest/globals';
import { newestFirst } from '../../ts/native/addon';
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
