/** The page: what is shown of the run, and what to do where its model cannot be used. */
import { useEffect, useState } from 'preact/hooks';
import type { Failure, ModelInfo, RunInfo } from '../protocol';
import { getRun, reload, RequestError, words } from './api';
import { useMetrics } from './metrics';
import { SolvePanel } from './solve_panel';
import { TrainingPanel } from './training_panel';

function Broken({ error, isBusy, onRetry }: { error: Failure; isBusy: boolean; onRetry: () => void }) {
  return (
    <section class="panel broken" role="alert" aria-labelledby="broken-title">
      <h2 id="broken-title">The model cannot be used</h2>
      <p class="message">{error.message}</p>
      {error.hint !== undefined && <p>{error.hint}</p>}
      <button type="button" class="primary" disabled={isBusy} onClick={onRetry}>
        Try again
      </button>
    </section>
  );
}

function describe(model: ModelInfo): string {
  const { nParameters, hidden, layers, cycles, isAveraged } = model;
  return (
    `${nParameters.toLocaleString('en')} weights${isAveraged ? ' (averaged)' : ''}, hidden ${hidden}, ` +
    `${layers.join('+')} layers, ${cycles.join('×')} cycles`
  );
}

export function App() {
  const [run, setRun] = useState<RunInfo | null>(null);
  const [error, setError] = useState<Failure | null>(null);
  const [isBusy, setBusy] = useState(true);
  const [notice, setNotice] = useState('');
  const metrics = useMetrics();

  const ask = async (request: () => Promise<RunInfo>): Promise<RunInfo | null> => {
    setBusy(true);
    setNotice('');
    try {
      const info = await request();
      setRun(info);
      setError(info.state.ok ? null : info.state.error);
      return info;
    } catch (problem) {
      setError(problem instanceof RequestError ? problem.failure : { code: 'PAGE', message: words(problem) });
      return null;
    } finally {
      setBusy(false);
    }
  };
  useEffect(() => void ask(getRun), []);
  useEffect(() => {
    if (run !== null) document.title = `${run.name} · hrm view`;
  }, [run?.name]);

  const model = run?.state.ok === true ? run.state.model : null;
  const { newestStep } = metrics;
  const hasNewer = model !== null && newestStep !== null && newestStep > model.step;
  const loadNewer = async (): Promise<void> => {
    const wanted = newestStep;
    const info = await ask(reload);
    if (info?.state.ok !== true || wanted === null) return;
    const { step } = info.state.model;
    setNotice(
      step < wanted
        ? `The checkpoint of step ${wanted} is damaged; step ${step} is in use. hrm train --resume goes on from there.`
        : `Step ${step} is loaded.`,
    );
  };

  return (
    <>
      <header>
        <h1>{run?.name ?? 'hrm view'}</h1>
        {model !== null && (
          <p class="about">
            <span class="chip">
              step {model.step.toLocaleString('en')}
              {model.totalSteps !== null && ` of ${model.totalSteps.toLocaleString('en')}`}
            </span>{' '}
            <span class="muted">{describe(model)}</span>
          </p>
        )}
        {hasNewer && (
          <button type="button" class="primary" disabled={isBusy} onClick={() => void loadNewer()}>
            Load step {newestStep.toLocaleString('en')}
          </button>
        )}
        <p role="status" class={notice === '' ? 'sr' : 'notice'}>
          {notice}
        </p>
      </header>
      {metrics.error !== null && (
        <p role="alert" class="error banner">
          {metrics.error}
        </p>
      )}
      <main>
        {error !== null && <Broken error={error} isBusy={isBusy} onRetry={() => void ask(reload)} />}
        {error === null && model === null && (
          <section class="panel">
            <p role="status">Loading the model …</p>
          </section>
        )}
        {error === null && model !== null && <SolvePanel key={JSON.stringify(model.task)} model={model} />}
        <TrainingPanel metrics={metrics} />
      </main>
      <footer class="muted">
        On the board: arrow keys move, digits and brush keys fill, Backspace erases, Page Up and Page Down go through
        the segments.
      </footer>
    </>
  );
}
