/**
 * Charts as SVG text, without a DOM. Lines and text are of medium lightness on no background, so that they read on white and
 * on black.
 */

export interface ChartPoint {
  readonly x: number;
  readonly y: number;
  /** Half the length of the error bar. */
  readonly error?: number;
}

export interface ChartSeries {
  readonly name: string;
  readonly points: readonly ChartPoint[];
  readonly dashed?: boolean;
}

interface Titles {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
}

export interface LineChart extends Titles {
  readonly kind: 'line';
  readonly series: readonly ChartSeries[];
  /** Ends of the y axis; by default what the data needs, with 0. */
  readonly yRange?: readonly [number, number];
  /** Thin vertical lines with a name: where a cycle or the training ends. */
  readonly marks?: readonly { readonly x: number; readonly label: string }[];
  /** The y axis shows shares as percentages. */
  readonly percent?: boolean;
}

export interface BarChart extends Omit<Titles, 'xLabel'> {
  readonly kind: 'bar';
  /** One group of bars a label; the same bar of every group has one colour. */
  readonly groups: readonly { readonly label: string; readonly bars: readonly { name: string; value: number }[] }[];
}

export interface PathChart extends Titles {
  readonly kind: 'path';
  /** Each drawn from a hollow start to a filled end. */
  readonly paths: readonly { readonly name: string; readonly points: readonly ChartPoint[] }[];
}

export type Chart = LineChart | BarChart | PathChart;

const WIDTH = 460;
const HEIGHT = 320;
const MARGIN = { top: 34, right: 16, bottom: 46, left: 62 } as const;
const PLOT = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom } as const;
const LEGEND_ROW = 16;
/** Width of a character of the legend's 11 pixels, generously. */
const CHARACTER = 6.4;
const INK = '#767676';
const COLOURS = ['#3b7dd8', '#d9752b', '#2f9e6e', '#a35fc7', '#d64550', '#189aab', '#9c7a3c', '#d4589f'] as const;

const colour = (i: number): string => COLOURS[i % COLOURS.length]!;

/** Text of an element or attribute. Control characters have no place in XML at all. */
export function escapeXml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"']/g, (c) => entities[c]!);
}

/** Coordinates with a tenth of a pixel. */
const px = (value: number): string => String(Math.round(value * 10) / 10);

function label(x: number, y: number, text: string, extra = ''): string {
  return `<text x="${px(x)}" y="${px(y)}" ${extra}>${escapeXml(text)}</text>`;
}

/** About `count` round numbers from `low` to `high`: 1, 2 or 5 times a power of ten apart, and at least `apart`. */
export function ticks(low: number, high: number, count = 5, apart = 0): number[] {
  if (!(high > low)) return [low];
  const rough = Math.max((high - low) / count, apart);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough * 0.85) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function tickText(value: number, percent = false): string {
  if (percent) return `${Number((value * 100).toPrecision(6))}%`;
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e6 || size < 1e-3) ? value.toExponential(0) : String(Number(value.toPrecision(6)));
}

interface Scale {
  readonly low: number;
  readonly high: number;
  readonly at: (value: number) => number;
}

function scale(low: number, high: number, from: number, to: number): Scale {
  const span = high > low ? high - low : 1;
  return { low, high, at: (value) => from + ((value - low) / span) * (to - from) };
}

/** The ends of an axis over the data; a little more on both sides where it does not begin at 0. */
function range(values: readonly number[], withZero: boolean): [number, number] {
  const finite = values.filter(Number.isFinite);
  const [low, high] = finite.reduce(([l, h], v) => [Math.min(l, v), Math.max(h, v)], [Infinity, -Infinity]);
  if (low > high) return [0, 1];
  const pad = (high - low || Math.abs(high) || 1) * 0.06;
  return withZero ? [Math.min(0, low), high > 0 ? high + pad : 0] : [low - pad, high + pad];
}

interface AxisStyle {
  /** Percentages on the y axis. */
  readonly percent?: boolean;
  /** Whole numbers on the x axis. */
  readonly whole?: boolean;
}

function axes(
  titles: Titles,
  x: Scale | undefined,
  y: Scale,
  { percent = false, whole = false }: AxisStyle = {},
): string {
  const bottom = MARGIN.top + PLOT.height;
  const right = MARGIN.left + PLOT.width;
  const parts = [label(MARGIN.left, 18, titles.title, 'class="title"')];
  for (const value of ticks(y.low, y.high)) {
    const at = px(y.at(value));
    parts.push(`<path class="grid" d="M${MARGIN.left} ${at}H${right}"/>`);
    parts.push(label(MARGIN.left - 6, y.at(value) + 4, tickText(value, percent), 'text-anchor="end"'));
  }
  for (const value of x ? ticks(x.low, x.high, 8, whole ? 1 : 0) : []) {
    parts.push(`<path class="axis" d="M${px(x!.at(value))} ${bottom}v4"/>`);
    parts.push(label(x!.at(value), bottom + 16, tickText(value), 'text-anchor="middle"'));
  }
  parts.push(`<path class="axis" d="M${MARGIN.left} ${MARGIN.top}V${bottom}H${right}"/>`);
  parts.push(label(MARGIN.left + PLOT.width / 2, bottom + 36, titles.xLabel, 'text-anchor="middle"'));
  const [labelX, labelY] = [14, MARGIN.top + PLOT.height / 2];
  parts.push(
    label(labelX, labelY, titles.yLabel, `text-anchor="middle" transform="rotate(-90 ${labelX} ${px(labelY)})"`),
  );
  return parts.join('');
}

interface LegendEntry {
  readonly name: string;
  readonly mark: (x: number, y: number) => string;
}

/** Rows of entries below the plot. @returns the drawing and its height */
function legend(entries: readonly LegendEntry[]): { body: string; height: number } {
  const parts: string[] = [];
  let [x, row] = [MARGIN.left, 0];
  for (const { name, mark } of entries) {
    const width = 30 + name.length * CHARACTER;
    if (x > MARGIN.left && x + width > WIDTH) [x, row] = [MARGIN.left, row + 1];
    const y = HEIGHT + 4 + row * LEGEND_ROW;
    parts.push(mark(x, y), label(x + 22, y + 4, name));
    x += width + 8;
  }
  return { body: parts.join(''), height: entries.length === 0 ? 0 : (row + 1) * LEGEND_ROW + 6 };
}

interface Drawing {
  readonly body: string;
  readonly legend: readonly LegendEntry[];
}

const isDrawn = ({ x, y }: ChartPoint): boolean => Number.isFinite(x) && Number.isFinite(y);
const linePath = (points: readonly ChartPoint[], x: Scale, y: Scale): string =>
  points.map((point, i) => `${i === 0 ? 'M' : 'L'}${px(x.at(point.x))} ${px(y.at(point.y))}`).join('');

function drawLines(chart: LineChart): Drawing {
  const series = chart.series.map((one) => ({ ...one, points: one.points.filter(isDrawn) }));
  const points = series.flatMap((one) => one.points);
  const ends = points.flatMap(({ y, error = 0 }) => [y - error, y + error]);
  const xs = [...points.map((point) => point.x), ...(chart.marks ?? []).map((mark) => mark.x)];
  const [xLow, xHigh] = xs.length > 0 ? [Math.min(...xs), Math.max(...xs)] : [0, 1];
  const x = scale(xLow, xHigh, MARGIN.left + 8, MARGIN.left + PLOT.width - 8);
  const y = scale(...(chart.yRange ?? range(ends, true)), MARGIN.top + PLOT.height, MARGIN.top);
  const parts = [
    axes(chart, x, y, { percent: chart.percent ?? false, whole: points.every((p) => Number.isInteger(p.x)) }),
  ];
  for (const { x: at, label: text } of chart.marks ?? []) {
    parts.push(`<path class="mark" d="M${px(x.at(at))} ${MARGIN.top}V${MARGIN.top + PLOT.height}"/>`);
    const left = x.at(at) > MARGIN.left + PLOT.width / 2;
    parts.push(label(x.at(at) + (left ? -4 : 4), MARGIN.top + PLOT.height - 6, text, left ? 'text-anchor="end"' : ''));
  }
  series.forEach((one, i) => {
    const stroke = `stroke="${colour(i)}"`;
    const bars = one.points.filter(({ error }) => error !== undefined && error > 0);
    if (bars.length > 0) {
      const lines = bars.map((p) => `M${px(x.at(p.x))} ${px(y.at(p.y - p.error!))}V${px(y.at(p.y + p.error!))}`);
      parts.push(`<path class="error" ${stroke} d="${lines.join('')}"/>`);
    }
    const dash = one.dashed ? ' stroke-dasharray="5 3"' : '';
    parts.push(`<path class="line" ${stroke}${dash} d="${linePath(one.points, x, y)}"/>`);
    if (one.points.length > 40) return;
    for (const point of one.points)
      parts.push(`<circle cx="${px(x.at(point.x))}" cy="${px(y.at(point.y))}" r="2.4" fill="${colour(i)}"/>`);
  });
  const entries = series.map(({ name, dashed }, i) => ({
    name,
    mark: (at: number, row: number) =>
      `<path class="line" stroke="${colour(i)}"${dashed ? ' stroke-dasharray="5 3"' : ''} d="M${px(at)} ${px(row)}h16"/>`,
  }));
  return { body: parts.join(''), legend: entries };
}

function drawBars(chart: BarChart): Drawing {
  const names = [...new Set(chart.groups.flatMap(({ bars }) => bars.map(({ name }) => name)))];
  const values = chart.groups.flatMap(({ bars }) => bars.map(({ value }) => value));
  const y = scale(...range(values, true), MARGIN.top + PLOT.height, MARGIN.top);
  const parts = [axes({ ...chart, xLabel: '' }, undefined, y)];
  const groupWidth = PLOT.width / Math.max(1, chart.groups.length);
  const barWidth = Math.min(48, (groupWidth * 0.76) / Math.max(1, names.length));
  chart.groups.forEach(({ label: text, bars }, g) => {
    const middle = MARGIN.left + (g + 0.5) * groupWidth;
    parts.push(label(middle, MARGIN.top + PLOT.height + 16, text, 'text-anchor="middle"'));
    bars.forEach(({ name, value }) => {
      if (!Number.isFinite(value)) return;
      const i = names.indexOf(name);
      const left = middle + (i - names.length / 2) * barWidth;
      const [top, bottom] = [Math.min(y.at(value), y.at(0)), Math.max(y.at(value), y.at(0))];
      parts.push(
        `<rect x="${px(left + 1)}" y="${px(top)}" width="${px(barWidth - 2)}" height="${px(bottom - top)}" fill="${colour(i)}"/>`,
        label(left + barWidth / 2, top - 4, tickText(Number(value.toPrecision(3))), 'text-anchor="middle"'),
      );
    });
  });
  const entries = names.map((name, i) => ({
    name,
    mark: (at: number, row: number) =>
      `<rect x="${px(at + 3)}" y="${px(row - 5)}" width="10" height="10" fill="${colour(i)}"/>`,
  }));
  return { body: parts.join(''), legend: entries };
}

function drawPaths(chart: PathChart): Drawing {
  const paths = chart.paths.map((path) => ({ ...path, points: path.points.filter(isDrawn) }));
  const points = paths.flatMap((path) => path.points);
  const xRange = range(
    points.map((point) => point.x),
    false,
  );
  const yRange = range(
    points.map((point) => point.y),
    false,
  );
  const x = scale(...xRange, MARGIN.left, MARGIN.left + PLOT.width);
  const y = scale(...yRange, MARGIN.top + PLOT.height, MARGIN.top);
  const parts = [axes(chart, x, y)];
  paths.forEach(({ points: way }, i) => {
    const [first, last] = [way[0], way.at(-1)];
    if (first === undefined || last === undefined) return;
    parts.push(`<path class="way" stroke="${colour(i)}" d="${linePath(way, x, y)}"/>`);
    for (const point of way.slice(1, -1))
      parts.push(`<circle cx="${px(x.at(point.x))}" cy="${px(y.at(point.y))}" r="1.6" fill="${colour(i)}"/>`);
    parts.push(
      `<circle class="start" stroke="${colour(i)}" cx="${px(x.at(first.x))}" cy="${px(y.at(first.y))}" r="5"/>`,
      `<circle cx="${px(x.at(last.x))}" cy="${px(y.at(last.y))}" r="4.5" fill="${colour(i)}"/>`,
    );
  });
  const entries = paths.map(({ name }, i) => ({
    name,
    mark: (at: number, row: number) => `<circle cx="${px(at + 8)}" cy="${px(row)}" r="4.5" fill="${colour(i)}"/>`,
  }));
  return { body: parts.join(''), legend: entries };
}

function draw(chart: Chart): Drawing {
  switch (chart.kind) {
    case 'line':
      return drawLines(chart);
    case 'bar':
      return drawBars(chart);
    case 'path':
      return drawPaths(chart);
  }
}

const STYLE =
  `text{font:11px system-ui,sans-serif;fill:${INK}}.title{font-size:13px;font-weight:600}` +
  `.axis{stroke:${INK};fill:none}.grid{stroke:${INK};stroke-opacity:.18;fill:none}` +
  `.mark{stroke:${INK};stroke-dasharray:2 3;fill:none}.line{fill:none;stroke-width:1.8;stroke-linejoin:round}` +
  '.way{fill:none;stroke-width:1.2;stroke-opacity:.75;stroke-linejoin:round}.error{fill:none;stroke-opacity:.6}' +
  '.start{fill:none;stroke-width:1.6}';

/** Charts beside each other, `columns` in a row, as one SVG file. */
export function svgDocument(charts: readonly Chart[], columns = 2): string {
  const drawings = charts.map(draw).map(({ body, legend: entries }) => ({ body, below: legend(entries) }));
  const perRow = Math.max(1, Math.min(columns, drawings.length));
  const parts: string[] = [];
  let top = 0;
  for (let i = 0; i < drawings.length; i += perRow) {
    const row = drawings.slice(i, i + perRow);
    row.forEach(({ body, below }, column) =>
      parts.push(`<g transform="translate(${column * WIDTH} ${top})">${body}${below.body}</g>`),
    );
    top += HEIGHT + Math.max(...row.map(({ below }) => below.height)) + 8;
  }
  const width = perRow * WIDTH;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top}" width="${width}" height="${top}" role="img">` +
    `<title>${escapeXml(charts.map(({ title }) => title).join('; '))}</title><style>${STYLE}</style>${parts.join('\n')}</svg>\n`
  );
}
