import { describe, expect, it } from '@jest/globals';
import { generateSudoku } from '../../ts/data/sudoku/generate';
import { geometryOf } from '../../ts/data/sudoku/geometry';
import { solutionText } from '../../ts/cli/solution_text';
import { readPuzzles } from '../../ts/cli/solve_view';
import { noGrad } from '../../ts/autograd/no_grad';
import { formatGrid } from '../../ts/data/sudoku/text';
import { memory } from '../../ts/native/runtime';
import { copy_ } from '../../ts/ops/cast';
import { tensor } from '../../ts/tensor/create';
import type { SolveSegment } from '../../ts/train/solve_task';
import { solve } from '../../ts/train/solve';
import { tinyModel } from '../support/tiny_model';
import { FLOAT32_PLACES } from '../support/tolerance';

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

  it('blames the puzzle for clues that conflict', () => {
    const { violations } = solve(tinyModel(), '11..|....|....|....');
    expect(violations.filter((text) => text.startsWith('the puzzle itself'))).toEqual([
      'the puzzle itself has no solution: of its clues row 1 has the digit 1 in 2 cells (row 1 column 1; row 1 column 2)',
      'the puzzle itself has no solution: of its clues box 1 has the digit 1 in 2 cells (row 1 column 1; row 1 column 2)',
    ]);
    expect(violations[0]).toMatch(/^the puzzle itself/);
  });

  it('takes text, and frees what it made', () => {
    const model = tinyModel();
    solve(model, '1...|..2.|.3..|...4');
    const before = memory().tensors;
    const { puzzle, segments } = solve(model, '1...|..2.|.3..|...4');
    expect([...puzzle]).toEqual([1, 0, 0, 0, 0, 0, 2, 0, 0, 3, 0, 0, 0, 0, 0, 4]);
    expect(segments).toHaveLength(2);
    // Fewer where the collector has freed what an earlier test left.
    expect(memory().tensors).toBeLessThanOrEqual(before);
  });

  it.each([
    ['12', /solve: a 4x4 grid must have 16 cells, got 2; a blank is . or 0/],
    ['9...............', /must be at most 4/],
    [new Uint8Array(9), /solve: a 4x4 grid must have 16 cells, got 9/],
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

describe('solve with several puzzles', () => {
  const many = generateSudoku({ geometry, count: 9, seed: 6, blanks: { min: 4, max: 8 } });
  const puzzles = Array.from({ length: many.length }, (_, i) =>
    i === 2 ? formatGrid(many.puzzle(i)) : many.puzzle(i),
  );

  /** Some rows halt early, some do not, and initial states differ in when. */
  function undecidedModel() {
    const model = tinyModel();
    const state = model.stateDict();
    noGrad(() => {
      copy_(state.get('q_head.bias')!, tensor([0, 0]));
      const weight = Float32Array.from({ length: 32 }, (_, i) => Math.sin(i * i));
      copy_(state.get('q_head.weight')!, tensor(weight, { shape: [2, 16] }));
    });
    return model;
  }

  const close = (segment: SolveSegment): SolveSegment => ({
    ...segment,
    confidence: expect.closeTo(segment.confidence, FLOAT32_PLACES) as unknown as number,
    qHalt: expect.closeTo(segment.qHalt, FLOAT32_PLACES) as unknown as number,
    qContinue: expect.closeTo(segment.qContinue, FLOAT32_PLACES) as unknown as number,
  });

  it.each([
    [{}],
    [{ adaptive: true, segments: 5 }],
    [{ adaptive: true, segments: 5, batchSize: 4 }],
    [{ adaptive: true, initialStates: 3, statesSeed: 1, segments: 4 }],
    [{ initialStates: 2, batchSize: 2 }],
  ])('gives what each gives alone, with %j', (options) => {
    const model = undecidedModel();
    const together = solve(model, puzzles, options);
    expect(together).toHaveLength(9);
    const alone = puzzles.map((puzzle) => solve(model, puzzle, options));
    for (const [i, solution] of together.entries()) {
      const { segments, answer, haltingSegment, violations, puzzle } = alone[i]!;
      expect(solution).toMatchObject({ puzzle, answer, haltingSegment, violations, segments: segments.map(close) });
      expect(solution.vote?.states.map((state) => state.answer)).toEqual(
        alone[i]!.vote?.states.map((state) => state.answer),
      );
    }
    const lengths = new Set(alone.map(({ segments }) => segments.length));
    expect(lengths.size > 1).toBe('adaptive' in options);
    if ('adaptive' in options) {
      for (const { segments, haltingSegment } of together) {
        expect(segments.length).toBe(haltingSegment ?? options.segments);
        expect(segments.slice(0, -1).some(({ halts }) => halts)).toBe(false);
      }
    }
  });

  it('answers by the vote, which is not any one state', () => {
    const [solution] = solve(undecidedModel(), puzzles, { initialStates: 5 });
    const { answer, vote, segments } = solution!;
    expect(vote!.states).toHaveLength(5);
    expect(vote!.states[0]!.answer).toEqual(segments.at(-1)!.grid);
    expect(vote!.states[0]!.confidence).toBe(segments.at(-1)!.confidence);
    expect(vote!.states.some((state) => state.answer.join() !== answer.join())).toBe(true);
    expect(vote!.confidence).toBeLessThan(Math.max(...vote!.states.map((state) => state.confidence)));
    expect(solutionText(solution!, 200)).toMatch(/vote of 5 states.*\n.*confidence.*\n.*\d of 5 agree/);
  });

  it('takes none, frees what it made, and names the puzzle that is wrong', () => {
    const model = undecidedModel();
    expect(solve(model, [])).toEqual([]);
    const options = { adaptive: true, initialStates: 2 } as const;
    solve(model, puzzles, options);
    const before = memory().tensors;
    solve(model, puzzles, options);
    // Fewer where the collector has freed what an earlier test left.
    expect(memory().tensors).toBeLessThanOrEqual(before);
    expect(() => solve(model, [puzzles[0]!, '12'])).toThrow(
      /solve: puzzles\[1\]: a 4x4 grid must have 16 cells, got 2/,
    );
    expect(() => solve(model, 5 as unknown as string)).toThrow(/solve: puzzle must be text, a Uint8Array or an array/);
    expect(() => solve(model, puzzles, { adaptive: 'no' as never })).toThrow(/solve: adaptive must be true or false/);
    expect(() => solve(model, puzzles, { batchSize: 0 })).toThrow(/solve: batchSize must be an integer in \[1/);
  });
});

describe('readPuzzles', () => {
  it('reads one drawn puzzle or one a line', () => {
    expect(readPuzzles('1 2 | . .\n. . | . .\n----+----\n. . | . .\n. . | . 3\n', geometry, 'x')).toHaveLength(1);
    expect(readPuzzles('1...............\n\n2...............\n', geometry, 'x')).toHaveLength(2);
  });
  it('reads several drawn puzzles with empty lines between, and one whose bands are apart', () => {
    const bands = ['1 2 . .\n. . . .', '. . . .\n. . . 3'];
    const drawn = bands.join('\n');
    expect(readPuzzles(bands.join('\n\n'), geometry, 'x')).toHaveLength(1);
    expect(readPuzzles(`${drawn}\n\n${drawn}\n \n\n${drawn}\n`, geometry, 'x')).toHaveLength(3);
    expect(() => readPuzzles(`${drawn}\n\n1 2\n`, geometry, 'p')).toThrow(/^p: puzzle 2: a 4x4 grid must have 16/);
  });
  it('says which text is no puzzle', () => {
    expect(() => readPuzzles('1...............\n2..', geometry, '--file p')).toThrow(/--file p: a 4x4 grid must have/);
  });
});
