/** How `hrm solve` reads and answers puzzles of each task. */
import { parseMaze } from '../data/maze/text';
import { type Geometry, geometryOfCells, type Grid } from '../data/sudoku/geometry';
import { parseGrid } from '../data/sudoku/text';
import { FormatError } from '../error';
import type { LoadedModel } from '../train/load_model';
import { solve } from '../train/solve';
import type { SolveOptions, TaskSolution } from '../train/solve_task';
import type { TaskName } from '../train/tasks';
import { mazeSolutionText, solutionText } from './solution_text';

/** A solved puzzle, and how it reads. */
export interface SolvedPuzzle {
  readonly solution: TaskSolution;
  readonly text: (columns: number) => string;
}

/** How puzzles are to be solved, whatever the task. */
export type ViewOptions = Pick<SolveOptions, 'segments' | 'adaptive' | 'initialStates' | 'statesSeed' | 'batchSize'>;

/** One task at the command line. */
export interface SolveView {
  /**
   * The puzzles of a text, to be solved one after the other.
   * @param what names the text in errors
   */
  readonly puzzles: (loaded: LoadedModel, text: string, what: string) => Uint8Array[];
  /** Solves puzzles together, in one batch. */
  readonly solve: (loaded: LoadedModel, puzzles: readonly Uint8Array[], options: ViewOptions) => SolvedPuzzle[];
}

const geometryOfModel = ({ geometry, model }: LoadedModel): Geometry | undefined =>
  geometry ?? geometryOfCells(model.config.seqLen);

export const solveViews: { readonly [T in TaskName]: SolveView } = {
  sudoku: {
    puzzles: (loaded, text, what) => readPuzzles(text, geometryOfModel(loaded), what),
    solve: (loaded, puzzles, options) => {
      const geometry = geometryOfModel(loaded);
      const solutions = solve(loaded.model, puzzles, { ...options, ...(geometry ? { geometry } : {}) });
      return solutions.map((solution) => ({ solution, text: (columns) => solutionText(solution, columns) }));
    },
  },
  maze: {
    puzzles: ({ model }, text, what) => readMazes(text, Math.sqrt(model.config.seqLen), what),
    solve: ({ model }, puzzles, options) =>
      solve(model, puzzles, { ...options, task: 'maze' }).map((solution) => ({
        solution,
        text: (columns) => mazeSolutionText(solution, columns),
      })),
  },
};

/** The Sudokus of a text: one drawn over several lines, several with an empty line between them, or one a line. */
export function readPuzzles(text: string, geometry: Geometry | undefined, what: string): Grid[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  // A line of a drawing holds one row, which is no grid: only if all of them are, there are several puzzles.
  if (lines.length > 1 && lines.some((line) => isGrid(line, geometry, what)))
    return lines.map((line) => parseGrid(line, geometry, what).grid);
  // A drawing may have empty lines between its bands.
  const drawings = text.split(/\r?\n(?:[ \t]*\r?\n)+/).filter((drawing) => drawing.trim() !== '');
  if (drawings.length > 1 && drawings.some((drawing) => isGrid(drawing, geometry, what)))
    return drawings.map((drawing, i) => parseGrid(drawing, geometry, `${what}: puzzle ${i + 1}`).grid);
  return [parseGrid(text, geometry, what).grid];
}

function isGrid(text: string, geometry: Geometry | undefined, what: string): boolean {
  try {
    parseGrid(text, geometry, what);
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

/** The mazes of a text: one drawn over several lines, several with an empty line between them, or one a line. */
export function readMazes(text: string, size: number, what: string): Uint8Array[] {
  const lines = text.split(/\r?\n/);
  // A row of a drawing is never as long as a whole maze.
  if (lines.some((line) => line.length >= size * size))
    return lines.flatMap((line, i) => (line === '' ? [] : [parseMaze(line, size, `${what}: line ${i + 1}`)]));
  if (lines.filter((line) => line !== '').length <= size) return [parseMaze(text, size, what)];
  const drawings = text.split(/(?:\r?\n){2,}/).filter((drawing) => drawing !== '');
  return drawings.map((drawing, i) => parseMaze(drawing, size, `${what}: maze ${i + 1}`));
}
