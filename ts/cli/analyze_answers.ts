/** `hrm analyze steps | segments | halting`: how answers come about, and what more computing buys. */
import { compareHalting, type HaltingRun } from '../analyze/halting';
import { accuracyBySegments } from '../analyze/segments';
import { type ExampleSteps, intermediateAnswers } from '../analyze/steps';
import type { MeanEstimate } from '../analyze/statistics';
import type { Geometry } from '../data/sudoku/geometry';
import { readTokens } from '../data/sudoku/source';
import { prettyGrid } from '../data/sudoku/text';
import { ConfigError } from '../error';
import {
  analysisOptions,
  batchOption,
  defineAnalysis,
  estimateText,
  puzzlesOption,
  segmentsOption,
  shareText,
} from './analyze_command';
import { percent, sideBySide } from './run_report';
import { renderTable } from './table';

const MAX_COLUMNS = 100;

/** Tokens as a drawn Sudoku, or in rows of a square where it is none. */
function gridLines(tokens: readonly number[], geometry: Geometry | undefined): string[] {
  if (geometry !== undefined) return prettyGrid(readTokens(tokens, 0, geometry), geometry).split('\n');
  const side = Math.sqrt(tokens.length);
  const width = Number.isInteger(side) ? side : tokens.length;
  const size = Math.max(...tokens.map((token) => String(token).length));
  return Array.from({ length: Math.ceil(tokens.length / width) }, (_, row) =>
    tokens
      .slice(row * width, (row + 1) * width)
      .map((token) => String(token).padStart(size))
      .join(' '),
  );
}

/** One puzzle: input and labels, then the answer at each inner step, as many beside each other as fit. */
function exampleText({ inputs, labels, answers }: ExampleSteps, geometry: Geometry | undefined): string {
  const cellsOf = (other: readonly number[] | undefined, tokens: readonly number[]): number =>
    other === undefined ? 0 : tokens.filter((token, i) => token !== other[i]).length;
  const wrongIn = (tokens: readonly number[]): number =>
    tokens.filter((token, i) => labels[i]! >= 0 && token !== labels[i]).length;
  // Cells that are not scored have no token; the first one stands for them.
  const solution = labels.map((label) => Math.max(0, label));
  const blocks = [
    ['puzzle', '', ...gridLines(inputs, geometry)],
    ['solution', '', ...gridLines(solution, geometry)],
    ...answers.map(({ segment, step, tokens }, i) => [
      `segment ${segment} step ${step}`,
      `${wrongIn(tokens)} wrong, ${i === 0 ? 'first' : `${cellsOf(answers[i - 1]?.tokens, tokens)} new`}`,
      ...gridLines(tokens, geometry),
    ]),
  ];
  const width = Math.max(...blocks.flatMap((lines) => lines.map((line) => line.length))) + 3;
  const perRow = Math.max(1, Math.floor((Math.min(process.stdout.columns ?? MAX_COLUMNS, MAX_COLUMNS) + 3) / width));
  const rows: string[] = [];
  for (let i = 0; i < blocks.length; i += perRow) rows.push(sideBySide(blocks.slice(i, i + perRow)));
  return `\n${rows.join('\n\n')}\n`;
}

/** Points of a chart, with error bars. */
const estimatePoint = (x: number, { mean, standardError }: MeanEstimate) => ({ x, y: mean, error: standardError });

export const steps = defineAnalysis({
  what: 'steps',
  describe: 'What the model would answer at every inner step (figure 7 of the paper)',
  examples: [
    ['$0 analyze steps runs/small', 'accuracy and changed cells by segment and step'],
    ['$0 analyze steps runs/small --puzzle 3', 'with every answer to the fourth of the chosen puzzles'],
  ],
  options: (parser) =>
    segmentsOption(batchOption(puzzlesOption(parser, 256))).option('puzzle', {
      type: 'number',
      describe: 'Draw the answers to this one of them, counted from 0',
    }),
  analyse: ({ loaded, dataset }, args, signal) => {
    const { puzzle, ...rest } = args;
    if (puzzle !== undefined && !(Number.isInteger(puzzle) && puzzle >= 0))
      throw new ConfigError(`--puzzle: must be an integer from 0, got ${puzzle}`);
    const example = puzzle === undefined ? {} : { example: puzzle };
    return intermediateAnswers(loaded.model, dataset, { ...analysisOptions(rest, signal), ...example });
  },
  text: ({ count, steps: rows, example }, { loaded }) => {
    const lines = rows.map(({ segment, step, accuracy, exactAccuracy, changed }) => [
      ...[String(segment), String(step), shareText(accuracy), shareText(exactAccuracy)],
      changed === null ? '' : estimateText(changed, 2),
    ]);
    return (
      `answers lm_head(H(zH, zL)) after each L update, mean ± standard error of ${count} puzzles\n\n` +
      renderTable(['segment', 'step', 'cells right', 'exactly right', 'cells changed'], lines, 0) +
      (example === null ? '' : exampleText(example, loaded.geometry))
    );
  },
  charts: ({ steps: rows }) => {
    const first = rows.filter(({ segment, step }) => segment > 1 && step === 1);
    const perSegment = rows.filter(({ segment }) => segment === 1).length;
    const at = ({ segment, step }: { segment: number; step: number }): number => (segment - 1) * perSegment + step;
    const marks = first.length > 20 ? [] : first.map((row) => ({ x: at(row) - 0.5, label: '' }));
    return [
      {
        kind: 'line',
        title: 'Answers by inner step',
        xLabel: 'L update (dotted: a new segment)',
        yLabel: 'right',
        percent: true,
        yRange: [0, 1],
        marks,
        series: [
          { name: 'cells', points: rows.map((row) => estimatePoint(at(row), row.accuracy)) },
          { name: 'whole puzzles', points: rows.map((row) => estimatePoint(at(row), row.exactAccuracy)) },
        ],
      },
      {
        kind: 'line',
        title: 'Cells that change their answer',
        xLabel: 'L update (dotted: a new segment)',
        yLabel: 'cells of a puzzle',
        marks,
        series: [
          {
            name: 'changed since the step before',
            points: rows.flatMap((row) => (row.changed === null ? [] : [estimatePoint(at(row), row.changed)])),
          },
        ],
      },
    ];
  },
});

export const segments = defineAnalysis({
  what: 'segments',
  describe: 'Accuracy by number of segments, also more than in training (figure 5 of the paper)',
  examples: [['$0 analyze segments runs/small --segments 32', 'inference-time scaling']],
  options: (parser) => segmentsOption(batchOption(puzzlesOption(parser, 600)), 'four times those of training'),
  analyse: ({ loaded, dataset }, args, signal) =>
    accuracyBySegments(loaded.model, dataset, analysisOptions(args, signal)),
  text: ({ count, trainedSegments, bySegments }) => {
    const rows = bySegments.map(({ segments: n, accuracy, exactAccuracy, everExact }) => [
      ...[String(n), shareText(accuracy), shareText(exactAccuracy), shareText(everExact)],
      n === trainedSegments ? '<- most in training' : '',
    ]);
    return (
      `every puzzle runs so many segments, mean ± standard error of ${count} puzzles; ever: right then or earlier\n\n` +
      renderTable(['segments', 'cells right', 'exactly right', 'ever exactly', ''], rows, 0)
    );
  },
  charts: ({ trainedSegments, bySegments }) => {
    const series = (name: string, of: (row: (typeof bySegments)[number]) => MeanEstimate, dashed = false) => ({
      name,
      points: bySegments.map((row) => estimatePoint(row.segments, of(row))),
      dashed,
    });
    return [
      {
        kind: 'line',
        title: 'Accuracy by number of segments',
        xLabel: 'segments',
        yLabel: 'right',
        percent: true,
        yRange: [0, 1],
        marks: [{ x: trainedSegments, label: 'most in training' }],
        series: [
          series('whole puzzles', (row) => row.exactAccuracy),
          series('ever so far', (row) => row.everExact, true),
          series('cells', (row) => row.accuracy),
        ],
      },
    ];
  },
});

export const halting = defineAnalysis({
  what: 'halting',
  describe: 'Adaptive halting against a fixed number of segments: accuracy and throughput (figure 5 of the paper)',
  examples: [['$0 analyze halting runs/small --limits 2,4,8', 'at these limits M']],
  options: (parser) =>
    batchOption(puzzlesOption(parser, 600))
      .option('limits', {
        type: 'string',
        requiresArg: true,
        describe: 'Limits M, with commas between [default: 1, 2, 4, ... as in training, and twice that]',
      })
      .option('rounds', { type: 'number', default: 3, describe: 'Timed rounds; the sides take turns' }),
  analyse: ({ loaded, dataset }, args, signal) => {
    const { limits, rounds } = args;
    const list = limits === undefined ? {} : { limits: limits.split(',').map((text) => limitOf(text, limits)) };
    return compareHalting(loaded.model, dataset, { ...analysisOptions(args, signal), ...list, rounds });
  },
  text: ({ count, trainedSegments, rounds, rows }) => {
    const lines = rows.map(({ limit, fixed, adaptive }) => {
      const share = ({ exactAccuracy: mean, exactStandardError: standardError }: HaltingRun): string =>
        shareText({ mean, standardError });
      const rate = (run: HaltingRun): string => `${run.puzzlesPerSecond.toFixed(0)} ± ${percent(run.spread)}`;
      return [
        ...[`${limit}${limit === trainedSegments ? '*' : ''}`, share(fixed), share(adaptive)],
        ...[adaptive.segments.toFixed(2), rate(fixed), rate(adaptive)],
        `${(adaptive.puzzlesPerSecond / fixed.puzzlesPerSecond).toFixed(2)}x`,
      ];
    });
    return (
      `fixed: every puzzle runs M segments; adaptive: it leaves when its Q head says so, at most M (* most in training);\n` +
      `exactly right ± standard error of ${count} puzzles; puzzles a second: median ± half the quartiles' distance of ` +
      `${rounds} timed rounds in turn\n\n` +
      renderTable(
        ['M', 'exact fixed', 'exact adaptive', 'mean segments', 'fixed /s', 'adaptive /s', 'faster'],
        lines,
        0,
      )
    );
  },
  charts: ({ rows }) => {
    const series = (of: (run: HaltingRun) => { y: number; error?: number }) =>
      (['fixed', 'adaptive'] as const).map((name) => ({
        name,
        points: rows.map((row) => ({ x: row.limit, ...of(row[name]) })),
        dashed: name === 'fixed',
      }));
    return [
      {
        kind: 'line',
        title: 'Segments that puzzles take',
        xLabel: 'limit M',
        yLabel: 'mean segments',
        series: series(({ segments: y }) => ({ y })),
      },
      {
        kind: 'line',
        title: 'Exactly right',
        xLabel: 'limit M',
        yLabel: 'exactly right',
        percent: true,
        yRange: [0, 1],
        series: series(({ exactAccuracy: y, exactStandardError: error }) => ({ y, error })),
      },
    ];
  },
});

function limitOf(text: string, whole: string): number {
  const limit = Number(text);
  if (text.trim() === '' || !Number.isInteger(limit) || limit < 1)
    throw new ConfigError(`--limits ${whole}: must be positive integers with commas between, got "${text}"`);
  return limit;
}
