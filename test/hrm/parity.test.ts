import { describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { tensor } from '../../ts/index';
import { parity } from '../../ts/train/parity';
import { compare } from '../../ts/train/parity_compare';

const shared = process.env.HRM_SHARED;
const folders = ['s16_rope_stablemax', 's16_learned_softmax'].map((name) => path.join(shared ?? '', 'parity', name));
const available = shared !== undefined && folders.every((folder) => existsSync(folder));

describe('parity with the reference implementation', () => {
  if (!available) {
    if (shared !== undefined) throw new Error(`HRM_SHARED=${shared} holds no parity folders`);
    console.warn('SKIPPED: parity with the reference implementation (HRM_SHARED names no folder with its outputs)');
    it('is skipped without HRM_SHARED', () => {
      expect(shared).toBeUndefined();
    });
    return;
  }
  it.each(folders)('%s: every tensor within its bound', (folder) => {
    const rows = parity(folder);
    expect(rows.length).toBeGreaterThan(80);
    expect(rows.filter((row) => !row.ok)).toEqual([]);
  });
});

describe('the comparison', () => {
  const reference = tensor(Array.from({ length: 32 }, (_, i) => i - 16));

  it('accepts the same values and refuses a small fault, a NaN, another shape and nothing', () => {
    const values = reference.dataSync();
    const faulty = Float32Array.from(values);
    faulty[3]! += 0.01;
    const withNaN = Float32Array.from(values);
    withNaN[3] = NaN;
    expect(compare('x', reference, reference, 1e-7).ok).toBe(true);
    expect(compare('x', tensor(faulty), reference, 1e-7).ok).toBe(false);
    expect(compare('x', tensor(withNaN), reference, 1e-7).ok).toBe(false);
    expect(compare('x', tensor([1, 2]), reference, 1e-7).ok).toBe(false);
    expect(compare('x', undefined, reference, 1e-7).ok).toBe(false);
  });

  it('is exact for integers', () => {
    const steps = tensor([1, 2, 3], { dtype: 'int32' });
    expect(compare('steps', steps, steps, undefined).ok).toBe(true);
    expect(compare('steps', tensor([1, 2, 4], { dtype: 'int32' }), steps, undefined).ok).toBe(false);
  });
});
