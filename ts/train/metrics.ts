/**
 * A run's metrics on disk. `metrics.jsonl` holds only what is determined by configuration and seed, so a resumed run's
 * file is byte-equal to an uninterrupted one's: resuming truncates it to the offset stored in the checkpoint. Wall-clock
 * figures go to `timing.jsonl` and to TensorBoard event files.
 */
import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import path from 'node:path';
import { ArgumentError, FormatError } from '../error';
import { makeDirectories, onFile } from '../io/files';
import { EventFile } from './tensorboard';

export const METRICS_FILE = 'metrics.jsonl';
export const TIMING_FILE = 'timing.jsonl';
export const TENSORBOARD_DIR = 'tensorboard';

/** Values of one line: numbers, or null where there is nothing to average (no row halted). */
export type MetricValues = Readonly<Record<string, number | null>>;

export interface MetricsRecord {
  step: number;
  /** `train`, `eval`, ... : first part of the TensorBoard tag. */
  kind: string;
  /** `test`, `valid`: second part of the tag, where there is one. */
  split?: string;
  values: MetricValues;
}

/** Wall-clock figures: seconds, milliseconds, bytes. */
export type TimingRecord = Readonly<Record<string, number | string>>;

/**
 * The line of a record: step, kind, split, then the values by name, so that the bytes do not depend on the order in
 * which a caller computed them. NaN is null: JSON has none, and it means 0 of 0.
 * @throws ArgumentError on a step that is no count or an infinite value
 */
export function metricsLine(record: MetricsRecord): string {
  const { step, kind, split, values } = record;
  if (!Number.isSafeInteger(step) || step < 0) {
    throw new ArgumentError(`metrics: step must be a count, got ${step}`);
  }
  const line: Record<string, unknown> = { step, kind, ...(split === undefined ? {} : { split }) };
  for (const name of Object.keys(values).sort()) {
    const value = values[name]!;
    if (value === Infinity || value === -Infinity) {
      throw new ArgumentError(`metrics: ${name} must be finite at step ${step}, got ${value}`);
    }
    if (Object.hasOwn(line, name)) throw new ArgumentError(`metrics: ${name} is a field of every line; rename it`);
    line[name] = Number.isNaN(value) ? null : value;
  }
  return `${JSON.stringify(line)}\n`;
}

/** What a checkpoint stores to resume the metrics. */
export interface MetricsPosition {
  /** The last step that the checkpoint contains. */
  step: number;
  /** Length of `metrics.jsonl` in bytes at that step. */
  nBytes: number;
}

export interface MetricsOptions {
  /** Where to continue; without it the directory must not hold metrics yet. */
  resume?: MetricsPosition;
  tensorboard?: boolean;
  /** Seconds since 1970; for tests. */
  now?: () => number;
}

/** Writes a run's metrics. Lines go to the system at once; `sync` makes them durable and gives the offset. */
export class MetricsWriter {
  private nBytes: number;
  private open = true;
  private readonly metricsFd: number;
  private readonly timingFd: number;
  private readonly events: EventFile | null;
  private readonly now: () => number;

  /**
   * @throws FormatError if the directory holds metrics of another run, or fewer bytes than the checkpoint recorded
   */
  constructor(
    readonly dir: string,
    options: MetricsOptions = {},
  ) {
    this.now = options.now ?? (() => Date.now() / 1000);
    onFile('metrics', dir, 'create', () => makeDirectories(dir));
    const file = path.join(dir, METRICS_FILE);
    this.metricsFd = options.resume ? openTruncated(file, options.resume.nBytes) : openFresh(file);
    this.nBytes = options.resume?.nBytes ?? 0;
    this.timingFd = openSync(path.join(dir, TIMING_FILE), 'a');
    const resumeStep = options.resume?.step ?? null;
    this.events =
      options.tensorboard === false ? null : new EventFile(path.join(dir, TENSORBOARD_DIR), resumeStep, this.now);
    this.timing({ event: resumeStep === null ? 'start' : 'resume', step: resumeStep ?? 0 });
  }

  /** Appends one line, and its numbers as TensorBoard scalars `kind/split/name`. */
  write(record: MetricsRecord): void {
    const bytes = Buffer.from(metricsLine(record), 'utf8');
    writeAll(this.metricsFd, bytes, this.nBytes);
    this.nBytes += bytes.length;
    const prefix = record.split === undefined ? record.kind : `${record.kind}/${record.split}`;
    const scalars = Object.entries(record.values)
      .filter((entry): entry is [string, number] => entry[1] !== null && !Number.isNaN(entry[1]))
      .map(([name, value]): [string, number] => [`${prefix}/${name}`, value]);
    this.events?.scalars(record.step, Object.fromEntries(scalars));
  }

  /** Appends wall-clock figures; the time of day is added. */
  timing(record: TimingRecord): void {
    writeSync(this.timingFd, `${JSON.stringify({ ...record, unixSeconds: this.now() })}\n`);
  }

  /** Makes everything written so far durable. @returns bytes of `metrics.jsonl`, for the checkpoint */
  sync(): number {
    fsyncSync(this.metricsFd);
    this.events?.sync();
    return this.nBytes;
  }

  /** Closing twice is fine. */
  close(): void {
    if (!this.open) return;
    this.open = false;
    closeSync(this.metricsFd);
    closeSync(this.timingFd);
    this.events?.close();
  }
}

// A write may be short (disk full, signal): go on, and let the next attempt say why.
function writeAll(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}

function openFresh(file: string): number {
  const fd = openSync(file, 'a+');
  if (fstatSync(fd).size > 0) {
    closeSync(fd);
    throw new FormatError(`metrics: ${file} already holds a run; resume it or choose another directory`);
  }
  closeSync(fd);
  return openSync(file, 'r+');
}

function openTruncated(file: string, nBytes: number): number {
  let fd: number;
  try {
    // A run that starts from weights alone has written none.
    fd = openSync(file, nBytes === 0 ? constants.O_RDWR | constants.O_CREAT : 'r+');
  } catch (cause) {
    throw new FormatError(`metrics: ${file} must exist to resume the run`, { cause });
  }
  const { size } = fstatSync(fd);
  const last = Buffer.alloc(1);
  if (nBytes > 0 && size >= nBytes) readSync(fd, last, 0, 1, nBytes - 1);
  if (size < nBytes || (nBytes > 0 && last[0] !== 0x0a)) {
    closeSync(fd);
    const problem = size < nBytes ? `it has ${size}` : 'no line ends there';
    throw new FormatError(`metrics: ${file} must hold the checkpoint's ${nBytes} bytes, ${problem}; was it edited?`);
  }
  ftruncateSync(fd, nBytes);
  fsyncSync(fd);
  return fd;
}
