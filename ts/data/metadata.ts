import { FormatError } from '../error';
import { describe } from '../io/arguments';
import { isJsonObject, parseJson } from '../io/strict_json';

/** `dataset.json` of one split (HRM section 6), in camelCase. */
export interface DatasetMetadata {
  /** Input token of padding. */
  readonly padId: number;
  /** Stored label that means "not scored", loaded as -100; null when every label counts. */
  readonly ignoreLabelId: number | null;
  /** Puzzle identifier of padding rows. */
  readonly blankIdentifierId: number;
  readonly vocabSize: number;
  /** Tokens of an example. */
  readonly seqLen: number;
  readonly numPuzzleIdentifiers: number;
  /** Groups (a puzzle and its augmentations) of all sets together. */
  readonly totalGroups: number;
  /** Mean number of examples of a puzzle; sets the length of an epoch. */
  readonly meanPuzzleExamples: number;
  /** Names of the sets, also file name prefixes. */
  readonly sets: readonly string[];
}

const MAX_INT32 = 2 ** 31 - 1;
const MAX_SETS = 64;
const SET_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/**
 * Parses and checks a dataset.json. Fields that the official loader does not know are ignored, as it does.
 * @throws FormatError naming file and field
 */
export function parseMetadata(bytes: Uint8Array, file: string): DatasetMetadata {
  const json = parseJson(bytes, file, { maxBytes: 2 ** 20 });
  const refuse = (field: string, expected: string, got: unknown): never => {
    throw new FormatError(`loadDataset: ${file}: ${field} must be ${expected}, got ${describe(got)}`);
  };
  if (!isJsonObject(json)) return refuse('the document', 'an object', json);
  const integer = (field: string, min: number, max: number): number => {
    const value = json[field];
    const valid = typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
    return valid ? value : refuse(field, `an integer in [${min}, ${max}]`, value);
  };
  const vocabSize = integer('vocab_size', 1, MAX_INT32);
  const numPuzzleIdentifiers = integer('num_puzzle_identifiers', 1, MAX_INT32);
  const mean = json['mean_puzzle_examples'];
  if (typeof mean !== 'number' || !(mean > 0 && mean <= MAX_INT32))
    return refuse('mean_puzzle_examples', `a number over 0, at most ${MAX_INT32}`, mean);
  const sets = json['sets'];
  if (!Array.isArray(sets) || sets.length === 0 || sets.length > MAX_SETS) {
    return refuse('sets', `a list of 1 to ${MAX_SETS} names`, sets);
  }
  const names = sets.map((name: unknown) => {
    // The name becomes part of a path.
    if (typeof name === 'string' && SET_NAME.test(name)) return name;
    return refuse('sets', 'names of letters, digits, ".", "_" and "-"', name);
  });
  if (new Set(names).size !== names.length) refuse('sets', 'distinct names', names.join(' '));
  return {
    padId: integer('pad_id', 0, vocabSize - 1),
    ignoreLabelId: json['ignore_label_id'] === null ? null : integer('ignore_label_id', -MAX_INT32, MAX_INT32),
    blankIdentifierId: integer('blank_identifier_id', 0, numPuzzleIdentifiers - 1),
    vocabSize,
    seqLen: integer('seq_len', 1, 2 ** 20),
    numPuzzleIdentifiers,
    totalGroups: integer('total_groups', 1, MAX_INT32),
    meanPuzzleExamples: mean,
    sets: names,
  };
}

/** The text of a dataset.json, with the official field names. */
export function formatMetadata(metadata: DatasetMetadata): string {
  const fields = {
    pad_id: metadata.padId,
    ignore_label_id: metadata.ignoreLabelId,
    blank_identifier_id: metadata.blankIdentifierId,
    vocab_size: metadata.vocabSize,
    seq_len: metadata.seqLen,
    num_puzzle_identifiers: metadata.numPuzzleIdentifiers,
    total_groups: metadata.totalGroups,
    mean_puzzle_examples: metadata.meanPuzzleExamples,
    sets: metadata.sets,
  };
  return `${JSON.stringify(fields)}\n`;
}
