/** A run's metrics.jsonl as it grows: read on demand, complete lines only. */
import { existsSync } from 'node:fs';
import { InputFile } from '../io/files';
import type { MetricsLine } from './protocol';

/** One call reads at most this much; the rest comes with the next. */
const MAX_READ_BYTES = 2 ** 22;
/** A longer line is no metrics. */
const MAX_LINE_BYTES = 2 ** 16;
/** So many bytes before the position must still be there, or the file is another one. */
const MEMORY_BYTES = 512;
const NEWLINE = 0x0a;

export class MetricsTail {
  readonly lines: MetricsLine[] = [];
  /** Counts how often reading began anew, because the file was cut (a resumed run) or replaced. */
  generation = 0;
  nBad = 0;
  /** Offset after the last complete line. */
  #position = 0;
  #before = Buffer.alloc(0);

  constructor(private readonly file: string) {}

  /** Takes in what was written since the last call. No file yet is no error. @throws FileError */
  read(): void {
    if (!existsSync(this.file)) {
      if (this.#position > 0) this.#startAnew();
      return;
    }
    const input = new InputFile('metrics', this.file);
    try {
      this.#readFrom(input);
    } finally {
      input.close();
    }
  }

  #startAnew(): void {
    this.lines.length = 0;
    this.nBad = 0;
    this.generation++;
    this.#position = 0;
    this.#before = Buffer.alloc(0);
  }

  #readFrom(input: InputFile): void {
    if (input.sizeBytes < this.#position || !this.#remembers(input)) this.#startAnew();
    const nBytes = Math.min(MAX_READ_BYTES, input.sizeBytes - this.#position);
    const chunk = Buffer.from(input.read(this.#position, nBytes));
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end === 0) {
      // Megabytes without an end of line are no metrics either.
      if (chunk.length === MAX_READ_BYTES) this.#skip(chunk);
      return;
    }
    for (let from = 0; from < end;) {
      const to = chunk.indexOf(NEWLINE, from);
      this.#take(chunk.subarray(from, to));
      from = to + 1;
    }
    this.#advance(chunk.subarray(0, end));
  }

  #skip(chunk: Buffer): void {
    this.nBad++;
    this.#advance(chunk);
  }

  #advance(read: Buffer): void {
    this.#position += read.length;
    this.#before = Buffer.from(Buffer.concat([this.#before, read]).subarray(-MEMORY_BYTES));
  }

  /** Whether the bytes before the position are those that were read. */
  #remembers(input: InputFile): boolean {
    return this.#before.equals(input.read(this.#position - this.#before.length, this.#before.length));
  }

  #take(line: Buffer): void {
    if (line.length === 0) return;
    const record = line.length > MAX_LINE_BYTES ? undefined : parseLine(line.toString('utf8'));
    if (record === undefined) this.nBad++;
    else this.lines.push(record);
  }
}

/** @returns undefined for what is no line of metrics */
function parseLine(text: string): MetricsLine | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof fields !== 'object' || fields === null) return undefined;
  const { step, kind, split, ...rest } = fields as Record<string, unknown>;
  if (!Number.isSafeInteger(step) || typeof kind !== 'string') return undefined;
  if (split !== undefined && typeof split !== 'string') return undefined;
  const isValue = (entry: [string, unknown]): entry is [string, number | null] =>
    entry[1] === null || typeof entry[1] === 'number';
  const values = Object.fromEntries(Object.entries(rest).filter(isValue));
  return { step: step as number, kind, ...(split === undefined ? {} : { split }), values };
}
