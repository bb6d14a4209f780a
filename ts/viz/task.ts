/** What a model's tokens mean, and which rules an answer breaks. */
import { VOCAB_SIZE as ARC_VOCAB_SIZE } from '../data/arc/canvas';
import { geometryOf, geometryOfCells, type Geometry } from '../data/sudoku/geometry';
import { checkAnswer, describeViolation, findConflicts } from '../data/sudoku/rules';
import { readTokens } from '../data/sudoku/source';
import type { ModelConfig } from '../hrm/config';
import type { LoadedModel } from '../train/load_model';
import { arcProblems } from './arc';
import { mazeProblems, mazePuzzleProblems } from './maze';
import type { Problem, Task } from './protocol';

/** The task of a loaded model, with its sizes; ARC, which `hrm solve` has no view of, goes by the sizes alone. */
export function taskOf({
  model,
  task,
  geometry = geometryOfCells(model.config.seqLen),
}: Pick<LoadedModel, 'task' | 'geometry'> & {
  readonly model: { readonly config: Pick<ModelConfig, 'seqLen' | 'vocabSize'> };
}): Task {
  const { seqLen, vocabSize } = model.config;
  if (task === 'sudoku' && geometry !== undefined)
    return { kind: 'sudoku', boxRows: geometry.boxRows, boxCols: geometry.boxCols };
  const side = Math.sqrt(seqLen);
  if (task === 'maze') return { kind: 'maze', rows: side, cols: side };
  if (Number.isInteger(side) && vocabSize === ARC_VOCAB_SIZE) return { kind: 'arc', side };
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
