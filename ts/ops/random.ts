/**
 * Random tensors from counter-based Philox4x32-10 (ts/data/philox.ts has the same numbers): equal seeds give equal numbers,
 * at any number of threads.
 */
import { ArgumentError, FormatError } from '../error';
import { checkOptions, checkShape, moveOwned } from '../tensor/create';
import { isInstance, readArgument, readOptions } from '../tensor/arguments';
import type { Device } from '../native/device';
import { describe, type DType, dtypeCode } from '../tensor/dtype';
import { hostReads } from '../tensor/host_reads';
import { nativeCall } from '../tensor/invoke';
import type { Tensor } from '../tensor/tensor';
import { tensor } from '../tensor/create';
import { requireInteger } from './arguments';
import { defineOp, type Op } from './define';

/** Where a generator stands, as plain JSON: words of 32 bits, lower first. */
export interface GeneratorState {
  readonly seed: readonly [low: number, high: number];
  /** Blocks of four words used so far. */
  readonly counter: readonly [low: number, high: number];
}

const words = (value: bigint): [number, number] => [Number(value & 0xffffffffn), Number(value >> 32n)];

/**
 * A stream of random numbers. Its state is a tensor, so that ops advance it on the device and nothing is read on the host;
 * each call takes whole blocks of four 32-bit words and leaves the counter behind them.
 */
export class Generator {
  /** int32 [4]: seed (low, high word), counter (low, high word). */
  readonly state: Tensor;

  /**
   * @param seed safe integer or bigint in [0, 2^64); a number and the same bigint are the same seed
   * @param options device: where the state lives, and with it what is drawn; default 'cpu'
   */
  constructor(seed: number | bigint = 0, options: { readonly device?: Device } = {}) {
    const values = [...words(requireSeed('Generator', seed)), 0, 0];
    const { device } = readOptions('Generator', options, ['device']);
    const state = tensor(Int32Array.from(values), { device });
    this.state = state.alias();
    state.dispose();
  }

  /** Starts anew with a seed. */
  seed(seed: number | bigint): this {
    return this.#write([...words(requireSeed('Generator.seed', seed)), 0, 0]);
  }

  /** Reads the state from the device. */
  save(): GeneratorState {
    hostReads.check('Generator.save');
    const [seedLow, seedHigh, low, high] = Uint32Array.from(this.state.dataSync()) as unknown as number[];
    return { seed: [seedLow!, seedHigh!], counter: [low!, high!] };
  }

  /** Continues where `save` was called. @throws FormatError for anything that `save` did not write */
  load(state: GeneratorState): this {
    const values = readArgument('Generator.load', 'state', () => {
      const { seed, counter } = (typeof state === 'object' && state !== null ? state : {}) as Partial<
        Record<string, unknown>
      >;
      return [seed, counter].flatMap((pair) =>
        Array.isArray(pair) && pair.length === 2 ? [...(pair as unknown[])] : [NaN],
      );
    });
    if (!values.every((word) => Number.isInteger(word) && Number(word) >= 0 && Number(word) < 2 ** 32))
      throw new FormatError(`Generator.load: expected {seed, counter}, pairs of 32-bit words, got ${describe(state)}`);
    return this.#write(values as number[]);
  }

  #write(values: readonly number[]): this {
    const source = tensor(Int32Array.from(values));
    const here = moveOwned(source, this.state.device, 'Generator');
    nativeCall('copy').many([this.state, here]);
    here.dispose();
    return this;
  }

  dispose(): void {
    this.state.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

function requireSeed(op: string, seed: unknown): bigint {
  if (typeof seed === 'bigint' && seed >= 0n && seed < 1n << 64n) return seed;
  if (typeof seed === 'number' && Number.isSafeInteger(seed) && seed >= 0) return BigInt(seed);
  throw new ArgumentError(
    `${op}: seed must be an integer from 0 to 2^53-1, or a bigint below 2^64, got ${describe(seed)}`,
  );
}

let defaultGenerator: Generator | undefined;

/** The generator of calls without one: one an environment (main thread, worker), seeded with 0 until `manualSeed`. */
export function getDefaultGenerator(): Generator {
  return (defaultGenerator ??= new Generator(0));
}

/** Seeds the default generator. */
export function manualSeed(seed: number | bigint): Generator {
  return getDefaultGenerator().seed(seed);
}

export interface RandomOptions {
  /** Default: the environment's, see `manualSeed`. */
  readonly generator?: Generator;
}
export interface RandomFloatOptions extends RandomOptions {
  /** Floating; default float32. */
  readonly dtype?: DType;
  readonly requiresGrad?: boolean;
}
export interface NormalOptions extends RandomFloatOptions {
  /** Default 0. */
  readonly mean?: number;
  /** Standard deviation, default 1. */
  readonly std?: number;
}

function stateOf(op: string, { generator = getDefaultGenerator() }: RandomOptions): Tensor {
  if (!isInstance(generator, Generator))
    throw new ArgumentError(`${op}: generator must be a Generator, got ${describe(generator)}`);
  return generator.state;
}

function requireNumber(op: string, name: string, value: unknown): number {
  if (typeof value !== 'number') throw new ArgumentError(`${op}: ${name} must be a number, got ${describe(value)}`);
  return value;
}

function withGrad(result: Tensor, options: RandomFloatOptions): Tensor {
  if (options.requiresGrad) result.requiresGrad = true;
  return result;
}

export const uniformOp: Op<'uniform'> = defineOp('uniform');
export const normalOp: Op<'normal'> = defineOp('normal');
export const truncNormalOp: Op<'trunc_normal'> = defineOp('trunc_normal');
export const randomIntegersOp: Op<'random_integers'> = defineOp('random_integers');
export const randomPermutationOp: Op<'random_permutation'> = defineOp('random_permutation');

/** Uniform numbers in [0, 1): multiples of 2^-24 (float32), 2^-53 (float64) or 2^-8 (bfloat16). */
export function rand(shape: readonly number[], options: RandomFloatOptions = {}): Tensor {
  const given = checkOptions('rand', options);
  const dtype = dtypeCode(given.dtype ?? 'float32', 'rand');
  return withGrad(uniformOp.one([stateOf('rand', given)], { shape: checkShape('rand', shape), dtype }), given);
}

function normalAttrs(op: string, shape: readonly number[], options: NormalOptions) {
  return {
    shape: checkShape(op, shape),
    mean: requireNumber(op, 'mean', options.mean ?? 0),
    std: requireNumber(op, 'std', options.std ?? 1),
    dtype: dtypeCode(options.dtype ?? 'float32', op),
  };
}

/** Normal numbers (Box-Muller), computed in double. */
export function randn(shape: readonly number[], options: NormalOptions = {}): Tensor {
  const given = checkOptions('randn', options);
  return withGrad(normalOp.one([stateOf('randn', given)], normalAttrs('randn', shape, given)), given);
}

/**
 * Truncated normal numbers: a normal distribution cut at two of its own standard deviations and rescaled, so that the result
 * has the given mean and std and lies within mean +- 2.2737 std (HRM section 1, the JAX convention).
 */
export function truncNormal(shape: readonly number[], options: NormalOptions = {}): Tensor {
  const given = checkOptions('truncNormal', options);
  return withGrad(truncNormalOp.one([stateOf('truncNormal', given)], normalAttrs('truncNormal', shape, given)), given);
}

/** Integers low <= y < high, int32. A value's probability is off by less than 2^-32 of itself. */
export function randint(low: number, high: number, shape: readonly number[], options: RandomOptions = {}): Tensor {
  return randomIntegersOp.one([stateOf('randint', checkOptions('randint', options))], {
    shape: checkShape('randint', shape),
    low: requireInteger('randint', 'low', low),
    high: requireInteger('randint', 'high', high),
  });
}

/** A uniform permutation of 0..n-1, int32 [n]. */
export function randperm(n: number, options: RandomOptions = {}): Tensor {
  const state = stateOf('randperm', checkOptions('randperm', options));
  return randomPermutationOp.one([state], { n: requireInteger('randperm', 'n', n) });
}
