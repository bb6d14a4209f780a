/** How a solution reads on a terminal. */
import { prettyMaze } from '../data/maze/text';
import { prettyGrid } from '../data/sudoku/text';
import type { MazeSolution } from '../train/solve_maze';
import type { Solution } from '../train/solve_sudoku';
import type { SolveVote, TaskSolution } from '../train/solve_task';
import { percent, sideBySide } from './run_report';

/** How a task draws its grids and says that an answer is right. */
interface Drawing {
  readonly draw: (grid: Uint8Array) => string;
  readonly right: string;
}

/**
 * The puzzle and the grid after each segment, as many beside each other as `columns` hold; then the verdict, with everything
 * that is wrong.
 */
function taskSolutionText(solution: TaskSolution, { draw, right }: Drawing, columns: number): string {
  const { puzzle, segments, haltingSegment, violations, answer, vote } = solution;
  const titled = (title: readonly string[], grid: Uint8Array): string[] => [...title, ...draw(grid).split('\n')];
  const blocks = [
    titled(['puzzle', '', ''], puzzle),
    ...segments.map(({ grid, confidence, qHalt, qContinue, halts }, i) =>
      titled(
        [
          `segment ${i + 1}${halts ? ', halts' : ''}`,
          `confidence ${percent(confidence)}`,
          `q ${qHalt.toFixed(1)} / ${qContinue.toFixed(1)}`,
        ],
        grid,
      ),
    ),
    ...(vote
      ? [
          titled(
            [`vote of ${vote.states.length} states`, `confidence ${percent(vote.confidence)}`, agreement(answer, vote)],
            answer,
          ),
        ]
      : []),
  ];
  const width = Math.max(...blocks.flatMap((lines) => lines.map((line) => line.length))) + 3;
  const perRow = Math.max(1, Math.floor((columns + 3) / width));
  const rows: string[] = [];
  for (let i = 0; i < blocks.length; i += perRow) rows.push(sideBySide(blocks.slice(i, i + perRow)));
  const halting = haltingSegment === null ? 'The model never halted.' : `The model halts at segment ${haltingSegment}.`;
  const verdict =
    violations.length === 0
      ? right
      : `The answer is wrong: ${violations.slice(0, 3).join('; ')}${violations.length > 3 ? `; ${violations.length - 3} more` : ''}.`;
  return `${rows.join('\n\n')}\n${halting} ${verdict}\n`;
}

/** `5 of 8 agree` */
function agreement(answer: Uint8Array, { states }: SolveVote): string {
  const agree = states.filter((state) => state.answer.every((token, cell) => token === answer[cell]));
  return `${agree.length} of ${states.length} agree`;
}

/** A Sudoku's solution, see {@link taskSolutionText}. */
export function solutionText(solution: Solution, columns: number): string {
  const draw = (grid: Uint8Array): string => prettyGrid(grid, solution.geometry);
  return taskSolutionText(solution, { draw, right: 'The answer keeps every clue and breaks no rule.' }, columns);
}

/** A maze's solution, see {@link taskSolutionText}. */
export function mazeSolutionText(solution: MazeSolution, columns: number): string {
  const right = `The answer is a shortest path: ${solution.shortest} moves.`;
  return taskSolutionText(solution, { draw: prettyMaze, right }, columns);
}
