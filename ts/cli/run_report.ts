/** How a run, an evaluation and a solution read on a terminal. */
import type { SudokuSet } from '../data/sudoku/set';
import { blanksHistogram, gridsOf } from '../data/sudoku/split';
import type { Evaluation } from '../train/evaluate';
import type { MazeSet } from '../data/maze/set';
import { layoutsOf, movesOf } from '../data/maze/split';
import type { RunData } from '../train/run_data';
import { fallbackCounts, fallbackReasons } from '../ops/fused';
import { Progress, type ProgressStream } from '../train/progress';
import { blanksText } from './data';
import { movesText } from './data_maze';
import { describeChange } from '../train/resume';
import type { RunStart } from '../train/train';
import type { RunEvaluation, RunEvents } from '../train/trainer';

export const percent = (share: number): string => `${(share * 100).toFixed(1)}%`;

/** `960 puzzles/s`, three digits of it. */
export const rateText = (puzzlesPerSecond: number): string => `${Number(puzzlesPerSecond.toPrecision(3))} puzzles/s`;

/** `97.2% ± 0.7% exactly right, 99.5% ± 0.1% of the cells`; what follows ± is one standard error. */
export function evaluationText(result: Evaluation): string {
  const { count, segments, exactAccuracy, exactStandardError, accuracy, accuracyStandardError, steps } = result;
  const { lenientAccuracy, lenientStandardError, vote } = result;
  const lenient =
    lenientAccuracy === undefined
      ? ''
      : `${percent(lenientAccuracy)} ± ${percent(lenientStandardError!)} right by any shortest path, `;
  const limit = segments * (vote?.initialStates ?? 1);
  const run = Math.abs(steps - limit) < 1e-9 ? `${limit}` : `${steps.toFixed(2)} of at most ${limit}`;
  return (
    `${percent(exactAccuracy)} ± ${percent(exactStandardError)} of ${count} puzzles exactly right, ${lenient}` +
    `${percent(accuracy)} ± ${percent(accuracyStandardError)} of the cells, ${run} segments`
  );
}

function splitLine(name: string, set: SudokuSet): string {
  return (
    `  ${name.padEnd(10)} ${String(set.length).padStart(6)} puzzles of ${String(gridsOf(set).size).padStart(3)} grids, ` +
    `by blanks ${blanksText(blanksHistogram(set))}\n`
  );
}

/** Whether a test puzzle or its solution is among the training puzzles. */
export const sharesPuzzles = ({ overlap }: RunData): boolean =>
  overlap ? overlap.puzzles + overlap.solutions > 0 : false;

/** The puzzles of a run, by split, and what training and test share; empty for data on disk. */
export function dataText(data: RunData): string {
  return sudokuText(data) + mazeText(data);
}

const OVERLAP_WARNING = '  warning: the test says little about unseen puzzles; hrm data verify names what is wrong\n';

function mazeText({ maze }: RunData): string {
  if (!maze) return '';
  const { size, train, valid, test, overlap } = maze;
  const line = (name: string, set: MazeSet): string =>
    `  ${name.padEnd(10)} ${String(set.length).padStart(6)} mazes of ${String(layoutsOf(set).size).padStart(6)} layouts, ` +
    `shortest paths of ${movesText(movesOf(set)!)}\n`;
  return (
    `${size}x${size} mazes${valid ? ', no layout in two splits, even turned or mirrored' : ''}:\n` +
    line('training', train) +
    (valid ? line('validation', valid) : '') +
    line('test', test) +
    `  overlap of training and test: ${overlap.layouts} layouts, ${overlap.symmetric} up to symmetry\n` +
    (overlap.symmetric > 0 ? OVERLAP_WARNING : '')
  );
}

function sudokuText(data: RunData): string {
  const { sudoku, overlap } = data;
  if (!sudoku || !overlap) return '';
  const { geometry, train, valid, test } = sudoku;
  const how = valid ? ', each with one solution, split by solution grid before augmentation' : '';
  return (
    `${geometry.size}x${geometry.size} Sudokus${how}:\n` +
    splitLine('training', train) +
    (valid ? splitLine('validation', valid) : '') +
    splitLine('test', test) +
    `  overlap of training and test: ${overlap.puzzles} puzzles, ${overlap.solutions} solution grids\n` +
    (sharesPuzzles(data) ? OVERLAP_WARNING : '')
  );
}

/** What ran its slower composed definition so far; empty when nothing did. */
export function fallbackText(): string {
  const reasons = fallbackReasons();
  return [...fallbackCounts()]
    .map(([op, calls]) => `slow path: ${op} ran unfused ${calls} times, because ${reasons.get(op)}\n`)
    .join('');
}

/** A run as it is drawn. */
export interface RunProgress {
  /** For `train`. */
  readonly events: Required<Pick<RunEvents, 'onStep' | 'onEvaluation'>> & {
    readonly onStart: (start: RunStart) => void;
  };
  /** Prints a line above the bar. */
  readonly note: (line: string) => void;
  readonly end: () => void;
}

/** The events of a run, as a progress bar with notes above it. */
export function runProgress(stream: ProgressStream): RunProgress {
  let progress: Progress | undefined;
  let exact: number | undefined;
  const events: RunProgress['events'] = {
    onStart: ({ totalSteps, step, config, isOver, changes, rejected }) => {
      for (const { path, reason } of rejected) stream.write(`passed over ${path}: ${reason}\n`);
      for (const change of changes) stream.write(`changed since the checkpoint: ${describeChange(change)}\n`);
      if (isOver) {
        stream.write(
          `nothing is left to train after step ${step}; a larger train.steps or train.epochs goes on, and after an ` +
            'early stop a higher train.stopAtExactAccuracy\n',
        );
      } else if (step > 0) stream.write(`going on after step ${step}\n`);
      const everySteps = config.train.logEverySteps;
      progress = new Progress({ totalSteps, startStep: step, everySteps, stream });
    },
    onStep: ({ step, loss, batchSize }) => {
      progress?.update({ step, loss: loss / batchSize, ...(exact === undefined ? {} : { exactAccuracy: exact }) });
    },
    onEvaluation: ({ step, split, kind, result }: RunEvaluation) => {
      if (kind === 'eval') exact = result.exactAccuracy;
      progress?.note(`step ${step}: ${kind === 'final' ? 'at the end, ' : ''}${split}: ${evaluationText(result)}`);
    },
  };
  return {
    events,
    note: (line) => progress?.note(line),
    end: () => {
      progress?.end();
      stream.write(fallbackText());
    },
  };
}

/** Blocks of lines beside each other. */
export function sideBySide(blocks: readonly (readonly string[])[], gap = '   '): string {
  const height = Math.max(...blocks.map((lines) => lines.length));
  const widths = blocks.map((lines) => Math.max(...lines.map((line) => line.length)));
  const row = (i: number): string => blocks.map((lines, b) => (lines[i] ?? '').padEnd(widths[b]!)).join(gap);
  return Array.from({ length: height }, (_, i) => row(i).trimEnd()).join('\n');
}
