/** What the server asks of the thread that holds the model, and what that answers. */
import type { Failure, ModelState, PuzzleReply, SolveEvent, SolveRequest } from './protocol';

/** Jobs by name: what goes in, what comes out. */
export interface Jobs {
  /** Loads the newest checkpoint anew. */
  load: { in: null; out: ModelState };
  puzzle: { in: { index: number }; out: PuzzleReply };
  /** Its segments come as events. */
  solve: { in: SolveRequest; out: null };
}

export type JobName = keyof Jobs;
export type JobMessage = {
  [J in JobName]: { readonly id: number; readonly job: J; readonly input: Jobs[J]['in'] };
}[JobName];
export type ToWorker = JobMessage | { readonly cancel: number };

export type FromWorker =
  | { readonly id: number; readonly type: 'event'; readonly event: SolveEvent }
  | { readonly id: number; readonly type: 'done'; readonly value: Jobs[JobName]['out'] }
  | { readonly id: number; readonly type: 'failed'; readonly error: Failure };

/** A job that did not work; the message is for a person. */
export class JobError extends Error {
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}
