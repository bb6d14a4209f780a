/** The run's curves and evaluations, growing while it trains. */
import { useMemo, useState } from 'preact/hooks';
import type { MetricsLine } from '../protocol';
import { Chart, formatValue } from './chart';
import type { Metrics } from './metrics';
import { chartsOf, isEvaluation } from './series';
import { percent } from './solution';

const LIVE_MS = 20_000;
const MAX_ROWS = 200;
/** Values that have a column of their own, or none. */
const KNOWN = [
  ...['accuracy', 'accuracyStandardError', 'count', 'exactAccuracy', 'exactStandardError', 'lmLoss'],
  ...['qHaltAccuracy', 'qHaltLoss', 'segments', 'steps'],
];

function Evaluations({ lines }: { readonly lines: readonly MetricsLine[] }) {
  if (lines.length === 0) return <p class="muted">No evaluation yet.</p>;
  const share = (value: number | null | undefined): string => (typeof value === 'number' ? percent(value) : '–');
  const others = [...new Set(lines.flatMap(({ values }) => Object.keys(values)))].filter(
    (name) => !KNOWN.includes(name),
  );
  return (
    <div class="scroll evaluations" role="region" aria-label="Evaluations" tabIndex={0}>
      <table>
        <caption>Evaluations, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col">Split</th>
            <th scope="col">Puzzles</th>
            <th scope="col">Exactly right</th>
            <th scope="col">Cells right</th>
            <th scope="col">Loss</th>
            <th scope="col">Segments</th>
            {others.map((name) => (
              <th scope="col" key={name}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {lines
            .slice(-MAX_ROWS)
            .reverse()
            .map(({ step, kind, split, values }) => (
              <tr key={`${kind} ${split} ${step}`}>
                <th scope="row">{step.toLocaleString('en')}</th>
                <td>{kind === 'final' ? `${split}, final` : split}</td>
                <td>{values['count'] ?? '–'}</td>
                <td>
                  {share(values['exactAccuracy'])}
                  <span class="muted"> ± {share(values['exactStandardError'])}</span>
                </td>
                <td>{share(values['accuracy'])}</td>
                <td>{typeof values['lmLoss'] === 'number' ? formatValue(values['lmLoss'], 'number') : '–'}</td>
                <td>{typeof values['steps'] === 'number' ? formatValue(values['steps'], 'number') : '–'}</td>
                {others.map((name) => {
                  const value = values[name];
                  return <td key={name}>{typeof value === 'number' ? formatValue(value, 'number') : '–'}</td>;
                })}
              </tr>
            ))}
        </tbody>
      </table>
    </div>
  );
}

export function TrainingPanel({ metrics }: { readonly metrics: Metrics }) {
  const { lines, nBad, grewAt, isLoaded } = metrics;
  const [step, setStep] = useState<number | null>(null);
  const charts = useMemo(() => chartsOf(lines), [lines]);
  const evaluations = useMemo(() => lines.filter(isEvaluation), [lines]);
  const firstStep = lines[0]?.step ?? 0;
  const lastStep = lines.at(-1)?.step ?? 0;
  const isLive = grewAt !== null && Date.now() - grewAt < LIVE_MS;
  const shown = step === null ? null : Math.min(step, lastStep);
  return (
    <section class="panel training" aria-labelledby="training-title">
      <h2 id="training-title">
        Training
        {isLive && <span class="chip live">growing</span>}
      </h2>
      {lines.length === 0 ? (
        <p class="muted">{isLoaded ? 'No metrics yet: they appear here as the run writes them.' : 'Loading …'}</p>
      ) : (
        <>
          <div class="look-at">
            <label for="step">Values at step</label>
            <input
              id="step"
              type="range"
              min={firstStep}
              max={Math.max(firstStep + 1, lastStep)}
              value={shown ?? lastStep}
              aria-valuetext={`step ${shown ?? lastStep}`}
              onInput={(event) => setStep(Number(event.currentTarget.value))}
            />
            <output for="step">{(shown ?? lastStep).toLocaleString('en')}</output>
            <button type="button" disabled={step === null} onClick={() => setStep(null)}>
              Newest
            </button>
          </div>
          <div class="charts">
            {charts.map((data) => (
              <Chart
                key={data.title}
                data={data}
                firstStep={firstStep}
                lastStep={lastStep}
                step={shown}
                onStep={setStep}
              />
            ))}
          </div>
          <Evaluations lines={evaluations} />
        </>
      )}
      {nBad > 0 && <p class="muted">{nBad} lines of metrics.jsonl could not be read.</p>}
    </section>
  );
}
