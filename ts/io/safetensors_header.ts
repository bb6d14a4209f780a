import { FormatError } from '../error';
import { describe } from './arguments';
import { sourceBytes, type SourceType } from './decode';
import { elementsOfShape, MAX_DIMS, shapeText } from './raw_array';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from './strict_json';

/** One tensor of a safetensors file; `begin` and `end` are byte offsets into the data after the header. */
export interface SafetensorsEntry {
  /** The dtype by the file's name, such as F16. */
  readonly fileDtype: string;
  readonly source: SourceType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** The limit of the reference implementation. */
export const MAX_HEADER_BYTES = 100_000_000;

const SOURCES: Readonly<Record<string, SourceType>> = {
  BOOL: 'b1',
  U8: 'u1',
  I8: 'i1',
  U16: 'u2',
  I16: 'i2',
  F16: 'f2',
  BF16: 'bf2',
  U32: 'u4',
  I32: 'i4',
  F32: 'f4',
  U64: 'u8',
  I64: 'i8',
  F64: 'f8',
};

const FIELDS = ['dtype', 'shape', 'data_offsets'];

/**
 * Parses and checks the JSON header of a safetensors file against the size of the data that follows it.
 * @param op the public function, and `label` the file, for messages
 */
export function parseSafetensorsHeader(
  op: string,
  label: string,
  text: Uint8Array,
  dataBytes: number,
): { entries: Map<string, SafetensorsEntry>; metadata: Map<string, string> } {
  const fail: Fail = (message) => {
    throw new FormatError(`${op}: ${label}: ${message}`);
  };
  if (text[0] !== 0x7b) fail(`the header must start with { (byte 123), got ${text[0] ?? 'nothing'}`);
  const last = text.findLast((byte) => byte !== 0x20);
  if (last !== 0x7d) fail(`the header must end with } (byte 125) and spaces only, got ${last}`);
  const json = parseJson(text, `${label}: header`, { maxDepth: 3 });
  if (!isJsonObject(json)) return fail('the header must be an object');

  let metadata = new Map<string, string>();
  const entries = new Map<string, SafetensorsEntry>();
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') metadata = readMetadata(value, fail);
    else
      entries.set(
        name,
        readEntry(value, dataBytes, (message) => fail(`tensor ${describe(name)}: ${message}`)),
      );
  }
  checkCoverage(entries, dataBytes, fail);
  return { entries, metadata };
}

type Fail = (message: string) => never;

function readMetadata(value: JsonValue, fail: Fail): Map<string, string> {
  if (!isJsonObject(value)) return fail(`__metadata__ must be an object, got ${describe(value)}`);
  const metadata = new Map<string, string>();
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') return fail(`__metadata__ ${describe(key)} must be a string, got ${describe(text)}`);
    metadata.set(key, text);
  }
  return metadata;
}

function readEntry(value: JsonValue, dataBytes: number, fail: Fail): SafetensorsEntry {
  if (!isJsonObject(value)) return fail(`must be an object, got ${describe(value)}`);
  const unknown = Object.keys(value).find((key) => !FIELDS.includes(key));
  if (unknown !== undefined) fail(`fields are ${FIELDS.join(', ')}, got ${describe(unknown)}`);
  const fileDtype = value.dtype;
  if (typeof fileDtype !== 'string' || !Object.hasOwn(SOURCES, fileDtype)) {
    return fail(`dtype must be one of ${Object.keys(SOURCES).join(' ')}, got ${describe(fileDtype)}`);
  }
  const source = SOURCES[fileDtype]!;
  const shape = readShape(value, fail);
  const [begin, end] = readOffsets(value, dataBytes, fail);
  const elements = elementsOfShape(shape);
  if (elements === undefined) return fail(`the size of shape ${shapeText(shape)} overflows`);
  // Both sides are exact: the span is at most the file, and a product beyond 2^53 is unequal whatever its rounding.
  if (elements * sourceBytes(source) !== end - begin) {
    const needed = elements * sourceBytes(source);
    fail(`shape ${shapeText(shape)} of ${fileDtype} needs ${needed} bytes, data_offsets give ${end - begin}`);
  }
  return { fileDtype, source, shape, begin, end };
}

function readShape({ shape }: JsonObject, fail: Fail): readonly number[] {
  if (!Array.isArray(shape)) return fail(`shape must be an array, got ${describe(shape)}`);
  if (shape.length > MAX_DIMS) fail(`shape must have at most ${MAX_DIMS} dimensions, got ${shape.length}`);
  return (shape as readonly JsonValue[]).map((size, i) => {
    if (isOffset(size)) return size;
    return fail(`shape[${i}] must be an integer in [0, 2^53), got ${describe(size)}`);
  });
}

function readOffsets({ data_offsets: offsets }: JsonObject, dataBytes: number, fail: Fail): readonly [number, number] {
  if (!Array.isArray(offsets) || offsets.length !== 2) {
    return fail(`data_offsets must be [begin, end], got ${describe(offsets)}`);
  }
  const [begin, end] = offsets as readonly JsonValue[];
  if (!isOffset(begin)) return fail(`data_offsets[0] must be an integer in [0, 2^53), got ${describe(begin)}`);
  if (!isOffset(end)) return fail(`data_offsets[1] must be an integer in [0, 2^53), got ${describe(end)}`);
  if (begin > end) fail(`data_offsets must not decrease, got [${begin}, ${end}]`);
  if (end > dataBytes) fail(`data_offsets must end within the ${dataBytes} bytes of data, got [${begin}, ${end}]`);
  return [begin, end];
}

/** A safe non-negative integer; -0 is none, since no writer produces it. */
function isOffset(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0);
}

function checkCoverage(entries: ReadonlyMap<string, SafetensorsEntry>, dataBytes: number, fail: Fail): void {
  const sorted = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const [name, { begin, end }] of sorted) {
    if (begin < covered) fail(`tensor ${describe(name)}: data at [${begin}, ${end}] overlaps what ends at ${covered}`);
    if (begin > covered) fail(`tensor ${describe(name)}: a hole in the data at [${covered}, ${begin}]`);
    covered = end;
  }
  if (covered < dataBytes) fail(`${dataBytes - covered} bytes of data belong to no tensor`);
}
