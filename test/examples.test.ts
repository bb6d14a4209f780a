import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

// dist-test/test -> the package, whose own name resolves from any file inside of it.
const root = path.resolve(__dirname, '..', '..');
const folder = path.join(root, 'docs', 'examples');

/** Arguments that make an example quick, and what its output must have. */
const examples: Readonly<Record<string, readonly [readonly string[], RegExp]>> = {
  'train_from_scratch.mjs': [['8'], /^step 8 {2}loss \d\.\d+\nexactly right: [\d.]+% ± [\d.]+%\n[^]*halts at segment /],
  'custom_task.mjs': [
    ['8'],
    /^(\d( \d){5} {2}sorted: {2}-?\d( -?\d){5}\n){3}[\d.]+% of 500 unseen lists exactly right\n$/,
  ],
  'gradient_fidelity.mjs': [['4', '4'], /gradSteps full: loss [\d.]+, cosine to full 1\.000\n[^]*2x4 gradSteps full: /],
  'benchmark_op.mjs': [['2', '32'], /matmul 32x32: [^]*GFLOP\/s\n {2}lLoop, [^]*GFLOP\/s\n$/],
};

describe('docs/examples', () => {
  it('are these, each described in docs/examples.md', () => {
    expect(readdirSync(folder).sort()).toEqual(Object.keys(examples).sort());
    const page = readFileSync(path.join(root, 'docs', 'examples.md'), 'utf8');
    for (const name of Object.keys(examples)) expect(page).toContain(`(examples/${name})`);
  });

  it('has a task of its own in at most 50 lines', () => {
    const lines = readFileSync(path.join(folder, 'custom_task.mjs'), 'utf8').trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(50);
  });

  it.each(Object.entries(examples))('%s runs', (name, [args, output]) => {
    const file = path.join(folder, name);
    expect(execFileSync(process.execPath, [file, ...args], { cwd: root, encoding: 'utf8' })).toMatch(output);
  });
});
