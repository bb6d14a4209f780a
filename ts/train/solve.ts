/** Solves puzzles and shows how each answer came about, segment by segment. */
import { noGrad } from '../autograd/no_grad';
import { ArgumentError } from '../error';
import { drawInitialStates } from '../hrm/initial_states';
import type { Hrm } from '../hrm/model';
import { requireModel } from '../hrm/arguments';
import type { States } from '../ops/l_loop';
import { readArray, readOptions, requireInteger } from '../tensor/arguments';
import { describe } from '../tensor/dtype';
import { tidy } from '../tensor/scope';
import { decodeRows, type SegmentAnswer, segmentAnswers, unlabelledBatch } from './segments';
import { mazeTask, type MazeSolution } from './solve_maze';
import { sudokuTask, type Solution } from './solve_sudoku';
import type {
  PosedPuzzle,
  SolveOptions,
  SolveSegment,
  SolveTask,
  SolveVote,
  StateAnswer,
  TaskSolution,
} from './solve_task';
import type { TaskName } from './tasks';
import { finalOutputs, type FinalOutputs, requireInitialStates, vote } from './vote';

/** What {@link solve} gives for each task. */
export interface Solutions {
  sudoku: Solution;
  maze: MazeSolution;
}

const tasks: { readonly [T in TaskName]: SolveTask<Solutions[T]> } = { sudoku: sudokuTask, maze: mazeTask };

const OPTIONS = [
  'task',
  'geometry',
  'segments',
  'adaptive',
  'initialStates',
  'statesSeed',
  'batchSize',
] as const satisfies readonly (keyof SolveOptions)[];

/**
 * Lets a model solve one puzzle or several. Several run together, in batches; a puzzle's answer does not depend on which
 * others it shares a batch with, beyond the rounding of its probabilities. Does not return to the event loop before all
 * are solved.
 *
 * @param puzzle text (see `parseGrid` and `parseMaze`), or digits of a Sudoku (0 for blanks) or tokens of a maze; an array of
 *   such for several
 * @returns the solution; of an array an array, in its order
 * @throws ArgumentError or FormatError where a puzzle does not fit the task or the model, or has no solution to look for
 */
export function solve<T extends TaskName = 'sudoku'>(
  model: Hrm,
  puzzle: string | Uint8Array,
  options?: SolveOptions<T>,
): Solutions[T];
export function solve<T extends TaskName = 'sudoku'>(
  model: Hrm,
  puzzles: readonly (string | Uint8Array)[],
  options?: SolveOptions<T>,
): Solutions[T][];
export function solve<T extends TaskName = 'sudoku'>(
  model: Hrm,
  puzzle: string | Uint8Array | readonly (string | Uint8Array)[],
  options: SolveOptions<T> = {},
): Solutions[T] | Solutions[T][] {
  const { config } = requireModel('solve', model);
  const given = readOptions('solve', options, OPTIONS);
  const { task = 'sudoku' as T, segments = config.haltMaxSteps, adaptive = false } = given;
  const { initialStates = 1, statesSeed = 0, batchSize = 256 } = given;
  if (typeof task !== 'string' || !Object.hasOwn(tasks, task)) {
    throw new ArgumentError(`solve: task must be one of ${Object.keys(tasks).join(', ')}, got ${describe(task)}`);
  }
  requireInteger('solve', 'segments', segments, 1, MAX_SEGMENTS);
  if (typeof adaptive !== 'boolean')
    throw new ArgumentError(`solve: adaptive must be true or false, got ${describe(adaptive)}`);
  requireInitialStates('solve', initialStates, model);
  requireInteger('solve', 'statesSeed', statesSeed, 0);
  requireInteger('solve', 'batchSize', batchSize, 1);
  const plugged: SolveTask<Solutions[T]> = tasks[task];
  const run: Run = { segments, adaptive, initialStates, statesSeed };
  if (typeof puzzle === 'string' || ArrayBuffer.isView(puzzle)) {
    return solveBatch(model, [plugged.pose(config, puzzle, given, 'solve')], run)[0]!;
  }
  const posed = readArray('solve', 'puzzle', puzzle, 'text, a Uint8Array or an array of these').map((each, i) =>
    plugged.pose(config, each as string | Uint8Array, given, `solve: puzzles[${i}]`),
  );
  const solutions: Solutions[T][] = [];
  for (let first = 0; first < posed.length; first += batchSize) {
    solutions.push(...solveBatch(model, posed.slice(first, first + batchSize), run));
  }
  return solutions;
}

/** Every segment of a puzzle is kept, and nothing interrupts them. */
const MAX_SEGMENTS = 1024;

type Run = Required<Pick<SolveOptions, 'segments' | 'adaptive' | 'initialStates' | 'statesSeed'>>;

function solveBatch<S extends TaskSolution>(model: Hrm, puzzles: readonly PosedPuzzle<S>[], run: Run): S[] {
  return noGrad(() =>
    tidy(() => {
      const runs = drawInitialStates(model, run.initialStates, run.statesSeed).map((start) =>
        runFrom(model, puzzles, run, start),
      );
      const votes = runs.length === 1 ? undefined : votesOf(model, puzzles, runs);
      return puzzles.map((posed, i) => {
        const segments = runs[0]!.segments[i]!;
        return posed.judge({
          puzzle: posed.puzzle,
          segments,
          answer: votes?.[i]!.answer ?? segments[segments.length - 1]!.grid,
          haltingSegment: haltingSegment(segments),
          ...(votes ? { vote: votes[i]!.vote } : {}),
        });
      });
    }),
  );
}

/** All puzzles from one initial state. */
interface StateRun {
  readonly final: FinalOutputs;
  /** Of each puzzle. */
  readonly segments: readonly SolveSegment[][];
}

function runFrom(
  model: Hrm,
  puzzles: readonly PosedPuzzle<TaskSolution>[],
  { segments: limit, adaptive }: Run,
  start: States,
): StateRun {
  const segments = puzzles.map((): SolveSegment[] => []);
  const batch = unlabelledBatch(
    puzzles.map(({ inputs }) => ({ inputs, puzzleIdentifier: 0 })),
    model,
  );
  const final = finalOutputs(model, batch, { segments: limit, adaptive, start }, (segment) => {
    segmentAnswers(model, segment).forEach((answer, place) => {
      const row = segment.rows[place]!;
      segments[row]!.push(segmentOf(puzzles[row]!, answer));
    });
  });
  return { final, segments };
}

function segmentOf(
  posed: PosedPuzzle<TaskSolution>,
  { tokens, confidence, qHalt, qContinue, halts }: SegmentAnswer,
): SolveSegment {
  return {
    grid: posed.gridOf(tokens),
    confidence: meanConfidence(confidence, posed.isOpen),
    qHalt,
    qContinue,
    halts,
  };
}

function votesOf(
  model: Hrm,
  puzzles: readonly PosedPuzzle<TaskSolution>[],
  runs: readonly StateRun[],
): { readonly answer: Uint8Array; readonly vote: SolveVote }[] {
  const { outputs } = vote(
    model.config,
    runs.map(({ final }) => final),
  );
  return decodeRows(model, outputs.logits).map(({ tokens, confidence }, i) => ({
    answer: puzzles[i]!.gridOf(tokens),
    vote: {
      confidence: meanConfidence(confidence, puzzles[i]!.isOpen),
      states: runs.map(({ segments }) => stateAnswer(segments[i]!)),
    },
  }));
}

function stateAnswer(segments: readonly SolveSegment[]): StateAnswer {
  const { grid, confidence, qHalt } = segments[segments.length - 1]!;
  return {
    answer: grid,
    confidence,
    qHalt,
    segments: segments.length,
    haltingSegment: haltingSegment(segments),
  };
}

function haltingSegment(segments: readonly SolveSegment[]): number | null {
  const halting = segments.findIndex(({ halts }) => halts);
  return halting < 0 ? null : halting + 1;
}

/** Mean confidence over the cells that the puzzle leaves open; 1 where it leaves none. */
function meanConfidence(confidence: Float64Array, isOpen: (cell: number) => boolean): number {
  const open = confidence.filter((_, cell) => isOpen(cell));
  return open.length === 0 ? 1 : open.reduce((total, value) => total + value, 0) / open.length;
}
