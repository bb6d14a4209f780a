/** Requests to the server that gave this page. */
import type { Failure, MetricsReply, PuzzleReply, RunInfo, SolveEvent, SolveRequest } from '../protocol';

/** A request that failed, with words for a person. */
export class RequestError extends Error {
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}

export const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function send(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new RequestError({ code: 'OFFLINE', message: 'The server does not answer. Is hrm view still running?' });
  }
  if (response.ok) return response;
  const { error } = (await response.json()) as { error: Failure };
  throw new RequestError(error);
}

async function get<T>(path: string): Promise<T> {
  return (await (await send(path, {})).json()) as T;
}

function post(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const headers = { 'Content-Type': 'application/json' };
  return send(path, { method: 'POST', headers, body: JSON.stringify(body), signal: signal ?? null });
}

export const getRun = (): Promise<RunInfo> => get('/api/run');
export const getPuzzle = (index: number): Promise<PuzzleReply> => get(`/api/puzzle?index=${index}`);
export const getMetrics = (from: number, generation: number): Promise<MetricsReply> =>
  get(`/api/metrics?from=${from}&generation=${generation}`);
export const reload = async (): Promise<RunInfo> => (await (await post('/api/reload', {})).json()) as RunInfo;

/** Lets the model solve a puzzle; `onEvent` sees what happens as it happens. */
export async function solve(
  request: SolveRequest,
  onEvent: (event: SolveEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const response = await post('/api/solve', request, signal);
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    rest += decoder.decode(value, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop()!;
    for (const line of lines) onEvent(JSON.parse(line) as SolveEvent);
  }
}
