import { types } from 'node:util';
import { ArgumentError, ConfigError, FormatError } from '../error';
import { describe, readArgument } from '../io/arguments';
import { readArray, readFields, requireFunction } from '../tensor/arguments';
import { readOptions, requireCallback, requireInteger, requireDataset } from './check';
import { IGNORE_LABEL, type PuzzleDataset, type PuzzleIndices, type PuzzleSet, type TokenArray } from './dataset';
import type { DatasetMetadata } from './metadata';
import { Philox, streamOf } from './philox';

/** Rows for one step, row-major. Rows from nValid on are padding (evaluation only). */
export interface Batch {
  readonly setName: string;
  /** [batchSize, seqLen] */
  readonly inputs: Int32Array;
  /** [batchSize, seqLen], -100 where not scored */
  readonly labels: Int32Array;
  /** [batchSize] */
  readonly puzzleIdentifiers: Int32Array;
  readonly nValid: number;
}

/** Where training examples come from: a set on disk, or puzzles augmented as they are drawn. */
export interface ExampleGroups {
  readonly name: string;
  readonly nGroups: number;
  /** Puzzles in a group, one of which is drawn whenever the group comes up. */
  nPuzzles(group: number): number;
  /** Examples of a puzzle. */
  nExamples(group: number, puzzle: number): number;
  identifier(group: number, puzzle: number): number;
  /** Writes the seqLen tokens of an example at `offset`. */
  write(group: number, puzzle: number, example: number, inputs: Int32Array, labels: Int32Array, offset: number): void;
}

export interface SamplerOptions {
  readonly batchSize: number;
  /** Safe integer or bigint in [0, 2^64). */
  readonly seed: number | bigint;
  /** Epochs between two evaluations; the incomplete batch at the end of such an interval is dropped. */
  readonly epochsPerInterval: number;
}

/** Where a {@link TrainSampler} is, plain JSON, with what the order depends on. */
export interface SamplerCursor {
  readonly seed: string;
  readonly batchSize: number;
  readonly epochsPerInterval: number;
  /** Groups of each set. */
  readonly groups: readonly number[];
  readonly interval: number;
  readonly set: number;
  /** Groups of this interval and set that were drawn. */
  readonly position: number;
}

/** Philox streams under the sampler's seed: two for each set, for the order of groups and for what is drawn of them. */
const ORDER_STREAM = 16;
const DRAW_STREAM = 17;

/**
 * Training batches in the order of HRM section 6: groups are permuted each epoch, one puzzle is drawn of each group, its
 * examples are appended in random order without replacement until the batch is full and the rest is left; batches run
 * across epochs, and only the incomplete batch at the end of an interval is dropped.
 *
 * Every draw is a function of the seed and the position, so a cursor is a few numbers and resuming from it is exact.
 */
export class TrainSampler {
  readonly options: SamplerOptions;
  readonly sets: readonly ExampleGroups[];
  readonly #rng: Philox;
  readonly #order: Philox;
  readonly #seed: string;
  #interval = 0;
  #set = 0;
  #position = 0;
  /** Permutation of the groups in `#permutedEpoch` of `#permutedSet`. */
  #permutation: Uint32Array = new Uint32Array(0);
  #permutedEpoch = -1;
  #permutedSet = -1;

  /**
   * @param sets visited one after the other in each interval
   * @throws ArgumentError when an option is out of range, or an interval cannot fill a single batch
   */
  constructor(
    readonly metadata: DatasetMetadata,
    sets: readonly ExampleGroups[],
    options: SamplerOptions,
  ) {
    this.options = readOptions('TrainSampler', options, ['batchSize', 'seed', 'epochsPerInterval']);
    const { batchSize, seed, epochsPerInterval } = this.options;
    checkCount('batchSize', batchSize);
    checkCount('epochsPerInterval', epochsPerInterval);
    readArgument('TrainSampler', 'metadata', () =>
      requireInteger('TrainSampler', 'metadata.seqLen', metadata.seqLen, 1, 2 ** 31 - 1),
    );
    this.sets = readArray('TrainSampler', 'sets', sets, 'an array of sets') as readonly ExampleGroups[];
    if (this.sets.length === 0) throw new ArgumentError('TrainSampler: there must be at least one set');
    for (const [i, set] of this.sets.entries()) requireGroups(`sets[${i}]`, set);
    this.#rng = new Philox(seed);
    this.#order = new Philox(seed);
    this.#seed = BigInt(seed).toString();
    for (const set of this.sets) readArgument('TrainSampler', 'sets', () => this.#checkFills(set));
  }

  #checkFills(set: ExampleGroups): void {
    const { batchSize, epochsPerInterval } = this.options;
    let fewest = 0;
    for (let group = 0; group < set.nGroups && fewest < batchSize; group++) {
      let least = Infinity;
      for (let puzzle = 0; puzzle < set.nPuzzles(group); puzzle++) {
        least = Math.min(least, set.nExamples(group, puzzle));
        if (least === 1) break;
      }
      fewest += least * epochsPerInterval;
    }
    if (fewest < batchSize) {
      throw new ArgumentError(
        `TrainSampler: set ${set.name} must have at least batchSize = ${batchSize} examples in ` +
          `${epochsPerInterval} epochs, got ${fewest}; use a smaller batch or longer intervals`,
      );
    }
  }

  /** The next batch, or null at the end of an interval; the call after that starts the next interval. */
  next(): Batch | null {
    const { batchSize, epochsPerInterval } = this.options;
    for (; this.#set < this.sets.length; this.#set++, this.#position = 0) {
      const set = this.sets[this.#set]!;
      const end = set.nGroups * epochsPerInterval;
      const batch = emptyBatch(set.name, batchSize, this.metadata.seqLen);
      let filled = 0;
      while (filled < batchSize && this.#position < end) filled = this.#append(set, batch, filled);
      if (filled === batchSize) return batch;
    }
    this.#interval++;
    this.#set = 0;
    return null;
  }

  /** Draws the group at the current position and appends what fits. */
  #append(set: ExampleGroups, batch: Batch, filled: number): number {
    const { batchSize, epochsPerInterval } = this.options;
    const { seqLen } = this.metadata;
    const epoch = this.#interval * epochsPerInterval + Math.floor(this.#position / set.nGroups);
    const within = this.#position % set.nGroups;
    const group = this.#permuted(set, epoch)[within]!;
    const rng = this.#rng.seek(streamOf(DRAW_STREAM + 2 * this.#set, epoch * set.nGroups + within));
    const puzzle = rng.below(set.nPuzzles(group));
    const nExamples = set.nExamples(group, puzzle);
    const taken = Math.min(nExamples, batchSize - filled);
    for (const example of rng.choose(nExamples, taken)) {
      set.write(group, puzzle, example, batch.inputs, batch.labels, filled * seqLen);
      batch.puzzleIdentifiers[filled++] = set.identifier(group, puzzle);
    }
    this.#position++;
    return filled;
  }

  #permuted(set: ExampleGroups, epoch: number): Uint32Array {
    if (this.#permutedEpoch !== epoch || this.#permutedSet !== this.#set) {
      this.#permutation = this.#order.seek(streamOf(ORDER_STREAM + 2 * this.#set, epoch)).permutation(set.nGroups);
      this.#permutedEpoch = epoch;
      this.#permutedSet = this.#set;
    }
    return this.#permutation;
  }

  /** The state before the next batch. */
  get cursor(): SamplerCursor {
    return { ...this.#identity(), interval: this.#interval, set: this.#set, position: this.#position };
  }

  #identity(): Omit<SamplerCursor, 'interval' | 'set' | 'position'> {
    const { batchSize, epochsPerInterval } = this.options;
    return { seed: this.#seed, batchSize, epochsPerInterval, groups: this.sets.map((set) => set.nGroups) };
  }

  /**
   * Goes to a saved cursor: the next batch is the one that would have come then.
   * @throws FormatError when it is no cursor; ConfigError when it belongs to another order of examples
   */
  restore(cursor: unknown): void {
    const saved = readArgument('TrainSampler.restore', 'cursor', () => ({
      ...(typeof cursor === 'object' && cursor !== null ? (cursor as Partial<SamplerCursor>) : {}),
    }));
    for (const [key, expected] of Object.entries(this.#identity())) {
      const got = saved[key as keyof SamplerCursor];
      if (got === undefined) throw new FormatError(`TrainSampler.restore: the cursor must have ${key}`);
      if (!sameJson(got, expected)) {
        throw new ConfigError(
          `TrainSampler.restore: ${key} must be ${String(expected)} as in this run, got ${describe(got)}; ` +
            'resume with the data and settings that the checkpoint was made with',
        );
      }
    }
    const { interval, set, position } = saved;
    const index = (value: unknown, below: number): value is number =>
      typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < below;
    const endOf = (i: number): number => this.sets[i]!.nGroups * this.options.epochsPerInterval;
    if (!index(interval, 2 ** 40) || !index(set, this.sets.length) || !index(position, endOf(set) + 1)) {
      throw new FormatError(
        `TrainSampler.restore: interval, set and position must be inside the data, got ` +
          `${describe(interval)}, ${describe(set)}, ${describe(position)}`,
      );
    }
    this.#interval = interval;
    this.#set = set;
    this.#position = position;
  }
}

function requireGroups(where: string, value: ExampleGroups): void {
  const op = 'TrainSampler';
  const keys = ['name', 'nGroups', 'nPuzzles', 'nExamples', 'identifier', 'write'] as const;
  const { name, nGroups, ...calls } = readFields(op, where, value, keys);
  if (typeof name !== 'string') throw new ArgumentError(`${op}: ${where} must have a name, got ${describe(name)}`);
  requireInteger(op, `${where}.nGroups`, nGroups, 0, 2 ** 31 - 1);
  for (const [key, call] of Object.entries(calls)) requireFunction(op, `${where}.${key}`, call);
}

function checkCount(what: string, value: unknown): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value < 2 ** 31) return;
  throw new ArgumentError(`sampler: ${what} must be an integer in [1, 2^31), got ${describe(value)}`);
}

function emptyBatch(setName: string, batchSize: number, seqLen: number): { -readonly [K in keyof Batch]: Batch[K] } {
  return {
    setName,
    inputs: new Int32Array(batchSize * seqLen),
    labels: new Int32Array(batchSize * seqLen),
    puzzleIdentifiers: new Int32Array(batchSize),
    nValid: batchSize,
  };
}

/** A set whose examples can be read, in memory or not. */
export interface ExampleSet extends PuzzleIndices {
  readonly name: string;
  readonly nExamples: number;
  /** Writes the seqLen tokens of an example at `offset`; labels that are not scored are -100. */
  read(example: number, inputs: Int32Array, labels: Int32Array, offset: number): void;
}

/** A loaded set to be read from. */
export function loadedExamples(set: PuzzleSet, seqLen: number): ExampleSet {
  const { name, nExamples, inputs, labels, puzzleIdentifiers, puzzleIndices, groupIndices } = set;
  const read: ExampleSet['read'] = (example, toInputs, toLabels, offset) => {
    copyRow(inputs, example, seqLen, toInputs, offset);
    copyRow(labels, example, seqLen, toLabels, offset);
  };
  return { name, nExamples, puzzleIdentifiers, puzzleIndices, groupIndices, read };
}

/** The groups of a set. */
export function groupsOf(set: ExampleSet): ExampleGroups {
  const { name, puzzleIdentifiers, puzzleIndices, groupIndices } = set;
  return {
    name,
    nGroups: groupIndices.length - 1,
    nPuzzles: (group) => groupIndices[group + 1]! - groupIndices[group]!,
    nExamples: (group, puzzle) => {
      const p = groupIndices[group]! + puzzle;
      return puzzleIndices[p + 1]! - puzzleIndices[p]!;
    },
    identifier: (group, puzzle) => puzzleIdentifiers[groupIndices[group]! + puzzle]!,
    write: (group, puzzle, example, inputs, labels, offset) => {
      set.read(puzzleIndices[groupIndices[group]! + puzzle]! + example, inputs, labels, offset);
    },
  };
}

function copyRow(from: TokenArray, row: number, seqLen: number, to: Int32Array, offset: number): void {
  for (let i = 0, at = row * seqLen; i < seqLen; i++) to[offset + i] = from[at + i]!;
}

/** A {@link TrainSampler} over a loaded split. */
export function datasetSampler(dataset: PuzzleDataset, options: SamplerOptions): TrainSampler {
  const { metadata, sets } = requireDataset('datasetSampler', dataset);
  return new TrainSampler(
    metadata,
    sets.map((set) => groupsOf(loadedExamples(set, metadata.seqLen))),
    options,
  );
}

/**
 * Every example of a split in order, set by set. The last batch of a set is filled with padding rows: pad_id, -100 and
 * the blank identifier.
 *
 * @param examples only these rows of each set, in this order (see {@link fixedSubset})
 */
export function* testBatches(
  dataset: PuzzleDataset,
  batchSize: number,
  examples?: (nExamples: number) => Uint32Array,
): Generator<Batch, void, undefined> {
  checkCount('batchSize', batchSize);
  requireCallback('testBatches', 'examples', examples);
  const { metadata, sets } = requireDataset('testBatches', dataset);
  const { seqLen, padId, blankIdentifierId } = metadata;
  for (const set of sets) {
    const rows = examples?.(set.nExamples);
    if (rows !== undefined) requireRows(rows, set.nExamples);
    const total = rows?.length ?? set.nExamples;
    for (let first = 0; first < total; first += batchSize) {
      const batch = emptyBatch(set.name, batchSize, seqLen);
      batch.nValid = Math.min(batchSize, total - first);
      for (let i = 0; i < batch.nValid; i++) {
        const row = rows?.[first + i] ?? first + i;
        copyRow(set.inputs, row, seqLen, batch.inputs, i * seqLen);
        copyRow(set.labels, row, seqLen, batch.labels, i * seqLen);
        batch.puzzleIdentifiers[i] = set.puzzleIdentifiers[puzzleOf(set.puzzleIndices, row)]!;
      }
      batch.inputs.fill(padId, batch.nValid * seqLen);
      batch.labels.fill(IGNORE_LABEL, batch.nValid * seqLen);
      batch.puzzleIdentifiers.fill(blankIdentifierId, batch.nValid);
      yield batch;
    }
  }
}

/** Equality of a number, a text or a list of numbers from JSON. */
function sameJson(got: unknown, expected: unknown): boolean {
  if (!Array.isArray(expected)) return got === expected;
  return Array.isArray(got) && got.length === expected.length && expected.every((value, i) => value === got[i]);
}

function requireRows(rows: unknown, nExamples: number): void {
  if (types.isUint32Array(rows) && Uint32Array.prototype.every.call(rows, (row) => row < nExamples)) return;
  throw new ArgumentError(
    `testBatches: examples must give a Uint32Array of rows below ${nExamples}, got ${describe(rows)}`,
  );
}

/** The puzzle that an example belongs to: binary search in the offsets. */
function puzzleOf(puzzleIndices: Int32Array, example: number): number {
  let low = 0;
  let high = puzzleIndices.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (puzzleIndices[middle]! <= example) low = middle;
    else high = middle;
  }
  return low;
}

/** `count` of n rows in ascending order, the same for the same seed; all of them when count >= n. */
export function fixedSubset(n: number, count: number, seed: number | bigint = 0): Uint32Array {
  checkCount('n', n);
  checkCount('count', count);
  return new Philox(seed).choose(n, Math.min(n, count)).sort();
}
