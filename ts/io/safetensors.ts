import { ArgumentError, FormatError } from '../error';
import { allocating, describe, requireBytes, requireMap, requirePath, requireString } from './arguments';
import { writeFileAtomic } from './atomic_file';
import { decodeElements, HOST_IS_LITTLE_ENDIAN, LOADS_AS, swapBytes } from './decode';
import { InputFile } from './files';
import { bytesOf, RAW_DTYPE_BYTES, requireRawArray, type RawArray, type RawDType } from './raw_array';
import { MAX_HEADER_BYTES, parseSafetensorsHeader, type SafetensorsEntry } from './safetensors_header';

/** Tensors by name, and the free-form strings of `__metadata__`. */
export interface Safetensors {
  readonly tensors: Map<string, RawArray>;
  readonly metadata: Map<string, string>;
}

const LENGTH_BYTES = 8;
const HEADER_ALIGNMENT = 8;
const METADATA = '__metadata__';

const DTYPE_NAME: Readonly<Record<RawDType, string>> = {
  float32: 'F32',
  float64: 'F64',
  bfloat16: 'BF16',
  int32: 'I32',
  uint8: 'U8',
  bool: 'BOOL',
};

/**
 * Parses a safetensors file. Loads F32, F64, BF16, I32, U8, BOOL as they are, F16 as float32, and I8 I16 U16 U32 I64 U64
 * as int32 with a range check; other dtypes are refused. Offsets must cover the data exactly, without holes or overlaps.
 * Where nothing is converted and the data is aligned, arrays share the memory of `bytes`.
 * @param what names the file in error messages
 * @throws FormatError where the file is malformed
 * @see https://github.com/huggingface/safetensors#format
 */
export function parseSafetensors(bytes: Uint8Array, what: string): Safetensors {
  const op = 'parseSafetensors';
  const label = requireString(op, 'what', what);
  const file = requireBytes(op, 'bytes', bytes);
  const headerBytes = readHeaderLength(op, label, file.length, (length) => file.subarray(0, length));
  const start = LENGTH_BYTES + headerBytes;
  const header = parseSafetensorsHeader(op, label, file.subarray(LENGTH_BYTES, start), file.length - start);
  const tensors = new Map<string, RawArray>();
  for (const [name, entry] of header.entries) {
    tensors.set(name, decodeEntry(op, label, name, entry, file.subarray(start + entry.begin, start + entry.end)));
  }
  return { tensors, metadata: header.metadata };
}

/** A safetensors file on disk: the header is read at once, each tensor when asked for. Close it, or declare it `using`. */
export class SafetensorsFile implements Disposable {
  /** What the file holds. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: ReadonlyMap<string, string>;
  private readonly input: InputFile;
  private readonly dataStart: number;

  /** @throws FileError where the file cannot be read, FormatError where it is malformed */
  constructor(path: string) {
    const op = 'SafetensorsFile';
    const file = requirePath(op, 'path', path);
    const input = new InputFile(op, file);
    try {
      const headerBytes = readHeaderLength(op, file, input.sizeBytes, (length) => input.read(0, length));
      this.dataStart = LENGTH_BYTES + headerBytes;
      const text = input.read(LENGTH_BYTES, headerBytes);
      const header = parseSafetensorsHeader(op, file, text, input.sizeBytes - this.dataStart);
      this.entries = header.entries;
      this.metadata = header.metadata;
    } catch (error) {
      input.close();
      throw error;
    }
    this.input = input;
  }

  /** Reads one tensor. @throws ArgumentError for an unknown name, FormatError for a value out of range */
  read(name: string): RawArray {
    const op = 'SafetensorsFile.read';
    const entry = this.entries.get(requireString(op, 'name', name));
    if (entry === undefined) {
      throw new ArgumentError(`${op}: ${this.input.path} must hold the tensor, got the name ${describe(name)}`);
    }
    const bytes = this.input.read(this.dataStart + entry.begin, entry.end - entry.begin);
    return decodeEntry(op, this.input.path, name, entry, bytes);
  }

  close(): void {
    this.input.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function readHeaderLength(op: string, label: string, size: number, read: (length: number) => Uint8Array): number {
  if (size < LENGTH_BYTES) {
    throw new FormatError(`${op}: ${label}: truncated: the header's length takes 8 bytes, got ${size}`);
  }
  const bytes = read(LENGTH_BYTES);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new FormatError(
      `${op}: ${label}: header length must be at most ${MAX_HEADER_BYTES}, got ${length.toString()}`,
    );
  }
  if (Number(length) > size - LENGTH_BYTES) {
    throw new FormatError(
      `${op}: ${label}: truncated: the header ends at byte ${Number(length) + LENGTH_BYTES}, the file at ${size}`,
    );
  }
  return Number(length);
}

function decodeEntry(op: string, label: string, name: string, entry: SafetensorsEntry, bytes: Uint8Array): RawArray {
  const refuse = (index: number, value: string, range: string): never => {
    const tensor = `tensor ${describe(name)} (${entry.fileDtype})`;
    throw new FormatError(`${op}: ${label}: ${tensor}: element ${index} must be ${range}, got ${value}`);
  };
  const data = allocating(op, () => decodeElements(entry.source, bytes, true, refuse));
  return { dtype: LOADS_AS[entry.source], shape: entry.shape, data } as RawArray;
}

/**
 * Encodes tensors as a safetensors file: the header lists them in the order of the map, the data is sorted by element
 * size, largest first, so that every tensor is aligned to its elements.
 * @throws ArgumentError where a name or array is invalid
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, RawArray>,
  metadata?: ReadonlyMap<string, string>,
): Uint8Array {
  const plan = planFile('encodeSafetensors', tensors, metadata);
  const out = allocating('encodeSafetensors', () => new Uint8Array(plan.nBytes));
  let at = 0;
  for (const chunk of plan.chunks()) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

/** The same file in pieces that share the tensors' memory, for writing without a second copy of the data. */
export function safetensorsChunks(
  tensors: ReadonlyMap<string, RawArray>,
  metadata?: ReadonlyMap<string, string>,
): Iterable<Uint8Array> {
  return planFile('safetensorsChunks', tensors, metadata).chunks();
}

/** Writes a safetensors file atomically. @throws ArgumentError; FileError where the system refuses */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, RawArray>,
  metadata?: ReadonlyMap<string, string>,
): void {
  const file = requirePath('writeSafetensors', 'path', path);
  writeFileAtomic(file, planFile('writeSafetensors', tensors, metadata).chunks());
}

function planFile(op: string, tensors: unknown, metadata: unknown) {
  const arrays = [...requireMap(op, 'tensors', tensors)].map(([key, value]) => {
    const name = requireName(op, 'a tensor name', key);
    if (name === METADATA) throw new ArgumentError(`${op}: a tensor name must not be ${METADATA}, which is reserved`);
    return { name, array: requireRawArray(op, `tensor ${describe(name)}`, value), begin: 0 };
  });
  const stored = arrays.toSorted((a, b) => RAW_DTYPE_BYTES[b.array.dtype] - RAW_DTYPE_BYTES[a.array.dtype]);
  let dataBytes = 0;
  for (const item of stored) {
    item.begin = dataBytes;
    dataBytes += item.array.data.byteLength;
  }

  // Text is joined by hand: an object would move keys such as "0" to the front and could not hold "__proto__".
  const fields = arrays.map(({ name, array, begin }) => {
    const { dtype, shape, data } = array;
    const info = { dtype: DTYPE_NAME[dtype], shape, data_offsets: [begin, begin + data.byteLength] };
    return `${JSON.stringify(name)}:${JSON.stringify(info)}`;
  });
  const strings = metadata === undefined ? [] : requireStrings(op, metadata);
  if (strings.length > 0) fields.unshift(`${JSON.stringify(METADATA)}:{${strings.join(',')}}`);
  const text = Buffer.from(`{${fields.join(',')}}`, 'utf8');
  const headerBytes = Math.ceil(text.length / HEADER_ALIGNMENT) * HEADER_ALIGNMENT;
  if (headerBytes > MAX_HEADER_BYTES) {
    throw new ArgumentError(`${op}: the header must have at most ${MAX_HEADER_BYTES} bytes, got ${headerBytes}`);
  }

  function* chunks(): Generator<Uint8Array> {
    const head = new Uint8Array(LENGTH_BYTES + headerBytes).fill(0x20);
    new DataView(head.buffer).setBigUint64(0, BigInt(headerBytes), true);
    head.set(text, LENGTH_BYTES);
    yield head;
    for (const { array } of stored) {
      const bytes = bytesOf(array.data);
      if (HOST_IS_LITTLE_ENDIAN) {
        yield bytes;
      } else {
        const swapped = bytes.slice();
        swapBytes(swapped, array.data.BYTES_PER_ELEMENT);
        yield swapped;
      }
    }
  }
  return { nBytes: LENGTH_BYTES + headerBytes + dataBytes, chunks };
}

function requireStrings(op: string, metadata: unknown): string[] {
  return [...requireMap(op, 'metadata', metadata)].map(([key, value]) => {
    const name = requireName(op, 'a metadata key', key);
    return `${JSON.stringify(name)}:${JSON.stringify(requireName(op, `metadata ${describe(name)}`, value))}`;
  });
}

/** A string that UTF-8 can hold: readers refuse an unpaired surrogate. */
function requireName(op: string, what: string, value: unknown): string {
  const name = requireString(op, what, value);
  if (/\p{Surrogate}/u.test(name)) {
    throw new ArgumentError(`${op}: ${what} must not contain an unpaired surrogate, got ${describe(name)}`);
  }
  return name;
}
