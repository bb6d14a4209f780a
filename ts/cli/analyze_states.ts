/** `hrm analyze residuals | dimensions | trajectories`: what the states do. */
import { PAPER_RATIOS, stateDimensions, type StateRatios } from '../analyze/dimensions';
import { forwardResiduals, type Residual } from '../analyze/residuals';
import type { PathChart } from '../analyze/svg';
import { type StateTrajectories, stateTrajectories } from '../analyze/trajectories';
import {
  analysisOptions,
  batchOption,
  defineAnalysis,
  estimateText,
  puzzlesOption,
  segmentsOption,
} from './analyze_command';
import { percent } from './run_report';
import { renderTable } from './table';

export const residuals = defineAnalysis({
  what: 'residuals',
  describe: 'How far each update moves its state (figure 3 of the paper)',
  examples: [['$0 analyze residuals runs/small --out figures', 'a table, residuals.json and residuals.svg']],
  options: (parser) => segmentsOption(batchOption(puzzlesOption(parser, 256))),
  analyse: ({ loaded, dataset }, args, signal) =>
    forwardResiduals(loaded.model, dataset, analysisOptions(args, signal)),
  text: ({ count, stateNorm, H, L, lAlone }) => {
    const hAt = new Map(H.map((row) => [row.time, row]));
    const cell = (row: Residual | undefined): string => (row === undefined ? '' : estimateText(row, 2));
    const rows = L.map((row, i) => [
      ...[String(row.segment), String(row.step)],
      ...[cell(row), cell(hAt.get(row.time)), cell(lAlone[i])],
    ]);
    return (
      `forward residual ||z_t - z_(t-1)|| over all tokens of a puzzle, mean ± standard error of ${count} puzzles;\n` +
      `every state has norm ${stateNorm.toFixed(2)} after its first update; alone: L with zH held at its start\n\n` +
      renderTable(['segment', 'step', 'L', 'H', 'L alone'], rows, 0)
    );
  },
  charts: ({ H, L, lAlone }) => {
    const points = (rows: readonly Residual[]) =>
      rows.map(({ time, mean, standardError }) => ({ x: time, y: mean, error: standardError }));
    return [
      {
        kind: 'line',
        title: 'Forward residual by update',
        xLabel: 'L update',
        yLabel: '||z(t) - z(t-1)||',
        series: [
          { name: 'L', points: points(L) },
          { name: 'H', points: points(H) },
          { name: 'L alone, zH held', points: points(lAlone), dashed: true },
        ],
      },
    ];
  },
});

const ratio = (value: number | null): string => (value === null ? '-' : value.toFixed(2));

export const dimensions = defineAnalysis({
  what: 'dimensions',
  describe: 'Participation ratios of zH and zL, trained and untrained (figure 8 of the paper)',
  examples: [['$0 analyze dimensions runs/small --puzzles 100', 'as many puzzles as in the paper']],
  options: (parser) =>
    segmentsOption(batchOption(puzzlesOption(parser, 100))).option('seed', {
      type: 'number',
      default: 0,
      describe: 'Draws the untrained weights',
    }),
  analyse: ({ loaded, dataset }, args, signal) =>
    stateDimensions(loaded.model, dataset, { ...analysisOptions(args, signal), untrainedSeed: args.seed }),
  text: ({ count, tokens, hidden, trained, untrained }) => {
    const row = (name: string, a: StateRatios, b: StateRatios): string[] => [
      name,
      ...[a.zH, a.zL, b.zH, b.zL].map(ratio),
    ];
    const rows = trained.bySegment.map((ratios, i) => row(`segment ${i + 1}`, ratios, untrained.bySegment[i]!));
    rows.push(row('all updates', trained.all, untrained.all));
    rows.push(row('paper, D = 512', PAPER_RATIOS.trained, PAPER_RATIOS.untrained));
    return (
      `participation ratio (sum l)^2 / sum l^2 of the covariance over ${count} puzzles x ${tokens} tokens, at most ${hidden};\n` +
      'after each segment, and over all updates of all segments\n\n' +
      renderTable(['states', 'zH', 'zL', 'zH untrained', 'zL untrained'], rows)
    );
  },
  charts: ({ trained, untrained }) => {
    const bars = ({ zH, zL }: StateRatios) => [
      { name: 'zH', value: zH ?? 0 },
      { name: 'zL', value: zL ?? 0 },
    ];
    return [
      {
        kind: 'bar',
        title: 'Participation ratio, all updates',
        yLabel: 'participation ratio',
        groups: [
          { label: 'trained', bars: bars(trained.all) },
          { label: 'untrained', bars: bars(untrained.all) },
        ],
      },
      {
        kind: 'line',
        title: 'Participation ratio after each segment',
        xLabel: 'segment',
        yLabel: 'participation ratio',
        series: (['zH', 'zL'] as const).flatMap((name) =>
          Object.entries({ trained, untrained }).map(([which, { bySegment }]) => ({
            name: `${name} ${which}`,
            points: bySegment.map((ratios, i) => ({ x: i + 1, y: ratios[name] ?? NaN })),
            dashed: which === 'untrained',
          })),
        ),
      },
    ];
  },
});

function pathChart(name: string, { explained, paths }: StateTrajectories): PathChart {
  const axis = (i: number): string => `PC${i + 1} (${percent(explained[i] ?? 0)})`;
  return {
    kind: 'path',
    title: `${name} through its principal components (ring: start)`,
    xLabel: axis(0),
    yLabel: axis(1),
    paths: paths.map((points, i) => ({
      name: `puzzle ${i + 1}`,
      points: points.map(({ at }) => ({ x: at[0] ?? 0, y: at[1] ?? 0 })),
    })),
  };
}

export const trajectories = defineAnalysis({
  what: 'trajectories',
  describe: 'The ways of zH and zL through their principal components (figure 3 of the paper)',
  examples: [['$0 analyze trajectories runs/small --puzzles 4 --out figures', 'trajectories.svg draws them']],
  options: (parser) => segmentsOption(batchOption(puzzlesOption(parser, 6))),
  analyse: ({ loaded, dataset }, args, signal) =>
    stateTrajectories(loaded.model, dataset, analysisOptions(args, signal)),
  text: ({ count, dimensions: size, zH, zL }) => {
    const rows = Object.entries({ zH, zL }).map(([name, { explained, paths }]) => [
      name,
      String(paths.reduce((sum, path) => sum + path.length, 0)),
      ...[0, 1, 2].map((i) => percent(explained[i] ?? 0)),
      percent(explained.reduce((sum, share) => sum + share, 0)),
    ]);
    return (
      `variance that the first principal components explain; a point is a puzzle's whole state of ${size} numbers, ` +
      `of ${count} puzzles\n\n` +
      renderTable(['state', 'points', 'PC1', 'PC2', 'PC3', 'together'], rows)
    );
  },
  charts: ({ zH, zL }) => [pathChart('zH', zH), pathChart('zL', zL)],
});
