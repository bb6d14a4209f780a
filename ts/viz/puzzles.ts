/** The puzzles of a run's test split, by number. */
import { loadDataset, loadIdentifiers, type PuzzleDataset, type PuzzleSet } from '../data/dataset';
import { ArgumentError, FileError } from '../error';
import type { RunConfig } from '../train/config';
import { openRunData } from '../train/run_data';
import type { PuzzleReply } from './protocol';

export class TestPuzzles {
  /** Of all sets together. */
  readonly count: number;

  /** @param names of the puzzle identifiers, where the data have them */
  constructor(
    readonly dataset: PuzzleDataset,
    readonly names: readonly string[] | null,
  ) {
    this.count = dataset.sets.reduce((total, { nExamples }) => total + nExamples, 0);
  }

  /** Puzzle `index` from 0, sets one after the other. @throws ArgumentError past the end */
  at(index: number): PuzzleReply {
    const { seqLen } = this.dataset.metadata;
    let example = index;
    for (const set of this.dataset.sets) {
      if (example >= set.nExamples) {
        example -= set.nExamples;
        continue;
      }
      const row = [example * seqLen, (example + 1) * seqLen] as const;
      const puzzleIdentifier = set.puzzleIdentifiers[puzzleOf(set, example)]!;
      return {
        index,
        count: this.count,
        tokens: Array.from(set.inputs.subarray(...row)),
        labels: Array.from(set.labels.subarray(...row)),
        puzzleIdentifier,
        name: this.names?.[puzzleIdentifier] ?? null,
      };
    }
    throw new ArgumentError(`puzzle: the number must be from 0 to ${this.count - 1}, got ${index}`);
  }
}

/** The puzzle that an example belongs to: the last whose first example is not after it. */
function puzzleOf({ puzzleIndices }: PuzzleSet, example: number): number {
  let [low, high] = [0, puzzleIndices.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (puzzleIndices[middle]! <= example) low = middle;
    else high = middle;
  }
  return low;
}

/** Opens the test split of a run's data. @throws FileError, FormatError, ArgumentError; see `openRunData` */
export async function openPuzzles(config: Pick<RunConfig, 'data' | 'train'>): Promise<TestPuzzles> {
  const { data } = config;
  // Only one split of a directory is needed, and the other may be gigabytes.
  if (data.kind === 'npy') return new TestPuzzles(loadDataset(data.dir, 'test'), loadIdentifiers(data.dir));
  const { test } = await openRunData(config, 'unique' in data ? { unique: false } : {});
  if (test === undefined) throw new FileError('view: the data of the run must have a test split, got none');
  return new TestPuzzles(test, null);
}
