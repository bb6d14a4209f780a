/** What a task scores beside the metrics that every task has (HRM section 3.5). */
import type { PuzzleDataset } from '../data/dataset';
import { mazeSizeOf } from '../data/maze/grid';
import { LenientJudge } from '../data/maze/rules';
import { isMazeDataset } from '../data/maze/source';

/** Figures of an evaluation that only some tasks have; each is absent for all others. */
export interface TaskFigures {
  /** Mazes: share of answers that are *a* shortest path, whichever (`judgeMaze`). */
  readonly lenientAccuracy?: number;
  /** Standard error of lenientAccuracy: sqrt(p (1 - p) / count). */
  readonly lenientStandardError?: number;
}

/** The final answers to some puzzles. */
export interface AnsweredRows {
  /** [n, seqLen] */
  readonly inputs: Int32Array;
  /** [n, seqLen], the most probable tokens */
  readonly answers: Int32Array;
}

/** Takes in the answers of an evaluation. */
export interface TaskScorer {
  readonly add: (rows: AnsweredRows) => void;
  readonly figures: () => TaskFigures;
}

/** The scoring of a task: whether a dataset is of it, and a scorer for one evaluation. */
interface TaskScoring {
  readonly recognises: (dataset: PuzzleDataset) => boolean;
  readonly start: (dataset: PuzzleDataset) => TaskScorer;
}

const maze: TaskScoring = {
  recognises: isMazeDataset,
  start: ({ metadata: { seqLen } }) => {
    const judge = new LenientJudge(mazeSizeOf(seqLen)!);
    let [right, count] = [0, 0];
    return {
      add: ({ inputs, answers }) => {
        for (let offset = 0; offset < inputs.length; offset += seqLen) {
          count++;
          if (judge.isRight(inputs, answers, offset)) right++;
        }
      },
      figures: () => {
        const share = right / count;
        return { lenientAccuracy: share, lenientStandardError: Math.sqrt((share * (1 - share)) / count) };
      },
    };
  },
};

const scorings: readonly TaskScoring[] = [maze];

/** The scorer for a dataset's task; undefined for a task that scores nothing else. */
export function scorerFor(dataset: PuzzleDataset): TaskScorer | undefined {
  return scorings.find(({ recognises }) => recognises(dataset))?.start(dataset);
}
