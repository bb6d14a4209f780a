import { describe, expect, it } from '@jest/globals';
import { interleave, toRow } from '../../bench/harness';
import { ArgumentError } from '../../ts/error';

describe('interleave', () => {
  it('lets the sides take turns and throws the warm-up away', async () => {
    const turns: string[] = [];
    const side = (name: string) => () => turns.push(name);
    const figures = await interleave([side('A'), side('B')], { rounds: 2, warmUps: 1 });
    expect(turns).toEqual(['A', 'B', 'A', 'B', 'A', 'B']);
    expect(figures).toEqual([
      [3, 5],
      [4, 6],
    ]);
  });

  it('waits for a side that answers later', async () => {
    let isBusy = false;
    const slow = async (): Promise<number> => {
      expect(isBusy).toBe(false);
      isBusy = true;
      await new Promise((resolve) => setImmediate(resolve));
      isBusy = false;
      return 1;
    };
    await interleave([slow, slow], { rounds: 3 });
  });

  it('refuses a number of rounds that is none', async () => {
    await expect(interleave([], { rounds: 0 })).rejects.toThrow(ArgumentError);
  });
});

describe('toRow', () => {
  const names = { subject: 's', case: 'c', unit: 'ms' };

  it('has a ratio over 1 where ours is better, whatever the unit', () => {
    const peer = { name: 'P', samples: [20, 30, 10] };
    const samples = [10, 11, 9];
    expect(toRow({ ...names, better: 'lower', samples, peer })).toMatchObject({
      ours: 10,
      best: 9,
      n: 3,
      peer: 'P',
      peerFigure: 20,
      peerBest: 10,
      ratio: 2,
    });
    expect(toRow({ ...names, better: 'higher', samples, peer })).toMatchObject({ best: 11, peerBest: 30, ratio: 0.5 });
  });

  it('judges a bound on the ratio or on our figure, and not where there is no peer', () => {
    const peer = { name: 'P', samples: [13] };
    const row = { ...names, better: 'lower', samples: [10] } as const;
    expect(toRow({ ...row, peer, bound: { of: 'ratio', atLeast: 1.3 } }).met).toBe(true);
    expect(toRow({ ...row, peer, bound: { of: 'ratio', atLeast: 1.31 } }).met).toBe(false);
    expect(toRow({ ...row, bound: { of: 'ratio', atLeast: 1.3 } })).toMatchObject({
      met: null,
      ratio: null,
      peer: null,
    });
    expect(toRow({ ...row, bound: { of: 'ours', atMost: 9.9 } }).met).toBe(false);
    expect(toRow({ ...row, bound: { of: 'ours', atMost: 10 } }).met).toBe(true);
  });
});
