/** How `hrm solve` reads and answers puzzles of each task. */
import { parseMaze } from '../data/maze/text';
import { type Geometry, geometryOfCells, type Grid } from '../data/sudoku/geometry';
import { parseGrid } from '../data/sudoku/text';
import { FormatError } from '../error';
import type { LoadedModel } from '../train/load_model';
import { solve } from '../train/solve';
import type { TaskSolution } from '../train/solve_task';
import type { TaskName } from '../train/tasks';
import { mazeSolutionText, solutionText } from './solution_text';

/** A solved puzzle, and how it reads. */
export interface SolvedPuzzle {
  readonly solution: TaskSolution;
  readonly text: (columns: number) => string;
}

/** One task at the command line. */
export interface SolveView {
  /**
   * The puzzles of a text, to be solved one after the other.
   * @param what names the text in errors
   */
  readonly puzzles: (loaded: LoadedModel, text: string, what: string) => Uint8Array[];
  readonly solve: (loaded: LoadedModel, puzzle: Uint8Array, options: { readonly segments?: number }) => SolvedPuzzle;
}

const geometryOfModel = ({ geometry, model }: LoadedModel): Geometry | undefined =>
  geometry ?? geometryOfCells(model.config.seqLen);

export const solveViews: { readonly [T in TaskName]: SolveView } = {
  sudoku: {
    puzzles: (loaded, text, what) => readPuzzles(text, geometryOfModel(loaded), what),
    solve: (loaded, puzzle, options) => {
      const geometry = geometryOfModel(loaded);
      const solution = solve(loaded.model, puzzle, { ...options, ...(geometry ? { geometry } : {}) });
      return { solution, text: (columns) => solutionText(solution, columns) };
    },
  },
  maze: {
    puzzles: ({ model }, text, what) => readMazes(text, Math.sqrt(model.config.seqLen), what),
    solve: ({ model }, puzzle, options) => {
      const solution = solve(model, puzzle, { ...options, task: 'maze' });
      return { solution, text: (columns) => mazeSolutionText(solution, columns) };
    },
  },
};

/** The Sudokus of a text: one drawn over several lines, or one a line. */
export function readPuzzles(text: string, geometry: Geometry | undefined, what: string): Grid[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const isGridLine = (line: string): boolean => {
    try {
      parseGrid(line, geometry, what);
      return true;
    } catch (error) {
      if (error instanceof FormatError) return false;
      throw error;
    }
  };
  // A line of a drawing holds one row, which is no grid: only if all of them are, there are several puzzles.
  if (lines.length > 1 && lines.some(isGridLine)) return lines.map((line) => parseGrid(line, geometry, what).grid);
  return [parseGrid(text, geometry, what).grid];
}

/** The mazes of a text: one drawn over several lines, or one a line. */
export function readMazes(text: string, size: number, what: string): Uint8Array[] {
  const lines = text.split(/\r?\n/);
  // A row of a drawing is never as long as a whole maze.
  if (!lines.some((line) => line.length >= size * size)) return [parseMaze(text, size, what)];
  return lines.flatMap((line, i) => (line === '' ? [] : [parseMaze(line, size, `${what}: line ${i + 1}`)]));
}
