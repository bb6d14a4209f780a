import { types } from 'node:util';
import { ArgumentError } from '../error';
import { describe } from '../io/arguments';
import { readArgument, requireInteger } from '../tensor/arguments';
import type { PuzzleDataset, PuzzleSet } from './dataset';

export { readOptions, requireInteger } from '../tensor/arguments';

/** Checks an optional callback. */
export function requireCallback(op: string, name: string, value: unknown): void {
  if (value === undefined || typeof value === 'function') return;
  throw new ArgumentError(`${op}: ${name} must be a function, got ${describe(value)}`);
}

/**
 * Checks a dataset that a caller may have put together, as far as reading it needs: array types, lengths and offsets.
 * @throws ArgumentError naming the set and field
 */
export function requireDataset(op: string, value: unknown): PuzzleDataset {
  return readArgument(op, 'dataset', () => {
    const { metadata, sets } = (typeof value === 'object' && value !== null ? value : {}) as Partial<PuzzleDataset>;
    if (typeof metadata !== 'object' || metadata === null || !Array.isArray(sets)) {
      throw new ArgumentError(`${op}: a dataset must be {metadata, sets}, got ${describe(value)}`);
    }
    const integers = [
      'padId',
      'blankIdentifierId',
      'vocabSize',
      'seqLen',
      'numPuzzleIdentifiers',
      'totalGroups',
    ] as const;
    for (const key of integers) requireInteger(op, `metadata.${key}`, metadata[key], 0, 2 ** 31 - 1);
    if (metadata.ignoreLabelId !== null) {
      requireInteger(op, 'metadata.ignoreLabelId', metadata.ignoreLabelId, -(2 ** 31), 2 ** 31 - 1);
    }
    if (metadata.seqLen < 1) throw new ArgumentError(`${op}: metadata.seqLen must be positive, got 0`);
    for (const set of sets as unknown[]) requireSet(op, set, metadata.seqLen);
    return { metadata, sets: sets as PuzzleSet[] };
  });
}

function requireSet(op: string, value: unknown, seqLen: number): void {
  const set = (typeof value === 'object' && value !== null ? value : {}) as PuzzleSet;
  if (typeof set.name !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(set.name)) {
    throw new ArgumentError(
      `${op}: a set must have a name of letters, digits, ".", "_" and "-", got ${describe(set.name)}`,
    );
  }
  const refuse = (message: string): never => {
    throw new ArgumentError(`${op}: set ${set.name}: ${message}`);
  };
  requireInteger(op, `set ${set.name}: nExamples`, set.nExamples, 1, 2 ** 31 - 1);
  for (const field of ['inputs', 'labels'] as const) {
    const tokens: unknown = set[field];
    const known = types.isUint8Array(tokens) || types.isInt16Array(tokens) || types.isInt32Array(tokens);
    if (!known || tokens.length !== set.nExamples * seqLen) {
      refuse(`${field} must be a Uint8Array, Int16Array or Int32Array of ${set.nExamples} x ${seqLen} tokens`);
    }
  }
  for (const field of ['puzzleIdentifiers', 'puzzleIndices', 'groupIndices'] as const) {
    if (!types.isInt32Array(set[field])) refuse(`${field} must be an Int32Array, got ${describe(set[field])}`);
  }
  const nPuzzles = set.puzzleIndices.length - 1;
  if (!areOffsets(set.puzzleIndices, set.nExamples)) refuse(`puzzleIndices must rise from 0 to ${set.nExamples}`);
  if (!areOffsets(set.groupIndices, nPuzzles)) refuse(`groupIndices must rise from 0 to ${nPuzzles}`);
  if (set.puzzleIdentifiers.length !== nPuzzles) refuse(`puzzleIdentifiers must have ${nPuzzles} entries`);
}

function areOffsets(offsets: Int32Array, end: number): boolean {
  if (offsets.length < 2 || offsets[0] !== 0 || offsets[offsets.length - 1] !== end) return false;
  for (let i = 1; i < offsets.length; i++) if (offsets[i]! <= offsets[i - 1]!) return false;
  return true;
}
