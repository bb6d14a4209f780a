import type { Task } from '../../protocol';
import { arcView } from './arc';
import { mazeView } from './maze';
import { plainView } from './plain';
import { sudokuView } from './sudoku';
import type { TaskView } from './view';

/** The view of a task. A new task is a file beside this one and a line here. */
export function viewOf(task: Task): TaskView {
  switch (task.kind) {
    case 'sudoku':
      return sudokuView(task.boxRows, task.boxCols);
    case 'maze':
      return mazeView(task.rows, task.cols);
    case 'arc':
      return arcView(task.side);
    case 'tokens':
      return plainView(task.seqLen, task.vocabSize);
  }
}
