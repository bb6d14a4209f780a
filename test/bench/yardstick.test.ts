import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';

const python = spawnSync('python3', ['--version'], { stdio: 'ignore' }).status === 0;
if (!python) console.warn('yardstick: skipped, no python3');

(python ? describe : describe.skip)('the yardstick', () => {
  it('loses no row to another, resumes, and counts its floors (its own tests)', () => {
    const script = path.resolve(__dirname, '..', '..', '..', 'test', 'bench', 'yardstick_test.py');
    const result = spawnSync('python3', [script], {
      encoding: 'utf8',
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    });
    expect({ status: result.status, said: result.status === 0 ? '' : result.stderr }).toEqual({ status: 0, said: '' });
  });
});
