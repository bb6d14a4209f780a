import { expect, it } from '@jest/globals';
import {
  type Device,
  Generator,
  type GeneratorState,
  rand,
  randint,
  randn,
  randperm,
  type Tensor,
  tidy,
  truncNormal,
} from '../../ts/index';
import { eachDevice } from '../support/devices';

type Draw = (generator: Generator) => Tensor;

/** What is drawn, and the state that it leaves. */
function drawn(draw: Draw, state: GeneratorState, device: Device): { values: unknown; after: GeneratorState } {
  const generator = new Generator(0, { device }).load(state);
  try {
    return tidy(() => {
      const y = draw(generator);
      expect(y.device).toMatch(new RegExp(`^${device}`));
      return { values: y.dataSync(), after: generator.save() };
    });
  } finally {
    generator.dispose();
  }
}

/** Whole blocks and what is left of one, more than one block of threads, more than one tile to sort. */
const SIZES = [0, 1, 2, 3, 4, 5, 31, 1024, 2049];
const STATES: GeneratorState[] = [
  { seed: [7, 0], counter: [0, 0] },
  // The carry of the counter, and the sign bits.
  { seed: [0xfedcba98, 0x87654321], counter: [0xfffffffe, 8] },
];
const DRAWS: Record<string, (n: number) => Draw> = {
  'rand float32': (n) => (generator) => rand([n], { generator }),
  'rand bfloat16': (n) => (generator) => rand([n], { generator, dtype: 'bfloat16' }),
  'randn float32': (n) => (generator) => randn([n], { generator, mean: -3, std: 0.25 }),
  'randn bfloat16': (n) => (generator) => randn([n], { generator, dtype: 'bfloat16' }),
  'truncNormal float32': (n) => (generator) => truncNormal([n], { generator, mean: 1, std: 0.02 }),
  'truncNormal bfloat16': (n) => (generator) => truncNormal([n], { generator, dtype: 'bfloat16' }),
  'randint of few': (n) => (generator) => randint(-3, 4, [n], { generator }),
  'randint of all': (n) => (generator) => randint(-(2 ** 31), 2 ** 31, [n], { generator }),
  randperm: (n) => (generator) => randperm(n, { generator }),
};

eachDevice('random numbers, bit by bit those of the CPU', (device) => {
  it.each(Object.entries(DRAWS))('%s', (_, draw) => {
    for (const state of STATES)
      for (const n of SIZES) expect(drawn(draw(n), state, device)).toEqual(drawn(draw(n), state, 'cpu'));
  });

  it('in the order of the calls', () => {
    const all: Draw[] = [DRAWS['rand float32']!(5), DRAWS['randperm']!(9), DRAWS['randint of few']!(3)];
    const [generator, expected] = [new Generator(3, { device }), new Generator(3)];
    for (const draw of [...all, ...all]) expect(draw(generator).dataSync()).toEqual(draw(expected).dataSync());
    expect(generator.save()).toEqual(expected.save());
  });

  it('sorts a permutation of several merges', () => {
    // 9000 items are 16384 with what fills the last power of two: tiles of 2048 are merged three times.
    const state = STATES[0]!;
    expect(drawn(DRAWS['randperm']!(9000), state, device)).toEqual(drawn(DRAWS['randperm']!(9000), state, 'cpu'));
  });
});
