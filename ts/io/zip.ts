import { crc32, inflateRawSync } from 'node:zlib';
import { describe } from './arguments';
import {
  type CentralRecord,
  type Fail,
  findZip64Extra,
  FLAG_DESCRIPTOR,
  readDirectory,
  readEnd,
  STORED,
  UINT32_MAX,
  viewOf,
  type ZipLimits,
  type ZipSource,
} from './zip_directory';

export { unsafeName } from './zip_directory';
export type { ZipLimits, ZipSource } from './zip_directory';

/** One file of a zip archive whose headers have been checked; no content is read before `read`. */
export interface ZipEntry {
  readonly name: string;
  /** Inflated size that both headers declare. */
  readonly nBytes: number;
  /** The content, its size and CRC checked. Stored content shares the memory of an archive in memory. @throws FormatError */
  read(): Uint8Array;
}

const LOCAL_SIGNATURE = 0x04034b50;
const DESCRIPTOR_SIGNATURE = 0x08074b50;
const LOCAL_BYTES = 30;
/** With signature and 64-bit sizes. */
const MAX_DESCRIPTOR_BYTES = 24;

/**
 * Reads the directory of a zip archive strictly: the entries, in the order of the directory. Refused are encryption,
 * methods other than stored and deflated, more than one disk, archives over 4 GiB (unless zip64 is allowed), duplicate
 * names, names that leave the folder, local headers that contradict the directory, entries that overlap or leave gaps, and
 * sizes that DEFLATE cannot reach or that sum to more than the limit.
 * @param archive the archive in memory, or where it can be read from
 * @param fail throws a FormatError with the message
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
export function readZip(archive: Uint8Array | ZipSource, limits: ZipLimits, fail: Fail): ZipEntry[] {
  const source = 'sizeBytes' in archive ? archive : inMemory(archive);
  const directory = readEnd(source, limits, fail);
  const records = readDirectory(source, directory, limits, fail);
  const total = records.reduce((sum, { nBytes }) => sum + nBytes, 0);
  if (total > limits.maxBytes) fail(`inflated sizes must sum to at most ${limits.maxBytes} bytes, got ${total}`);

  const starts = new Map<CentralRecord, number>();
  let covered = 0;
  for (const record of records.toSorted((a, b) => a.offset - b.offset)) {
    const failEntry: Fail = (message) => fail(`entry ${describe(record.name)}: ${message}`);
    if (record.offset !== covered) {
      failEntry(`local header must be at byte ${covered}, where the one before ends, got ${record.offset}`);
    }
    const start = checkLocalHeader(source, record, directory.start, failEntry);
    const end = start + record.storedBytes;
    if (end > directory.start) failEntry(`data must end before the directory at ${directory.start}, got ${end}`);
    starts.set(record, start);
    covered = end + descriptorBytes(source, record, end, directory.start, failEntry);
  }
  if (covered !== directory.start)
    fail(`the directory must be at byte ${covered}, where the data ends, got ${directory.start}`);

  return records.map((record) => ({
    name: record.name,
    nBytes: record.nBytes,
    read: () =>
      inflateEntry(record, source.read(starts.get(record)!, record.storedBytes), (message) =>
        fail(`entry ${describe(record.name)}: ${message}`),
      ),
  }));
}

function inMemory(bytes: Uint8Array): ZipSource {
  return { sizeBytes: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

/** Checks the local header against the directory. Returns where the data starts. */
function checkLocalHeader(source: ZipSource, record: CentralRecord, limit: number, fail: Fail): number {
  if (record.offset + LOCAL_BYTES > limit) fail('the local header is truncated');
  const head = viewOf(source.read(record.offset, LOCAL_BYTES));
  if (head.getUint32(0, true) !== LOCAL_SIGNATURE) fail(`no local header at byte ${record.offset}`);
  const nameBytes = head.getUint16(26, true);
  const extraBytes = head.getUint16(28, true);
  const start = record.offset + LOCAL_BYTES + nameBytes + extraBytes;
  if (start > limit) fail('the local header is truncated');
  const rest = source.read(record.offset + LOCAL_BYTES, nameBytes + extraBytes);
  if (Buffer.compare(rest.subarray(0, nameBytes), record.nameBytes) !== 0) fail('the local header has another name');
  if (head.getUint16(6, true) !== record.flags) fail('the local header has other flags');
  if (head.getUint16(8, true) !== record.method) fail('the local header has another method');

  const crc = head.getUint32(14, true);
  let storedBytes = head.getUint32(18, true);
  let nBytes = head.getUint32(22, true);
  if (storedBytes === UINT32_MAX && nBytes === UINT32_MAX) {
    // numpy writes every local header so, to be able to patch in any size.
    const view = viewOf(rest);
    const extra = findZip64Extra(view, nameBytes, rest.length);
    if (extra === undefined || extra.at + 16 > extra.end) {
      return fail('the local header promises zip64 sizes and has none');
    }
    nBytes = Number(view.getBigUint64(extra.at, true));
    storedBytes = Number(view.getBigUint64(extra.at + 8, true));
  }
  const unknown = (record.flags & FLAG_DESCRIPTOR) !== 0 && crc === 0 && storedBytes === 0 && nBytes === 0;
  if (!unknown && (crc !== record.crc || storedBytes !== record.storedBytes || nBytes !== record.nBytes)) {
    fail('the local header has other sizes or another CRC');
  }
  return start;
}

/** Size of the data descriptor after an entry's data: with or without signature, sizes of 4 or 8 bytes. */
function descriptorBytes(source: ZipSource, record: CentralRecord, from: number, limit: number, fail: Fail): number {
  if ((record.flags & FLAG_DESCRIPTOR) === 0) return 0;
  const view = viewOf(source.read(from, Math.min(MAX_DESCRIPTOR_BYTES, limit - from)));
  const matches = (start: number, wide: boolean): boolean => {
    if (start + (wide ? 20 : 12) > view.byteLength || view.getUint32(start, true) !== record.crc) return false;
    const size = (position: number): number =>
      wide ? Number(view.getBigUint64(position, true)) : view.getUint32(position, true);
    return size(start + 4) === record.storedBytes && size(start + (wide ? 12 : 8)) === record.nBytes;
  };
  const signed = view.byteLength >= 4 && view.getUint32(0, true) === DESCRIPTOR_SIGNATURE;
  if (signed && matches(4, false)) return 16;
  if (signed && matches(4, true)) return 24;
  if (matches(0, false)) return 12;
  return matches(0, true) ? 20 : fail('no data descriptor with the sizes and CRC of the directory after the data');
}

function inflateEntry(record: CentralRecord, stored: Uint8Array, fail: Fail): Uint8Array {
  const content = record.method === STORED ? stored : inflate(stored, record.nBytes, fail);
  const crc = crc32(content);
  if (crc !== record.crc) fail(`CRC-32 must be ${record.crc}, got ${crc}`);
  return content;
}

function inflate(stored: Uint8Array, nBytes: number, fail: Fail): Uint8Array {
  let result: { buffer: Uint8Array; engine: { bytesWritten: number } };
  try {
    // With `info`, which the types leave out, the engine comes too and tells how much input it used.
    const options = { maxOutputLength: Math.max(1, nBytes), info: true };
    result = inflateRawSync(stored, options) as unknown as typeof result;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ERR_BUFFER_TOO_LARGE') return fail(`inflates to more than the declared ${nBytes} bytes`);
    if (code?.startsWith('Z_')) return fail(`not valid DEFLATE data (${code})`);
    throw error;
  }
  const { buffer, engine } = result;
  if (buffer.length !== nBytes) fail(`must inflate to ${nBytes} bytes, got ${buffer.length}`);
  if (engine.bytesWritten !== stored.length) {
    fail(`${stored.length - engine.bytesWritten} bytes follow the end of the DEFLATE data`);
  }
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
