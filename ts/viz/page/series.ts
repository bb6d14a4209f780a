/** What the curves are made of: lines of metrics as series of points, few enough to draw. */
import type { MetricsLine } from '../protocol';

export interface Point {
  readonly step: number;
  readonly value: number;
}

export interface Series {
  readonly name: string;
  /** Which of the line styles, so that two lines of a chart never share one. */
  readonly style: number;
  /** Few and far between: each gets a mark. */
  readonly isMarked: boolean;
  readonly points: readonly Point[];
}

export interface ChartData {
  readonly title: string;
  readonly series: readonly Series[];
  /** `percent` is drawn from 0 to 1. */
  readonly unit: 'percent' | 'number';
}

interface Wanted {
  readonly name: string;
  readonly metric: string;
  readonly from: 'train' | 'evaluation';
}

const CHARTS: readonly {
  readonly title: string;
  readonly unit: ChartData['unit'];
  readonly wanted: readonly Wanted[];
}[] = [
  {
    title: 'Accuracy',
    unit: 'percent',
    wanted: [
      { name: 'puzzles right, held out', metric: 'exactAccuracy', from: 'evaluation' },
      { name: 'puzzles right, training', metric: 'exactAccuracy', from: 'train' },
      { name: 'cells right, training', metric: 'accuracy', from: 'train' },
    ],
  },
  {
    title: 'Loss',
    unit: 'number',
    wanted: [
      { name: 'cells, held out', metric: 'lmLoss', from: 'evaluation' },
      { name: 'cells, training', metric: 'lmLoss', from: 'train' },
      { name: 'all, training', metric: 'loss', from: 'train' },
    ],
  },
  {
    title: 'Halting: is the Q head right?',
    unit: 'percent',
    wanted: [
      { name: 'held out', metric: 'qHaltAccuracy', from: 'evaluation' },
      { name: 'training', metric: 'qHaltAccuracy', from: 'train' },
    ],
  },
  {
    title: 'Halting: segments a puzzle',
    unit: 'number',
    wanted: [
      { name: 'held out', metric: 'steps', from: 'evaluation' },
      { name: 'training', metric: 'steps', from: 'train' },
    ],
  },
  { title: 'Learning rate', unit: 'number', wanted: [{ name: 'learning rate', metric: 'lr', from: 'train' }] },
];

/** More points than a chart has pixels are not seen. */
const MAX_POINTS = 800;
const MAX_MARKED = 60;

/** At most `most` points: the lowest and the highest of each stretch, so that no peak is lost. */
export function thinned(points: readonly Point[], most = MAX_POINTS): readonly Point[] {
  if (points.length <= most) return points;
  const kept: Point[] = [];
  const nStretches = Math.floor(most / 2);
  for (let i = 0; i < nStretches; i++) {
    const stretch = points.slice(
      Math.floor((i * points.length) / nStretches),
      Math.floor(((i + 1) * points.length) / nStretches),
    );
    const low = stretch.reduce((a, b) => (b.value < a.value ? b : a));
    const high = stretch.reduce((a, b) => (b.value > a.value ? b : a));
    kept.push(...(low.step < high.step ? [low, high] : low === high ? [low] : [high, low]));
  }
  return kept;
}

export const isEvaluation = ({ kind }: MetricsLine): boolean => kind !== 'train';

/** The curves of a run; a chart without a point is left out. */
export function chartsOf(lines: readonly MetricsLine[]): ChartData[] {
  const training = lines.filter((line) => !isEvaluation(line));
  const evaluations = lines.filter(isEvaluation);
  return CHARTS.map(({ title, unit, wanted }) => ({
    title,
    unit,
    series: wanted.flatMap(({ name, metric, from }, style) => {
      const source = from === 'train' ? training : evaluations;
      const points = source.flatMap(({ step, values }) => {
        const value = values[metric];
        return typeof value === 'number' ? [{ step, value }] : [];
      });
      const isMarked = from === 'evaluation' && points.length <= MAX_MARKED;
      return points.length === 0 ? [] : [{ name, style, isMarked, points: thinned(points) }];
    }),
  })).filter(({ series }) => series.length > 0);
}

/** The last point at or before a step; the first where there is none. */
export function pointAt(points: readonly Point[], step: number): Point {
  return points.findLast((point) => point.step <= step) ?? points[0]!;
}

/** Round numbers from `low` to `high`, about `count` of them. */
export function ticks(low: number, high: number, count: number): number[] {
  const span = high - low;
  if (!(span > 0)) return [low];
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough)!;
  const first = Math.ceil(low / step - 1e-9);
  const n = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: n }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
