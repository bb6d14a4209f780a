/** The tasks that the engine knows the rules of, beyond tokens in and tokens out. */
import { MAZE_VOCAB_SIZE, mazeSizeOf } from '../data/maze/grid';
import { geometryOfCells } from '../data/sudoku/geometry';

export type TaskName = 'sudoku' | 'maze';

/** What a model or data of this shape is for, as far as it says so; 16 cells of 6 tokens are taken for a 4x4 Sudoku. */
export function taskOfShape(shape: { readonly seqLen: number; readonly vocabSize: number }): TaskName | undefined {
  const { seqLen, vocabSize } = shape;
  const geometry = geometryOfCells(seqLen);
  if (geometry !== undefined && vocabSize === geometry.size + 2) return 'sudoku';
  return vocabSize === MAZE_VOCAB_SIZE && mazeSizeOf(seqLen) !== undefined ? 'maze' : undefined;
}
