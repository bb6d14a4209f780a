/** Mazes for `solve`. */
import { FREE, MAZE_VOCAB_SIZE, mazeSizeOf, requireMaze } from '../data/maze/grid';
import { judgeMaze, mazeViolations } from '../data/maze/rules';
import { parseMaze } from '../data/maze/text';
import { ArgumentError } from '../error';
import type { SolveTask, TaskSolution } from './solve_task';

/** A maze: tokens as `parseMaze` gives them. */
export interface MazeSolution extends TaskSolution {
  readonly size: number;
  /** Cells from start to goal that the answer joins by path cells, both included; null when it does not. */
  readonly path: readonly number[] | null;
  /** Moves of a shortest path. */
  readonly shortest: number;
}

export const mazeTask: SolveTask<MazeSolution> = {
  pose: ({ seqLen, vocabSize }, given, options, what) => {
    const size = mazeSizeOf(seqLen);
    if (size === undefined || vocabSize !== MAZE_VOCAB_SIZE) {
      throw new ArgumentError(
        `${what}: the model must be one for mazes, got seqLen ${seqLen} and vocabSize ${vocabSize}`,
      );
    }
    if (options.geometry !== undefined) throw new ArgumentError(`${what}: geometry is for Sudokus, got one for a maze`);
    const maze = requireMaze(what, typeof given === 'string' ? parseMaze(given, size, what) : given, size);
    const { shortest } = judgeMaze(maze, maze);
    if (shortest === null) throw new ArgumentError(`${what}: the maze must have a path from S to G, got none`);
    return {
      puzzle: maze,
      inputs: Int32Array.from(maze),
      isOpen: (cell) => maze[cell] === FREE,
      gridOf: (tokens) => Uint8Array.from(tokens),
      judge: (solution) => {
        const { path } = judgeMaze(maze, solution.answer);
        return { ...solution, size, path, shortest, violations: mazeViolations(maze, solution.answer) };
      },
    };
  },
};
