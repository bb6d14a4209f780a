import { expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { testedDevices } from '../support/devices';

// dist-test/test/tensor -> the package, whose own name resolves from any file inside of it.
const root = path.resolve(__dirname, '..', '..', '..');

it('the script in docs/cuda.md that captures its own step runs, and learns', () => {
  const text = readFileSync(path.join(root, 'docs', 'cuda.md'), 'utf8');
  const [program] = [...text.matchAll(/```js\n([\s\S]*?)```/g)].map((match) => match[1]!);
  const folder = mkdtempSync(path.join(root, 'dist-test', 'docs-'));
  try {
    const file = path.join(folder, 'program.mjs');
    const here = program!.replace("const device = 'cuda'", `const device = '${testedDevices()[0]!}'`);
    expect(here === program).toBe(testedDevices()[0] === 'cuda');
    writeFileSync(file, here);
    const lines = execFileSync(process.execPath, [file], { cwd: root, encoding: 'utf8' }).trim().split('\n');
    const losses = lines.map((line) => Number(line.split(' ')[1]));
    expect(losses).toHaveLength(5);
    expect(losses[4]!).toBeLessThan(0.1 * losses[0]!);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
