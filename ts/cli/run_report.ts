/** How a run, an evaluation and a solution read on a terminal. */
import type { SudokuSet } from '../data/sudoku/set';
import { blanksHistogram, gridsOf } from '../data/sudoku/split';
import { prettyGrid } from '../data/sudoku/text';
import type { Grid, Geometry } from '../data/sudoku/geometry';
import type { Evaluation } from '../train/evaluate';
import type { RunData } from '../train/run_data';
import { fallbackCounts, fallbackReasons } from '../ops/fused';
import { Progress, type ProgressStream } from '../train/progress';
import { blanksText } from './data';
import { describeChange } from '../train/resume';
import type { Solution } from '../train/solve';
import type { RunStart } from '../train/train';
import type { RunEvaluation, RunEvents } from '../train/trainer';

export const percent = (share: number): string => `${(share * 100).toFixed(1)}%`;

/** `97.2% ± 0.7% exactly right, 99.5% ± 0.1% of the cells`; what follows ± is one standard error. */
export function evaluationText(result: Evaluation): string {
  const { count, segments, exactAccuracy, exactStandardError, accuracy, accuracyStandardError, steps } = result;
  const run = Math.abs(steps - segments) < 1e-9 ? `${segments}` : `${steps.toFixed(2)} of at most ${segments}`;
  return (
    `${percent(exactAccuracy)} ± ${percent(exactStandardError)} of ${count} puzzles exactly right, ` +
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

/** The Sudokus of a run, by split, and what training and test share; empty for other data. */
export function dataText(data: RunData): string {
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
    (sharesPuzzles(data)
      ? '  warning: the test says little about unseen puzzles; hrm data verify names what is wrong\n'
      : '')
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

function titled(title: readonly string[], grid: Grid, geometry: Geometry): string[] {
  return [...title, ...prettyGrid(grid, geometry).split('\n')];
}

/** A solution: the puzzle and the grid after each segment, as many beside each other as `columns` hold; then the verdict. */
export function solutionText(solution: Solution, columns: number): string {
  const { puzzle, geometry, segments, haltingSegment, violations } = solution;
  const blocks = [
    titled(['puzzle', '', ''], puzzle, geometry),
    ...segments.map(({ grid, confidence, qHalt, qContinue, halts }, i) =>
      titled(
        [
          `segment ${i + 1}${halts ? ', halts' : ''}`,
          `confidence ${percent(confidence)}`,
          `q ${qHalt.toFixed(1)} / ${qContinue.toFixed(1)}`,
        ],
        grid,
        geometry,
      ),
    ),
  ];
  const width = Math.max(...blocks.flatMap((lines) => lines.map((line) => line.length))) + 3;
  const perRow = Math.max(1, Math.floor((columns + 3) / width));
  const rows: string[] = [];
  for (let i = 0; i < blocks.length; i += perRow) rows.push(sideBySide(blocks.slice(i, i + perRow)));
  const halting = haltingSegment === null ? 'The model never halted.' : `The model halts at segment ${haltingSegment}.`;
  const verdict =
    violations.length === 0
      ? 'The answer keeps every clue and breaks no rule.'
      : `The answer is wrong: ${violations.slice(0, 3).join('; ')}${violations.length > 3 ? `; ${violations.length - 3} more` : ''}.`;
  return `${rows.join('\n\n')}\n${halting} ${verdict}\n`;
}
