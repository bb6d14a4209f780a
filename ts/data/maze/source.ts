import { ArgumentError } from '../../error';
import { describe } from '../../io/arguments';
import { readOptions, requireDataset } from '../check';
import { tokenArrays, type PuzzleDataset, type PuzzleSet } from '../dataset';
import type { DatasetMetadata } from '../metadata';
import { TrainSampler, type ExampleGroups, type SamplerOptions } from '../sampler';
import { dihedralTables, N_DIHEDRAL } from './dihedral';
import { MAZE_VOCAB_SIZE, mazeProblem, mazeSizeOf } from './grid';
import { requireMazeSet, type MazeSet } from './set';

const SET_NAME = 'all';
const MAX_TOKENS = 2 ** 31 - 1;

export interface MazeAugmentOptions {
  /** Also the seven images of each maze under the symmetries of the square. Default false, as in the official recipe. */
  readonly dihedral?: boolean;
}

/** The metadata of maze data (HRM section 6): six tokens, one puzzle identifier, every cell scored. */
export function mazeMetadata(size: number, nGroups: number): DatasetMetadata {
  return {
    padId: 0,
    ignoreLabelId: 0,
    blankIdentifierId: 0,
    vocabSize: MAZE_VOCAB_SIZE,
    seqLen: size * size,
    numPuzzleIdentifiers: 1,
    totalGroups: nGroups,
    meanPuzzleExamples: 1,
    sets: [SET_NAME],
  };
}

/** Versions of a maze. @throws ArgumentError */
function versionsOf(op: string, options: MazeAugmentOptions): number {
  const { dihedral = false } = readOptions(op, options, ['dihedral']);
  if (typeof dihedral === 'boolean') return dihedral ? N_DIHEDRAL : 1;
  throw new ArgumentError(`${op}: dihedral must be a boolean, got ${describe(dihedral)}`);
}

/** Writes version `id` of maze i and its answer at an offset. */
function writeVersion(
  set: MazeSet,
  [i, id]: readonly [number, number],
  [inputs, labels]: readonly [{ [index: number]: number }, { [index: number]: number }],
  offset: number,
): void {
  const [maze, answer] = [set.maze(i), set.answer(i)];
  const source = dihedralTables(set.size)[id]!;
  for (let cell = 0; cell < source.length; cell++) {
    inputs[offset + cell] = maze[source[cell]!]!;
    labels[offset + cell] = answer[source[cell]!]!;
  }
}

/**
 * Training batches from mazes in memory, turned and mirrored as they are drawn: the batches that a dataset made by
 * {@link mazeDataset} with the same options would give.
 */
export function mazeSampler(set: MazeSet, augment: MazeAugmentOptions, options: SamplerOptions): TrainSampler {
  requireMazeSet('mazeSampler', set);
  const versions = versionsOf('mazeSampler', augment);
  const groups: ExampleGroups = {
    name: SET_NAME,
    nGroups: set.length,
    nPuzzles: () => versions,
    nExamples: () => 1,
    identifier: () => 0,
    write: (group, id, _example, inputs, labels, offset) => {
      writeVersion(set, [group, id], [inputs, labels], offset);
    },
  };
  return new TrainSampler(mazeMetadata(set.size, set.length), [groups], options);
}

/**
 * A split in the official layout: one group for each maze, in it the maze and, on request, its seven images, one example each.
 * @throws ArgumentError for an empty set, bad options, or more than 2^31 - 1 tokens
 */
export function mazeDataset(set: MazeSet, augment: MazeAugmentOptions = {}): PuzzleDataset {
  const op = 'mazeDataset';
  requireMazeSet(op, set);
  const versions = versionsOf(op, augment);
  const metadata = mazeMetadata(set.size, set.length);
  const { seqLen } = metadata;
  const nExamples = set.length * versions;
  if (set.length === 0) throw new ArgumentError(`${op}: there must be at least one maze`);
  if (nExamples * seqLen > MAX_TOKENS) {
    throw new ArgumentError(
      `${op}: at most ${MAX_TOKENS} cells fit, got ${set.length} mazes x ${versions} versions x ${seqLen} cells`,
    );
  }
  const { inputs, labels } = tokenArrays(nExamples * seqLen, metadata.vocabSize);
  for (let row = 0; row < nExamples; row++) {
    writeVersion(set, [Math.floor(row / versions), row % versions], [inputs, labels], row * seqLen);
  }
  const puzzleIndices = Int32Array.from({ length: nExamples + 1 }, (_, i) => i);
  const groupIndices = Int32Array.from({ length: set.length + 1 }, (_, i) => i * versions);
  const puzzleIdentifiers = new Int32Array(nExamples);
  return {
    metadata,
    sets: [{ name: SET_NAME, nExamples, inputs, labels, puzzleIdentifiers, puzzleIndices, groupIndices }],
  };
}

/** Rows that are looked at to tell mazes from other data of six tokens (4x4 Sudokus). */
const ROWS_LOOKED_AT = 100;

/**
 * Whether a dataset holds mazes: six tokens, a square of cells, and most of its first rows are mazes to solve.
 * @throws ArgumentError when it is no dataset
 */
export function isMazeDataset(dataset: PuzzleDataset): boolean {
  const { metadata, sets } = requireDataset('isMazeDataset', dataset);
  const { vocabSize, seqLen } = metadata;
  const [first] = sets;
  if (vocabSize !== MAZE_VOCAB_SIZE || mazeSizeOf(seqLen) === undefined || first === undefined) return false;
  const rows = Math.min(ROWS_LOOKED_AT, first.nExamples);
  const isMaze = (row: number): boolean => mazeProblem(inputRow(first, row, seqLen)) === undefined;
  return Array.from({ length: rows }, (_, row) => row).filter(isMaze).length > rows / 2;
}

function inputRow(set: PuzzleSet, row: number, seqLen: number): Uint8Array {
  return Uint8Array.from(set.inputs.subarray(row * seqLen, (row + 1) * seqLen));
}
