/** Sudokus for `solve`. */
import { assertGrid, geometryOfCells, requireGeometry, type Geometry, type Grid } from '../data/sudoku/geometry';
import { checkAnswer, describeViolation, findConflicts } from '../data/sudoku/rules';
import { readTokens, writeTokens } from '../data/sudoku/source';
import { parseGrid } from '../data/sudoku/text';
import { ArgumentError } from '../error';
import type { SolveTask, TaskSolution } from './solve_task';

/** A Sudoku: digits, 0 for a blank. */
export interface Solution extends TaskSolution {
  readonly geometry: Geometry;
}

export const sudokuTask: SolveTask<Solution> = {
  pose: ({ seqLen, vocabSize }, given, options, what) => {
    const geometry = options.geometry === undefined ? geometryOfCells(seqLen) : requireGeometry(what, options.geometry);
    if (geometry === undefined || geometry.cells !== seqLen || vocabSize < geometry.size + 2) {
      throw new ArgumentError(
        `${what}: the model must be one for ${geometry ? `${geometry.size}x${geometry.size} ` : ''}Sudokus, ` +
          `got seqLen ${seqLen} and vocabSize ${vocabSize}; options.task says what else it is for`,
      );
    }
    const puzzle: Grid = typeof given === 'string' ? parseGrid(given, geometry, what).grid : given;
    assertGrid(puzzle, geometry, what);
    const inputs = new Int32Array(geometry.cells);
    writeTokens(puzzle, inputs, 0);
    return {
      puzzle,
      inputs,
      isOpen: (cell) => puzzle[cell] === 0,
      gridOf: (tokens) => readTokens(tokens, 0, geometry),
      judge: (solution) => ({
        ...solution,
        geometry,
        violations: [
          ...conflictingClues(puzzle, geometry),
          ...checkAnswer(puzzle, solution.answer, geometry).map((violation) => describeViolation(violation, geometry)),
        ],
      }),
    };
  },
};

/** Why no answer to the puzzle can be right, where it breaks the rules by itself. */
function* conflictingClues(puzzle: Grid, geometry: Geometry): Iterable<string> {
  for (const conflict of findConflicts(puzzle, geometry))
    yield `the puzzle itself has no solution: of its clues ${describeViolation(conflict, geometry)}`;
}
