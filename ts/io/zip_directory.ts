import { describe } from './arguments';

/** Where an archive lies: bytes in memory, or a file of which only what is asked for is read. */
export interface ZipSource {
  readonly sizeBytes: number;
  /** `length` bytes from `offset`, inside the source. */
  read(offset: number, length: number): Uint8Array;
}

export interface ZipLimits {
  /** Largest sum of inflated sizes, in bytes. */
  readonly maxBytes: number;
  /** Whether the 64-bit end record and sizes (zip64) are read; refused by default. */
  readonly zip64?: boolean;
  /** Whether all entries must be stored as they are. */
  readonly storedOnly?: boolean;
}

export type Fail = (message: string) => never;

/** A record of the directory at the end of an archive. */
export interface CentralRecord {
  readonly name: string;
  readonly nameBytes: Uint8Array;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly storedBytes: number;
  readonly nBytes: number;
  /** Of the local header. */
  readonly offset: number;
}

/** The directory: its bytes lie in [start, end) of the source. */
export interface DirectorySpan {
  readonly start: number;
  readonly end: number;
  readonly count: number;
}

const END_SIGNATURE = 0x06054b50;
const ZIP64_LOCATOR_SIGNATURE = 0x07064b50;
const ZIP64_END_SIGNATURE = 0x06064b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const END_BYTES = 22;
const ZIP64_LOCATOR_BYTES = 20;
const ZIP64_END_BYTES = 56;
const CENTRAL_BYTES = 46;
const ZIP64_EXTRA = 1;
const MAX_COMMENT_BYTES = 0xffff;
const UINT16_MAX = 0xffff;
export const UINT32_MAX = 0xffffffff;
/** More than any archive of tensors has; a record in memory is a few hundred bytes. */
const MAX_ENTRIES = 2 ** 20;

export const STORED = 0;
const DEFLATED = 8;
/** Flags: compression level (1, 2), sizes after the data (3), UTF-8 name (11). All others mean encryption or patches. */
export const FLAG_DESCRIPTOR = 1 << 3;
const FLAG_UTF8 = 1 << 11;
const KNOWN_FLAGS = 0b110 | FLAG_DESCRIPTOR | FLAG_UTF8;
const FLAG_ENCRYPTED = 1;
const MAX_VERSION = 45;
/** DEFLATE cannot expand more: 258 bytes from two bits. */
const MAX_EXPANSION = 1032;

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The directory's place, from the end record and, where that is allowed, its 64-bit twin before it. */
export function readEnd(source: ZipSource, limits: ZipLimits, fail: Fail): DirectorySpan {
  const { sizeBytes } = source;
  if (sizeBytes < END_BYTES) fail(`truncated: an archive has at least ${END_BYTES} bytes, got ${sizeBytes}`);
  // The end record may be followed by a comment, which must reach the end of the file.
  const tailBytes = Math.min(sizeBytes, END_BYTES + MAX_COMMENT_BYTES + ZIP64_LOCATOR_BYTES);
  const tailStart = sizeBytes - tailBytes;
  const view = viewOf(source.read(tailStart, tailBytes));
  const lowest = Math.max(0, tailBytes - END_BYTES - MAX_COMMENT_BYTES);
  let at = tailBytes - END_BYTES;
  while (view.getUint32(at, true) !== END_SIGNATURE || at + END_BYTES + view.getUint16(at + 20, true) !== tailBytes) {
    if (--at < lowest) return fail(`no end-of-directory record in ${sizeBytes} bytes: not a zip archive, or truncated`);
  }
  const count = view.getUint16(at + 10, true);
  const size = view.getUint32(at + 12, true);
  const start = view.getUint32(at + 16, true);
  const locator = at - ZIP64_LOCATOR_BYTES;
  const isZip64 = locator >= 0 && view.getUint32(locator, true) === ZIP64_LOCATOR_SIGNATURE;
  if (isZip64 && limits.zip64 !== true) fail('archives over 4 GiB or 65,535 entries (zip64) are not supported');
  if (view.getUint16(at + 4, true) !== 0 || view.getUint16(at + 6, true) !== 0) fail('must be on one disk');
  if (view.getUint16(at + 8, true) !== count) fail('the two entry counts of the end record must agree');
  const end = tailStart + at;
  if (isZip64) {
    const wide = readZip64End(source, end - ZIP64_LOCATOR_BYTES, fail);
    const agrees = (narrow: number, value: number, max: number): boolean => narrow === value || narrow === max;
    const wideBytes = wide.end - wide.start;
    if (
      !agrees(count, wide.count, UINT16_MAX) ||
      !agrees(size, wideBytes, UINT32_MAX) ||
      !agrees(start, wide.start, UINT32_MAX)
    )
      fail('the two end records must agree');
    return wide;
  }
  if (start + size !== end) fail(`the directory must end at byte ${end}, got ${start} + ${size}`);
  return { start, end, count };
}

/** The 64-bit end record, which must lie right before its locator. */
function readZip64End(source: ZipSource, locatorAt: number, fail: Fail): DirectorySpan {
  const at = locatorAt - ZIP64_END_BYTES;
  if (at < 0) return fail('the 64-bit end record is truncated');
  const bytes = source.read(at, ZIP64_END_BYTES + ZIP64_LOCATOR_BYTES);
  const view = viewOf(bytes);
  const wide = (offset: number): number =>
    readUint64(view, offset, (message) => fail(`the 64-bit end record: ${message}`));
  if (view.getUint32(0, true) !== ZIP64_END_SIGNATURE) fail(`no 64-bit end record at byte ${at}`);
  const located = wide(ZIP64_END_BYTES + 8);
  if (located !== at) fail(`the locator must point to the 64-bit end record at byte ${at}, got ${located}`);
  const recordBytes = wide(4);
  if (recordBytes !== ZIP64_END_BYTES - 12) {
    fail(`the 64-bit end record must have ${ZIP64_END_BYTES - 12} bytes, got ${recordBytes}`);
  }
  if (view.getUint32(16, true) !== 0 || view.getUint32(20, true) !== 0) fail('the 64-bit end record must be on disk 0');
  const [countHere, count, size, start] = [wide(24), wide(32), wide(40), wide(48)];
  if (countHere !== count) fail('the two entry counts of the 64-bit end record must agree');
  if (count > MAX_ENTRIES) fail(`at most ${MAX_ENTRIES} entries are read, got ${count}`);
  if (start + size !== at) fail(`the directory must end at byte ${at}, got ${start} + ${size}`);
  return { start, end: at, count };
}

function readUint64(view: DataView, at: number, fail: Fail): number {
  const value = view.getBigUint64(at, true);
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : fail(`${value.toString()} is beyond any file`);
}

/** Every record of the directory, checked by itself; names are unique. */
export function readDirectory(source: ZipSource, span: DirectorySpan, limits: ZipLimits, fail: Fail): CentralRecord[] {
  const bytes = source.read(span.start, span.end - span.start);
  const view = viewOf(bytes);
  const records: CentralRecord[] = [];
  const names = new Set<string>();
  let at = 0;
  for (let i = 0; i < span.count; i++) {
    const failRecord: Fail = (message) => fail(`directory record ${i}: ${message}`);
    const fileAt = span.start + at;
    if (at + CENTRAL_BYTES > bytes.length) failRecord(`must fit before byte ${span.end}, starts at ${fileAt}`);
    if (view.getUint32(at, true) !== CENTRAL_SIGNATURE) failRecord(`no signature at byte ${fileAt}`);
    const nameEnd = at + CENTRAL_BYTES + view.getUint16(at + 28, true);
    const extraEnd = nameEnd + view.getUint16(at + 30, true);
    const end = extraEnd + view.getUint16(at + 32, true);
    if (end > bytes.length) failRecord(`must end before byte ${span.end}, got ${span.start + end}`);
    const nameBytes = bytes.subarray(at + CENTRAL_BYTES, nameEnd);
    const flags = view.getUint16(at + 8, true);
    const name = decodeName(nameBytes, (flags & FLAG_UTF8) !== 0, failRecord);
    const failEntry: Fail = (message) => fail(`entry ${describe(name)}: ${message}`);
    const narrow = {
      storedBytes: view.getUint32(at + 20, true),
      nBytes: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    };
    const isWide = Object.values(narrow).includes(UINT32_MAX);
    if (isWide && limits.zip64 !== true) failEntry('sizes over 4 GiB (zip64) are not supported');
    const sizes = isWide ? wideSizes(narrow, view, nameEnd, extraEnd, failEntry) : narrow;
    const record = {
      name,
      nameBytes,
      flags,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      ...sizes,
    };
    const disk = view.getUint16(at + 34, true);
    const version = view.getUint16(at + 6, true) & 0xff;
    checkRecord(record, version, disk, limits, failEntry);
    if (names.has(name)) failEntry('a name must appear once');
    names.add(name);
    records.push(record);
    at = end;
  }
  if (at !== bytes.length) fail(`${bytes.length - at} bytes follow the directory's ${span.count} records`);
  return records;
}

type Sizes = Pick<CentralRecord, 'storedBytes' | 'nBytes' | 'offset'>;

/** The sizes of a record whose 32-bit fields are all ones: the 64-bit ones, in the order of the format. */
function wideSizes(narrow: Sizes, view: DataView, from: number, to: number, fail: Fail): Sizes {
  const extra = findZip64Extra(view, from, to);
  if (extra === undefined) return fail('the directory promises zip64 sizes and has none');
  const sizes = { ...narrow };
  let { at } = extra;
  for (const field of ['nBytes', 'storedBytes', 'offset'] as const) {
    if (narrow[field] !== UINT32_MAX) continue;
    if (at + 8 > extra.end) return fail('the zip64 sizes of the directory are truncated');
    sizes[field] = readUint64(view, at, fail);
    at += 8;
  }
  return sizes;
}

/** The zip64 field of a header's extra data. */
export function findZip64Extra(view: DataView, from: number, to: number): { at: number; end: number } | undefined {
  for (let at = from; at + 4 <= to; at += 4 + view.getUint16(at + 2, true)) {
    const end = at + 4 + view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === ZIP64_EXTRA && end <= to) return { at: at + 4, end };
  }
  return undefined;
}

function checkRecord(record: CentralRecord, version: number, disk: number, limits: ZipLimits, fail: Fail): void {
  const { flags, method, storedBytes, nBytes } = record;
  if (flags & FLAG_ENCRYPTED) fail('must not be encrypted');
  if (flags & ~KNOWN_FLAGS) fail(`flags must be among 0x${KNOWN_FLAGS.toString(16)}, got 0x${flags.toString(16)}`);
  if (limits.storedOnly === true && method !== STORED) fail(`must be stored (method 0), got method ${method}`);
  if (method !== STORED && method !== DEFLATED) fail(`method must be stored (0) or deflated (8), got ${method}`);
  if (version > MAX_VERSION) fail(`must need a reader of at most version ${MAX_VERSION}, got ${version}`);
  if (disk !== 0) fail(`must be on disk 0, got ${disk}`);
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
