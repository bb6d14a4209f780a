import fc from 'fast-check';
import type { RawArray, RawDType } from '../../ts/io/raw_array';

export const rawDTypes: readonly RawDType[] = ['float32', 'float64', 'bfloat16', 'int32', 'uint8', 'bool'];

/** Any array a file can hold: up to 4 dimensions of 0 to 5, any bit pattern (NaN payloads and infinities included). */
export function rawArray(dtypes: readonly RawDType[] = rawDTypes): fc.Arbitrary<RawArray> {
  return fc
    .tuple(
      fc.constantFrom(...dtypes),
      fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }),
      fc.infiniteStream(fc.nat(255)),
    )
    .map(([dtype, shape, stream]) => {
      const elements = shape.reduce((product, size) => product * size, 1);
      const bytes = Uint8Array.from(stream.take(elements * 8));
      return makeRawArray(dtype, shape, bytes);
    });
}

/** An array of the given bytes (at least as many as the elements need), bools reduced to 0 and 1. */
export function makeRawArray(dtype: RawDType, shape: readonly number[], bytes: Uint8Array): RawArray {
  const elements = shape.reduce((product, size) => product * size, 1);
  const { buffer } = bytes;
  switch (dtype) {
    case 'float32':
      return { dtype, shape, data: new Float32Array(buffer, 0, elements) };
    case 'float64':
      return { dtype, shape, data: new Float64Array(buffer, 0, elements) };
    case 'bfloat16':
      return { dtype, shape, data: new Uint16Array(buffer, 0, elements) };
    case 'int32':
      return { dtype, shape, data: new Int32Array(buffer, 0, elements) };
    case 'uint8':
      return { dtype, shape, data: new Uint8Array(buffer, 0, elements) };
    case 'bool':
      return { dtype, shape, data: bytes.slice(0, elements).map((byte) => byte & 1) };
  }
}

/** The bits of an array, so that comparison distinguishes NaN payloads and zero signs. */
export function bits(array: RawArray): { dtype: RawDType; shape: number[]; hex: string } {
  const { buffer, byteOffset, byteLength } = array.data;
  return {
    dtype: array.dtype,
    shape: [...array.shape],
    hex: Buffer.from(buffer, byteOffset, byteLength).toString('hex'),
  };
}

/** Copies of `bytes` with one to four bytes changed, cut or added, from a seeded generator. */
export function mutations(bytes: Uint8Array, count: number, seed: number): Uint8Array[] {
  let state = seed >>> 0;
  const below = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  return Array.from({ length: count }, () => {
    let copy = bytes.slice();
    const action = below(10);
    if (action === 0) copy = copy.slice(0, below(copy.length));
    if (action === 1) copy = Uint8Array.from([...copy, ...copy.slice(0, 1 + below(8))]);
    for (let n = 1 + below(4); n > 0 && copy.length > 0; n--) {
      const at = below(copy.length);
      copy[at] = below(2) === 0 ? copy[at]! ^ (1 << below(8)) : below(256);
    }
    return copy;
  });
}
