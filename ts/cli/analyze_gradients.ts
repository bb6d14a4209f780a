/** `hrm analyze gradients`: the one-step gradient against backpropagation through the segment. */
import { compareGradients, type GradSteps, type GradientAgreement } from '../analyze/gradients';
import { ConfigError } from '../error';
import { defineAnalysis, puzzlesOption } from './analyze_command';
import { percent } from './run_report';
import { renderTable } from './table';

function readDepths(text: string): GradSteps[] {
  return text.split(',').map((part) => {
    if (part.trim() === 'full') return 'full';
    const depth = Number(part);
    if (part.trim() === '' || !Number.isInteger(depth) || depth < 1)
      throw new ConfigError(`--grad-steps ${text}: must be positive integers and full, got "${part}"`);
    return depth;
  });
}

function readCycles(text: string): [number, number][] {
  return text.split(',').map((part) => {
    const match = /^\s*(\d{1,4})x(\d{1,4})\s*$/.exec(part);
    if (match === null) throw new ConfigError(`--cycles ${text}: must be pairs such as 2x4, got "${part}"`);
    return [Number(match[1]), Number(match[2])];
  });
}

const figure = (value: number | null, digits = 3): string => (value === null ? '-' : value.toFixed(digits));
const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(2);
const agreementCells = ({ cosine, normRatio }: GradientAgreement): string[] => [figure(cosine), figure(normRatio)];

export const gradients = defineAnalysis({
  what: 'gradients',
  describe: 'The one-step gradient against deeper ones and full backpropagation: angle, norm, time, memory',
  examples: [
    ['$0 analyze gradients runs/small --grad-steps 1,2,full', 'the depths to compare'],
    ['$0 analyze gradients runs/small --segment 4 --cycles 2x2,8x8', 'in the fourth segment'],
  ],
  options: (parser) =>
    puzzlesOption(parser, 16)
      .option('grad-steps', {
        type: 'string',
        requiresArg: true,
        describe: 'How many of the last L updates carry gradient, with commas between [default: 1,lCycles,full]',
      })
      .option('cycles', {
        type: 'string',
        requiresArg: true,
        describe: "hCycles x lCycles to run the weights with [default: the run's own, 2x2,2x4,4x4,8x8]",
      })
      .option('segment', { type: 'number', default: 1, describe: 'Whose gradient; those before it carry none' })
      .option('rounds', { type: 'number', default: 5, describe: 'Timed rounds; the depths take turns' }),
  analyse: ({ loaded, dataset }, { puzzles, gradSteps, cycles, segment, rounds }, signal) =>
    compareGradients(loaded.model, dataset, {
      ...{ puzzles, segment, rounds, signal },
      ...(gradSteps === undefined ? {} : { gradSteps: readDepths(gradSteps) }),
      ...(cycles === undefined ? {} : { cycles: readCycles(cycles) }),
    }),
  text: ({ puzzles, segment, rounds, gradSteps, cycles: [h, l], rows, parameters }) => {
    const byDepth = rows.map((row) => [
      ...[`${row.hCycles}x${row.lCycles}`, String(row.gradSteps), ...agreementCells(row)],
      ...[row.ms.toFixed(2), percent(row.spread), megabytes(row.peakBytes)],
    ]);
    const byParameter = parameters.map(({ name, size, agreements }) => [
      ...[name, String(size)],
      ...agreements.slice(0, -1).flatMap(agreementCells),
    ]);
    const heads = gradSteps.slice(0, -1).flatMap((depth) => [`cos ${depth}`, `ratio ${depth}`]);
    return (
      `gradient of the training loss of ${puzzles} puzzles in segment ${segment}, by how many of the last L updates carry it;\n` +
      "cosine and ratio of norms: against 'full'; time: median of " +
      `${rounds} rounds, forward and backward; memory: most beyond what lived before\n\n` +
      renderTable(['cycles', 'gradSteps', 'cosine', 'norm ratio', 'ms', '±', 'MiB'], byDepth, 1) +
      `\nby parameter at ${h}x${l}\n\n` +
      renderTable(['parameter', 'size', ...heads], byParameter, 1)
    );
  },
  charts: ({ rows }) => {
    const depthOf = ({ gradSteps }: { gradSteps: GradSteps }): number => (gradSteps === 'full' ? Infinity : gradSteps);
    const depths = [...new Set([...rows].sort((a, b) => depthOf(a) - depthOf(b)).map((row) => row.gradSteps))];
    const series = (of: (row: (typeof rows)[number]) => number | null) =>
      depths.map((depth) => ({
        name: depth === 'full' ? 'full' : `${depth} ${depth === 1 ? 'step' : 'steps'}`,
        points: rows
          .filter((row) => row.gradSteps === depth)
          .map((row) => ({ x: row.hCycles * row.lCycles, y: of(row) ?? NaN }))
          .sort((a, b) => a.x - b.x),
      }));
    const xLabel = 'L updates in a segment (hCycles x lCycles)';
    return [
      {
        kind: 'line',
        title: 'Cosine with the full gradient',
        xLabel,
        yLabel: 'cosine',
        series: series((row) => row.cosine),
      },
      {
        kind: 'line',
        title: 'Norm against that of the full gradient',
        xLabel,
        yLabel: 'ratio of norms',
        series: series((row) => row.normRatio),
      },
      { kind: 'line', title: 'Time of a step', xLabel, yLabel: 'ms', series: series((row) => row.ms) },
      {
        kind: 'line',
        title: 'Memory of a step',
        xLabel,
        yLabel: 'MiB',
        series: series((row) => row.peakBytes / 2 ** 20),
      },
    ];
  },
});
