/** The run's metrics, asked for again and again while the page is seen. */
import { useEffect, useState } from 'preact/hooks';
import type { MetricsLine } from '../protocol';
import { getMetrics, words } from './api';

export interface Metrics {
  readonly generation: number;
  readonly lines: readonly MetricsLine[];
  readonly nBad: number;
  readonly newestStep: number | null;
  /** When the last lines came while the page was open, in ms; null: none did. */
  readonly grewAt: number | null;
  readonly isLoaded: boolean;
  readonly error: string | null;
}

const POLL_MS = 1000;
const POLL_FAILED_MS = 3000;

const NOTHING: Metrics = {
  ...{ generation: -1, lines: [], nBad: 0, newestStep: null, grewAt: null, isLoaded: false, error: null },
};

/** One request. @returns the state after it, and whether more is to be had at once */
async function next(before: Metrics): Promise<[Metrics, boolean]> {
  try {
    const reply = await getMetrics(before.lines.length, Math.max(0, before.generation));
    const goesOn = reply.generation === before.generation && reply.from === before.lines.length;
    const isSame = goesOn && reply.lines.length === 0;
    const lines = isSame ? before.lines : [...(goesOn ? before.lines : []), ...reply.lines];
    const grewAt = before.isLoaded && !isSame ? Date.now() : before.grewAt;
    const { generation, nBad, newestStep, total } = reply;
    const hasMore = total > lines.length;
    return [{ generation, lines, nBad, newestStep, grewAt, isLoaded: !hasMore, error: null }, hasMore];
  } catch (error) {
    return [{ ...before, error: words(error) }, false];
  }
}

export function useMetrics(): Metrics {
  const [metrics, setMetrics] = useState(NOTHING);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    let current = NOTHING;
    const poll = async (): Promise<void> => {
      const [state, hasMore] = await next(current);
      if (isOver) return;
      current = state;
      setMetrics(state);
      const wait = hasMore ? 0 : state.error === null ? POLL_MS : POLL_FAILED_MS;
      if (!document.hidden) timer = setTimeout(() => void poll(), wait);
    };
    const onVisible = (): void => {
      clearTimeout(timer);
      if (!document.hidden) void poll();
    };
    document.addEventListener('visibilitychange', onVisible);
    void poll();
    return () => {
      isOver = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', onVisible);
    };
  }, []);
  return metrics;
}
