import { ArgumentError } from '../error';

/** Element types in promotion order: mixing two gives the later one. The order is native/core/dtype.h's. */
export const DTYPES = ['bool', 'uint8', 'int32', 'bfloat16', 'float32', 'float64'] as const;
export type DType = (typeof DTYPES)[number];

/** What `data()` returns. bfloat16 has no typed array, its values come as float32. */
export type DataArray = Uint8Array | Int32Array | Float32Array | Float64Array;

export const BYTES_PER_ELEMENT: Readonly<Record<DType, number>> = {
  bool: 1,
  uint8: 1,
  int32: 4,
  bfloat16: 2,
  float32: 4,
  float64: 8,
};

export function dtypeCode(dtype: DType, op = 'dtype'): number {
  const code = DTYPES.indexOf(dtype);
  if (code < 0) throw new ArgumentError(`${op}: dtype must be one of ${DTYPES.join(', ')}, got ${describe(dtype)}`);
  return code;
}

export function isFloat(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float64' || dtype === 'bfloat16';
}

/** Common dtype of two operands. */
export function promote(a: DType, b: DType): DType {
  return DTYPES.indexOf(a) > DTYPES.indexOf(b) ? a : b;
}

/** Short text of any value for an error message; never throws, whatever the value does. */
export function describe(value: unknown): string {
  try {
    if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'function') return 'a function';
    if (typeof value === 'symbol') return 'a symbol';
    if (typeof value !== 'object' || value === null) return String(value);
    if (Array.isArray(value)) return `an array of length ${value.length}`;
    return `an object (${Object.prototype.toString.call(value).slice(8, -1)})`;
  } catch {
    return 'an object that cannot be described';
  }
}
