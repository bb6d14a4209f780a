/** What a model's tokens mean, and which rules an answer breaks. */
import { geometryOf, geometryOfCells, type Geometry } from '../data/sudoku/geometry';
import { checkAnswer, describeViolation, findConflicts } from '../data/sudoku/rules';
import { readTokens } from '../data/sudoku/source';
import type { RunConfig } from '../train/config';
import { arcProblems } from './arc';
import { mazeProblems, mazePuzzleProblems } from './maze';
import type { Problem, Task } from './protocol';

/** Vocabulary of a maze: padding and the characters `# SGo`. */
const MAZE_VOCAB = 6;
/** Vocabulary of ARC: padding, end, ten colours. */
const ARC_VOCAB = 12;

/** The task of a run: from its data where they say so, otherwise from the sizes of the model. */
export function taskOf(
  data: RunConfig['data'],
  { seqLen, vocabSize }: { readonly seqLen: number; readonly vocabSize: number },
): Task {
  if ('boxRows' in data) return { kind: 'sudoku', boxRows: data.boxRows, boxCols: data.boxCols };
  const geometry = geometryOfCells(seqLen);
  // A 4x4 Sudoku has the vocabulary of a maze; nobody trains on 4x4 mazes.
  if (geometry !== undefined && vocabSize === geometry.size + 2) {
    return { kind: 'sudoku', boxRows: geometry.boxRows, boxCols: geometry.boxCols };
  }
  const side = Math.sqrt(seqLen);
  if (Number.isInteger(side) && vocabSize === MAZE_VOCAB) return { kind: 'maze', rows: side, cols: side };
  if (Number.isInteger(side) && vocabSize === ARC_VOCAB) return { kind: 'arc', side };
  return { kind: 'tokens', seqLen, vocabSize };
}

/** Which rules a puzzle itself breaks: it can be solved all the same, and no answer will be right. */
export function puzzleProblems(task: Task, puzzle: ArrayLike<number>): Problem[] {
  switch (task.kind) {
    case 'sudoku': {
      const geometry = geometryOf(task.boxRows, task.boxCols);
      return inWords(findConflicts(readTokens(puzzle, 0, geometry), geometry), geometry);
    }
    case 'maze':
      return mazePuzzleProblems(puzzle, task);
    case 'arc':
      return arcProblems(puzzle, task.side, 'the input');
    case 'tokens':
      return [];
  }
}

/** Which rules of the task an answer breaks; empty where it is right, or the task has none that can be checked. */
export function answerProblems(task: Task, puzzle: ArrayLike<number>, answer: ArrayLike<number>): Problem[] {
  switch (task.kind) {
    case 'sudoku': {
      const geometry = geometryOf(task.boxRows, task.boxCols);
      const read = (tokens: ArrayLike<number>): Uint8Array => readTokens(tokens, 0, geometry);
      return inWords(checkAnswer(read(puzzle), read(answer), geometry), geometry);
    }
    case 'maze':
      return mazeProblems(puzzle, answer, task);
    case 'arc':
      return arcProblems(answer, task.side, 'the answer');
    case 'tokens':
      return [];
  }
}

function inWords(violations: ReturnType<typeof checkAnswer>, geometry: Geometry): Problem[] {
  return violations.map((violation) => ({ text: describeViolation(violation, geometry), cells: violation.cells }));
}
