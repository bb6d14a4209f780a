/** Solves a puzzle and shows how the answer came about, segment by segment. */
import { noGrad } from '../autograd/no_grad';
import { ArgumentError } from '../error';
import { actStep, initialCarry } from '../hrm/act';
import { IGNORE_LABEL } from '../hrm/loss';
import type { Hrm } from '../hrm/model';
import { requireModel } from '../hrm/arguments';
import { readOptions } from '../tensor/arguments';
import { zeros } from '../tensor/create';
import { describe } from '../tensor/dtype';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { haltingRows } from './evaluate';
import { mazeTask, type MazeSolution } from './solve_maze';
import { sudokuTask, type Solution } from './solve_sudoku';
import type { PosedPuzzle, SolveOptions, SolveSegment, SolveTask, TaskSolution } from './solve_task';
import { batchTensors, disposeCarry } from './step';
import type { TaskName } from './tasks';

/** What {@link solve} gives for each task. */
export interface Solutions {
  sudoku: Solution;
  maze: MazeSolution;
}

const tasks: { readonly [T in TaskName]: SolveTask<Solutions[T]> } = { sudoku: sudokuTask, maze: mazeTask };

/**
 * Lets a model solve one puzzle.
 *
 * @param puzzle text (see `parseGrid` and `parseMaze`), or digits of a Sudoku (0 for blanks) or tokens of a maze
 * @throws ArgumentError or FormatError where the puzzle does not fit the task or the model, or has no solution to look for
 */
export function solve<T extends TaskName = 'sudoku'>(
  model: Hrm,
  puzzle: string | Uint8Array,
  options: SolveOptions<T> = {},
): Solutions[T] {
  const { config } = requireModel('solve', model);
  const given = readOptions('solve', options, ['task', 'geometry', 'segments']);
  const { task = 'sudoku' as T, segments = config.haltMaxSteps } = given;
  if (typeof task !== 'string' || !Object.hasOwn(tasks, task)) {
    throw new ArgumentError(`solve: task must be one of ${Object.keys(tasks).join(', ')}, got ${describe(task)}`);
  }
  if (!Number.isSafeInteger(segments) || segments < 1) {
    throw new ArgumentError(`solve: segments must be a positive integer, got ${describe(segments)}`);
  }
  const plugged: SolveTask<Solutions[T]> = tasks[task];
  const posed = plugged.pose(config, puzzle, given);
  const steps = noGrad(() => tidy(() => runSegments(model, posed, segments)));
  const halting = steps.findIndex(({ halts }) => halts);
  return posed.judge({
    puzzle: posed.puzzle,
    segments: steps,
    answer: steps[steps.length - 1]!.grid,
    haltingSegment: halting < 0 ? null : halting + 1,
  });
}

function runSegments(model: Hrm, posed: PosedPuzzle<TaskSolution>, segments: number): SolveSegment[] {
  const { inputs } = posed;
  const labels = new Int32Array(inputs.length).fill(IGNORE_LABEL);
  const rows = batchTensors({ inputs, labels, puzzleIdentifiers: new Int32Array(1) });
  const steps: SolveSegment[] = [];
  let carry = initialCarry(model, rows);
  for (let segment = 0; segment < segments; segment++) {
    const previous = carry;
    carry = tidy(() => {
      const { carry: next, outputs } = actStep(model, previous, rows, { training: false });
      const { tokens, confidence } = decode(model, outputs.logits, posed);
      steps.push({
        grid: posed.gridOf(tokens),
        confidence,
        qHalt: Number(outputs.qHalt.item()),
        qContinue: Number(outputs.qContinue.item()),
        halts: haltingRows(model, outputs, false)[0]!,
      });
      return { ...next, halted: zeros([1], { dtype: 'bool' }) };
    });
    if (segment > 0) disposeCarry(previous);
  }
  return steps;
}

/** Weight of a logit under the loss that the model was trained with; probabilities are weights over their sum. */
function weightOf(lossType: Hrm['config']['lossType'], logit: number, max: number): number {
  if (lossType === 'softmax') return Math.exp(logit - max);
  return logit >= 0 ? logit + 1 : 1 / (1 - logit + 1e-30);
}

function decode(
  { config }: Hrm,
  logits: Tensor,
  { inputs, isOpen }: PosedPuzzle<TaskSolution>,
): { tokens: Int32Array; confidence: number } {
  const { vocabSize, lossType } = config;
  const values = logits.dataSync();
  const tokens = new Int32Array(inputs.length);
  let total = 0;
  let open = 0;
  for (let cell = 0; cell < tokens.length; cell++) {
    const row = Array.from(values.subarray(cell * vocabSize, (cell + 1) * vocabSize));
    const max = Math.max(...row);
    tokens[cell] = row.indexOf(max);
    if (!isOpen(cell)) continue;
    const sum = row.reduce((part, logit) => part + weightOf(lossType, logit, max), 0);
    total += weightOf(lossType, max, max) / sum;
    open++;
  }
  return { tokens, confidence: open === 0 ? 1 : total / open };
}
