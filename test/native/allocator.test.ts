import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { memory, OutOfMemoryError, setMemoryLimit, type Tensor, trimMemory, zeros } from '../../ts/index';
import { collectGarbage } from '../../ts/native/boundary';

const MIB = 2 ** 20;
/** Of float32. */
const tensorOf = (nBytes: number): Tensor => zeros([nBytes / 4]);

describe('the pool of freed memory', () => {
  const { limitBytes } = memory();
  beforeEach(() => {
    collectGarbage();
    trimMemory();
  });
  afterEach(() => setMemoryLimit(limitBytes));

  it('asks the system once for what a loop needs again and again', () => {
    const round = (): void => {
      const held = [96, 32, 1, 7, 0.5].map((size) => tensorOf(size * MIB));
      for (const tensor of held) tensor.dispose();
    };
    round();
    const { systemAllocations } = memory();
    for (let i = 0; i < 10; ++i) round();
    expect(memory().systemAllocations).toBe(systemAllocations);
  });

  it('holds no more than the loop once needed, whatever sizes come and go', () => {
    const before = memory().liveBytes;
    for (let i = 0; i < 40; ++i) {
      const pair = [tensorOf((100 + (i % 40)) * MIB), tensorOf((1 + (i % 17)) * MIB)];
      for (const tensor of pair) tensor.dispose();
      const { liveBytes, cachedBytes } = memory();
      // 156 MiB at most are live at a time; a size is rounded up by an eighth at most, the pool keeps a sixteenth more.
      expect(liveBytes + cachedBytes - before).toBeLessThan(156 * 1.125 * 1.0625 * MIB);
    }
  });

  it('forgets a peak that does not come again', () => {
    tensorOf(512 * MIB).dispose();
    expect(memory().cachedBytes).toBeGreaterThanOrEqual(512 * MIB);
    for (let i = 0; i < 20_000; ++i) tensorOf(64).dispose();
    expect(memory().cachedBytes).toBeLessThanOrEqual(64 * MIB);
  });

  it('gives blocks back that a lower limit has no room for, and counts those that it hands out again', () => {
    const held = tensorOf(64 * MIB);
    tensorOf(128 * MIB).dispose();
    const { liveBytes } = memory();
    setMemoryLimit(liveBytes + 160 * MIB);
    expect(memory().cachedBytes).toBeGreaterThanOrEqual(128 * MIB);
    const second = tensorOf(96 * MIB);
    expect(memory().liveBytes + memory().cachedBytes).toBeLessThanOrEqual(memory().limitBytes);
    second.dispose();
    // A cached block of the size that is asked for is there, but its 96 MiB do not fit any more.
    setMemoryLimit(liveBytes + 90 * MIB);
    expect(() => tensorOf(96 * MIB)).toThrow(OutOfMemoryError);
    expect(memory().liveBytes + memory().cachedBytes).toBeLessThanOrEqual(memory().limitBytes);
    held.dispose();
    tensorOf(96 * MIB).dispose();
  });

  it('gives everything back when asked to', () => {
    tensorOf(32 * MIB).dispose();
    trimMemory();
    expect(memory().cachedBytes).toBe(0);
  });
});
