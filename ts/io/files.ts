import * as fs from 'node:fs';
import path from 'node:path';
import { getSystemErrorMap } from 'node:util';
import { ArgumentError, FileError, HrmError } from '../error';
import { allocating, describe, readArgument, requireBytes } from './arguments';

/** What to write: bytes, or pieces in order that may be produced while they are written. */
export type FileContent = Uint8Array | Iterable<Uint8Array>;

/** One read or write call moves at most this much: the kernel's own limit is just under 2 GiB. */
export const MAX_TRANSFER_BYTES = 2 ** 28;

/** Runs file system calls; what the system refuses becomes a FileError that names the path. */
export function onFile<T>(op: string, file: string, action: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    const [, meaning] = getSystemErrorMap().get((error as NodeJS.ErrnoException).errno ?? 0) ?? [];
    const why = meaning === undefined ? code : `${code}: ${meaning}`;
    throw new FileError(`${op}: ${file}: cannot ${action} (${why})`, { cause: error });
  }
}

/** The code of an error of Node's file system (ENOENT and so on), undefined for any other error. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error) || !('syscall' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** A regular file open for reading at any offset. */
export class InputFile implements Disposable {
  private fd: number | undefined;
  readonly sizeBytes: number;

  constructor(
    private readonly op: string,
    readonly path: string,
  ) {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer for ever.
    const flags = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0);
    const fd = onFile(op, path, 'open', () => fs.openSync(path, flags));
    try {
      const stat = onFile(op, path, 'read', () => fs.fstatSync(fd));
      if (!stat.isFile()) throw new FileError(`${op}: ${path}: must be a regular file`);
      this.sizeBytes = stat.size;
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
    this.fd = fd;
  }

  /** Exactly `into.length` bytes from `offset`; FileError where the file ends first. */
  readInto(into: Uint8Array, offset: number): void {
    const { fd } = this;
    if (fd === undefined) throw new FileError(`${this.op}: ${this.path}: cannot read, the file was closed`);
    for (let done = 0; done < into.length;) {
      const length = Math.min(into.length - done, MAX_TRANSFER_BYTES);
      const got = onFile(this.op, this.path, 'read', () => fs.readSync(fd, into, done, length, offset + done));
      if (got === 0) throw new FileError(`${this.op}: ${this.path}: cannot read, the file became shorter`);
      done += got;
    }
  }

  /** `length` bytes from `offset`, in memory of their own; check the length against sizeBytes first. */
  read(offset: number, length: number): Uint8Array {
    const bytes = allocating(this.op, () => new Uint8Array(length));
    this.readInto(bytes, offset);
    return bytes;
  }

  close(): void {
    const { fd } = this;
    this.fd = undefined;
    if (fd !== undefined) onFile(this.op, this.path, 'close', () => fs.closeSync(fd));
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The bytes of a regular file of any size (fs.readFileSync stops at 2 GiB), on behalf of `op`. */
export function readWholeFile(op: string, file: string): Uint8Array {
  const input = new InputFile(op, file);
  try {
    return input.read(0, input.sizeBytes);
  } finally {
    input.close();
  }
}

/**
 * Creates a file that must not exist, writes its content and forces it to the disk.
 * @param onChunk sees every piece once, in order, before it is written
 */
export function writeSyncedFile(op: string, file: string, content: FileContent, onChunk?: (chunk: Uint8Array) => void) {
  const fd = onFile(op, file, 'create', () => fs.openSync(file, 'wx'));
  try {
    for (const chunk of chunksOf(op, content)) {
      onChunk?.(chunk);
      for (let done = 0; done < chunk.length;) {
        const length = Math.min(chunk.length - done, MAX_TRANSFER_BYTES);
        done += onFile(op, file, 'write', () => fs.writeSync(fd, chunk, done, length));
      }
    }
    onFile(op, file, 'sync', () => fs.fsyncSync(fd));
  } finally {
    onFile(op, file, 'close', () => fs.closeSync(fd));
  }
}

/** Forces a directory's entries to the disk, so that a rename inside it survives a loss of power. */
export function syncDirectory(op: string, directory: string): void {
  if (process.platform === 'win32') return; // Windows cannot open a directory for this, and journals renames itself.
  const fd = onFile(op, directory, 'open', () => fs.openSync(directory, 'r'));
  try {
    onFile(op, directory, 'sync', () => fs.fsyncSync(fd));
  } finally {
    fs.closeSync(fd);
  }
}

/** Makes a directory and its parents, durably. */
export function makeDirectory(op: string, directory: string): void {
  const first = onFile(op, directory, 'create', () => makeDirectories(directory));
  if (first === undefined) return;
  const top = path.dirname(path.resolve(first));
  for (let parent = path.dirname(path.resolve(directory)); ; parent = path.dirname(parent)) {
    syncDirectory(op, parent);
    if (parent === top || parent === path.dirname(parent)) return;
  }
}

/** Checks that a value can be written: bytes or an iterable (whose pieces are checked as they come). */
export function requireContent(op: string, name: string, value: unknown): FileContent {
  if (typeof value === 'object' && value !== null) {
    if (ArrayBuffer.isView(value)) return requireBytes(op, name, value);
    const iterator: unknown = readArgument(op, name, () => (value as Partial<Iterable<unknown>>)[Symbol.iterator]);
    if (typeof iterator === 'function') return value as Iterable<Uint8Array>;
  }
  throw new ArgumentError(`${op}: ${name} must be a Uint8Array or an iterable of them, got ${describe(value)}`);
}

function* chunksOf(op: string, content: FileContent): Generator<Uint8Array> {
  if (ArrayBuffer.isView(content)) {
    yield requireBytes(op, 'content', content);
    return;
  }
  try {
    for (const chunk of content as Iterable<unknown>) yield requireBytes(op, 'content', chunk);
  } catch (error) {
    if (error instanceof HrmError) throw error;
    throw new ArgumentError(`${op}: content must be iterable to its end, got an error from it`, { cause: error });
  }
}

/**
 * Makes a directory with those above it. Not Node's own `recursive`, which never returns where the system denies that a
 * directory can be made with ENOENT (Linux, under /proc).
 *
 * @returns the first directory that was made; undefined when it was there already
 * @throws the system's error
 */
export function makeDirectories(directory: string): string | undefined {
  if (fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true) return undefined;
  const parent = path.dirname(directory);
  const first = parent === directory ? undefined : makeDirectories(parent);
  try {
    fs.mkdirSync(directory);
  } catch (error) {
    // Another process may have been faster.
    if (errorCode(error) !== 'EEXIST' || !fs.statSync(directory).isDirectory()) throw error;
  }
  return first ?? directory;
}
