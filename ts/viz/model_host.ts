/** The thread that holds the model: jobs wait in line, one runs, and a thread that dies is replaced with the next job. */
import type { Device } from '../native/device';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { type FromWorker, JobError, type JobMessage, type JobName, type Jobs } from './jobs';
import type { SolveEvent } from './protocol';

/** Jobs that may wait; a page needs two or three. */
export const MAX_WAITING = 16;

export interface JobOptions {
  readonly onEvent?: (event: SolveEvent) => void;
  /** Takes the job out of the line, or ends it after the segment that runs. */
  readonly signal?: AbortSignal;
}

interface Job {
  readonly message: JobMessage;
  readonly options: JobOptions;
  readonly resolve: (value: Jobs[JobName]['out']) => void;
  readonly reject: (error: Error) => void;
}

const cancelled = (): JobError => new JobError({ code: 'CANCELLED', message: 'the request was taken back' });

export class ModelHost {
  #worker: Worker | undefined;
  #running: Job | undefined;
  readonly #waiting: Job[] = [];
  #nextId = 1;
  #isClosed = false;

  /**
   * @param dir the run's directory, or a checkpoint's
   * @param device where the model works
   */
  constructor(
    private readonly dir: string,
    private readonly device: Device,
  ) {}

  /** Jobs before one that would come now. */
  get ahead(): number {
    return this.#waiting.length + (this.#running === undefined ? 0 : 1);
  }

  /** Whether another job would be refused. */
  get isFull(): boolean {
    return this.#waiting.length >= MAX_WAITING;
  }

  /** @throws JobError where the job fails, is taken back, or too many wait */
  run<J extends JobName>(job: J, input: Jobs[J]['in'], options: JobOptions = {}): Promise<Jobs[J]['out']> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw cancelled();
      if (this.isFull) {
        throw new JobError({
          code: 'BUSY',
          message: `at most ${MAX_WAITING} requests can wait for the model, and as many do; try again later`,
        });
      }
      const message = { id: this.#nextId++, job, input } as JobMessage;
      const entry: Job = { message, options, resolve, reject };
      options.signal?.addEventListener('abort', () => this.#cancel(entry), { once: true });
      if (options.signal?.aborted === true) throw cancelled();
      this.#waiting.push(entry);
      this.#startNext();
    });
  }

  #cancel(entry: Job): void {
    if (entry === this.#running) this.#worker?.postMessage({ cancel: entry.message.id });
    const at = this.#waiting.indexOf(entry);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    entry.reject(cancelled());
  }

  #startNext(): void {
    if (this.#running !== undefined) return;
    const job = this.#waiting.shift();
    if (job === undefined) return;
    this.#running = job;
    this.#worker ??= this.#startWorker();
    this.#worker.postMessage(job.message);
  }

  #startWorker(): Worker {
    const worker = new Worker(path.join(__dirname, 'model_worker.js'), {
      workerData: { dir: this.dir, device: this.device },
    });
    worker.on('message', (message: FromWorker) => this.#onMessage(message));
    worker.on('error', (error: unknown) => this.#onEnd(worker, error instanceof Error ? error.message : String(error)));
    worker.on('exit', (code) => this.#onEnd(worker, `it ended with code ${code}`));
    return worker;
  }

  #onMessage(message: FromWorker): void {
    const job = this.#running;
    if (job === undefined || message.id !== job.message.id) return;
    if (message.type === 'event') {
      job.options.onEvent?.(message.event);
      return;
    }
    this.#running = undefined;
    if (message.type === 'done') job.resolve(message.value);
    else job.reject(new JobError(message.error));
    this.#startNext();
  }

  /** The thread is gone: what it ran is lost, what waits goes to a new one. */
  #onEnd(worker: Worker, reason: string): void {
    if (worker !== this.#worker) return;
    this.#worker = undefined;
    const job = this.#running;
    this.#running = undefined;
    job?.reject(new JobError({ code: 'WORKER', message: `the thread of the model failed: ${reason}` }));
    if (!this.#isClosed) this.#startNext();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const job of this.#waiting.splice(0)) job.reject(cancelled());
    await this.#worker?.terminate();
  }
}
