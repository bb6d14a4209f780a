/** What `solve` needs to know of a task. */
import type { Geometry } from '../data/sudoku/geometry';
import type { ModelConfig } from '../hrm/config';
import type { TaskName } from './tasks';

export interface SolveOptions<T extends TaskName = TaskName> {
  /** What the model was trained on. Default 'sudoku'. */
  readonly task?: T;
  /** Sudokus only. Default: the most nearly square boxes for the model's number of cells. */
  readonly geometry?: Geometry;
  /** Any number, also more than the model was trained with. Default haltMaxSteps. */
  readonly segments?: number;
  /** A puzzle ends where the model would stop, and leaves the batch. Default false: all segments are shown. */
  readonly adaptive?: boolean;
  /**
   * The puzzle is solved from so many initial states, which vote on its cells by the mean of their probabilities; the first is
   * the model's own, whose segments are shown. Default 1.
   */
  readonly initialStates?: number;
  /** Draws the other initial states. Default 0. */
  readonly statesSeed?: number;
  /** Of several puzzles: how many at a time. Default 256. */
  readonly batchSize?: number;
}

/** The answer after one segment. */
export interface SolveSegment {
  /** As `answer`; 0 where the model's best token is padding. */
  readonly grid: Uint8Array;
  /** Mean probability of the chosen tokens over the cells that the puzzle leaves open, 0 to 1. */
  readonly confidence: number;
  readonly qHalt: number;
  readonly qContinue: number;
  /** Whether the model would stop here. */
  readonly halts: boolean;
}

/** What one initial state answers. */
export interface StateAnswer {
  readonly answer: Uint8Array;
  /** As of a segment. */
  readonly confidence: number;
  readonly qHalt: number;
  /** Segments run. */
  readonly segments: number;
  /** The first segment (from 1) after which the model would stop; null: it never was sure. */
  readonly haltingSegment: number | null;
}

/** How an answer was voted. */
export interface SolveVote {
  /** Mean over the open cells of the mean probability of the voted tokens. */
  readonly confidence: number;
  /** What each state answers alone, the model's own first. */
  readonly states: readonly StateAnswer[];
}

/** What a solution has, whatever the task. */
export interface TaskSolution {
  readonly puzzle: Uint8Array;
  /** Of the model's own initial state; with adaptive halting up to its halt. */
  readonly segments: readonly SolveSegment[];
  /** The grid of the last segment, or the vote's. */
  readonly answer: Uint8Array;
  /** The first segment (from 1) after which the model would stop; null: it never was sure. */
  readonly haltingSegment: number | null;
  /** What is wrong with the answer, in words; empty when it is right. */
  readonly violations: readonly string[];
  /** Only with several initial states. */
  readonly vote?: SolveVote;
}

/** A puzzle as a model gets it. */
export interface PosedPuzzle<S extends TaskSolution> {
  readonly puzzle: Uint8Array;
  /** [seqLen] */
  readonly inputs: Int32Array;
  /** Whether the puzzle leaves a cell open: those count for the confidence. */
  readonly isOpen: (cell: number) => boolean;
  /** A grid of the task from the model's tokens. */
  readonly gridOf: (tokens: Int32Array) => Uint8Array;
  /** The solution once the answer is there. */
  readonly judge: (solution: Omit<TaskSolution, 'violations'>) => S;
}

/** A task that `solve` can pose. */
export interface SolveTask<S extends TaskSolution> {
  /**
   * @param what names the puzzle in errors
   * @throws ArgumentError or FormatError where the puzzle does not fit the model
   */
  readonly pose: (
    config: ModelConfig,
    puzzle: string | Uint8Array,
    options: SolveOptions,
    what: string,
  ) => PosedPuzzle<S>;
}
