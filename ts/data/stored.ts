import path from 'node:path';
import { FormatError } from '../error';
import { InputFile } from '../io/files';
import { readNpyLayout, type NpyLayout } from '../io/npy';
import { IGNORE_LABEL, loadIndices, loadSet, readSplit, type Split } from './dataset';
import type { DatasetMetadata } from './metadata';
import { groupsOf, loadedExamples, TrainSampler, type ExampleSet, type SamplerOptions } from './sampler';

/** Tokens of a set, inputs and labels, that are loaded; a larger set is read row by row. */
const MAX_LOADED_TOKENS = 2 ** 28;

/** A split of a dataset whose examples may still be on disk. */
export interface StoredDataset {
  readonly metadata: DatasetMetadata;
  readonly sets: readonly ExampleSet[];
}

/**
 * Opens one split of a directory in the official layout: indices are loaded and checked, and so are the tokens of a small set.
 * The examples of a large one (official ARC: 7 GB) stay in its files, where those hold uint8 in C order: each is read, and its
 * tokens are checked, when it is used. The files must not change meanwhile.
 *
 * @throws FileError, FormatError as loadDataset does
 */
export function openDataset(directory: string, split: Split, maxLoadedTokens = MAX_LOADED_TOKENS): StoredDataset {
  return readSplit(directory, split, (folder, name, metadata) => openSet(folder, name, metadata, maxLoadedTokens));
}

/** A {@link TrainSampler} over a split that may be on disk. */
export function storedSampler({ metadata, sets }: StoredDataset, options: SamplerOptions): TrainSampler {
  return new TrainSampler(metadata, sets.map(groupsOf), options);
}

function openSet(folder: string, name: string, metadata: DatasetMetadata, maxLoadedTokens: number): ExampleSet {
  const { seqLen, vocabSize, ignoreLabelId } = metadata;
  const inputs = new TokenFile(path.join(folder, `${name}__inputs.npy`), seqLen, vocabSize, null);
  const labels = new TokenFile(path.join(folder, `${name}__labels.npy`), seqLen, vocabSize, ignoreLabelId);
  const { nRows } = inputs;
  if (nRows === undefined || labels.nRows !== nRows || 2 * nRows * seqLen <= maxLoadedTokens) {
    inputs.close();
    labels.close();
    // This also says what is wrong with files that fit nothing.
    return loadedExamples(loadSet(folder, name, metadata), seqLen);
  }
  return {
    name,
    nExamples: nRows,
    ...loadIndices(folder, name, nRows, metadata),
    read: (example, toInputs, toLabels, offset) => {
      inputs.read(example, toInputs, offset);
      labels.read(example, toLabels, offset);
    },
  };
}

/** Closes the files of sets that are no longer used. */
const unused = new FinalizationRegistry((file: InputFile) => {
  file.close();
});

/** A file of tokens, read a row at a time. */
class TokenFile {
  readonly #file: InputFile;
  readonly #layout: NpyLayout;
  readonly #row: Uint8Array;

  constructor(
    file: string,
    readonly seqLen: number,
    readonly vocabSize: number,
    /** The stored token that means "not scored". */
    readonly ignoreId: number | null,
  ) {
    this.#file = new InputFile('loadDataset', file);
    unused.register(this, this.#file, this);
    this.#layout = readNpyLayout(this.#file);
    this.#row = new Uint8Array(seqLen);
  }

  /** Undefined where the rows are not uint8 in C order, seqLen each. */
  get nRows(): number | undefined {
    const { type, fortranOrder, shape } = this.#layout;
    const isPlain = type === 'u1' && !fortranOrder && shape.length === 2 && shape[1] === this.seqLen && shape[0]! > 0;
    return isPlain ? shape[0] : undefined;
  }

  read(row: number, to: Int32Array, offset: number): void {
    const { seqLen, vocabSize, ignoreId } = this;
    const bytes = this.#row;
    this.#file.readInto(bytes, this.#layout.start + row * seqLen);
    for (let i = 0; i < seqLen; i++) {
      const token = bytes[i]!;
      if (token === ignoreId) to[offset + i] = IGNORE_LABEL;
      else if (token < vocabSize) to[offset + i] = token;
      else throw this.#wrongToken(row, i, token);
    }
  }

  #wrongToken(row: number, position: number, token: number): FormatError {
    return new FormatError(
      `loadDataset: ${this.#file.path}: token ${position} of example ${row} must be in [0, ${this.vocabSize - 1}], got ${token}`,
    );
  }

  close(): void {
    unused.unregister(this);
    this.#file.close();
  }
}
