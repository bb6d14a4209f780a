import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { ArgumentError, FormatError } from '../error';
import { IGNORE_LABEL } from '../tensor/ignore_label';
import { describe, readArgument, requirePath } from '../io/arguments';
import { makeDirectoryAtomic } from '../io/atomic_file';
import { onFile, readWholeFile, syncDirectory, writeSyncedFile } from '../io/files';
import { encodeNpy, parseNpy } from '../io/npy';
import { parseJson } from '../io/strict_json';
import { readArray } from '../tensor/arguments';
import { requireDataset } from './check';
import { formatMetadata, parseMetadata, type DatasetMetadata } from './metadata';

export { IGNORE_LABEL };

export type Split = 'train' | 'test';

/** Tokens, in the smallest type that holds the vocabulary: Uint8Array inputs, Int16Array labels, or Int32Array. */
export type TokenArray = Uint8Array | Int16Array | Int32Array;

/**
 * How the examples of a set are grouped, twice: puzzle p has the examples puzzleIndices[p] .. puzzleIndices[p+1]-1, group g
 * the puzzles groupIndices[g] .. groupIndices[g+1]-1.
 */
export interface PuzzleIndices {
  /** [nPuzzles] */
  readonly puzzleIdentifiers: Int32Array;
  /** [nPuzzles + 1] */
  readonly puzzleIndices: Int32Array;
  /** [nGroups + 1] */
  readonly groupIndices: Int32Array;
}

/** A set in memory. */
export interface PuzzleSet extends PuzzleIndices {
  readonly name: string;
  readonly nExamples: number;
  /** [nExamples, seqLen] */
  readonly inputs: TokenArray;
  /** [nExamples, seqLen], -100 where not scored */
  readonly labels: TokenArray;
}

/** One split of a dataset. */
export interface PuzzleDataset {
  readonly metadata: DatasetMetadata;
  readonly sets: readonly PuzzleSet[];
}

/** Input and label arrays for `length` tokens of a vocabulary. */
export function tokenArrays(length: number, vocabSize: number): { inputs: TokenArray; labels: TokenArray } {
  return {
    inputs: vocabSize <= 2 ** 8 ? new Uint8Array(length) : new Int32Array(length),
    labels: vocabSize <= 2 ** 15 ? new Int16Array(length) : new Int32Array(length),
  };
}

/**
 * Loads one split of a directory in the official layout (HRM section 6): `<dir>/<split>/dataset.json` and
 * `<set>__{inputs,labels,puzzle_identifiers,puzzle_indices,group_indices}.npy`. Integers of any width are accepted.
 *
 * @throws FileError when a file cannot be read; FormatError naming the file for anything that is not consistent
 */
export function loadDataset(directory: string, split: Split): PuzzleDataset {
  const { metadata, sets } = readSplit(directory, split, loadSet);
  return { metadata, sets };
}

/** Reads the metadata of a split and each of its sets, in the way that `open` does. @throws FileError, FormatError */
export function readSplit<T extends PuzzleIndices>(
  directory: string,
  split: Split,
  open: (folder: string, name: string, metadata: DatasetMetadata) => T,
): { readonly metadata: DatasetMetadata; readonly sets: readonly T[] } {
  const folder = path.join(requirePath('loadDataset', 'directory', directory), checkedSplit('loadDataset', split));
  const file = path.join(folder, 'dataset.json');
  const metadata = parseMetadata(readWholeFile('loadDataset', file), file);
  const sets = metadata.sets.map((name) => open(folder, name, metadata));
  const nGroups = sets.reduce((total, set) => total + set.groupIndices.length - 1, 0);
  if (nGroups !== metadata.totalGroups) {
    throw new FormatError(
      `loadDataset: ${file}: total_groups must be ${nGroups}, the groups of its sets, got ${metadata.totalGroups}`,
    );
  }
  return { metadata, sets };
}

/**
 * The splits of a directory in the official layout; none where it is something else.
 * @throws FormatError where a split's folder has files but no dataset.json
 */
export function splitsOf(op: string, directory: string): Split[] {
  if (onFile(op, directory, 'read', () => statSync(directory, { throwIfNoEntry: false }))?.isDirectory() !== true)
    return [];
  return (['train', 'test'] as const).filter((split) => {
    const folder = path.join(directory, split);
    const stat = onFile(op, folder, 'read', () => statSync(folder, { throwIfNoEntry: false }));
    if (stat?.isDirectory() !== true) return false;
    if (existsSync(path.join(folder, 'dataset.json'))) return true;
    const files = onFile(op, folder, 'list', () => readdirSync(folder));
    if (!files.some((name) => name.endsWith('.npy'))) return false;
    throw new FormatError(`${op}: ${folder}: must hold dataset.json beside its npy files, got none`);
  });
}

/** Names of the puzzle identifiers from `<dir>/identifiers.json`, null when there is no such file. */
export function loadIdentifiers(directory: string): readonly string[] | null {
  const file = path.join(requirePath('loadIdentifiers', 'directory', directory), 'identifiers.json');
  if (!existsSync(file)) return null;
  const names = parseJson(readWholeFile('loadIdentifiers', file), file);
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) {
    throw new FormatError(`loadIdentifiers: ${file}: must be a list of names, got ${describe(names)}`);
  }
  return names;
}

function checkedSplit(op: string, split: unknown): Split {
  if (split === 'train' || split === 'test') return split;
  throw new ArgumentError(`${op}: split must be 'train' or 'test', got ${describe(split)}`);
}

/** Loads and checks one set of a split's folder. @throws FileError, FormatError */
export function loadSet(folder: string, name: string, metadata: DatasetMetadata): PuzzleSet {
  const { seqLen, vocabSize, ignoreLabelId } = metadata;
  const inputsFile = path.join(folder, `${name}__inputs.npy`);
  const inputs = loadIntegers(inputsFile, 2);
  const nExamples = inputs.shape[0]!;
  if (inputs.shape[1] !== seqLen || nExamples === 0) {
    throw new FormatError(
      `loadDataset: ${inputsFile}: shape must be [examples, ${seqLen}], got [${inputs.shape.join(', ')}]`,
    );
  }
  const labelsFile = path.join(folder, `${name}__labels.npy`);
  const labels = loadIntegers(labelsFile, 2);
  if (labels.shape[0] !== nExamples || labels.shape[1] !== seqLen) {
    throw new FormatError(
      `loadDataset: ${labelsFile}: shape must be [${nExamples}, ${seqLen}] as the inputs', got [${labels.shape.join(', ')}]`,
    );
  }
  const tokens = tokenArrays(nExamples * seqLen, vocabSize);
  copyTokens(inputs.data, tokens.inputs, inputsFile, seqLen, vocabSize, null);
  copyTokens(labels.data, tokens.labels, labelsFile, seqLen, vocabSize, ignoreLabelId);
  return { name, nExamples, ...tokens, ...loadIndices(folder, name, nExamples, metadata) };
}

/** Loads and checks how a set of `nExamples` is grouped. @throws FileError, FormatError */
export function loadIndices(
  folder: string,
  name: string,
  nExamples: number,
  { numPuzzleIdentifiers }: DatasetMetadata,
): PuzzleIndices {
  const puzzlesFile = path.join(folder, `${name}__puzzle_indices.npy`);
  const puzzleIndices = loadOffsets(puzzlesFile, nExamples, 'examples');
  const nPuzzles = puzzleIndices.length - 1;
  const groupIndices = loadOffsets(path.join(folder, `${name}__group_indices.npy`), nPuzzles, 'puzzles');
  const idsFile = path.join(folder, `${name}__puzzle_identifiers.npy`);
  const ids = loadIntegers(idsFile, 1);
  if (ids.shape[0] !== nPuzzles) {
    throw new FormatError(
      `loadDataset: ${idsFile}: must have one identifier for each of ${nPuzzles} puzzles, got ${ids.shape[0]}`,
    );
  }
  const puzzleIdentifiers = Int32Array.from(ids.data);
  const wrong = puzzleIdentifiers.findIndex((id) => id < 0 || id >= numPuzzleIdentifiers);
  if (wrong >= 0) {
    throw new FormatError(
      `loadDataset: ${idsFile}: identifier ${wrong} must be in [0, ${numPuzzleIdentifiers - 1}], got ${puzzleIdentifiers[wrong]}`,
    );
  }
  return { puzzleIdentifiers, puzzleIndices, groupIndices };
}

interface IntegerArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array | Int32Array;
}

function loadIntegers(file: string, dims: number): IntegerArray {
  const array = parseNpy(readWholeFile('loadDataset', file), file);
  if (array.dtype !== 'uint8' && array.dtype !== 'int32') {
    throw new FormatError(`loadDataset: ${file}: must hold integers, got ${array.dtype}`);
  }
  if (array.shape.length !== dims) {
    throw new FormatError(
      `loadDataset: ${file}: must have ${dims} dimension${dims > 1 ? 's' : ''}, got ${array.shape.length}`,
    );
  }
  return array;
}

function copyTokens(
  from: Uint8Array | Int32Array,
  to: TokenArray,
  file: string,
  seqLen: number,
  vocabSize: number,
  ignoreId: number | null,
): void {
  for (let i = 0; i < from.length; i++) {
    const token = from[i]!;
    if (ignoreId !== null && token === ignoreId) {
      to[i] = IGNORE_LABEL;
      continue;
    }
    if (token < 0 || token >= vocabSize) {
      throw new FormatError(
        `loadDataset: ${file}: token ${i % seqLen} of example ${Math.floor(i / seqLen)} must be in [0, ${vocabSize - 1}], got ${token}`,
      );
    }
    to[i] = token;
  }
}

/** Prefix offsets: from 0, strictly increasing, ending at what they index. */
function loadOffsets(file: string, end: number, of: string): Int32Array {
  const { data } = loadIntegers(file, 1);
  const offsets = Int32Array.from(data);
  const refuse = (message: string): never => {
    throw new FormatError(`loadDataset: ${file}: ${message}`);
  };
  if (offsets.length < 2) return refuse(`must have at least 2 offsets, got ${offsets.length}`);
  if (offsets[0] !== 0) return refuse(`offset 0 must be 0, got ${offsets[0]}`);
  for (let i = 1; i < offsets.length; i++) {
    if (offsets[i]! <= offsets[i - 1]!) {
      return refuse(`offset ${i} must be over ${offsets[i - 1]}, the one before, got ${offsets[i]}`);
    }
  }
  const last = offsets[offsets.length - 1]!;
  return last === end ? offsets : refuse(`the last offset must be ${end}, the number of ${of}, got ${last}`);
}

/**
 * Writes a dataset directory that {@link loadDataset} and the official loader read. It appears whole or not at all; nothing
 * may be at `directory` yet. Tokens are stored as uint8 where the vocabulary allows, offsets and identifiers as int32.
 *
 * @param identifiers names for identifiers.json, one for each puzzle identifier
 * @throws FileError when the directory exists or cannot be written; ArgumentError when the parts do not fit
 */
export function writeDataset(
  directory: string,
  splits: Readonly<Partial<Record<Split, PuzzleDataset>>>,
  identifiers: readonly string[],
): void {
  const op = 'writeDataset';
  const target = requirePath(op, 'directory', directory);
  const names = readArray(op, 'identifiers', identifiers, 'a list of names');
  if (!names.every((name) => typeof name === 'string')) {
    throw new ArgumentError(`${op}: identifiers must be a list of names, got ${describe(identifiers)}`);
  }
  if (typeof splits !== 'object' || splits === null) {
    throw new ArgumentError(`${op}: splits must be {train, test}, got ${describe(splits)}`);
  }
  const checked = readArgument(op, 'splits', () =>
    Object.entries(splits).map(([split, dataset]) => [checkedSplit(op, split), requireDataset(op, dataset)] as const),
  );
  makeDirectoryAtomic(op, target, (aside) => {
    writeSyncedFile(op, path.join(aside, 'identifiers.json'), Buffer.from(`${JSON.stringify(names)}\n`));
    for (const [split, { metadata, sets }] of checked) {
      if (metadata.numPuzzleIdentifiers !== names.length) {
        throw new ArgumentError(
          `${op}: ${split} needs ${metadata.numPuzzleIdentifiers} identifier names, got ${names.length}`,
        );
      }
      const folder = path.join(aside, split);
      onFile(op, folder, 'create', () => mkdirSync(folder));
      writeSyncedFile(op, path.join(folder, 'dataset.json'), Buffer.from(formatMetadata(metadata)));
      for (const set of sets) writeSet(op, folder, set, metadata);
      syncDirectory(op, folder);
    }
  });
}

function writeSet(op: string, folder: string, set: PuzzleSet, metadata: DatasetMetadata): void {
  const { seqLen, vocabSize, ignoreLabelId } = metadata;
  const shape = [set.nExamples, seqLen];
  if (set.inputs.length !== set.nExamples * seqLen || set.labels.length !== set.inputs.length) {
    throw new ArgumentError(`${op}: set ${set.name} must have ${set.nExamples} x ${seqLen} inputs and labels`);
  }
  const write = (field: string, array: Parameters<typeof encodeNpy>[0]): void => {
    writeSyncedFile(op, path.join(folder, `${set.name}__${field}.npy`), encodeNpy(array));
  };
  const bytes = vocabSize <= 2 ** 8 && (ignoreLabelId === null || (ignoreLabelId >= 0 && ignoreLabelId < 2 ** 8));
  const tokens = (from: TokenArray, ignore: number | null): Parameters<typeof encodeNpy>[0] => {
    const stored = bytes ? new Uint8Array(from.length) : new Int32Array(from.length);
    for (let i = 0; i < from.length; i++) {
      const token = from[i]!;
      const ignored = token === IGNORE_LABEL && ignore !== null;
      // A scored label with the stored value of "not scored" would change its meaning on the way.
      if (!ignored && (token < 0 || token >= vocabSize || token === ignore)) {
        throw new ArgumentError(
          `${op}: token ${i % seqLen} of example ${Math.floor(i / seqLen)} in set ${set.name} must be in ` +
            `[0, ${vocabSize - 1}]${ignore === null ? '' : `, not ${ignore}, or -100`}, got ${token}`,
        );
      }
      stored[i] = ignored ? ignore : token;
    }
    return bytes
      ? { dtype: 'uint8', shape, data: stored as Uint8Array }
      : { dtype: 'int32', shape, data: stored as Int32Array };
  };
  write('inputs', tokens(set.inputs, null));
  write('labels', tokens(set.labels, ignoreLabelId));
  for (const [field, data] of [
    ['puzzle_identifiers', set.puzzleIdentifiers],
    ['puzzle_indices', set.puzzleIndices],
    ['group_indices', set.groupIndices],
  ] as const) {
    write(field, { dtype: 'int32', shape: [data.length], data });
  }
}
