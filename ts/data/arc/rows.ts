import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { onFile, syncDirectory, writeSyncedFile } from '../../io/files';
import { encodeNpy, npyHeader } from '../../io/npy';
import { OutputFile } from '../../io/output_file';
import { formatMetadata, type DatasetMetadata } from '../metadata';
import type { Split } from '../dataset';
import { encodeInto, VOCAB_SIZE, type ArcPlace } from './canvas';
import type { ArcPair } from './grid';

const SET_NAME = 'all';
/** Name of identifier 0. */
export const BLANK = '<blank>';
/** Rows that are written together. */
const ROWS_PER_WRITE = 1024;

/** How many there are of a split, known before its rows are made. */
export interface ArcCounts {
  readonly groups: number;
  readonly puzzles: number;
  readonly examples: number;
}

/** `dataset.json` of ARC (HRM section 6): 12 tokens, padding is not scored. */
export function arcMetadata(canvas: number, nIdentifiers: number, counts: ArcCounts): DatasetMetadata {
  return {
    padId: 0,
    ignoreLabelId: 0,
    blankIdentifierId: 0,
    vocabSize: VOCAB_SIZE,
    seqLen: canvas * canvas,
    numPuzzleIdentifiers: nIdentifiers,
    totalGroups: counts.groups,
    meanPuzzleExamples: counts.examples / counts.puzzles,
    sets: [SET_NAME],
  };
}

/** Writes one split of a data set as its rows come, holding a thousand of them and four bytes a puzzle. */
export class ArcSplitWriter implements Disposable {
  readonly #folder: string;
  readonly #inputs: OutputFile;
  readonly #labels: OutputFile;
  readonly #chunk: { readonly inputs: Uint8Array; readonly labels: Uint8Array };
  readonly #puzzleIdentifiers: Int32Array;
  readonly #puzzleIndices: Int32Array;
  readonly #groupIndices: Int32Array;
  #rows = 0;
  #pending = 0;
  #puzzles = 0;
  #groups = 0;

  constructor(
    readonly op: string,
    directory: string,
    split: Split,
    readonly metadata: DatasetMetadata,
    readonly counts: ArcCounts,
  ) {
    this.#folder = path.join(directory, split);
    onFile(op, this.#folder, 'create', () => mkdirSync(this.#folder));
    writeSyncedFile(op, path.join(this.#folder, 'dataset.json'), Buffer.from(formatMetadata(metadata)));
    const head = npyHeader('uint8', [counts.examples, metadata.seqLen]);
    this.#inputs = new OutputFile(op, this.#file('inputs'));
    this.#inputs.append(head);
    this.#labels = new OutputFile(op, this.#file('labels'));
    this.#labels.append(head);
    const bytes = ROWS_PER_WRITE * metadata.seqLen;
    this.#chunk = { inputs: new Uint8Array(bytes), labels: new Uint8Array(bytes) };
    this.#puzzleIdentifiers = new Int32Array(counts.puzzles);
    this.#puzzleIndices = new Int32Array(counts.puzzles + 1);
    this.#groupIndices = new Int32Array(counts.groups + 1);
  }

  #file(field: string): string {
    return path.join(this.#folder, `${SET_NAME}__${field}.npy`);
  }

  /** A row of the current puzzle. A label that is not known is padding, which is not scored. */
  addExample({ input, output }: ArcPair, place: ArcPlace): void {
    const { seqLen } = this.metadata;
    const offset = this.#pending * seqLen;
    encodeInto(input, place, this.#chunk.inputs, offset);
    if (output === null) this.#chunk.labels.fill(0, offset, offset + seqLen);
    else encodeInto(output, place, this.#chunk.labels, offset);
    this.#rows++;
    if (++this.#pending === ROWS_PER_WRITE) this.#flush();
  }

  endPuzzle(identifier: number): void {
    this.#puzzleIdentifiers[this.#puzzles] = identifier;
    this.#puzzleIndices[++this.#puzzles] = this.#rows;
  }

  endGroup(): void {
    this.#groupIndices[++this.#groups] = this.#puzzles;
  }

  #flush(): void {
    const bytes = this.#pending * this.metadata.seqLen;
    this.#inputs.append(this.#chunk.inputs.subarray(0, bytes));
    this.#labels.append(this.#chunk.labels.subarray(0, bytes));
    this.#pending = 0;
  }

  finish(): void {
    this.#flush();
    this.#inputs.finish();
    this.#labels.finish();
    for (const [field, data] of [
      ['puzzle_identifiers', this.#puzzleIdentifiers],
      ['puzzle_indices', this.#puzzleIndices],
      ['group_indices', this.#groupIndices],
    ] as const) {
      writeSyncedFile(this.op, this.#file(field), encodeNpy({ dtype: 'int32', shape: [data.length], data }));
    }
    syncDirectory(this.op, this.#folder);
  }

  [Symbol.dispose](): void {
    this.#inputs.close();
    this.#labels.close();
  }
}
