import { describe, expect, it } from '@jest/globals';
import { generateSudoku } from '../../ts/data/sudoku/generate';
import { geometryOf } from '../../ts/data/sudoku/geometry';
import { solutionText } from '../../ts/cli/solution_text';
import { readPuzzles } from '../../ts/cli/solve_view';
import { memory } from '../../ts/native/runtime';
import { solve } from '../../ts/train/solve';
import { tinyModel } from '../support/tiny_model';

const geometry = geometryOf(2, 2);
const set = generateSudoku({ geometry, count: 1, seed: 5, blanks: { min: 4, max: 6 } });

describe('solve', () => {
  it('shows every segment and says which rules the answer breaks', () => {
    const solution = solve(tinyModel(), set.puzzle(0), { segments: 3 });
    expect(solution.segments).toHaveLength(3);
    expect(solution.answer).toEqual(solution.segments[2]!.grid);
    for (const { grid, confidence, halts } of solution.segments) {
      expect(grid).toHaveLength(16);
      expect(confidence).toBeGreaterThan(1 / 6 - 1e-9);
      expect(confidence).toBeLessThanOrEqual(1);
      // qHalt = qContinue = -5 before training.
      expect(halts).toBe(false);
    }
    expect(solution.haltingSegment).toBeNull();
    // An untrained model is wrong.
    expect(solution.violations.length).toBeGreaterThan(0);
    const text = solutionText(solution, 60);
    expect(text).toMatch(/The model never halted\. The answer is wrong: /);
    expect(
      Math.max(
        ...text
          .split('\n')
          .slice(0, -2)
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(60);
  });

  it('takes text, and frees what it made', () => {
    const model = tinyModel();
    solve(model, '1...|..2.|.3..|...4');
    const before = memory().tensors;
    const { puzzle, segments } = solve(model, '1...|..2.|.3..|...4');
    expect([...puzzle]).toEqual([1, 0, 0, 0, 0, 0, 2, 0, 0, 3, 0, 0, 0, 0, 0, 4]);
    expect(segments).toHaveLength(2);
    expect(memory().tensors).toBe(before);
  });

  it.each([
    ['12', /solve: a 4x4 grid must have 16 cells, got 2/],
    ['9...............', /must be at most 4/],
    [new Uint8Array(9), /solve: puzzle/],
  ])('refuses %j', (puzzle, message) => {
    expect(() => solve(tinyModel(), puzzle)).toThrow(message);
  });

  it('refuses more segments than anybody could wait for', () => {
    for (const segments of [0, 1.5, 1025, 1e9])
      expect(() => solve(tinyModel(), '.'.repeat(16), { segments })).toThrow(
        /solve: segments must be an integer in \[1, 1024\]/,
      );
  });

  it('refuses a model that is not for Sudokus', () => {
    expect(() => solve(tinyModel({ seqLen: 15 }), '.'.repeat(15))).toThrow(/must be one for Sudokus, got seqLen 15/);
  });
});

describe('readPuzzles', () => {
  it('reads one drawn puzzle or one a line', () => {
    expect(readPuzzles('1 2 | . .\n. . | . .\n----+----\n. . | . .\n. . | . 3\n', geometry, 'x')).toHaveLength(1);
    expect(readPuzzles('1...............\n\n2...............\n', geometry, 'x')).toHaveLength(2);
  });
  it('says which text is no puzzle', () => {
    expect(() => readPuzzles('1...............\n2..', geometry, '--file p')).toThrow(/--file p: a 4x4 grid must have/);
  });
});
