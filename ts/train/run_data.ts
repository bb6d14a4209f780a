/** What a run trains, validates and tests on, opened from its configuration. */
import type { PuzzleDataset } from '../data/dataset';
import type { DatasetMetadata } from '../data/metadata';
import type { SamplerOptions, TrainSampler } from '../data/sampler';
import type { Overlap } from '../data/sudoku/split';
import type { DataShape } from '../hrm/config';
import { readOptions, requireSignal } from '../tensor/arguments';
import { requireDataConfig, type RunConfig } from './config';
import { kindOf } from './data_kinds';
import type { MazeRunSplits } from './data_kinds/maze';
import type { SudokuRunSplits } from './data_kinds/sudoku';
import type { DataLength } from './length';
import type { OverlapGuard } from './overlap_guard';
import type { TargetChooser } from './targets';

/** Where an ARC run's data is from. */
export interface ArcRun {
  /** Directory of the data set; a million identifiers have their names there (see arcNames). */
  readonly directory: string;
}

export interface RunData {
  /** Of the training split. */
  readonly metadata: DatasetMetadata;
  readonly sampler: (options: SamplerOptions) => TrainSampler;
  /** Chooses the labels of a step by what the model answers; undefined: they are those of the data. */
  readonly targets: TargetChooser | undefined;
  readonly valid: PuzzleDataset | undefined;
  readonly test: PuzzleDataset | undefined;
  readonly sudoku: SudokuRunSplits | undefined;
  readonly maze: MazeRunSplits | undefined;
  readonly arc: ArcRun | undefined;
  /** What the training and test Sudokus share; undefined for other data, and data on disk: see `hrm data verify`. */
  readonly overlap: Overlap | undefined;
  /** Watches that no training row is held out; undefined where the data came already split. */
  readonly guard: OverlapGuard | undefined;
}

/** The sizes that a model needs to know. */
export function dataShape({ metadata }: RunData): DataShape {
  const { seqLen, vocabSize, numPuzzleIdentifiers } = metadata;
  return { seqLen, vocabSize, numPuzzleIdentifiers };
}

/** What the length of an epoch depends on. */
export function dataLength({ metadata }: RunData): DataLength {
  return { totalGroups: metadata.totalGroups, meanPuzzleExamples: metadata.meanPuzzleExamples };
}

/** How {@link openRunData} is watched. */
export interface OpenDataOptions {
  /** Overrules `data.unique`. */
  readonly unique?: boolean;
  /** Ends the work early. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens the data of a run: reads, imports or generates it.
 * @throws FileError, FormatError for what is on disk, ArgumentError where generation cannot give what was asked for; the
 *   signal's reason when it is aborted
 */
export async function openRunData(
  config: Pick<RunConfig, 'data' | 'train'>,
  options: OpenDataOptions = {},
): Promise<RunData> {
  const { unique, signal } = readOptions('openRunData', options, ['unique', 'signal']);
  requireSignal('openRunData', signal);
  const { data, seed } = requireDataConfig('openRunData', config);
  return await kindOf(data).open(data, { seed, unique, signal });
}
