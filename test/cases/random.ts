import {
  ArgumentError,
  DTypeError,
  Generator,
  rand,
  randint,
  randn,
  randperm,
  ShapeError,
  type Tensor,
  truncNormal,
} from '../../ts/index';
import { philox4x32 } from '../../ts/data/philox';
import { uniformOp } from '../../ts/ops/random';
import type { DType } from '../../ts/tensor/dtype';
import { type Arr, arr, sizeOf } from '../support/arrays';
import { ALL_DTYPES, opCase, type Refused, type Shape } from '../support/op_case';
import { tensor } from '../../ts/index';

const UPPER_STREAM = 0x80000000;

/** A generator in the state that the test made up. */
function generatorIn(state: Tensor): Generator {
  const [a, b, c, d] = Uint32Array.from(state.dataSync());
  return new Generator().load({ seed: [a!, b!], counter: [c!, d!] });
}

/** Blocks of four words from the state on. */
function* blocksFrom(state: Arr): globalThis.Generator<Uint32Array> {
  const [k0, k1, low, high] = Uint32Array.from(state.data);
  for (let block = (BigInt(high!) << 32n) | BigInt(low!); ; block = (block + 1n) & 0xffffffffffffffffn) {
    const out = new Uint32Array(4);
    philox4x32(Number(block & 0xffffffffn) | 0, Number(block >> 32n) | 0, 0, UPPER_STREAM | 0, k0!, k1!, out);
    yield out;
  }
}

function draw(state: Arr, shape: Shape, numbers: (words: Uint32Array) => number[]): Arr {
  const values: number[] = [];
  const blocks = blocksFrom(state);
  while (values.length < sizeOf(shape)) values.push(...numbers(blocks.next().value as Uint32Array));
  return arr(shape, values.slice(0, sizeOf(shape)));
}

interface MakeOptions {
  readonly shape: Shape;
  readonly dtype: DType;
}
const shapes: Shape[] = [[], [1], [4], [5], [0], [2, 3], [3, 0, 2], [33]];
/** More than one task of blocks. */
const long: Shape = [8192 + 3];
const made = [
  ...(['float32', 'float64', 'bfloat16'] as const).flatMap((dtype) =>
    shapes.map((shape) => ({ shapes: [[4]], options: { shape, dtype } })),
  ),
  { shapes: [[4]], options: { shape: long, dtype: 'float32' as const } },
];

/** Common to all: a state of any words, which the dtype of the table does not touch. */
const stateCase = {
  dtypes: ALL_DTYPES,
  inputDTypes: ['int32'],
  value: (u: number): number => Math.floor(u * 2 ** 32) - 2 ** 31,
  result: (_dtype: DType, { dtype }: MakeOptions): DType => dtype,
  made: ({ shape }: MakeOptions): Shape => shape,
  elementwise: true,
  gradient: 'depends on no tensor but the state',
} as const;

const bits53 = (high: number, low: number): number => (high >>> 6) * 2 ** 27 + (low >>> 5);

function refusedBy(make: (shape: number[], options: object) => Tensor): Refused[] {
  return [
    { what: 'dtype int32', run: () => make([2], { dtype: 'int32' }), error: DTypeError },
    { what: 'an unknown dtype', run: () => make([2], { dtype: 'half' }), error: ArgumentError },
    { what: 'a negative size', run: () => make([-1], {}), error: ShapeError },
    { what: 'a shape that is a number', run: () => make(2 as unknown as number[], {}), error: ArgumentError },
    { what: 'options null', run: () => make([2], null as unknown as object), error: ArgumentError },
    { what: 'a seed for a generator', run: () => make([2], { generator: 1 }), error: ArgumentError },
  ];
}

export const uniformCase = opCase<MakeOptions>({
  ...stateCase,
  call: ([state], { shape, dtype }) => rand(shape, { generator: generatorIn(state!), dtype }),
  reference: ([state], { shape, dtype }) =>
    draw(state!, shape, (w) => {
      if (dtype === 'float64') return [bits53(w[0]!, w[1]!), bits53(w[2]!, w[3]!)].map((k) => k * 2 ** -53);
      return [...w].map((word) => (dtype === 'float32' ? (word >>> 8) * 2 ** -24 : (word >>> 24) * 2 ** -8));
    }),
  samples: made,
  refused: [
    ...refusedBy(rand),
    {
      what: 'a state of another shape',
      run: () => uniformOp.one([tensor([1], { dtype: 'int32' })], { shape: [1], dtype: 4 }),
      error: ShapeError,
    },
  ],
});

const std = 3;

export const normalCase = opCase<MakeOptions>({
  ...stateCase,
  call: ([state], { shape, dtype }) => randn(shape, { generator: generatorIn(state!), dtype, std }),
  reference: ([state], { shape, dtype }) =>
    draw(state!, shape, (w) => {
      const pairs =
        dtype === 'float64'
          ? [[(bits53(w[0]!, w[1]!) + 1) * 2 ** -53, bits53(w[2]!, w[3]!) * 2 ** -53]]
          : [0, 2].map((i) => [(w[i]! + 1) * 2 ** -32, w[i + 1]! * 2 ** -32]);
      return pairs.flatMap(([u1, u2]) => {
        const radius = std * Math.sqrt(-2 * Math.log(u1!));
        return [radius * Math.cos(2 * Math.PI * u2!), radius * Math.sin(2 * Math.PI * u2!)];
      });
    }),
  samples: made,
  refused: [
    ...refusedBy(randn),
    { what: 'a negative std', run: () => randn([2], { std: -1 }), error: ArgumentError },
    { what: 'an infinite std', run: () => randn([2], { std: Infinity }), error: ArgumentError },
    { what: 'a mean of NaN', run: () => randn([2], { mean: NaN }), error: ArgumentError },
    { what: 'a text as mean', run: () => randn([2], { mean: '0' as unknown as number }), error: ArgumentError },
  ],
});

/** erf by a series of positive terms, and its inverse by Newton's method: good to some units in the last place. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); ++n) sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
const slope = (x: number): number => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x);
function erfinv(y: number): number {
  let x = y;
  for (let i = 0; i < 8; ++i) {
    const step = (erf(x) - y) / slope(x);
    x -= step;
    // Each step squares the error: the next one would be lost in rounding.
    if (Math.abs(step) < 1e-9 * Math.abs(x)) break;
  }
  return x;
}
const ERF_OF_CUT = erf(Math.SQRT2);

/** The same with 120 binary digits, for float64. */
const ONE = 1n << 120n;
const fixed = (x: number): bigint => BigInt(Math.round(x * 2 ** 60)) << 60n;
/** Without the factor 2 / sqrt(pi). */
function fixedErf(x: bigint): bigint {
  let [power, sum] = [x, x];
  for (let n = 1n; power !== 0n; ++n) {
    power = (-power * ((x * x) / ONE)) / ONE / n;
    sum += power / (2n * n + 1n);
  }
  return sum;
}
const root = fixed(Math.SQRT2);
const fixedErfOfCut = fixedErf((root + (2n * ONE * ONE) / root) / 2n);
/** erfinv(u erf(sqrt(2))): one more step of Newton's method from a double. */
function erfinvOfCut(u: number): number {
  const x = fixed(erfinv(u * ERF_OF_CUT));
  const residual = fixedErf(x) - (fixed(u) * fixedErfOfCut) / ONE;
  const start = Number(x) / Number(ONE);
  return start - (Number(residual) / Number(ONE)) * Math.exp(start * start);
}
/** Of a standard normal cut at +-2. */
const STD_OF_CUT = Math.sqrt(1 - (4 * Math.exp(-2)) / Math.sqrt(2 * Math.PI) / ERF_OF_CUT);

export const truncNormalCase = opCase<MakeOptions>({
  ...stateCase,
  call: ([state], { shape, dtype }) => truncNormal(shape, { generator: generatorIn(state!), dtype, std }),
  reference: ([state], { shape, dtype }) =>
    draw(state!, shape, (w) => {
      const units =
        dtype === 'float64'
          ? [bits53(w[0]!, w[1]!), bits53(w[2]!, w[3]!)].map((k) => Number(2n * BigInt(k) + 1n - 2n ** 53n) * 2 ** -53)
          : [...w].map((word) => (2 * word + 1 - 2 ** 32) * 2 ** -32);
      const inverse = dtype === 'float64' ? erfinvOfCut : (u: number): number => erfinv(u * ERF_OF_CUT);
      return units.map((u) => (std / STD_OF_CUT) * Math.SQRT2 * inverse(u));
    }),
  samples: made,
  refused: [
    ...refusedBy(truncNormal),
    { what: 'a negative std', run: () => truncNormal([2], { std: -1 }), error: ArgumentError },
  ],
});

interface IntegerOptions {
  readonly shape: Shape;
  readonly low: number;
  readonly high: number;
}

const word64 = (w: Uint32Array, i: number): bigint => (BigInt(w[2 * i]!) << 32n) | BigInt(w[2 * i + 1]!);

export const randomIntegersCase = opCase<IntegerOptions>({
  ...stateCase,
  result: () => 'int32',
  call: ([state], { shape, low, high }) => randint(low, high, shape, { generator: generatorIn(state!) }),
  reference: ([state], { shape, low, high }) =>
    draw(state!, shape, (w) => [0, 1].map((i) => low + Number((word64(w, i) * BigInt(high - low)) >> 64n))),
  samples: shapes.flatMap((shape) =>
    (
      [
        [0, 10],
        [-5, -4],
        [-(2 ** 31), 2 ** 31],
      ] as const
    ).map(([low, high]) => ({ shapes: [[4]], options: { shape, low, high } })),
  ),
  made: ({ shape }) => shape,
  refused: [
    { what: 'an empty range', run: () => randint(3, 3, [2]), error: ArgumentError },
    { what: 'more than int32', run: () => randint(0, 2 ** 31 + 1, [2]), error: ArgumentError },
    { what: 'a fraction', run: () => randint(0, 1.5, [2]), error: ArgumentError },
    { what: 'a negative size', run: () => randint(0, 2, [-1]), error: ShapeError },
  ],
});

export const randomPermutationCase = opCase<number>({
  ...stateCase,
  result: () => 'int32',
  call: ([state], n) => randperm(n, { generator: generatorIn(state!) }),
  reference: ([state], n) => {
    const keys: bigint[] = [];
    for (const words of blocksFrom(state!)) {
      if (keys.length >= n) break;
      keys.push(word64(words, 0), word64(words, 1));
    }
    const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => (keys[a]! < keys[b]! ? -1 : 1));
    return arr([n], order);
  },
  samples: [0, 1, 2, 3, 4, 5, 7, 16, 33, 100, 1000, 5000].map((n) => ({ shapes: [[4]], options: n })),
  made: (n) => [n],
  refused: [
    { what: 'a negative n', run: () => randperm(-1), error: ArgumentError },
    { what: 'a fraction', run: () => randperm(1.5), error: ArgumentError },
    { what: 'more than int32', run: () => randperm(2 ** 31), error: ArgumentError },
  ],
});
