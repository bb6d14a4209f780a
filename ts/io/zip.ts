import { crc32, inflateRawSync } from 'node:zlib';
import { describe } from './arguments';

/** One file of a zip archive whose headers have been checked; nothing is inflated before `read`. */
export interface ZipEntry {
  readonly name: string;
  /** Inflated size that both headers declare. */
  readonly nBytes: number;
  /** The content, its size and CRC checked. Stored content shares the archive's memory. @throws FormatError */
  read(): Uint8Array;
}

export interface ZipLimits {
  /** Largest sum of inflated sizes, in bytes. */
  readonly maxBytes: number;
}

type Fail = (message: string) => never;

interface CentralRecord {
  readonly name: string;
  readonly nameBytes: Uint8Array;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly storedBytes: number;
  readonly nBytes: number;
  readonly offset: number;
}

const END_SIGNATURE = 0x06054b50;
const ZIP64_LOCATOR_SIGNATURE = 0x07064b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const DESCRIPTOR_SIGNATURE = 0x08074b50;
const END_BYTES = 22;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const ZIP64_EXTRA = 1;
const UINT32_MAX = 0xffffffff;

const STORED = 0;
const DEFLATED = 8;
/** Flags: compression level (1, 2), sizes after the data (3), UTF-8 name (11). All others mean encryption or patches. */
const FLAG_DESCRIPTOR = 1 << 3;
const FLAG_UTF8 = 1 << 11;
const KNOWN_FLAGS = 0b110 | FLAG_DESCRIPTOR | FLAG_UTF8;
const FLAG_ENCRYPTED = 1;
const MAX_VERSION = 45;
/** DEFLATE cannot expand more: 258 bytes from two bits. */
const MAX_EXPANSION = 1032;

/**
 * Reads the directory of a zip archive strictly: the entries, in the order of the directory. Refused are encryption,
 * methods other than stored and deflated, more than one disk, archives over 4 GiB, duplicate names, names that leave the
 * folder, local headers that contradict the directory, entries that overlap or leave gaps, and sizes that DEFLATE cannot
 * reach or that sum to more than the limit.
 * @param fail throws a FormatError with the message
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
export function readZip(bytes: Uint8Array, limits: ZipLimits, fail: Fail): ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const directory = readEnd(bytes, view, fail);
  const records = readDirectory(bytes, view, directory, fail);
  const total = records.reduce((sum, { nBytes }) => sum + nBytes, 0);
  if (total > limits.maxBytes) fail(`inflated sizes must sum to at most ${limits.maxBytes} bytes, got ${total}`);

  const data = new Map<CentralRecord, Uint8Array>();
  let covered = 0;
  for (const record of records.toSorted((a, b) => a.offset - b.offset)) {
    const failEntry: Fail = (message) => fail(`entry ${describe(record.name)}: ${message}`);
    if (record.offset !== covered) {
      failEntry(`local header must be at byte ${covered}, where the one before ends, got ${record.offset}`);
    }
    const start = checkLocalHeader(bytes, view, record, directory.start, failEntry);
    const end = start + record.storedBytes;
    if (end > directory.start) failEntry(`data must end before the directory at ${directory.start}, got ${end}`);
    data.set(record, bytes.subarray(start, end));
    covered = end + descriptorBytes(view, record, end, directory.start, failEntry);
  }
  if (covered !== directory.start)
    fail(`the directory must be at byte ${covered}, where the data ends, got ${directory.start}`);

  return records.map((record) => ({
    name: record.name,
    nBytes: record.nBytes,
    read: () =>
      inflateEntry(record, data.get(record)!, (message) => fail(`entry ${describe(record.name)}: ${message}`)),
  }));
}

interface DirectorySpan {
  readonly start: number;
  readonly end: number;
  readonly count: number;
}

function readEnd(bytes: Uint8Array, view: DataView, fail: Fail): DirectorySpan {
  if (bytes.length < END_BYTES) fail(`truncated: an archive has at least ${END_BYTES} bytes, got ${bytes.length}`);
  // The end record may be followed by a comment of up to 65,535 bytes, which must reach the end of the file.
  const lowest = Math.max(0, bytes.length - END_BYTES - 0xffff);
  let at = bytes.length - END_BYTES;
  while (
    view.getUint32(at, true) !== END_SIGNATURE ||
    at + END_BYTES + view.getUint16(at + 20, true) !== bytes.length
  ) {
    if (--at < lowest)
      return fail(`no end-of-directory record in ${bytes.length} bytes: not a zip archive, or truncated`);
  }
  const count = view.getUint16(at + 10, true);
  const size = view.getUint32(at + 12, true);
  const start = view.getUint32(at + 16, true);
  const zip64 = at >= 20 && view.getUint32(at - 20, true) === ZIP64_LOCATOR_SIGNATURE;
  if (zip64) fail('archives over 4 GiB or 65,535 entries (zip64) are not supported');
  if (view.getUint16(at + 4, true) !== 0 || view.getUint16(at + 6, true) !== 0) fail('must be on one disk');
  if (view.getUint16(at + 8, true) !== count) fail('the two entry counts of the end record must agree');
  if (start + size !== at) fail(`the directory must end at byte ${at}, got ${start} + ${size}`);
  return { start, end: at, count };
}

function readDirectory(bytes: Uint8Array, view: DataView, span: DirectorySpan, fail: Fail): CentralRecord[] {
  const records: CentralRecord[] = [];
  const names = new Set<string>();
  let at = span.start;
  for (let i = 0; i < span.count; i++) {
    const failRecord: Fail = (message) => fail(`directory record ${i}: ${message}`);
    if (at + CENTRAL_BYTES > span.end) failRecord(`must fit before byte ${span.end}, starts at ${at}`);
    if (view.getUint32(at, true) !== CENTRAL_SIGNATURE) failRecord(`no signature at byte ${at}`);
    const nameEnd = at + CENTRAL_BYTES + view.getUint16(at + 28, true);
    const end = nameEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (end > span.end) failRecord(`must end before byte ${span.end}, got ${end}`);
    const nameBytes = bytes.subarray(at + CENTRAL_BYTES, nameEnd);
    const flags = view.getUint16(at + 8, true);
    const record: CentralRecord = {
      name: decodeName(nameBytes, (flags & FLAG_UTF8) !== 0, failRecord),
      nameBytes,
      flags,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      storedBytes: view.getUint32(at + 20, true),
      nBytes: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    };
    const disk = view.getUint16(at + 34, true);
    const version = view.getUint16(at + 6, true) & 0xff;
    checkRecord(record, version, disk, (message) => fail(`entry ${describe(record.name)}: ${message}`));
    if (names.has(record.name)) fail(`entry ${describe(record.name)}: a name must appear once`);
    names.add(record.name);
    records.push(record);
    at = end;
  }
  if (at !== span.end) fail(`${span.end - at} bytes follow the directory's ${span.count} records`);
  return records;
}

function checkRecord(record: CentralRecord, version: number, disk: number, fail: Fail): void {
  const { flags, method, storedBytes, nBytes, offset } = record;
  if (flags & FLAG_ENCRYPTED) fail('must not be encrypted');
  if (flags & ~KNOWN_FLAGS) fail(`flags must be among 0x${KNOWN_FLAGS.toString(16)}, got 0x${flags.toString(16)}`);
  if (method !== STORED && method !== DEFLATED) fail(`method must be stored (0) or deflated (8), got ${method}`);
  if (version > MAX_VERSION) fail(`must need a reader of at most version ${MAX_VERSION}, got ${version}`);
  if (disk !== 0) fail(`must be on disk 0, got ${disk}`);
  if (storedBytes === UINT32_MAX || nBytes === UINT32_MAX || offset === UINT32_MAX)
    fail('sizes over 4 GiB (zip64) are not supported');
  if (method === STORED && storedBytes !== nBytes) fail(`stored size ${storedBytes} must equal its size ${nBytes}`);
  if (nBytes > storedBytes * MAX_EXPANSION) fail(`${storedBytes} bytes cannot inflate to ${nBytes}`);
}

function decodeName(bytes: Uint8Array, isUtf8: boolean, fail: Fail): string {
  let name: string;
  try {
    name = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail('the name must be valid UTF-8');
  }
  if (!isUtf8 && name.length !== bytes.length)
    fail(`a name without the UTF-8 flag must be ASCII, got ${describe(name)}`);
  const problem = unsafeName(name);
  return problem === undefined ? name : fail(`the name must ${problem}, got ${describe(name)}`);
}

/** What a name must do and does not, so that it cannot leave a folder or hide another name; undefined if it is safe. */
export function unsafeName(name: string): string | undefined {
  if (name === '') return 'not be empty';
  // Control characters, and what Windows takes for a separator or a drive.
  if (/[\0-\x1f\x7f\\:]/.test(name)) return 'have no control characters, backslashes or colons';
  if (/\p{Surrogate}/u.test(name)) return 'have no unpaired surrogates';
  if (name.endsWith('/')) return 'be that of a file, not a folder';
  if (name.split('/').some((part) => part === '' || part === '.' || part === '..'))
    return 'be relative without . or ..';
  return undefined;
}

/** Checks the local header against the directory. Returns where the data starts. */
function checkLocalHeader(bytes: Uint8Array, view: DataView, record: CentralRecord, limit: number, fail: Fail): number {
  const at = record.offset;
  if (at + LOCAL_BYTES > limit) fail('the local header is truncated');
  if (view.getUint32(at, true) !== LOCAL_SIGNATURE) fail(`no local header at byte ${at}`);
  const nameEnd = at + LOCAL_BYTES + view.getUint16(at + 26, true);
  const start = nameEnd + view.getUint16(at + 28, true);
  if (start > limit) fail('the local header is truncated');
  const name = bytes.subarray(at + LOCAL_BYTES, nameEnd);
  if (Buffer.compare(name, record.nameBytes) !== 0) fail('the local header has another name');
  if (view.getUint16(at + 6, true) !== record.flags) fail('the local header has other flags');
  if (view.getUint16(at + 8, true) !== record.method) fail('the local header has another method');

  const crc = view.getUint32(at + 14, true);
  let storedBytes = view.getUint32(at + 18, true);
  let nBytes = view.getUint32(at + 22, true);
  if (storedBytes === UINT32_MAX && nBytes === UINT32_MAX) {
    // numpy writes every local header so, to be able to patch in any size.
    const sizes = findZip64Sizes(view, nameEnd, start);
    if (sizes === undefined) return fail('the local header promises zip64 sizes and has none');
    [nBytes, storedBytes] = sizes;
  }
  const unknown = (record.flags & FLAG_DESCRIPTOR) !== 0 && crc === 0 && storedBytes === 0 && nBytes === 0;
  if (!unknown && (crc !== record.crc || storedBytes !== record.storedBytes || nBytes !== record.nBytes)) {
    fail('the local header has other sizes or another CRC');
  }
  return start;
}

/** Inflated and stored size in the zip64 field of a local header's extra data. */
function findZip64Sizes(view: DataView, from: number, to: number): readonly [number, number] | undefined {
  for (let at = from; at + 4 <= to; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== ZIP64_EXTRA || view.getUint16(at + 2, true) < 16 || at + 20 > to) continue;
    return [Number(view.getBigUint64(at + 4, true)), Number(view.getBigUint64(at + 12, true))];
  }
  return undefined;
}

/** Size of the data descriptor after an entry's data: with or without signature, sizes of 4 or 8 bytes. */
function descriptorBytes(view: DataView, record: CentralRecord, at: number, limit: number, fail: Fail): number {
  if ((record.flags & FLAG_DESCRIPTOR) === 0) return 0;
  const matches = (start: number, wide: boolean): boolean => {
    const end = start + (wide ? 20 : 12);
    if (end > limit || view.getUint32(start, true) !== record.crc) return false;
    const size = (position: number): number =>
      wide ? Number(view.getBigUint64(position, true)) : view.getUint32(position, true);
    return size(start + 4) === record.storedBytes && size(start + (wide ? 12 : 8)) === record.nBytes;
  };
  const signed = at + 4 <= limit && view.getUint32(at, true) === DESCRIPTOR_SIGNATURE;
  if (signed && matches(at + 4, false)) return 16;
  if (signed && matches(at + 4, true)) return 24;
  if (matches(at, false)) return 12;
  return matches(at, true) ? 20 : fail('no data descriptor with the sizes and CRC of the directory after the data');
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
