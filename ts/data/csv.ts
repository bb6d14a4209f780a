import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ArgumentError, FileError, FormatError } from '../error';

/** One line after the header: its fields, or why it has none. */
export type CsvLine =
  | { readonly line: number; readonly fields: readonly string[]; readonly problem?: undefined }
  | { readonly line: number; readonly fields?: undefined; readonly problem: string };

/** A line that an import refused. */
export interface BadRow {
  /** Line of the file, the header being line 1. */
  readonly line: number;
  readonly reason: string;
}

export interface CsvOptions {
  /** The header, exactly. */
  readonly columns: readonly string[];
  /** Longest line in bytes, and the unit in which memory is bounded. Default 64 KiB. */
  readonly maxLineBytes?: number;
  /** Largest text in bytes after decompression: what a small gzip file may blow up to. Default 4 GiB. */
  readonly maxBytes?: number;
}

const CHUNK_BYTES = 64 * 1024;
const LF = 0x0a;
const CR = 0x0d;

/**
 * Streams a csv file (RFC 4180, UTF-8, LF or CRLF; gzip is recognised by its magic bytes), an array of lines per chunk.
 *
 * A record is a line: quoted fields may hold commas and doubled quotes, but no line break, so that one bad line never
 * takes others with it and its number is that of an editor. (csv-parse 7 was tried: it accepts invalid UTF-8, NUL and
 * duplicate header names, and a stray quote swallows the rest of the file before it is reported.)
 *
 * @throws FileError when the file cannot be read
 * @throws FormatError for a wrong header, damaged gzip data or a size over the limit; bad lines are yielded, not thrown
 */
export async function* readCsv(file: string, options: CsvOptions): AsyncGenerator<CsvLine[], void, undefined> {
  const { columns, maxLineBytes = 64 * 1024, maxBytes = 4 * 2 ** 30 } = options;
  if (typeof file !== 'string' || file === '' || file.includes('\0')) {
    throw new ArgumentError('readCsv: file must be a path without NUL characters');
  }
  const splitter = new LineSplitter(maxLineBytes);
  let nBytes = 0;
  let header = false;
  const parse = (lines: RawLine[]): CsvLine[] => {
    const first = header ? undefined : lines.shift();
    if (first !== undefined) {
      checkHeader(file, parseLine(first, columns.length), columns);
      header = true;
    }
    return lines.map((line) => parseLine(line, columns.length));
  };
  for await (const chunk of openText(file)) {
    nBytes += chunk.length;
    if (nBytes > maxBytes)
      throw new FormatError(`readCsv: ${file}: must be at most ${maxBytes} bytes of text, got more`);
    const lines = parse(splitter.push(chunk));
    if (lines.length > 0) yield lines;
  }
  const rest = parse(splitter.end());
  if (!header)
    throw new FormatError(`readCsv: ${file}: line 1: header must be ${columns.join(',')}, got an empty file`);
  if (rest.length > 0) yield rest;
}

/** The bytes of a file, decompressed when they start with the gzip magic. */
async function* openText(file: string): AsyncGenerator<Buffer, void, undefined> {
  try {
    const info = await stat(file);
    if (!info.isFile()) throw new FileError(`readCsv: ${file}: must be a regular file`);
    const probe = createReadStream(file, { end: 1 });
    const magic: Buffer[] = [];
    for await (const chunk of probe as AsyncIterable<Buffer>) magic.push(chunk);
    const raw = createReadStream(file, { highWaterMark: CHUNK_BYTES });
    let text: Readable = raw;
    if (Buffer.concat(magic).equals(Buffer.from([0x1f, 0x8b]))) {
      // The iteration below sees every error of the pipeline, so its callback has nothing to add.
      text = pipeline(raw, createGunzip({ chunkSize: CHUNK_BYTES }), () => undefined);
    }
    for await (const chunk of text as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    throw readError(file, error);
  }
}

function readError(file: string, error: unknown): unknown {
  const { code, syscall } = (typeof error === 'object' && error !== null ? error : {}) as NodeJS.ErrnoException;
  if (typeof code !== 'string' || code.startsWith('HRM_')) return error;
  if (code.startsWith('Z_')) {
    return new FormatError(`readCsv: ${file}: must be an undamaged gzip file, got ${code}; copy it again`, {
      cause: error,
    });
  }
  return syscall === undefined ? error : new FileError(`readCsv: ${file}: cannot read (${code})`, { cause: error });
}

interface RawLine {
  readonly line: number;
  /** Without the line end; undefined when the line was too long to keep. */
  readonly bytes: Buffer | undefined;
}

class LineSplitter {
  #line = 1;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #tooLong = false;

  constructor(private readonly maxLineBytes: number) {}

  push(chunk: Buffer): RawLine[] {
    const lines: RawLine[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      this.#keep(chunk.subarray(start, end));
      lines.push(this.#take());
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
    return lines;
  }

  /** The last line when the file does not end with a line break. */
  end(): RawLine[] {
    return this.#keptBytes > 0 || this.#tooLong ? [this.#take()] : [];
  }

  #keep(bytes: Buffer): void {
    this.#keptBytes += bytes.length;
    if (this.#keptBytes > this.maxLineBytes) {
      this.#tooLong = true;
      this.#kept = [];
    }
    if (!this.#tooLong && bytes.length > 0) this.#kept.push(bytes);
  }

  #take(): RawLine {
    const bytes = this.#kept.length === 1 ? this.#kept[0]! : Buffer.concat(this.#kept);
    const end = bytes.length > 0 && bytes[bytes.length - 1] === CR ? bytes.length - 1 : bytes.length;
    const line = { line: this.#line++, bytes: this.#tooLong ? undefined : bytes.subarray(0, end) };
    this.#kept = [];
    this.#keptBytes = 0;
    this.#tooLong = false;
    return line;
  }
}

function parseLine({ line, bytes }: RawLine, nColumns: number): CsvLine {
  if (bytes === undefined) return { line, problem: 'the line is too long' };
  if (bytes.length === 0) return { line, problem: 'the line is empty' };
  if (!isUtf8(bytes)) return { line, problem: 'the text must be UTF-8' };
  const text = bytes.toString('utf8');
  if (hasControl(text)) return { line, problem: 'control characters are not allowed' };
  const fields = text.includes('"') ? splitQuoted(text) : text.split(',');
  if (typeof fields === 'string') return { line, problem: fields };
  if (fields.length !== nColumns) return { line, problem: `expected ${nColumns} fields, got ${fields.length}` };
  return { line, fields };
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

/** Fields of a line with quotes, or what is wrong with it. */
function splitQuoted(text: string): string[] | string {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] !== '"') {
      const comma = text.indexOf(',', at);
      const field = text.slice(at, comma < 0 ? undefined : comma);
      if (field.includes('"')) return 'a quote must open and close a whole field';
      fields.push(field);
      if (comma < 0) return fields;
      at = comma + 1;
      continue;
    }
    let field = '';
    for (;;) {
      const close = text.indexOf('"', at + 1);
      if (close < 0) return 'a quoted field must close on its line';
      field += text.slice(at + 1, close);
      at = close + 1;
      if (text[at] !== '"') break;
      field += '"';
    }
    fields.push(field);
    if (at === text.length) return fields;
    if (text[at] !== ',') return 'a quote must open and close a whole field';
    at++;
  }
}

function checkHeader(file: string, { fields, problem }: CsvLine, columns: readonly string[]): void {
  if (fields !== undefined && fields.every((name, i) => name === columns[i])) return;
  const got = fields === undefined ? problem : fields.join(',').slice(0, 80);
  const hint = fields?.[0]?.startsWith('\ufeff') ? '; save it without a byte order mark' : '';
  throw new FormatError(`readCsv: ${file}: line 1: header must be ${columns.join(',')}, got ${got}${hint}`);
}
