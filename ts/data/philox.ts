import { types } from 'node:util';
import { ArgumentError, FormatError } from '../error';
import { allocating, describe, readArgument } from '../io/arguments';

/** Position of a {@link Philox} stream, plain JSON: 64-bit numbers are decimal strings. */
export interface PhiloxState {
  readonly seed: string;
  readonly stream: string;
  /** How many 32-bit words were drawn. */
  readonly position: number;
}

// Looked up once: in a vm context (jest) every mention of a global is slow.
const { floor, imul } = Math;
const { isInteger } = Number;

const ROUNDS = 10;
const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const LOW_0 = MULTIPLIER_0 & 0xffff;
const HIGH_0 = MULTIPLIER_0 >>> 16;
const LOW_1 = MULTIPLIER_1 & 0xffff;
const HIGH_1 = MULTIPLIER_1 >>> 16;
const TWO_32 = 2 ** 32;
/** Longest permutation and largest choice: 1 GiB of indices. */
const MAX_PERMUTATION = 2 ** 28;

/**
 * One block of Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four words that
 * depend on nothing but the 128-bit counter (c0 lowest) and the 64-bit key (k0 lowest).
 * Every argument is a 32-bit word; the four results go to out[0..3].
 */
export function philox4x32(
  ...[c0, c1, c2, c3, k0, k1, out]: [...words: [number, number, number, number, number, number], out: Uint32Array]
): void {
  const given = [c0, c1, c2, c3, k0, k1];
  if (!given.every((word) => Number.isInteger(word)) || !types.isUint32Array(out) || out.length < 4) {
    throw new ArgumentError('philox4x32: expected six 32-bit words and a Uint32Array of at least 4 words');
  }
  philoxBlock(c0, c1, c2, c3, k0, k1, out);
}

function philoxBlock(c0: number, c1: number, c2: number, c3: number, k0: number, k1: number, out: Uint32Array): void {
  for (let round = 0; round < ROUNDS; round++) {
    // High words of two 32 x 32 -> 64 products in 16-bit halves: no partial sum reaches 2^32, so int32 arithmetic is exact.
    const a = c0 & 0xffff;
    const b = c0 >>> 16;
    const mid0 = (imul(HIGH_0, a) >>> 0) + (imul(LOW_0, a) >>> 16);
    const low0 = (imul(LOW_0, b) >>> 0) + (mid0 & 0xffff);
    const high0 = imul(HIGH_0, b) + (mid0 >>> 16) + (low0 >>> 16);
    const c = c2 & 0xffff;
    const d = c2 >>> 16;
    const mid1 = (imul(HIGH_1, c) >>> 0) + (imul(LOW_1, c) >>> 16);
    const low1 = (imul(LOW_1, d) >>> 0) + (mid1 & 0xffff);
    const high1 = imul(HIGH_1, d) + (mid1 >>> 16) + (low1 >>> 16);
    const product0 = imul(MULTIPLIER_0, c0);
    const product1 = imul(MULTIPLIER_1, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = product1;
    c2 = high0 ^ c3 ^ k1;
    c3 = product0;
    k0 = (k0 + WEYL_0) | 0;
    k1 = (k1 + WEYL_1) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** Splits a seed or stream number into (low, high) words; a safe integer and the same bigint are the same number. */
function words(value: number | bigint, what: string): readonly [number, number] {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) {
    return [(value % TWO_32) | 0, (value / TWO_32) | 0];
  }
  if (typeof value === 'bigint' && value >= 0n && value < 1n << 64n) {
    return [Number(value & 0xffffffffn) | 0, Number(value >> 32n) | 0];
  }
  throw new ArgumentError(
    `Philox: ${what} must be an integer from 0 to ${typeof value === 'bigint' ? '2^64-1' : '2^53-1'}, got ${describe(value)}`,
  );
}

function joined(low: number, high: number): string {
  return ((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)).toString();
}

/**
 * Counter-based random numbers: word i of stream s under a seed is a fixed number, whatever was drawn before. The seed is
 * the key, the stream the upper half of the counter, so streams of one seed never overlap.
 */
export class Philox {
  readonly #block = new Uint32Array(4);
  readonly #key0: number;
  readonly #key1: number;
  #stream0 = 0;
  #stream1 = 0;
  #position = 0;

  /**
   * @param seed safe integer or bigint in [0, 2^64)
   * @param stream independent sequence under that seed, same range
   * @param position number of 32-bit words to skip
   * @throws ArgumentError for anything else
   */
  constructor(seed: number | bigint, stream: number | bigint = 0, position = 0) {
    [this.#key0, this.#key1] = words(seed, 'seed');
    this.seek(stream, position);
  }

  /** Moves to any word of any stream, at the cost of one block. */
  seek(stream: number | bigint, position = 0): this {
    if (!Number.isSafeInteger(position) || position < 0) {
      throw new ArgumentError(`Philox: position must be an integer from 0 to 2^53-1, got ${describe(position)}`);
    }
    [this.#stream0, this.#stream1] = words(stream, 'stream');
    this.#position = position;
    if (position % 4 !== 0) this.#fill();
    return this;
  }

  #fill(): void {
    const block = floor(this.#position / 4);
    philoxBlock(
      (block % TWO_32) | 0,
      (block / TWO_32) | 0,
      this.#stream0,
      this.#stream1,
      this.#key0,
      this.#key1,
      this.#block,
    );
  }

  /** A uniform integer in [0, 2^32). */
  uint32(): number {
    const word = this.#position % 4;
    if (word === 0) this.#fill();
    this.#position++;
    return this.#block[word]!;
  }

  /** A uniform multiple of 2^-53 in [0, 1); draws two words. */
  uniform(): number {
    const high = this.uint32() >>> 6;
    return (high * 2 ** 27 + (this.uint32() >>> 5)) * 2 ** -53;
  }

  /**
   * A uniform integer in [0, n), 1 <= n <= 2^32, without modulo bias (Lemire, arXiv 1805.10941).
   * @throws ArgumentError for any other n
   */
  below(n: number): number {
    if (!isInteger(n) || n < 1 || n > TWO_32) {
      throw new ArgumentError(`Philox.below: n must be an integer from 1 to 2^32, got ${describe(n)}`);
    }
    if (n === TWO_32) return this.uint32();
    const threshold = (TWO_32 - n) % n;
    for (;;) {
      const x = this.uint32();
      // x * n needs 64 bits: the upper half is the draw, the lower half says whether it belongs to the biased remainder.
      const lower = imul(x, n) >>> 0;
      if (lower < threshold) continue;
      const low = (x & 0xffff) * n;
      return floor(((x >>> 16) * n + floor(low / 65536)) / 65536);
    }
  }

  /** Shuffles in place (Fisher-Yates) and returns its argument. */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T {
    return readArgument('Philox.shuffle', 'items', () => {
      if (!Array.isArray(items) && !ArrayBuffer.isView(items)) {
        throw new ArgumentError(`Philox.shuffle: items must be an array or a typed array, got ${describe(items)}`);
      }
      // Moving holes about would fill them: an array of length 2^32 - 1 with nothing in it takes all memory.
      // And what cannot be read must not be handed back: each is read.
      for (let i = 0; i < items.length; i++) {
        if (items[i] !== undefined || i in items) continue;
        throw new ArgumentError(`Philox.shuffle: items must have no holes, got none at ${i} of ${items.length}`);
      }
      return this.#shuffled(items);
    });
  }

  #shuffled<T extends { length: number; [index: number]: unknown }>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const kept = items[i];
      items[i] = items[j];
      items[j] = kept;
    }
    return items;
  }

  /** A uniform permutation of 0..n-1, n <= 2^28. */
  permutation(n: number): Uint32Array {
    if (!isInteger(n) || n < 0 || n > MAX_PERMUTATION) {
      throw new ArgumentError(`Philox.permutation: n must be an integer from 0 to 2^28, got ${describe(n)}`);
    }
    const order = allocating('Philox.permutation', () => new Uint32Array(n));
    for (let i = 0; i < n; i++) order[i] = i;
    return this.#shuffled(order);
  }

  /** `count` distinct integers of [0, n) in random order. */
  choose(n: number, count: number): Uint32Array {
    if (!isInteger(n) || n < 0 || n > TWO_32) {
      throw new ArgumentError(`Philox.choose: n must be an integer from 0 to 2^32, got ${describe(n)}`);
    }
    if (!isInteger(count) || count < 0 || count > Math.min(n, MAX_PERMUTATION / 4)) {
      throw new ArgumentError(
        `Philox.choose: count must be an integer from 0 to n = ${n} and 2^26, got ${describe(count)}`,
      );
    }
    if (count * 4 >= n) {
      return this.permutation(n).subarray(0, count);
    }
    // Floyd's sampling is uniform as a set; the shuffle makes the order uniform too.
    const picked = new Set<number>();
    for (let top = n - count; top < n; top++) {
      const candidate = this.below(top + 1);
      picked.add(picked.has(candidate) ? top : candidate);
    }
    return this.#shuffled(Uint32Array.from(picked));
  }

  /** The state as JSON; {@link Philox.fromJSON} continues with the next number. */
  toJSON(): PhiloxState {
    return {
      seed: joined(this.#key0, this.#key1),
      stream: joined(this.#stream0, this.#stream1),
      position: this.#position,
    };
  }

  /** @throws FormatError when the value is not a state written by {@link Philox.toJSON} */
  static fromJSON(state: unknown): Philox {
    const { seed, stream, position } = readArgument('Philox.fromJSON', 'state', () => ({
      ...(typeof state === 'object' && state !== null ? (state as Partial<PhiloxState>) : {}),
    }));
    if (!isUint64Text(seed) || !isUint64Text(stream) || !Number.isSafeInteger(position) || Number(position) < 0) {
      throw new FormatError(`Philox.fromJSON: expected {seed, stream, position}, got ${describe(state)}`);
    }
    return new Philox(BigInt(seed), BigInt(stream), Number(position));
  }
}

function isUint64Text(text: unknown): text is string {
  return typeof text === 'string' && /^\d{1,20}$/.test(text) && BigInt(text) < 1n << 64n;
}

/**
 * A stream number for draw `index` of one purpose, so that unrelated uses of a seed never share numbers.
 * purpose < 2^12, index < 2^40.
 */
export function streamOf(purpose: number, index: number): number {
  if (!(Number.isInteger(purpose) && purpose >= 0 && purpose < 2 ** 12)) {
    throw new ArgumentError(`streamOf: purpose must be an integer from 0 to 4095, got ${describe(purpose)}`);
  }
  if (!(Number.isInteger(index) && index >= 0 && index < 2 ** 40)) {
    throw new ArgumentError(`streamOf: index must be an integer from 0 to 2^40-1, got ${describe(index)}`);
  }
  return purpose * 2 ** 40 + index;
}
