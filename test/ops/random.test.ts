import { describe, expect, it } from '@jest/globals';
import {
  ArgumentError,
  FormatError,
  Generator,
  type GeneratorState,
  getNumThreads,
  manualSeed,
  rand,
  randint,
  randn,
  randperm,
  setNumThreads,
  type Tensor,
  tidy,
  truncNormal,
} from '../../ts/index';
import { Philox } from '../../ts/data/philox';
import { withoutHostReads } from '../../ts/index';

function moments(values: ArrayLike<number>): {
  mean: number;
  std: number;
  kurtosis: number;
  least: number;
  most: number;
} {
  const n = values.length;
  let [mean, m2, m4, least, most] = [0, 0, 0, Infinity, -Infinity];
  for (let i = 0; i < n; ++i) mean += values[i]! / n;
  for (let i = 0; i < n; ++i) {
    const d = values[i]! - mean;
    m2 += (d * d) / n;
    m4 += (d * d * d * d) / n;
    least = Math.min(least, values[i]!);
    most = Math.max(most, values[i]!);
  }
  return { mean, std: Math.sqrt(m2), kurtosis: m4 / (m2 * m2), least, most };
}

const N = 400_000;
/** Five standard errors of a mean of N numbers with that standard deviation: the seed is fixed, so this never wavers. */
const within = (std: number): number => (5 * std) / Math.sqrt(N);
const values = (make: () => Tensor): ArrayLike<number> => tidy(() => make().dataSync());

describe('Generator', () => {
  it('gives the numbers of ts/data/philox', () => {
    for (const seed of [0, 7, 2 ** 53 - 1, 0xfedcba9876543210n]) {
      const generator = new Generator(seed);
      const philox = new Philox(seed, 1n << 63n);
      const first = values(() => rand([10], { generator, dtype: 'float64' }));
      expect([...Array.from(first)]).toEqual(Array.from({ length: 10 }, () => philox.uniform()));
      // Five blocks are used up; the next call starts with the sixth.
      expect(generator.save().counter).toEqual([5, 0]);
      philox.seek(1n << 63n, 5 * 4);
      const words = Array.from(
        values(() => rand([6], { generator })),
        (v) => v * 2 ** 24,
      );
      expect(words).toEqual(Array.from({ length: 6 }, () => philox.uint32() >>> 8));
      expect(generator.save().counter).toEqual([7, 0]);
    }
  });

  it('takes a number and the same bigint as one seed', () => {
    const [a, b] = [new Generator(5), new Generator(5n)].map((generator) => values(() => randn([9], { generator })));
    expect(a).toEqual(b);
    expect(values(() => randn([9], { generator: new Generator(6) }))).not.toEqual(a);
  });

  it('continues where it was saved, over the carry of the counter too', () => {
    const generator = new Generator(3);
    const saved: GeneratorState = { seed: generator.save().seed, counter: [0xffffffff, 8] };
    generator.load(JSON.parse(JSON.stringify(saved)) as GeneratorState);
    const before = values(() => rand([8], { generator }));
    expect(generator.save()).toEqual({ seed: [3, 0], counter: [1, 9] });
    const after = values(() => rand([8], { generator }));
    expect(values(() => rand([16], { generator: new Generator().load(saved) }))).toEqual(
      Float32Array.from([...Array.from(before), ...Array.from(after)]),
    );
  });

  it('outlives the tidy it was made in, and reads nothing on the host', () => {
    const generator = tidy(() => new Generator(1));
    withoutHostReads(() => {
      randint(0, 2, [3], { generator }).dispose();
      generator.seed(4);
    });
    expect(generator.save()).toEqual({ seed: [4, 0], counter: [0, 0] });
    expect(() => withoutHostReads(() => generator.save())).toThrow(/host/);
    generator.dispose();
  });

  it('has a default that manualSeed seeds', () => {
    manualSeed(11);
    const first = values(() => rand([5]));
    expect(values(() => rand([5]))).not.toEqual(first);
    manualSeed(11n);
    expect(values(() => rand([5]))).toEqual(first);
  });

  it('refuses bad seeds and states', () => {
    for (const seed of [-1, 1.5, NaN, 2 ** 53, -1n, 1n << 64n, '1', null])
      expect(() => new Generator(seed as number)).toThrow(ArgumentError);
    const good = new Generator().save();
    for (const state of [
      null,
      1,
      {},
      { seed: good.seed },
      { ...good, counter: [0] },
      { ...good, counter: [0, -1] },
      { ...good, seed: [1n, 0n] },
    ])
      expect(() => new Generator().load(state as GeneratorState)).toThrow(FormatError);
  });
});

describe('distributions', () => {
  it('are the same at any number of threads', () => {
    const before = getNumThreads();
    const draw = (threads: number): ArrayLike<number>[] => {
      setNumThreads(threads);
      const generator = new Generator(9);
      return [
        values(() => rand([30_001], { generator })),
        values(() => randn([30_001], { generator, dtype: 'float64' })),
        values(() => truncNormal([3, 10_001], { generator })),
        values(() => randint(-9, 9, [30_001], { generator })),
        values(() => randperm(5001, { generator })),
      ];
    };
    try {
      const one = draw(1);
      for (const threads of [2, 3, 7]) expect(draw(threads)).toEqual(one);
    } finally {
      setNumThreads(before);
    }
  });

  it.each(['float32', 'float64', 'bfloat16'] as const)('rand is uniform in [0, 1) in %s', (dtype) => {
    const generator = new Generator(1);
    const { mean, std, least, most } = moments(values(() => rand([N], { generator, dtype })));
    // bfloat16 numbers are rounded down to multiples of 2^-8.
    const shift = dtype === 'bfloat16' ? 2 ** -9 : 0;
    expect(Math.abs(mean + shift - 0.5)).toBeLessThan(within(Math.sqrt(1 / 12)));
    expect(Math.abs(std - Math.sqrt(1 / 12))).toBeLessThan(within(Math.sqrt(1 / 12)) + shift / 100);
    expect(least).toBeGreaterThanOrEqual(0);
    expect(least).toBeLessThan(1e-3);
    expect(most).toBeLessThan(1);
    expect(most).toBeGreaterThan(0.995);
  });

  it.each(['float32', 'float64'] as const)('randn has mean, std and kurtosis of a normal in %s', (dtype) => {
    const generator = new Generator(2);
    const { mean, std, kurtosis, most } = moments(values(() => randn([N], { generator, dtype, mean: -3, std: 0.25 })));
    expect(Math.abs(mean + 3)).toBeLessThan(within(0.25));
    expect(Math.abs(std - 0.25)).toBeLessThan(within(0.25 / Math.SQRT2));
    expect(Math.abs(kurtosis - 3)).toBeLessThan(within(Math.sqrt(24)));
    expect(most).toBeGreaterThan(-3 + 4 * 0.25);
  });

  it('randn of neighbours is uncorrelated', () => {
    const x = values(() => randn([N], { generator: new Generator(3), dtype: 'float64' }));
    for (const lag of [1, 2, 3, 4]) {
      let sum = 0;
      for (let i = 0; i + lag < N; ++i) sum += (x[i]! * x[i + lag]!) / N;
      expect(Math.abs(sum)).toBeLessThan(within(1));
    }
  });

  it.each([1, 0.02, 1 / Math.sqrt(512)])('truncNormal really has std %f, within its bounds', (std) => {
    const generator = new Generator(4);
    const x = values(() => truncNormal([N], { generator, std }));
    const { mean, std: found, kurtosis, least, most } = moments(x);
    expect(Math.abs(mean)).toBeLessThan(within(std));
    // The error of a standard deviation is std sqrt((kurtosis - 1) / 4n).
    expect(Math.abs(found - std)).toBeLessThan(within((std * Math.sqrt(kurtosis - 1)) / 2));
    const bound = (2 / 0.8796256610342398) * std;
    expect(most).toBeLessThanOrEqual(bound * (1 + 2 ** -23));
    expect(least).toBeGreaterThanOrEqual(-bound * (1 + 2 ** -23));
    expect(most).toBeGreaterThan(bound * 0.999);
    expect(least).toBeLessThan(-bound * 0.999);
    // The share within one parent deviation: erf(1 / sqrt 2) / erf(sqrt 2).
    const share = Array.from(x).filter((v) => Math.abs(v) < bound / 2).length / N;
    expect(Math.abs(share - 0.6826894921370859 / 0.9544997361036416)).toBeLessThan(within(0.46));
  });

  it('truncNormal adds the mean, also in float64', () => {
    const { mean, std } = moments(
      values(() => truncNormal([N], { generator: new Generator(5), mean: 10, std: 2, dtype: 'float64' })),
    );
    expect(Math.abs(mean - 10)).toBeLessThan(within(2));
    expect(Math.abs(std - 2)).toBeLessThan(within(2));
  });

  it('randint is uniform over its range', () => {
    const counts = new Array<number>(7).fill(0);
    for (const v of Array.from(values(() => randint(-3, 4, [N], { generator: new Generator(6) })))) counts[v + 3]!++;
    for (const count of counts) expect(Math.abs(count / N - 1 / 7)).toBeLessThan(within(Math.sqrt(6) / 7));
  });

  it('randperm is a permutation, uniform in the first place', () => {
    const generator = new Generator(7);
    const sorted = Array.from(values(() => randperm(1000, { generator }))).sort((a, b) => a - b);
    expect(sorted).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 4000; ++i) counts[values(() => randperm(4, { generator }))[0]!]!++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(4000 * 0.25 * 0.75));
  });
});
