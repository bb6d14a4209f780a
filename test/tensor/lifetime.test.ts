import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  add,
  ArgumentError,
  exp,
  keep,
  liveTensors,
  memory,
  mul,
  setLeakMode,
  sum,
  type Tensor,
  tensor,
  tidy,
  tidyAsync,
  trimMemory,
  zeros,
} from '../../ts/index';
import { leaks } from '../../ts/tensor/lifetime';
import { heldMemory } from '../support/memory';

const values = (t: Tensor): number[] => [...t.dataSync()];

describe('keep', () => {
  it('takes a tensor out of every tidy around', () => {
    const made = tidy(() => {
      tidy(() => keep(tensor([1])));
      const outer = tensor([2]);
      const inner = tidy(() => {
        expect(keep(outer)).toBe(outer);
        return tensor([3]);
      });
      return [outer, inner];
    });
    expect(made.map(values)).toEqual([[2], [3]]);
    let kept: Tensor | undefined;
    tidy(() => {
      kept = keep(tensor([4]));
      exp(kept);
    });
    expect(values(kept!)).toEqual([4]);
    kept!.dispose();
  });
});

describe('tidyAsync', () => {
  it('disposes what was made in any part of fn, but for its result', async () => {
    const made: Tensor[] = [];
    const result = await tidyAsync(async () => {
      made.push(tensor([1]));
      await nextTurn();
      made.push(tensor([2]));
      await nextTurn();
      return { list: [add(made[0]!, made[1]!)] };
    });
    expect(made.map((t) => t.isDisposed)).toEqual([true, true]);
    expect(values(result.list[0]!)).toEqual([3]);
  });

  it('keeps what it made before its first await when the tidy around its call ends', async () => {
    let early: Tensor | undefined;
    let promise: Promise<Tensor> | undefined;
    tidy(() => {
      promise = tidyAsync(async () => {
        early = tensor([1, 2]);
        await nextTurn();
        return mul(early, 2);
      });
    });
    expect(early!.isDisposed).toBe(false);
    const result = await promise!;
    expect(values(result)).toEqual([2, 4]);
    expect(early!.isDisposed).toBe(true);
    result.dispose();
  });

  it('hands its result to the tidyAsync around it, and concurrent ones do not mix', async () => {
    const inner: Tensor[] = [];
    const one = async (n: number): Promise<Tensor> => {
      const x = tensor([n]);
      await nextTurn();
      inner.push(exp(x));
      return add(x, x);
    };
    const results: Tensor[] = [];
    const total = await tidyAsync(async () => {
      results.push(...(await Promise.all([tidyAsync(() => one(1)), tidyAsync(() => one(2))])));
      expect(results.every((t) => !t.isDisposed)).toBe(true);
      return add(results[0]!, results[1]!);
    });
    expect(values(total)).toEqual([6]);
    expect([...results, ...inner].every((t) => t.isDisposed)).toBe(true);
  });

  it('may hold a tidy, and disposes everything where fn throws', async () => {
    let seen: Tensor | undefined;
    await expect(
      tidyAsync(async () => {
        seen = tensor([1]);
        await nextTurn();
        const y = tidy(() => sum(exp(seen!)));
        expect(y.isDisposed).toBe(false);
        throw new Error('in between');
      }),
    ).rejects.toThrow('in between');
    expect(seen!.isDisposed).toBe(true);
  });

  it('leaves nothing behind for what goes on after its end', async () => {
    let late: Promise<Tensor> | undefined;
    await tidyAsync(async () => {
      await tidyAsync(async () => {
        late = nextTurn()
          .then(() => nextTurn())
          .then(() => tensor([7]));
        await nextTurn();
      });
      await late;
    });
    expect((await late!).isDisposed).toBe(true);
  });

  it('refuses what is no function; tidy refuses async ones', async () => {
    await expect(tidyAsync(3 as never)).rejects.toThrow(/^tidyAsync: fn must be a function, got 3/);
    expect(() => tidy(async () => Promise.resolve(1))).toThrow(ArgumentError);
  });
});

describe('leak mode', () => {
  afterEach(() => {
    setLeakMode(false);
  });

  it('says where living tensors were made', () => {
    setLeakMode(true);
    const x = makeHere();
    exp(x).dispose();
    const live = liveTensors();
    expect(live).toHaveLength(1);
    expect(live[0]).toMatchObject({ shape: [2, 3], dtype: 'float32' });
    expect(live[0]!.stack).toMatch(/makeHere/);
    x.dispose();
    expect(liveTensors()).toEqual([]);
  });

  it('does not grow with the tensors that were', () => {
    setLeakMode(true);
    const held = zeros([1]);
    for (let i = 0; i < 5000; ++i) zeros([1]).dispose();
    expect(leaks.size).toBeLessThanOrEqual(1025);
    expect(liveTensors()).toHaveLength(1);
    held.dispose();
  });

  it('does not keep what nobody holds, in a loop that never yields', () => {
    setLeakMode(true);
    const before = heldMemory().liveBytes;
    for (let i = 0; i < 400; ++i) zeros([1 << 18]);
    // 400 MiB were made; the collector has taken most of them.
    expect(memory().liveBytes - before).toBeLessThan(200 << 20);
  });
});

function makeHere(): Tensor {
  return zeros([2, 3]);
}

describe('trimMemory', () => {
  it('gives back what is kept for reuse', () => {
    zeros([1 << 16]).dispose();
    expect(memory().cachedBytes).toBeGreaterThan(0);
    const { liveBytes, tensors } = memory();
    trimMemory();
    expect(memory()).toMatchObject({ cachedBytes: 0, liveBytes, tensors });
    expect(values(zeros([2]))).toEqual([0, 0]);
  });
});
