/** One chart as SVG: lines that differ in colour and in dashes, a mark at the step that is looked at, values in the legend. */
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { type ChartData, pointAt, type Point, ticks } from './series';

interface ChartProps {
  readonly data: ChartData;
  readonly firstStep: number;
  readonly lastStep: number;
  /** Step whose values the legend shows; null: the last. */
  readonly step: number | null;
  readonly onStep: (step: number) => void;
}

const HEIGHT = 170;
const MARGIN = { left: 46, right: 10, top: 8, bottom: 22 };
const DASHES = ['', '6 3', '2 3'];

/** A value as an axis or a legend shows it. */
export function formatValue(value: number, unit: ChartData['unit']): string {
  if (unit === 'percent') return `${Number((value * 100).toFixed(1))}%`;
  if (value === 0) return '0';
  if (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}

/** Labels near the right edge end at their tick, or they would be cut. */
const anchorOf = (at: number, width: number): 'middle' | 'end' => (at > width - 32 ? 'end' : 'middle');

/** Width of an element as it changes. */
function useWidth(): [preactRef: { current: HTMLDivElement | null }, width: number] {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(320);
  useEffect(() => {
    const element = ref.current!;
    const observer = new ResizeObserver(() => setWidth(Math.max(200, Math.floor(element.clientWidth))));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}

export function Chart({ data, firstStep, lastStep, step, onStep }: ChartProps) {
  const [box, width] = useWidth();
  const titleId = useId();
  const { series, unit, title } = data;
  const values = series.flatMap(({ points }) => points.map(({ value }) => value));
  const high = unit === 'percent' ? 1 : Math.max(...values) || 1;
  const low = unit === 'percent' ? 0 : Math.min(0, ...values);
  const span = Math.max(1, lastStep - firstStep);
  const [plotWidth, plotHeight] = [width - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
  const x = (at: number): number => MARGIN.left + ((at - firstStep) / span) * plotWidth;
  const y = (value: number): number => MARGIN.top + (1 - (value - low) / (high - low)) * plotHeight;
  const line = (points: readonly Point[]): string =>
    points.map(({ step: at, value }, i) => `${i === 0 ? 'M' : 'L'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join('');
  const shown = step ?? lastStep;
  const readings = series.map((one) => ({ ...one, now: pointAt(one.points, shown) }));
  const spoken = readings.map(({ name, now }) => `${name} ${formatValue(now.value, unit)} at step ${now.step}`);

  return (
    <figure class="chart">
      <figcaption id={titleId}>{title}</figcaption>
      <div ref={box}>
        <svg
          role="img"
          aria-label={`${title}: ${spoken.join('; ')}`}
          width={width}
          height={HEIGHT}
          viewBox={`0 0 ${width} ${HEIGHT}`}
          onPointerMove={(event) => {
            const left = event.currentTarget.getBoundingClientRect().left;
            const share = (event.clientX - left - MARGIN.left) / plotWidth;
            onStep(Math.round(firstStep + Math.max(0, Math.min(1, share)) * span));
          }}
        >
          {ticks(low, high, 4).map((tick) => (
            <g key={tick} class="tick">
              <line x1={MARGIN.left} x2={width - MARGIN.right} y1={y(tick)} y2={y(tick)} />
              <text x={MARGIN.left - 6} y={y(tick)} text-anchor="end" dominant-baseline="middle">
                {formatValue(tick, unit)}
              </text>
            </g>
          ))}
          {ticks(firstStep, lastStep, Math.max(2, Math.floor(plotWidth / 90))).map((tick) => (
            <text key={tick} class="tick" x={x(tick)} y={HEIGHT - 6} text-anchor={anchorOf(x(tick), width)}>
              {tick.toLocaleString('en')}
            </text>
          ))}
          {step !== null && (
            <line class="cursor" x1={x(shown)} x2={x(shown)} y1={MARGIN.top} y2={HEIGHT - MARGIN.bottom} />
          )}
          {/* The first of the list is the most important: it is drawn last, on top. */}
          {readings.toReversed().map(({ name, points, style, isMarked, now }) => (
            <g key={name} class={`series s${style}`}>
              <path d={line(points)} stroke-dasharray={DASHES[style]} />
              {isMarked &&
                points.map((point) => <circle key={point.step} cx={x(point.step)} cy={y(point.value)} r="2.5" />)}
              {step !== null && <circle class="now" cx={x(now.step)} cy={y(now.value)} r="4" />}
            </g>
          ))}
        </svg>
      </div>
      <ul class="readings" aria-labelledby={titleId}>
        {readings.map(({ name, style, now }) => (
          <li key={name}>
            <svg class={`series s${style}`} width="26" height="8" aria-hidden="true">
              <path d="M1 4H25" stroke-dasharray={DASHES[style]} />
            </svg>
            {name} <strong>{formatValue(now.value, unit)}</strong>
          </li>
        ))}
      </ul>
    </figure>
  );
}
