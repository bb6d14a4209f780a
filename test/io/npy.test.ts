import { describe, expect, it } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { ArgumentError, DTypeError } from '../../ts/error';
import { encodeNpy, parseNpy } from '../../ts/io/npy';
import type { RawArray } from '../../ts/io/raw_array';
import { expectHostileSafe } from './hostile';
import { dict, npy } from './npy_files';
import { bits, rawArray } from './raw_arrays';

/** Bytes of numbers written by a Buffer method such as writeInt16BE. */
function packed(size: number, values: readonly number[], write: (b: Buffer, v: number, at: number) => void): Buffer {
  const out = Buffer.alloc(size * values.length);
  values.forEach((value, i) => write(out, value, i * size));
  return out;
}

function load(descr: string, shape: string, data: Uint8Array | number[], fortran = 'False') {
  const array = parseNpy(npy(dict(descr, shape, fortran), data), 'a.npy');
  return [array.dtype, array.shape, [...array.data]];
}

describe('parseNpy', () => {
  it('loads every supported dtype in both byte orders', () => {
    const small = [1, -2, 127];
    expect(
      load(
        '|i1',
        '(3,)',
        packed(1, small, (b, v, at) => b.writeInt8(v, at)),
      ),
    ).toEqual(['int32', [3], small]);
    expect(
      load(
        '<i2',
        '(3,)',
        packed(2, small, (b, v, at) => b.writeInt16LE(v, at)),
      ),
    ).toEqual(['int32', [3], small]);
    expect(
      load(
        '>i2',
        '(3,)',
        packed(2, small, (b, v, at) => b.writeInt16BE(v, at)),
      ),
    ).toEqual(['int32', [3], small]);
    expect(
      load(
        '<i4',
        '(3,)',
        packed(4, small, (b, v, at) => b.writeInt32LE(v, at)),
      ),
    ).toEqual(['int32', [3], small]);
    expect(
      load(
        '>i4',
        '(3,)',
        packed(4, small, (b, v, at) => b.writeInt32BE(v, at)),
      ),
    ).toEqual(['int32', [3], small]);
    const long = (v: number): bigint => BigInt(v);
    const wide = [1, -2, 2147483647, -2147483648];
    expect(
      load(
        '<i8',
        '(4,)',
        packed(8, wide, (b, v, at) => b.writeBigInt64LE(long(v), at)),
      )[2],
    ).toEqual(wide);
    expect(
      load(
        '>i8',
        '(4,)',
        packed(8, wide, (b, v, at) => b.writeBigInt64BE(long(v), at)),
      )[2],
    ).toEqual(wide);
    expect(load('<u2', '(2,)', [1, 0, 255, 255])).toEqual(['int32', [2], [1, 65535]]);
    expect(load('<u4', '(1,)', [255, 255, 255, 127])).toEqual(['int32', [1], [2147483647]]);
    expect(load('<u8', '(1,)', [7, 0, 0, 0, 0, 0, 0, 0])).toEqual(['int32', [1], [7]]);
    expect(load('|u1', '(2,)', [0, 255])).toEqual(['uint8', [2], [0, 255]]);
    expect(load('|b1', '(2,)', [1, 0])).toEqual(['bool', [2], [1, 0]]);
    const real = [0.5, -1.25];
    expect(
      load(
        '<f4',
        '(2,)',
        packed(4, real, (b, v, at) => b.writeFloatLE(v, at)),
      ),
    ).toEqual(['float32', [2], real]);
    expect(
      load(
        '>f4',
        '(2,)',
        packed(4, real, (b, v, at) => b.writeFloatBE(v, at)),
      ),
    ).toEqual(['float32', [2], real]);
    expect(
      load(
        '<f8',
        '(2,)',
        packed(8, real, (b, v, at) => b.writeDoubleLE(v, at)),
      ),
    ).toEqual(['float64', [2], real]);
    expect(
      load(
        '>f8',
        '(2,)',
        packed(8, real, (b, v, at) => b.writeDoubleBE(v, at)),
      ),
    ).toEqual(['float64', [2], real]);
  });

  it('widens half precision exactly', () => {
    const cases: readonly (readonly [number, number])[] = [
      [0x0000, 0],
      [0x8000, -0],
      [0x0001, 2 ** -24],
      [0x83ff, -1023 * 2 ** -24],
      [0x0400, 2 ** -14],
      [0x3c00, 1],
      [0x3555, 0.333251953125],
      [0x7bff, 65504],
      [0x7c00, Infinity],
      [0xfc00, -Infinity],
      [0x7e00, NaN],
    ];
    const halves = packed(
      2,
      cases.map(([half]) => half),
      (b, v, at) => b.writeUInt16BE(v, at),
    );
    expect(load('>f2', `(${cases.length},)`, halves)[2]).toEqual(cases.map(([, value]) => value));
  });

  it('transposes Fortran order to C order', () => {
    expect(load('|u1', '(2, 3)', [0, 3, 1, 4, 2, 5], 'True')).toEqual(['uint8', [2, 3], [0, 1, 2, 3, 4, 5]]);
    expect(load('|u1', '(3,)', [0, 1, 2], 'True')[2]).toEqual([0, 1, 2]);
    expect(load('|u1', '()', [9], 'True')).toEqual(['uint8', [], [9]]);
    expect(load('|u1', '(2, 0, 3)', [], 'True')).toEqual(['uint8', [2, 0, 3], []]);
    const [a, b, c, d] = [2, 3, 4, 2];
    const stored: number[] = [];
    for (let l = 0; l < d; l++) {
      for (let k = 0; k < c; k++) {
        for (let j = 0; j < b; j++) for (let i = 0; i < a; i++) stored.push(((i * b + j) * c + k) * d + l);
      }
    }
    const inOrder = Array.from({ length: a * b * c * d }, (_, i) => i);
    expect(load('|u1', '(2, 3, 4, 2)', stored, 'True')[2]).toEqual(inOrder);
  });

  it('accepts versions 1.0, 2.0 and 3.0, keys in any order, either quote, and unaligned data', () => {
    for (const version of [
      [1, 0],
      [2, 0],
      [3, 0],
    ] as const) {
      const file = npy(`{"shape":(2,),'fortran_order':False,"descr":"<i4"}`, [1, 0, 0, 0, 2, 0, 0, 0], { version });
      for (let shift = 0; shift < 4; shift++) {
        const moved = new Uint8Array(file.length + shift).subarray(shift);
        moved.set(file);
        expect([...parseNpy(moved, 'a').data]).toEqual([1, 2]);
      }
    }
  });

  it('shares memory only where nothing is converted', () => {
    const file = encodeNpy({ dtype: 'int32', shape: [1], data: Int32Array.of(5) });
    const array = parseNpy(file, 'a');
    file[file.length - 4] = 6;
    expect([...array.data]).toEqual([6]);
    const big = npy(dict('>i4', '(1,)'), [0, 0, 0, 5]);
    const before = big.slice();
    expect([...parseNpy(big, 'a').data]).toEqual([5]);
    expect(big).toEqual(before);
  });
});

describe('encodeNpy', () => {
  it('writes the bytes that numpy writes', () => {
    const file = Buffer.from(encodeNpy({ dtype: 'int32', shape: [2], data: Int32Array.of(1, -1) }));
    const header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }".padEnd(117) + '\n';
    expect(file.subarray(0, 10).toString('hex')).toBe('934e554d5059' + '0100' + '7600');
    expect(file.subarray(10, 128).toString('latin1')).toBe(header);
    expect(file.subarray(128).toString('hex')).toBe('01000000ffffffff');
  });

  it('round trips every array bit for bit', () => {
    fc.assert(
      fc.property(rawArray(['float32', 'float64', 'int32', 'uint8', 'bool']), (array) => {
        const file = encodeNpy(array);
        expect((file.length - array.data.byteLength) % 64).toBe(0);
        expect(bits(parseNpy(file, 'a'))).toEqual(bits(array));
      }),
    );
  });

  it('refuses bfloat16 and invalid arrays', () => {
    expect(() => encodeNpy({ dtype: 'bfloat16', shape: [1], data: new Uint16Array(1) })).toThrow(DTypeError);
    expect(() => encodeNpy({ dtype: 'bool', shape: [2], data: Uint8Array.of(1, 2) })).toThrow(
      'encodeNpy: array.data must be 0 or 1 for bool, got 2 at index 1',
    );
    const refused: readonly (readonly [unknown, string])[] = [
      [null, 'array must be {dtype, shape, data}, got null'],
      [{ dtype: 'int64', shape: [1], data: new Int32Array(1) }, 'array.dtype must be one of float32, float64'],
      [{ dtype: 'int32', shape: [1], data: new Uint8Array(1) }, 'array.data must be the typed array of int32, got'],
      [
        { dtype: 'int32', shape: 1, data: new Int32Array(1) },
        'array.shape must be an array of at most 32 sizes, got 1',
      ],
      [
        { dtype: 'int32', shape: new Array(33).fill(1), data: new Int32Array(1) },
        'at most 32 sizes, got an array of length 33',
      ],
      [
        { dtype: 'int32', shape: [1, -1], data: new Int32Array(1) },
        'array.shape[1] must be a non-negative integer, got -1',
      ],
      [
        { dtype: 'int32', shape: ['1'], data: new Int32Array(1) },
        'array.shape[0] must be a non-negative integer, got "1"',
      ],
      [
        { dtype: 'int32', shape: new Array(1), data: new Int32Array(1) },
        'shape[0] must be a non-negative integer, got undefined',
      ],
    ];
    for (const [array, message] of refused) {
      expect(() => encodeNpy(array as RawArray)).toThrow(ArgumentError);
      expect(() => encodeNpy(array as RawArray)).toThrow(message);
    }
    expect(() => encodeNpy({ dtype: 'int32', shape: [3], data: new Int32Array(2) })).toThrow(
      'encodeNpy: array.data must have 3 elements for shape [3], got 2',
    );
    expect(() => encodeNpy({ dtype: 'int32', shape: [0, 2 ** 40, 2 ** 40], data: new Int32Array(0) })).toThrow(
      ArgumentError,
    );
  });
});

it('refuses hostile arguments with typed errors', () => {
  expectHostileSafe('parseNpy', parseNpy, [npy(dict('<i4', '(1,)'), [1, 0, 0, 0]), 'a']);
  expectHostileSafe('encodeNpy', encodeNpy, [{ dtype: 'int32', shape: [1], data: Int32Array.of(1) }]);
  expect(() => parseNpy('x' as never, 'a')).toThrow(new ArgumentError('parseNpy: bytes must be a Uint8Array, got "x"'));
});

describe('with numpy', () => {
  const python = '/usr/bin/python3';
  const present = spawnSync(python, ['-c', 'import numpy']).status === 0;
  if (!present) process.stderr.write(`SKIPPED: npy against numpy, because ${python} with numpy is not here\n`);

  (present ? it : it.skip)('reads what numpy writes and is read by numpy', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hrm-npy-'));
    try {
      for (const dtype of ['float32', 'float64', 'int32', 'uint8', 'bool'] as const) {
        const shape = [3, 4];
        const values = Array.from({ length: 12 }, (_, i) => (dtype === 'bool' ? i % 2 : i));
        const Data = {
          float32: Float32Array,
          float64: Float64Array,
          int32: Int32Array,
          uint8: Uint8Array,
          bool: Uint8Array,
        };
        writeFileSync(
          join(folder, `${dtype}.npy`),
          encodeNpy({ dtype, shape, data: new Data[dtype](values) } as never),
        );
      }
      const script = `
import numpy as n, sys, os
d = sys.argv[1]
for t in 'float32 float64 int32 uint8 bool'.split():
    a = n.load(os.path.join(d, t + '.npy'))
    e = n.arange(12).reshape(3, 4) % (2 if t == 'bool' else 100)
    assert a.dtype == n.dtype(t) and (a == e.astype(t)).all(), t
for i, t in enumerate('<f2 <f4 >f4 <f8 >f8 i1 <i2 >i2 <i4 <i8 >i8 u1 <u2 <u4 <u8 ?'.split()):
    a = n.arange(24).reshape(2, 3, 4).astype(t)
    n.save(os.path.join(d, 'c%d.npy' % i), a)
    n.save(os.path.join(d, 'f%d.npy' % i), n.asfortranarray(a))
`;
      execFileSync(python, ['-c', script, folder]);
      for (let i = 0; i < 16; i++) {
        for (const order of ['c', 'f']) {
          const array = parseNpy(readFileSync(join(folder, `${order}${i}.npy`)), `${order}${i}`);
          const expected = Array.from({ length: 24 }, (_, k) => (array.dtype === 'bool' ? Math.min(k, 1) : k));
          expect([array.shape, [...array.data]]).toEqual([[2, 3, 4], expected]);
        }
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
