import { describe, expect, it } from '@jest/globals';
import { type Geometry, geometryOf } from '../../ts/data/sudoku/geometry';
import { loadModel } from '../../ts/train/load_model';
import type { TaskName } from '../../ts/train/tasks';
import { train } from '../../ts/train/train';
import type { Task } from '../../ts/viz/protocol';
import { answerProblems, puzzleProblems, taskOf } from '../../ts/viz/task';
import { tinyRun, withDirectory } from '../support/tiny_run';

const texts = (problems: { text: string }[]): string[] => problems.map(({ text }) => text);

describe('taskOf', () => {
  const of = (config: { seqLen: number; vocabSize: number }, task?: TaskName, geometry?: Geometry): Task =>
    taskOf({ model: { config }, task, geometry });
  it('takes the boxes from the data where they say', () => {
    expect(of({ seqLen: 36, vocabSize: 8 }, 'sudoku', geometryOf(3, 2))).toEqual({
      ...{ kind: 'sudoku', boxRows: 3, boxCols: 2 },
    });
  });
  it.each([
    ['sudoku', 81, 11, { kind: 'sudoku', boxRows: 3, boxCols: 3 }],
    ['sudoku', 16, 6, { kind: 'sudoku', boxRows: 2, boxCols: 2 }],
    // The sizes of a Sudoku; the data say otherwise.
    ['maze', 16, 6, { kind: 'maze', rows: 4, cols: 4 }],
    ['maze', 900, 6, { kind: 'maze', rows: 30, cols: 30 }],
    [undefined, 900, 12, { kind: 'arc', side: 30 }],
    [undefined, 7, 5, { kind: 'tokens', seqLen: 7, vocabSize: 5 }],
  ] as const)('is that of the model, %s, with its %d tokens of %d', (task, seqLen, vocabSize, expected) => {
    expect(of({ seqLen, vocabSize }, task)).toEqual(expected);
  });
  it('is that of hrm solve: a small maze is a maze', async () => {
    await withDirectory(async (dir) => {
      const config = {
        ...{ model: tinyRun.model, optim: tinyRun.optim },
        data: { kind: 'mazeGenerated', size: 4, minPath: 3, trainPuzzles: 8, validPuzzles: 2, testPuzzles: 2 },
        train: { steps: 1, batchSize: 1, tensorboard: false },
        eval: { everySteps: null, finalPuzzles: 0 },
      };
      (await train({ config, out: dir })).model.dispose();
      const loaded = loadModel(dir);
      expect([loaded.task, taskOf(loaded)]).toEqual(['maze', { kind: 'maze', rows: 4, cols: 4 }]);
      loaded.model.dispose();
    });
  });
});

describe('Sudoku', () => {
  const task = { kind: 'sudoku', boxRows: 2, boxCols: 2 } as const;
  const tokens = (text: string): number[] => Array.from(text.replace(/\s/g, ''), (digit) => Number(digit) + 1);
  it('says which rules a puzzle and an answer break', () => {
    expect(texts(puzzleProblems(task, tokens('1100 0000 0000 0000')))).toEqual([
      'row 1 has the digit 1 in 2 cells (row 1 column 1; row 1 column 2)',
      'box 1 has the digit 1 in 2 cells (row 1 column 1; row 1 column 2)',
    ]);
    const puzzle = tokens('1000 0000 0000 0000');
    expect(answerProblems(task, puzzle, tokens('1234 3412 2143 4321'))).toEqual([]);
    const [first] = answerProblems(task, puzzle, tokens('2134 3412 2143 4321'));
    expect(first).toEqual({ text: 'the clue 1 at row 1 column 1 was changed', cells: [0] });
  });
});

describe('Maze', () => {
  const task = { kind: 'maze', rows: 3, cols: 4 } as const;
  const maze = (text: string): number[] => Array.from(text, (character) => '# SGo'.indexOf(character) + 1);
  const puzzle = maze('S  #' + '#  G' + '    ');
  it('accepts every shortest path', () => {
    expect(puzzleProblems(task, puzzle)).toEqual([]);
    expect(answerProblems(task, puzzle, maze('Soo#' + '# oG' + '    '))).toEqual([]);
    expect(answerProblems(task, puzzle, maze('So #' + '#ooG' + '    '))).toEqual([]);
  });
  it.each([
    ['So##' + '#ooG' + '    ', ['changed cells of the maze: 1']],
    ['ooo#' + '# oG' + '    ', ['changed cells of the maze: 1']],
    ['S  #' + 'o  G' + 'oooo', ['walls on the path: 1', 'the path does not lead from the start to the goal']],
    ['So #' + '#o G' + ' ooo', ['marked cells: 5, the shortest path has 3']],
    ['Soo#' + '#ooG' + '    ', ['marked cells: 4, the shortest path has 3']],
    ['S  #' + '#  G' + '    ', ['the path does not lead from the start to the goal']],
    // The end of one line is no neighbour of the start of the next.
    ['Soo#' + '# oG' + 'o   ', ['marked cells: 4, the shortest path has 3']],
  ])('finds what is wrong with %j', (answer, expected) => {
    expect(texts(answerProblems(task, puzzle, maze(answer)))).toEqual(expected);
  });
  it.each([
    ['    ' + '   G' + '    ', ['there must be one start, got 0']],
    ['SS  ' + '    ' + '   S', ['there must be one start, got 3', 'there must be one goal, got 0']],
    ['S#  ' + '##  ' + '   G', ['no way leads from the start to the goal']],
    // Rows do not wrap around.
    ['###S' + 'G###' + '    ', ['no way leads from the start to the goal']],
  ])('finds what is wrong with the drawing %j', (drawing, expected) => {
    expect(texts(puzzleProblems(task, maze(drawing)))).toEqual(expected);
    expect(() => answerProblems(task, maze(drawing), maze(drawing))).not.toThrow();
  });
});

describe('ARC', () => {
  const task = { kind: 'arc', side: 4 } as const;
  it.each([
    [[2, 3, 1, 0, 4, 5, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0], []],
    [new Array<number>(16).fill(2), []],
    [
      [0, 3, 1, 0, 4, 5, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0],
      ['the answer has no grid: the cell at the top left is no colour'],
    ],
    [[2, 3, 1, 0, 4, 5, 1, 0, 1, 1, 0, 0, 0, 0, 0, 7], ['the answer has colours outside its grid of 2 x 2, cells: 1']],
  ])('judges %j', (answer, expected) => {
    expect(texts(answerProblems(task, answer, answer))).toEqual(expected);
  });
});
