import path from 'node:path';
import { FormatError } from '../../error';
import { loadIdentifiers } from '../dataset';
import type { DatasetMetadata } from '../metadata';
import { canvasOf, VOCAB_SIZE } from './canvas';
import { BLANK } from './rows';

/** Whether metadata is that of ARC: a square canvas, 12 tokens, padding that is not scored, an identifier a version. */
export function isArcMetadata({
  seqLen,
  vocabSize,
  padId,
  ignoreLabelId,
  numPuzzleIdentifiers,
}: DatasetMetadata): boolean {
  return (
    canvasOf(seqLen) !== undefined &&
    vocabSize === VOCAB_SIZE &&
    padId === 0 &&
    ignoreLabelId === 0 &&
    numPuzzleIdentifiers > 1
  );
}

/**
 * The names of the identifiers of an ARC folder, undefined when the folder is not ARC's.
 * @throws FormatError when identifiers.json does not fit the metadata
 */
export function arcNames(directory: string, metadata: DatasetMetadata): readonly string[] | undefined {
  if (!isArcMetadata(metadata)) return undefined;
  const names = loadIdentifiers(directory);
  if (names === null || names[metadata.blankIdentifierId] !== BLANK) return undefined;
  if (names.length === metadata.numPuzzleIdentifiers) return names;
  throw new FormatError(
    `arc: ${path.join(directory, 'identifiers.json')}: must have ${metadata.numPuzzleIdentifiers} names as ` +
      `num_puzzle_identifiers, got ${names.length}`,
  );
}
