import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { ArgumentError, FileError, FormatError } from '../../ts/error';
import type { RawArray } from '../../ts/io/raw_array';
import {
  encodeSafetensors,
  parseSafetensors,
  SafetensorsFile,
  safetensorsChunks,
  writeSafetensors,
} from '../../ts/io/safetensors';
import { expectHostileSafe, expectTyped } from './hostile';
import { type MalformedRow, refusesEach, survivesDamage } from './malformed';
import { bits, rawArray } from './raw_arrays';

/** A file of the given header text and data; `length` is the declared header length where it lies. */
function file(header: string, data: Uint8Array | number[] | number = 0, length?: number | bigint): Uint8Array {
  const text = Buffer.from(header, 'utf8');
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(length ?? text.length));
  const body = typeof data === 'number' ? Buffer.alloc(data) : Uint8Array.from(data);
  return Uint8Array.from(Buffer.concat([prefix, text, body]));
}

const info = (dtype: string, shape: string, offsets: string): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;
/** A file of one tensor w. */
const one = (dtype: string, shape: string, offsets: string, data: Uint8Array | number[] | number = 0): Uint8Array =>
  file(`{"w":${info(dtype, shape, offsets)}}`, data);

const model = (): Map<string, RawArray> =>
  new Map<string, RawArray>([
    ['mask', { dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) }],
    ['layer.weight', { dtype: 'float32', shape: [2, 2], data: Float32Array.of(1, -0, NaN, Infinity) }],
    ['half', { dtype: 'bfloat16', shape: [1], data: Uint16Array.of(0x3f80) }],
    ['scalar', { dtype: 'float64', shape: [], data: Float64Array.of(Math.PI) }],
    ['__proto__', { dtype: 'int32', shape: [0, 3], data: new Int32Array(0) }],
    ['1', { dtype: 'uint8', shape: [1, 1], data: Uint8Array.of(255) }],
  ]);

describe('safetensors', () => {
  it('writes the documented layout', () => {
    const bytes = encodeSafetensors(
      new Map<string, RawArray>([
        ['b', { dtype: 'uint8', shape: [1], data: Uint8Array.of(7) }],
        ['a', { dtype: 'float32', shape: [1], data: Float32Array.of(1) }],
      ]),
      new Map([['format', 'pt']]),
    );
    const header =
      '{"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[1],"data_offsets":[4,5]},' +
      '"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
    expect(Buffer.from(bytes).readBigUInt64LE(0)).toBe(BigInt(padded.length));
    expect(Buffer.from(bytes.subarray(8, 8 + padded.length)).toString()).toBe(padded);
    expect([...bytes.subarray(8 + padded.length)]).toEqual([0, 0, 0x80, 0x3f, 7]);
  });

  it('round trips any tensors and metadata bit for bit, aligned', () => {
    const name = fc.string({ unit: 'binary' }).filter((text) => text !== '__metadata__');
    const named = fc.uniqueArray(fc.tuple(name, rawArray()), { selector: ([key]) => key, maxLength: 6 });
    const strings = fc.uniqueArray(fc.tuple(name, name), { selector: ([key]) => key, maxLength: 3 });
    fc.assert(
      fc.property(named, strings, fc.nat(7), (tensors, metadata, shift) => {
        const bytes = encodeSafetensors(new Map(tensors), new Map(metadata));
        // Read from any alignment.
        const moved = new Uint8Array(bytes.length + shift).subarray(shift);
        moved.set(bytes);
        const back = parseSafetensors(moved, 'a');
        const sorted = (items: Iterable<[string, RawArray]>) =>
          [...items].map(([key, array]) => [key, bits(array)] as const).sort(([a], [b]) => (a < b ? -1 : 1));
        expect(sorted(back.tensors)).toEqual(sorted(tensors));
        expect([...back.metadata].sort()).toEqual([...metadata].sort());
      }),
    );
  });

  it('widens F16 and the integers, and narrows 64 bits', () => {
    const load = (dtype: string, count: number, data: number[]) => {
      const array = parseSafetensors(one(dtype, `[${count}]`, `[0,${data.length}]`, data), 'a').tensors.get('w')!;
      return [array.dtype, ...array.data];
    };
    expect(load('F16', 2, [0, 0x3c, 0, 0xc0])).toEqual(['float32', 1, -2]);
    expect(load('I8', 2, [255, 1])).toEqual(['int32', -1, 1]);
    expect(load('I16', 1, [0, 128])).toEqual(['int32', -32768]);
    expect(load('U16', 1, [255, 255])).toEqual(['int32', 65535]);
    expect(load('U32', 1, [1, 0, 0, 0])).toEqual(['int32', 1]);
    expect(load('I64', 1, [254, 255, 255, 255, 255, 255, 255, 255])).toEqual(['int32', -2]);
    expect(load('U64', 1, [3, 0, 0, 0, 0, 0, 0, 0])).toEqual(['int32', 3]);
  });

  it('accepts empty files, empty tensors and zero padding', () => {
    expect(parseSafetensors(file('{}'), 'a').tensors.size).toBe(0);
    expect(parseSafetensors(file('{}   '), 'a').metadata.size).toBe(0);
    const empty = `{"a":${info('F32', '[0]', '[0,0]')},"b":${info('F32', '[1]', '[0,4]')},"c":${info('F32', '[0]', '[4,4]')}}`;
    expect(parseSafetensors(file(empty, 4), 'a').tensors.size).toBe(3);
  });
});

describe('SafetensorsFile', () => {
  let root: string;
  beforeEach(() => {
    root = fs.mkdtempSync(path.join(tmpdir(), 'hrm-safetensors-'));
  });
  afterEach(() => {
    fs.rmSync(root, { recursive: true, force: true });
  });

  it('reads one tensor at a time', () => {
    const target = path.join(root, 'model.safetensors');
    writeSafetensors(target, model(), new Map([['k', 'v']]));
    expect(fs.readFileSync(target)).toEqual(Buffer.concat([...safetensorsChunks(model(), new Map([['k', 'v']]))]));
    expect(fs.readdirSync(root)).toEqual(['model.safetensors']);
    const opened = new SafetensorsFile(target);
    expect([...opened.metadata]).toEqual([['k', 'v']]);
    expect([...opened.entries.keys()].sort()).toEqual([...model().keys()].sort());
    for (const [name, array] of model()) expect(bits(opened.read(name))).toEqual(bits(array));
    expect(() => opened.read('none')).toThrow(ArgumentError);
    expectHostileSafe('read', (name: string) => opened.read(name), ['mask']);
    opened.close();
    opened.close();
    expect(() => opened.read('mask')).toThrow(FileError);
  });

  it('does not read data that is not asked for', () => {
    const target = path.join(root, 'sparse.safetensors');
    const hugeBytes = 2 ** 40;
    const text = `{"big":${info('U8', `[${hugeBytes}]`, `[4,${hugeBytes + 4}]`)},"w":${info('F32', '[1]', '[0,4]')}}`;
    fs.writeFileSync(target, file(text, [0, 0, 0x80, 0x3f]));
    fs.truncateSync(target, 8 + text.length + 4 + hugeBytes);
    const opened = new SafetensorsFile(target);
    expect([...opened.read('w').data]).toEqual([1]);
    expect(() => opened.read('big')).toThrow('no room for the array in memory');
    opened.close();
  });

  it('refuses what it cannot open or parse', () => {
    expect(() => new SafetensorsFile(path.join(root, 'none'))).toThrow('cannot open (ENOENT');
    expect(() => new SafetensorsFile(root)).toThrow(FileError);
    fs.writeFileSync(path.join(root, 'short'), 'abc');
    expect(() => new SafetensorsFile(path.join(root, 'short'))).toThrow(FormatError);
    fs.writeFileSync(path.join(root, 'cut'), one('F32', '[2]', '[0,8]', 7));
    expect(() => new SafetensorsFile(path.join(root, 'cut'))).toThrow(FormatError);
    expectTyped('null device', () => new SafetensorsFile('/dev/null'));
  });
});

const reference = one('F32', '[1]', '[0,4]', 4);
const two = (first: string, second: string, data: number): Uint8Array =>
  file(`{"a":${info('U8', '[2]', first)},"b":${info('U8', '[2]', second)}}`, data);

const malformed: readonly MalformedRow[] = [
  ['an empty file', new Uint8Array(0), "truncated: the header's length takes 8 bytes, got 0"],
  ['seven bytes', reference.slice(0, 7), "truncated: the header's length takes 8 bytes, got 7"],
  ['a header past the end', file('{}', 0, 3), 'truncated: the header ends at byte 11, the file at 10'],
  ['a header over the limit', file('{}', 0, 100_000_001), 'header length must be at most 100000000, got 100000001'],
  [
    'a header of 2^64 - 1',
    file('{}', 0, 2n ** 64n - 1n),
    'header length must be at most 100000000, got 18446744073709551615',
  ],
  ['an empty header', file(''), 'the header must start with { (byte 123), got nothing'],
  ['leading space', file(' {}'), 'the header must start with { (byte 123), got 32'],
  ['an array header', file('[]'), 'the header must start with { (byte 123), got 91'],
  ['a newline after the header', file('{}\n'), 'the header must end with } (byte 125) and spaces only, got 10'],
  ['a NUL after the header', file('{}\0'), 'spaces only, got 0'],
  ['two objects', file('{}{}'), 'header: line 1, column 3: end of file expected, got "{"'],
  ['invalid UTF-8', file('{"a":"?"}').with(14, 0xff), 'header: byte 6: text must be valid UTF-8, got byte 255'],
  [
    'a duplicate tensor',
    file(`{"w":${info('U8', '[0]', '[0,0]')},"w":${info('U8', '[0]', '[0,0]')}}`),
    'a key must appear once, got "w" again',
  ],
  ['a duplicate field', file('{"w":{"dtype":"U8","dtype":"U8"}}'), 'a key must appear once, got "dtype" again'],
  ['a duplicate metadata key', file('{"__metadata__":{"a":"","a":""}}'), 'a key must appear once, got "a" again'],
  ['deep nesting', file('{"w":{"shape":[[[]]]}}'), 'nesting must be at most 3 deep'],
  ['metadata that is a string', file('{"__metadata__":"x"}'), '__metadata__ must be an object, got "x"'],
  ['metadata that is null', file('{"__metadata__":null}'), '__metadata__ must be an object, got null'],
  ['a metadata number', file('{"__metadata__":{"k":1}}'), '__metadata__ "k" must be a string, got 1'],
  ['a metadata object', file('{"__metadata__":{"k":{}}}'), '__metadata__ "k" must be a string, got an object'],
  ['a tensor that is null', file('{"w":null}'), 'tensor "w": must be an object, got null'],
  ['a tensor that is an array', file('{"w":[]}'), 'tensor "w": must be an object, got an array of length 0'],
  ['a tensor without fields', file('{"w":{}}'), 'got undefined'],
  [
    'an unknown field',
    file('{"w":{"strides":[1]}}'),
    'tensor "w": fields are dtype, shape, data_offsets, got "strides"',
  ],
  [
    'a __proto__ field',
    file('{"w":{"__proto__":{}}}'),
    'tensor "w": fields are dtype, shape, data_offsets, got "__proto__"',
  ],
  ['an unknown dtype', one('F8_E4M3', '[1]', '[0,1]', 1), 'got "F8_E4M3"'],
  ['a lower-case dtype', one('f32', '[1]', '[0,4]', 4), 'got "f32"'],
  ['dtype constructor', one('constructor', '[1]', '[0,4]', 4), 'got "constructor"'],
  ['a dtype number', file('{"w":{"dtype":1,"shape":[],"data_offsets":[0,4]}}', 4), 'F64, got 1'],
  [
    'no shape',
    file('{"w":{"dtype":"F32","data_offsets":[0,4]}}', 4),
    'tensor "w": shape must be an array, got undefined',
  ],
  ['a shape that is a number', one('F32', '1', '[0,4]', 4), 'tensor "w": shape must be an array, got 1'],
  ['a negative size', one('F32', '[-1]', '[0,4]', 4), 'shape[0] must be an integer in [0, 2^53), got -1'],
  ['a fractional size', one('F32', '[1,1.5]', '[0,4]', 4), 'shape[1] must be an integer in [0, 2^53), got 1.5'],
  ['a size in quotes', one('F32', '["1"]', '[0,4]', 4), 'shape[0] must be an integer in [0, 2^53), got "1"'],
  ['a size of 2^53', one('F32', '[9007199254740992]', '[0,4]', 4), 'got 9007199254740992'],
  ['a size of 1e400', one('F32', '[1e400]', '[0,4]', 4), 'a number must be finite in double precision, got "1e400"'],
  ['a negative zero', one('F32', '[-0]', '[0,0]'), 'shape[0] must be an integer in [0, 2^53), got -0'],
  ['33 dimensions', one('U8', `[${'1,'.repeat(32)}1]`, '[0,1]', 1), 'shape must have at most 32 dimensions, got 33'],
  [
    'an overflowing product',
    one('F32', '[134217728,134217728]', '[0,4]', 4),
    'the size of shape [134217728, 134217728] overflows',
  ],
  [
    'an overflow behind a 0',
    one('F32', '[0,134217728,134217728]', '[0,0]'),
    'the size of shape [0, 134217728, 134217728] overflows',
  ],
  [
    'a product that wraps in 64 bits',
    one('F32', '[4294967296,4294967296]', '[0,0]'),
    'the size of shape [4294967296, 4294967296] overflows',
  ],
  [
    'bytes over 2^53',
    one('F64', '[4503599627370496]', '[0,8]', 8),
    'needs 36028797018963970 bytes, data_offsets give 8',
  ],
  ['too few bytes', one('F32', '[2]', '[0,4]', 4), 'shape [2] of F32 needs 8 bytes, data_offsets give 4'],
  ['too many bytes', one('F32', '[1]', '[0,8]', 8), 'shape [1] of F32 needs 4 bytes, data_offsets give 8'],
  ['a scalar without bytes', one('F32', '[]', '[0,0]'), 'shape [] of F32 needs 4 bytes, data_offsets give 0'],
  ['no offsets', file('{"w":{"dtype":"F32","shape":[1]}}', 4), 'data_offsets must be [begin, end], got undefined'],
  ['one offset', one('F32', '[1]', '[4]', 4), 'data_offsets must be [begin, end], got an array of length 1'],
  ['three offsets', one('F32', '[1]', '[0,4,8]', 4), 'data_offsets must be [begin, end], got an array of length 3'],
  ['a negative offset', one('F32', '[1]', '[-4,0]', 4), 'data_offsets[0] must be an integer in [0, 2^53), got -4'],
  ['a null offset', one('F32', '[1]', '[0,null]', 4), 'data_offsets[1] must be an integer in [0, 2^53), got null'],
  [
    'an offset of 2^63',
    one('F32', '[1]', '[0,9223372036854775808]', 4),
    'data_offsets[1] must be an integer in [0, 2^53), got 9223372036854776000',
  ],
  ['decreasing offsets', one('F32', '[1]', '[4,0]', 4), 'data_offsets must not decrease, got [4, 0]'],
  [
    'offsets past the end',
    one('F32', '[2]', '[0,8]', 7),
    'data_offsets must end within the 7 bytes of data, got [0, 8]',
  ],
  ['overlapping tensors', two('[0,2]', '[1,3]', 3), 'tensor "b": data at [1, 3] overlaps what ends at 2'],
  ['the same bytes twice', two('[0,2]', '[0,2]', 2), 'tensor "b": data at [0, 2] overlaps what ends at 2'],
  ['a hole between tensors', two('[0,2]', '[3,5]', 5), 'tensor "b": a hole in the data at [2, 3]'],
  ['a hole at the start', two('[1,3]', '[3,5]', 5), 'tensor "a": a hole in the data at [0, 1]'],
  ['bytes at the end', two('[0,2]', '[2,4]', 5), '1 bytes of data belong to no tensor'],
  ['data without tensors', file('{}', 3), '3 bytes of data belong to no tensor'],
  ['a bool of 2', one('BOOL', '[2]', '[0,2]', [1, 2]), 'tensor "w" (BOOL): element 1 must be 0 or 1, got 2'],
  [
    'an I64 over int32',
    one('I64', '[1]', '[0,8]', [0, 0, 0, 128, 0, 0, 0, 0]),
    'tensor "w" (I64): element 0 must be in the range of int32, got 2147483648',
  ],
  [
    'a U32 over int32',
    one('U32', '[1]', '[0,4]', [255, 255, 255, 255]),
    'tensor "w" (U32): element 0 must be in the range of int32, got 4294967295',
  ],
];

describe('malformed safetensors', () => {
  refusesEach('parseSafetensors', parseSafetensors, malformed);

  it('parses or refuses randomly damaged files, and nothing else', () => {
    survivesDamage((bytes) => parseSafetensors(bytes, 'damaged'), [encodeSafetensors(model()), reference], 5000);
  });
});

it('refuses hostile arguments with typed errors', () => {
  expectHostileSafe('parseSafetensors', parseSafetensors, [reference, 'a']);
  const metadata = new Map([['k', 'v']]);
  expectHostileSafe('encodeSafetensors', encodeSafetensors, [model(), metadata]);
  expectHostileSafe('safetensorsChunks', safetensorsChunks, [model(), metadata]);
  expectHostileSafe('SafetensorsFile', (file: string) => new SafetensorsFile(file), ['/dev/null/x']);
  const inNowhere = (target: unknown, tensors: Map<string, RawArray>, strings: Map<string, string>) =>
    writeSafetensors(typeof target === 'string' ? `/dev/null/${target}` : (target as string), tensors, strings);
  expectHostileSafe('writeSafetensors', inNowhere, ['a', model(), metadata]);
  const w: RawArray = { dtype: 'int32', shape: [1], data: Int32Array.of(1) };
  expect(() => encodeSafetensors(new Map([['__metadata__', w]]))).toThrow('which is reserved');
  expect(() => encodeSafetensors(new Map([['\ud800', w]]))).toThrow(ArgumentError);
  expect(() => encodeSafetensors(new Map([['w', w]]), new Map([['k', 1]]) as never)).toThrow(
    'encodeSafetensors: metadata "k" must be a string, got 1',
  );
});
