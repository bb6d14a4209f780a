import { types } from 'node:util';
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

export function isDType(value: unknown): value is DType {
  return DTYPES.includes(value as DType);
}

export function isFloat(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float64' || dtype === 'bfloat16';
}

/** Common dtype of two operands. */
export function promote(a: DType, b: DType): DType {
  return DTYPES.indexOf(a) > DTYPES.indexOf(b) ? a : b;
}

const MAX_SHOWN = 60;

/** Short text of any value for an error message; never throws, whatever the value does. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value.length > MAX_SHOWN ? `${JSON.stringify(value.slice(0, MAX_SHOWN))}...` : JSON.stringify(value);
    case 'bigint': {
      const text = `${value}n`;
      return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text;
    }
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'symbol':
      return 'a symbol';
    case 'function':
      return 'a function';
    case 'object':
      return value === null ? 'null' : describeObject(value);
  }
}

function describeObject(value: object): string {
  if (types.isProxy(value)) return 'a Proxy';
  if (Array.isArray(value)) return `an array of length ${value.length}`;
  try {
    const name = Object.prototype.toString.call(value).slice(8, -1);
    return name === 'Object' ? 'an object' : `an object (${name})`;
  } catch {
    return 'an object that cannot be described';
  }
}
