/** Curves for a terminal, drawn with characters one column wide. */

export interface CurvePoint {
  step: number;
  /** A share between 0 and 1 unless `max` says otherwise. */
  value: number;
}

export interface CurveOptions {
  /** Columns of the whole drawing, labels included. */
  width?: number;
  /** Rows of the plot, without the axis. */
  height?: number;
  /** Value at the top. */
  max?: number;
  title?: string;
}

const BRAILLE = 0x2800;
// Bit of a dot by [row][column] inside a braille cell of 4 by 2 dots.
const DOTS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;
const SPARKS = '▁▂▃▄▅▆▇█';

/** One character a value, lowest `▁` to highest `█` of [min, max]. */
export function sparkline(values: readonly number[], min = 0, max = 1): string {
  return values
    .map((value) => {
      if (!Number.isFinite(value)) return ' ';
      const level = max > min ? (value - min) / (max - min) : 0;
      return SPARKS[Math.min(SPARKS.length - 1, Math.max(0, Math.floor(level * SPARKS.length)))]!;
    })
    .join('');
}

/** The value at `step`, on straight lines between the points. */
function valueAt(points: readonly CurvePoint[], step: number): number {
  const after = points.findIndex((point) => point.step >= step);
  if (after === -1) return points[points.length - 1]!.value;
  const right = points[after]!;
  if (after === 0 || right.step === step) return right.value;
  const left = points[after - 1]!;
  const share = (step - left.step) / (right.step - left.step);
  return left.value + share * (right.value - left.value);
}

/**
 * A plot of value over step: braille dots, percentages on the left, steps below. Points in order of step; those that
 * are not finite are left out.
 * @returns lines joined by newlines, none wider than `width`
 */
export function renderCurve(points: readonly CurvePoint[], options: CurveOptions = {}): string {
  const { width = 72, height = 10, max = 1, title } = options;
  const finite = points.filter(({ step, value }) => Number.isFinite(step) && Number.isFinite(value));
  const heading = title === undefined ? [] : [title.slice(0, width)];
  if (finite.length === 0) return [...heading, '(no points yet)'.slice(0, width)].join('\n');

  const label = (share: number): string => `${Math.round(share * max * 100)}%`.padStart(4);
  const nColumns = Math.max(1, width - 6);
  const first = finite[0]!.step;
  const last = finite[finite.length - 1]!.step;
  const nDotRows = height * 4;
  const nDotColumns = nColumns * 2;
  const cells = Array.from({ length: height }, () => new Uint8Array(nColumns));
  const plot = (x: number, y: number): void => {
    cells[y >> 2]![x >> 1]! |= DOTS[(y & 3) as 0 | 1 | 2 | 3][(x & 1) as 0 | 1];
  };
  const rowOf = (value: number): number => Math.round((1 - Math.min(1, Math.max(0, value / max))) * (nDotRows - 1));

  let previous: number | null = null;
  for (let x = 0; x < nDotColumns; x++) {
    const step = first + ((last - first) * x) / Math.max(1, nDotColumns - 1);
    const y = rowOf(valueAt(finite, step));
    // A steep piece is a column of dots, so that the curve has no gaps.
    const from = previous === null || previous === y ? y : previous + Math.sign(y - previous);
    for (let row = Math.min(from, y); row <= Math.max(from, y); row++) plot(x, row);
    previous = y;
  }

  const lines = cells.map((row, index) => {
    const share = height === 1 ? 1 : 1 - index / (height - 1);
    const labelled = index === 0 || index === height - 1 || index === Math.floor((height - 1) / 2);
    const text = String.fromCodePoint(...Array.from(row, (bits) => BRAILLE + bits)).replace(/\u2800+$/, '');
    return `${labelled ? label(share) : '    '} ┤${text}`;
  });
  const axis = `     └${'─'.repeat(nColumns)}`;
  const right = `step ${last}`;
  const left = `${first}`;
  const gap = nColumns - left.length - right.length;
  const steps = `      ${gap > 0 ? left + ' '.repeat(gap) + right : right.slice(0, nColumns)}`;
  return [...heading, ...lines, axis, steps].map((line) => line.slice(0, width)).join('\n');
}
