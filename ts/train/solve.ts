/** Solves a puzzle and shows how the answer came about, segment by segment. */
import { ArgumentError } from '../error';
import type { Hrm } from '../hrm/model';
import { requireModel } from '../hrm/arguments';
import { readOptions, requireInteger } from '../tensor/arguments';
import { describe } from '../tensor/dtype';
import { runSegments } from './segments';
import { mazeTask, type MazeSolution } from './solve_maze';
import { sudokuTask, type Solution } from './solve_sudoku';
import type { SolveOptions, SolveSegment, SolveTask } from './solve_task';
import type { TaskName } from './tasks';

/** What {@link solve} gives for each task. */
export interface Solutions {
  sudoku: Solution;
  maze: MazeSolution;
}

const tasks: { readonly [T in TaskName]: SolveTask<Solutions[T]> } = { sudoku: sudokuTask, maze: mazeTask };

/** Every segment of a puzzle is kept, and nothing interrupts them. */
const MAX_SEGMENTS = 1024;

/**
 * Lets a model solve one puzzle.
 *
 * @param puzzle text (see `parseGrid` and `parseMaze`), or digits of a Sudoku (0 for blanks) or tokens of a maze
 * @throws ArgumentError or FormatError where the puzzle does not fit the task or the model, or has no solution to look for
 */
export function solve<T extends TaskName = 'sudoku'>(
  model: Hrm,
  puzzle: string | Uint8Array,
  options: SolveOptions<T> = {},
): Solutions[T] {
  const { config } = requireModel('solve', model);
  const given = readOptions('solve', options, ['task', 'geometry', 'segments']);
  const { task = 'sudoku' as T, segments = config.haltMaxSteps } = given;
  if (typeof task !== 'string' || !Object.hasOwn(tasks, task)) {
    throw new ArgumentError(`solve: task must be one of ${Object.keys(tasks).join(', ')}, got ${describe(task)}`);
  }
  requireInteger('solve', 'segments', segments, 1, MAX_SEGMENTS);
  const plugged: SolveTask<Solutions[T]> = tasks[task];
  const posed = plugged.pose(config, puzzle, given);
  const steps = Array.from(
    runSegments(model, { inputs: posed.inputs, puzzleIdentifier: 0 }, segments),
    ({ tokens, confidence, qHalt, qContinue, halts }): SolveSegment => ({
      grid: posed.gridOf(tokens),
      confidence: meanConfidence(confidence, posed.isOpen),
      qHalt,
      qContinue,
      halts,
    }),
  );
  const halting = steps.findIndex(({ halts }) => halts);
  return posed.judge({
    puzzle: posed.puzzle,
    segments: steps,
    answer: steps[steps.length - 1]!.grid,
    haltingSegment: halting < 0 ? null : halting + 1,
  });
}

/** Mean confidence over the cells that the puzzle leaves open; 1 where it leaves none. */
function meanConfidence(confidence: Float64Array, isOpen: (cell: number) => boolean): number {
  const open = confidence.filter((_, cell) => isOpen(cell));
  return open.length === 0 ? 1 : open.reduce((total, value) => total + value, 0) / open.length;
}
