import { firstNonBool, type RawArray, type RawDataOf, type RawDType } from './raw_array';

/** Element types that files hold, by numpy's kind and size in bytes; wider than ours, so some are converted. */
export type SourceType = 'b1' | 'i1' | 'i2' | 'i4' | 'i8' | 'u1' | 'u2' | 'u4' | 'u8' | 'f2' | 'f4' | 'f8' | 'bf2';

/** What each source type loads as: integers we lack as int32 (range-checked), half precision as float32. */
export const LOADS_AS: Readonly<Record<SourceType, RawDType>> = {
  b1: 'bool',
  i1: 'int32',
  i2: 'int32',
  i4: 'int32',
  i8: 'int32',
  u1: 'uint8',
  u2: 'int32',
  u4: 'int32',
  u8: 'int32',
  f2: 'float32',
  f4: 'float32',
  f8: 'float64',
  bf2: 'bfloat16',
};

export function sourceBytes(type: SourceType): number {
  return Number(type.at(-1));
}

export const HOST_IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/**
 * Elements of a file as the typed array of `LOADS_AS[type]`. `bytes.length` must be a multiple of the element size.
 * Where no conversion is needed and the bytes are aligned, the result shares their memory.
 * `refuse` reports a value that does not fit, with its index in file order, and must throw.
 */
export function decodeElements(
  type: SourceType,
  bytes: Uint8Array,
  littleEndian: boolean,
  refuse: (index: number, value: string, expected: string) => never,
): RawArray['data'] {
  const size = sourceBytes(type);
  const swap = littleEndian !== HOST_IS_LITTLE_ENDIAN && size > 1;
  const { buffer, byteOffset } = swap || bytes.byteOffset % size !== 0 ? bytes.slice() : bytes;
  const count = bytes.length / size;
  if (swap) swapBytes(new Uint8Array(buffer, byteOffset, bytes.length), size);
  switch (type) {
    case 'b1': {
      const data = new Uint8Array(buffer, byteOffset, count);
      const wrong = firstNonBool(data);
      return wrong < 0 ? data : refuse(wrong, String(data[wrong]), '0 or 1');
    }
    case 'u1':
      return new Uint8Array(buffer, byteOffset, count);
    case 'bf2':
      return new Uint16Array(buffer, byteOffset, count);
    case 'i4':
      return new Int32Array(buffer, byteOffset, count);
    case 'f4':
      return new Float32Array(buffer, byteOffset, count);
    case 'f8':
      return new Float64Array(buffer, byteOffset, count);
    case 'i1':
      return new Int32Array(new Int8Array(buffer, byteOffset, count));
    case 'i2':
      return new Int32Array(new Int16Array(buffer, byteOffset, count));
    case 'u2':
      return new Int32Array(new Uint16Array(buffer, byteOffset, count));
    case 'f2':
      return halfToFloat32(new Uint16Array(buffer, byteOffset, count));
    case 'u4':
      return narrowWords(new Int32Array(buffer, byteOffset, count), 1, true, refuse);
    case 'i8':
      return narrowWords(new Int32Array(buffer, byteOffset, 2 * count), 2, false, refuse);
    case 'u8':
      return narrowWords(new Int32Array(buffer, byteOffset, 2 * count), 2, true, refuse);
  }
}

/** Reverses the bytes of every element, in place. */
export function swapBytes(bytes: Uint8Array, elementBytes: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (elementBytes === 8) buffer.swap64();
  if (elementBytes === 4) buffer.swap32();
  if (elementBytes === 2) buffer.swap16();
}

/** Integers of one or two 32-bit words to int32; two words are ten times faster than BigInt64Array. */
function narrowWords(
  words: Int32Array,
  wordsEach: 1 | 2,
  unsigned: boolean,
  refuse: (index: number, value: string, expected: string) => never,
): RawDataOf['int32'] {
  const out = new Int32Array(words.length / wordsEach);
  const low = HOST_IS_LITTLE_ENDIAN ? 0 : wordsEach - 1;
  const high = wordsEach - 1 - low;
  for (let i = 0, w = 0; i < out.length; i++, w += wordsEach) {
    const value = words[w + low]!;
    const fits = wordsEach === 1 ? value >= 0 : words[w + high] === value >> 31 && !(unsigned && value < 0);
    if (!fits) {
      const signed = wordsEach === 1 ? BigInt(value) : (BigInt(words[w + high]!) << 32n) | BigInt(value >>> 0);
      const exact = unsigned ? BigInt.asUintN(32 * wordsEach, signed) : signed;
      refuse(i, String(exact), 'in the range of int32');
    }
    out[i] = value;
  }
  return out;
}

/** IEEE binary16 to binary32, exact; NaN payloads are kept in the top bits. */
function halfToFloat32(half: Uint16Array): Float32Array {
  const out = new Float32Array(half.length);
  const bits = new Uint32Array(out.buffer);
  for (let i = 0; i < half.length; i++) {
    const h = half[i]!;
    const exponent = (h >> 10) & 31;
    const fraction = h & 1023;
    if (exponent === 0) out[i] = (h & 0x8000 ? -1 : 1) * fraction * 2 ** -24;
    else bits[i] = ((h & 0x8000) << 16) | ((exponent === 31 ? 255 : exponent + 112) << 23) | (fraction << 13);
  }
  return out;
}

/** Rearranges elements stored first-index-fastest (Fortran) into C order, in a new array. */
export function fortranToC<T extends RawArray['data']>(data: T, shape: readonly number[]): T {
  if (shape.length < 2 || data.length === 0) return data.slice() as T;
  const strides: number[] = [];
  let stride = 1;
  for (const size of shape) {
    strides.push(stride);
    stride *= size;
  }
  return stridedToC(data, shape, strides);
}

/**
 * The elements of a strided array in C order, in a new array.
 * @param data its first element is that of the array; every element that shape and strides reach is inside
 * @param shape with at least one dimension and no size 0
 */
export function stridedToC<T extends RawArray['data']>(
  data: T,
  shape: readonly number[],
  strides: readonly number[],
): T {
  const elements = shape.reduce((product, size) => product * size, 1);
  // Not more than what is there (the elements are distinct), so a slice has room for all of them.
  const out = data.slice(0, elements) as T;
  const last = shape.length - 1;
  const inner = shape[last]!;
  const innerStride = strides[last]!;
  const index = new Array<number>(shape.length).fill(0);
  let start = 0;
  for (let o = 0; o < out.length;) {
    for (let i = 0, from = start; i < inner; i++, from += innerStride) out[o++] = data[from]!;
    for (let d = last - 1; d >= 0; d--) {
      start += strides[d]!;
      index[d]!++;
      if (index[d]! < shape[d]!) break;
      start -= strides[d]! * shape[d]!;
      index[d] = 0;
    }
  }
  return out;
}
