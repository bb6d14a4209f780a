import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Philox, philox4x32, streamOf } from '../../ts/data/philox';
import { ArgumentError, FormatError } from '../../ts/error';

function block(counter: readonly number[], key: readonly number[]): string {
  const out = new Uint32Array(4);
  const [c0, c1, c2, c3] = counter as [number, number, number, number];
  const [k0, k1] = key as [number, number];
  philox4x32(c0, c1, c2, c3, k0, k1, out);
  return [...out].map((word) => word.toString(16).padStart(8, '0')).join(' ');
}

describe('philox4x32', () => {
  // The known-answer vectors published with Random123.
  it('gives the Random123 vectors', () => {
    expect(block([0, 0, 0, 0], [0, 0])).toBe('6627e8d5 e169c58d bc57ac4c 9b00dbd8');
    const ones = 0xffffffff;
    expect(block([ones, ones, ones, ones], [ones, ones])).toBe('408f276d 41c83b0e a20bc7c6 6d5451fd');
    expect(block([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])).toBe(
      'd16cfe09 94fdcceb 5001e420 24126ea1',
    );
  });

  it('equals the definition in 64-bit integers', () => {
    const word = fc.integer({ min: 0, max: 0xffffffff });
    const reference = (counter: readonly number[], key: readonly number[]): string => {
      let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
      let [k0, k1] = key.map(BigInt) as [bigint, bigint];
      for (let round = 0; round < 10; round++) {
        const p0 = 0xd2511f53n * c0;
        const p1 = 0xcd9e8d57n * c2;
        [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & 0xffffffffn, (p0 >> 32n) ^ c3 ^ k1, p0 & 0xffffffffn];
        k0 = (k0 + 0x9e3779b9n) & 0xffffffffn;
        k1 = (k1 + 0xbb67ae85n) & 0xffffffffn;
      }
      return [c0, c1, c2, c3].map((value) => value.toString(16).padStart(8, '0')).join(' ');
    };
    fc.assert(
      fc.property(fc.tuple(word, word, word, word), fc.tuple(word, word), (counter, key) => {
        expect(block(counter, key)).toBe(reference(counter, key));
      }),
      { numRuns: 300 },
    );
  });
});

describe('Philox', () => {
  it('puts the seed in the key, the stream in the upper counter and the position in the lower', () => {
    const rng = new Philox(0xa4093822 + 0x299 * 2 ** 32, 0x13198a2e, 4 * (5 + 3 * 2 ** 32));
    const expected = block([5, 3, 0x13198a2e, 0], [0xa4093822, 0x299]);
    const drawn = [rng.uint32(), rng.uint32(), rng.uint32(), rng.uint32()];
    expect(drawn.map((value) => value.toString(16).padStart(8, '0')).join(' ')).toBe(expected);
  });

  it('continues exactly from its JSON at any position, and seeks to any word', () => {
    const seed = fc.oneof(fc.maxSafeNat(), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }));
    fc.assert(
      fc.property(seed, fc.maxSafeNat(), fc.nat(50), (seedValue, stream, skip) => {
        const rng = new Philox(seedValue, stream);
        for (let i = 0; i < skip; i++) rng.uint32();
        const copy = Philox.fromJSON(JSON.parse(JSON.stringify(rng)));
        const sought = new Philox(seedValue).seek(BigInt(stream), skip);
        for (let i = 0; i < 9; i++) {
          const value = rng.uint32();
          expect(copy.uint32()).toBe(value);
          expect(sought.uint32()).toBe(value);
        }
      }),
    );
  });

  it('draws below n from the high half of the 64-bit product, rejecting the biased remainder', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.integer({ min: 1, max: 2 ** 32 }), (seed, n) => {
        const rng = new Philox(seed);
        const words = new Philox(seed);
        let expected: bigint;
        do {
          expected = BigInt(words.uint32()) * BigInt(n);
        } while ((expected & 0xffffffffn) < 2n ** 32n % BigInt(n));
        expect(rng.below(n)).toBe(Number(expected >> 32n));
      }),
    );
  });

  it('is uniform enough: chi-square over 7 values, mean of uniform, all permutations of 3', () => {
    const rng = new Philox(7);
    const n = 70_000;
    const counts = new Array<number>(7).fill(0);
    let sum = 0;
    const orders = new Map<string, number>();
    for (let i = 0; i < n; i++) {
      counts[rng.below(7)]! += 1;
      const u = rng.uniform();
      if (!(u >= 0 && u < 1)) throw new Error(`uniform gave ${u}`);
      sum += u;
      const order = rng.permutation(3).join('');
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    const chi = counts.reduce((total, count) => total + (count - n / 7) ** 2 / (n / 7), 0);
    expect(chi).toBeLessThan(22.46); // 0.999 quantile, 6 degrees of freedom
    expect(Math.abs(sum / n - 0.5)).toBeLessThan(0.004);
    const chiOrders = [...orders.values()].reduce((total, count) => total + (count - n / 6) ** 2 / (n / 6), 0);
    expect(orders.size).toBe(6);
    expect(chiOrders).toBeLessThan(20.5);
  });

  it('shuffles no array with holes, which it would fill', () => {
    expect(() => new Philox(1).shuffle(new Array<number>(2 ** 32 - 1))).toThrow(
      /items must have no holes, got none at 0/,
    );
  });

  it('chooses distinct values in uniform order', () => {
    fc.assert(
      fc.property(fc.nat(99), fc.nat(60), fc.nat(60), (seed, n, k) => {
        const count = Math.min(n, k);
        const chosen = [...new Philox(seed).choose(n, count)];
        expect(new Set(chosen).size).toBe(count);
        expect(chosen.every((value) => value < n)).toBe(true);
      }),
    );
    const first = new Array<number>(20).fill(0);
    const rng = new Philox(3);
    for (let i = 0; i < 20_000; i++) first[rng.choose(20, 2)[0]!]! += 1;
    expect(first.reduce((total, count) => total + (count - 1000) ** 2 / 1000, 0)).toBeLessThan(43.8);
  });

  it('refuses what is not a seed, stream, position, range or state', () => {
    const bad: unknown[] = [-1, 1.5, NaN, Infinity, 2 ** 53, -1n, 1n << 64n, '1', null, {}];
    for (const value of bad) {
      expect(() => new Philox(value as number)).toThrow(ArgumentError);
      expect(() => new Philox(1, value as number)).toThrow(ArgumentError);
      expect(() => new Philox(1, 1, value as number)).toThrow(ArgumentError);
    }
    const rng = new Philox(1);
    for (const n of [0, -1, 0.5, NaN, 2 ** 32 + 1]) expect(() => rng.below(n)).toThrow(ArgumentError);
    for (const n of [-1, 0.5, 2 ** 32]) expect(() => rng.permutation(n)).toThrow(ArgumentError);
    expect(() => rng.choose(3, 4)).toThrow(ArgumentError);
    for (const state of [null, 1, {}, { seed: '1', stream: '0' }, { seed: '-1', stream: '0', position: 0 }]) {
      expect(() => Philox.fromJSON(state)).toThrow(FormatError);
    }
    expect(() => Philox.fromJSON({ seed: '18446744073709551616', stream: '0', position: 0 })).toThrow(FormatError);
    expect(() => streamOf(4096, 0)).toThrow(ArgumentError);
    expect(() => streamOf(0, 2 ** 40)).toThrow(ArgumentError);
  });
});
