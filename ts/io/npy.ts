import { DTypeError, FormatError } from '../error';
import { allocating, describe, requireBytes, requireString } from './arguments';
import {
  decodeElements,
  fortranToC,
  HOST_IS_LITTLE_ENDIAN,
  LOADS_AS,
  sourceBytes,
  swapBytes,
  type SourceType,
} from './decode';
import type { InputFile } from './files';
import { parseNpyHeader, type NpyHeader } from './npy_header';
import { bytesOf, elementsOfShape, requireRawArray, shapeText, type RawArray } from './raw_array';

/** An array of an npy file, in C order. numpy has no bfloat16. */
export type NpyArray = Exclude<RawArray, { dtype: 'bfloat16' }>;

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] as const;
/** Without structured dtypes a header is under 1,000 bytes (numpy.load refuses more than 10,000). */
const MAX_HEADER_BYTES = 65_535;
const HEADER_ALIGNMENT = 64;
const DESCR = /^([<>|])([biuf])([1-8])$/;

const DESCR_OF: Readonly<Record<NpyArray['dtype'], string>> = {
  float32: '<f4',
  float64: '<f8',
  int32: '<i4',
  uint8: '|u1',
  bool: '|b1',
};

/**
 * Parses a numpy .npy file (format versions 1.0, 2.0, 3.0), either byte order, C or Fortran order.
 * Loads b1 as bool, u1 as uint8, f4 as float32, f8 as float64, f2 as float32, and i1 i2 i4 i8 u2 u4 u8 as int32 with a
 * range check. Where nothing is converted, `data` shares the memory of `bytes`.
 * @param what names the file in error messages
 * @throws FormatError where the file is malformed, truncated, too long, or holds another dtype or a value out of range
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export function parseNpy(bytes: Uint8Array, what: string): NpyArray {
  const label = requireString('parseNpy', 'what', what);
  const file = requireBytes('parseNpy', 'bytes', bytes);
  const fail = (message: string): never => {
    throw new FormatError(`parseNpy: ${label}: ${message}`);
  };

  const header = readHeader(file, label, fail);
  const { type, littleEndian, elements } = readLayout(header, fail);
  const expected = elements * sourceBytes(type);
  const body = file.subarray(header.end);
  if (body.length < expected) {
    fail(`truncated: shape ${shapeText(header.shape)} needs ${expected} bytes of data, got ${body.length}`);
  }
  if (body.length > expected) fail(`${body.length - expected} bytes follow the ${expected} bytes of data`);

  const refuse = (index: number, value: string, range: string): never =>
    fail(`element ${index} (in file order) must be ${range}, got ${value}`);
  const data = allocating('parseNpy', () => {
    const stored = decodeElements(type, body, littleEndian, refuse);
    return header.fortranOrder ? fortranToC(stored, header.shape) : stored;
  });
  return { dtype: LOADS_AS[type], shape: header.shape, data } as NpyArray;
}

/** Element type and number of elements of a header, checked not to overflow. */
function readLayout(header: NpyHeader, fail: (message: string) => never) {
  const { type, littleEndian } = readDescr(header.descr, fail);
  const elements = elementsOfShape(header.shape);
  if (elements === undefined || elements > Number.MAX_SAFE_INTEGER / sourceBytes(type)) {
    return fail(`the size of shape ${shapeText(header.shape)} overflows`);
  }
  return { type, littleEndian, elements };
}

/** Where the elements of an npy file lie in it, without reading them. */
export interface NpyLayout {
  readonly type: SourceType;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
  /** Offset of the first element in bytes. */
  readonly start: number;
}

/**
 * The header of an npy file that is open.
 * @throws FormatError where it is malformed or the file has not exactly the bytes that it says
 */
export function readNpyLayout(file: InputFile): NpyLayout {
  const fail = (message: string): never => {
    throw new FormatError(`parseNpy: ${file.path}: ${message}`);
  };
  const head = file.read(0, Math.min(file.sizeBytes, 12 + MAX_HEADER_BYTES));
  const header = readHeader(head, file.path, fail);
  const { type, elements } = readLayout(header, fail);
  const expected = header.end + elements * sourceBytes(type);
  if (file.sizeBytes !== expected) {
    fail(`shape ${shapeText(header.shape)} needs a file of ${expected} bytes, got ${file.sizeBytes}`);
  }
  return { type, fortranOrder: header.fortranOrder, shape: header.shape, start: header.end };
}

function readHeader(file: Uint8Array, label: string, fail: (message: string) => never) {
  if (file.length < 10) fail(`truncated: a header has at least 10 bytes, got ${file.length}`);
  const magic = MAGIC.findIndex((byte, i) => file[i] !== byte);
  if (magic >= 0) fail(`must start with the magic \\x93NUMPY, got byte ${file[magic]} at ${magic}`);
  const [major, minor] = [file[6]!, file[7]!];
  if (major < 1 || major > 3 || minor !== 0) fail(`version must be 1.0, 2.0 or 3.0, got ${major}.${minor}`);
  const start = major === 1 ? 10 : 12;
  if (file.length < start) {
    fail(`truncated: a version ${major}.0 header has at least ${start} bytes, got ${file.length}`);
  }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER_BYTES) fail(`header length must be at most ${MAX_HEADER_BYTES}, got ${length} at byte 8`);
  const end = start + length;
  if (end > file.length) fail(`truncated: the header ends at byte ${end}, the file at ${file.length}`);
  // One character a byte: versions differ only in the encoding of field names, and the grammar admits ASCII alone.
  const text = Buffer.from(file.buffer, file.byteOffset + start, length).toString('latin1');
  return { ...parseNpyHeader(text, start, label), end };
}

function readDescr(descr: string, fail: (message: string) => never): { type: SourceType; littleEndian: boolean } {
  const [, order, kind, size] = DESCR.exec(descr) ?? [];
  const type = `${kind}${size}`;
  if (order === undefined || !Object.hasOwn(LOADS_AS, type) || (order === '|' && size !== '1')) {
    return fail(
      `descr must be one of b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 after < or > (| for one byte), got ${describe(descr)}`,
    );
  }
  return { type: type as SourceType, littleEndian: order !== '>' };
}

/**
 * Encodes an array as a numpy .npy file, version 1.0, little endian, C order.
 * @throws ArgumentError where the array is not a valid RawArray; DTypeError for bfloat16
 */
export function encodeNpy(array: RawArray): Uint8Array {
  const checked = requireRawArray('encodeNpy', 'array', array);
  if (checked.dtype === 'bfloat16') {
    throw new DTypeError('encodeNpy: dtype must be one numpy has, got bfloat16; cast to float32 or use safetensors');
  }
  const { shape, data } = checked;
  const head = npyHeader(checked.dtype, shape);
  const out = allocating('encodeNpy', () => new Uint8Array(head.length + data.byteLength));
  out.set(head);
  const body = out.subarray(head.length);
  body.set(bytesOf(data));
  if (!HOST_IS_LITTLE_ENDIAN) swapBytes(body, data.BYTES_PER_ELEMENT);
  return out;
}

/** The bytes before the elements (little endian, C order) of an npy file, for files that are written piece by piece. */
export function npyHeader(dtype: NpyArray['dtype'], shape: readonly number[]): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const dict = `{'descr': '${DESCR_OF[dtype]}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const size = Math.ceil((MAGIC.length + 4 + dict.length + 1) / HEADER_ALIGNMENT) * HEADER_ALIGNMENT;
  const head = new Uint8Array(size);
  head.set(MAGIC);
  head.set([1, 0], MAGIC.length);
  new DataView(head.buffer).setUint16(8, size - 10, true);
  head.set(Buffer.from(`${dict.padEnd(size - 11)}\n`, 'latin1'), 10);
  return head;
}
