import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

// dist-test/test -> the package, whose own name resolves from any file inside of it.
const root = path.resolve(__dirname, '..', '..');

describe('the programs in README.md', () => {
  const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
  const programs = [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map((match) => match[1]!);

  it('are two: a run with a solve, and the training loop', () => {
    expect(programs).toHaveLength(2);
  });

  it.each(programs.map((program, i) => [i + 1, program] as const))('number %i runs as it stands', (_, program) => {
    const folder = mkdtempSync(path.join(root, 'dist-test', 'readme-'));
    try {
      const file = path.join(folder, 'program.mjs');
      writeFileSync(file, program);
      const output = execFileSync(process.execPath, [file], { cwd: folder, encoding: 'utf8' });
      expect(output.trim()).not.toBe('');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
