import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Philox } from '../../../ts/data/philox';
import { geometryOf, type Grid } from '../../../ts/data/sudoku/geometry';
import { randomSolution } from '../../../ts/data/sudoku/generate';
import { isSolved, keepsClues } from '../../../ts/data/sudoku/rules';
import { SudokuSolver, solverOf } from '../../../ts/data/sudoku/solver';
import { formatGrid, parseGrid } from '../../../ts/data/sudoku/text';
import { ArgumentError } from '../../../ts/error';
import { naiveSolutions } from './naive';

const shapes = [
  [2, 2],
  [1, 4],
  [2, 3],
  [3, 2],
  [1, 5],
] as const;

describe('SudokuSolver', () => {
  it('finds the same solutions as plain backtracking, on puzzles with none, one and many', () => {
    const counts = new Set<number>();
    fc.assert(
      fc.property(
        fc.constantFrom(...shapes),
        fc.nat(1e6),
        fc.double({ min: 0.2, max: 0.95, noNaN: true }),
        fc.nat(2),
        ([boxRows, boxCols], seed, keep, planted) => {
          const geometry = geometryOf(boxRows, boxCols);
          const rng = new Philox(seed);
          const puzzle = randomSolution(geometry, rng);
          for (let cell = 0; cell < puzzle.length; cell++) if (rng.uniform() > keep) puzzle[cell] = 0;
          // Some puzzles get wrong clues, so that unsolvable ones are met too.
          for (let i = 0; i < planted; i++) puzzle[rng.below(puzzle.length)] = 1 + rng.below(geometry.size);
          const limit = 20;
          const expected = naiveSolutions(puzzle, geometry, limit);
          const found: string[] = [];
          const result = solverOf(geometry).solve(puzzle, {
            limit,
            onSolution: (grid) => found.push(formatGrid(grid)),
          });
          expect(result.solutions).toBe(expected.length);
          expect(result.complete).toBe(true);
          counts.add(Math.min(2, expected.length));
          if (expected.length < limit) expect(found.sort()).toEqual(expected.map(formatGrid).sort());
          for (const text of found) {
            const { grid } = parseGrid(text, geometry);
            expect(isSolved(grid, geometry) && keepsClues(puzzle, grid)).toBe(true);
          }
        },
      ),
      { numRuns: 400 },
    );
    expect([...counts].sort()).toEqual([0, 1, 2]);
  });

  it('solves known 9x9 puzzles: easy without guesses, hard with', () => {
    const geometry = geometryOf(3, 3);
    // The Wikipedia example, and Arto Inkala's puzzle of 2010.
    const easy = '53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79';
    const hard = '..53.....8......2..7..1.5..4....53...1..7...6..32...8..6.5....9..4....3......97..';
    const first = solverOf(geometry).solve(parseGrid(easy, geometry).grid);
    expect(first).toMatchObject({ solutions: 1, guesses: 0, complete: true });
    expect(formatGrid(first.solution as Grid)).toBe(
      '534678912672195348198342567859761423426853791713924856961537284287419635345286179',
    );
    const second = solverOf(geometry).solve(parseGrid(hard, geometry).grid);
    expect(second.solutions).toBe(1);
    expect(second.guesses).toBeGreaterThan(0);
    expect(isSolved(second.solution as Grid, geometry)).toBe(true);
  });

  it('gives up after maxGuesses and says so, and finds nothing wrong afterwards', () => {
    const geometry = geometryOf(4, 4);
    const solver = new SudokuSolver(geometry);
    const empty = new Uint8Array(geometry.cells);
    expect(solver.solve(empty, { maxGuesses: 3 })).toMatchObject({ solutions: 0, complete: false, guesses: 3 });
    const solved = solver.solve(empty, { limit: 1 });
    expect(isSolved(solved.solution as Grid, geometry)).toBe(true);
  });

  it('can exclude a digit from a cell', () => {
    const geometry = geometryOf(2, 2);
    const empty = new Uint8Array(16);
    const all = solverOf(geometry).solve(empty, { limit: 1000 }).solutions;
    const without = solverOf(geometry).solve(empty, { limit: 1000, forbid: { cell: 5, digit: 3 } }).solutions;
    expect([all, without]).toEqual([288, 216]);
  });

  it('refuses grids and options that do not fit', () => {
    const solver = solverOf(geometryOf(2, 2));
    expect(() => solver.solve(new Uint8Array(15))).toThrow('16 cells');
    expect(() => solver.solve(new Uint8Array(16).fill(5))).toThrow(ArgumentError);
    expect(() => solver.solve([] as unknown as Uint8Array)).toThrow(ArgumentError);
    expect(() => solver.solve(new Uint8Array(16), { limit: 0 })).toThrow(ArgumentError);
    expect(() => solver.solve(new Uint8Array(16), { maxGuesses: NaN })).toThrow(ArgumentError);
  });
});
