import { describe, expect, it } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { ArgumentError, DTypeError, FormatError } from '../../ts/error';
import { encodeNpy } from '../../ts/io/npy';
import { encodeNpz, parseNpz } from '../../ts/io/npz';
import type { RawArray } from '../../ts/io/raw_array';
import { expectHostileSafe } from './hostile';
import { type MalformedRow, refusesEach, survivesDamage } from './malformed';
import { bits, rawArray } from './raw_arrays';
import { fields, zip, type ZipPart } from './zip_files';

const array: RawArray = { dtype: 'int32', shape: [4], data: Int32Array.of(1, 2, 3, 4) };
const data = encodeNpy(array);
const zeros = encodeNpy({ dtype: 'uint8', shape: [100_000], data: new Uint8Array(100_000) });
const a: ZipPart = { name: 'a.npy', data };
const b: ZipPart = { name: 'b.npy', data };
const deflated: ZipPart = { ...a, method: 8 };
const valuesOf = (file: Uint8Array) => [...parseNpz(file, 'x')].map(([name, { data }]) => [name, ...data]);

const streamed = { flags: 8, local: { crc: 0, nBytes: 0, storedBytes: 0 } };
const descriptor = (size: 4 | 8, signed: boolean): Buffer =>
  fields(...(signed ? [[4, 0x08074b50] as const] : []), [4, crc32(data)], [size, data.length], [size, data.length]);

describe('parseNpz', () => {
  it('reads stored and deflated entries, comments and UTF-8 names', () => {
    const unicode: ZipPart = { name: '\u00e9/\u732b.npy', data, flags: 1 << 11 };
    expect(valuesOf(zip([a, { ...b, method: 8 }, unicode], { comment: 'PK\u0005\u0006 and more' }))).toEqual([
      ['a', 1, 2, 3, 4],
      ['b', 1, 2, 3, 4],
      ['\u00e9/\u732b', 1, 2, 3, 4],
    ]);
    expect(valuesOf(zip([]))).toEqual([]);
    expect(valuesOf(zip([{ ...a, name: '__proto__.npy' }]))).toEqual([['__proto__', 1, 2, 3, 4]]);
  });

  it('reads the four kinds of data descriptor', () => {
    for (const size of [4, 8] as const) {
      for (const signed of [true, false]) {
        const part = { ...a, ...streamed, after: descriptor(size, signed) };
        expect(valuesOf(zip([part, b]))).toHaveLength(2);
      }
    }
  });

  it('reads the zip64 sizes that numpy puts into local headers', () => {
    const local = { storedBytes: 0xffffffff, nBytes: 0xffffffff };
    const sizes = fields([2, 1], [2, 16], [8, data.length], [8, data.length]);
    const other = fields([2, 0x5455], [2, 1], [1, 0]);
    expect(valuesOf(zip([{ ...a, local, localExtra: Buffer.concat([other, sizes]), version: 45 }]))).toHaveLength(1);
  });

  it('applies its limit before inflating', () => {
    const file = zip([{ name: 'z.npy', data: zeros, method: 8 }]);
    expect(file.length).toBeLessThan(500);
    expect(() => parseNpz(file, 'x', { maxBytes: zeros.length - 1 })).toThrow(
      new FormatError(`parseNpz: x: inflated sizes must sum to at most ${zeros.length - 1} bytes, got ${zeros.length}`),
    );
    expect(parseNpz(file, 'x', { maxBytes: zeros.length }).get('z')!.shape).toEqual([100_000]);
  });
});

describe('encodeNpz', () => {
  it('round trips any arrays bit for bit, compressed or not, the same every time', () => {
    const name = fc.stringMatching(/^[a-z0-9_]{1,8}$/);
    const numpyArray = rawArray(['float32', 'float64', 'int32', 'uint8', 'bool']);
    const named = fc.uniqueArray(fc.tuple(name, numpyArray), { selector: ([key]) => key, maxLength: 5 });
    fc.assert(
      fc.property(named, fc.boolean(), (arrays, compress) => {
        const file = encodeNpz(new Map(arrays), { compress });
        const back = [...parseNpz(file, 'x')].map(([key, value]) => [key, bits(value)]);
        expect(back).toEqual(arrays.map(([key, value]) => [key, bits(value)]));
        expect(encodeNpz(new Map(arrays), { compress })).toEqual(file);
      }),
    );
  });

  it('refuses names and arrays that a reader would refuse', () => {
    const named = (name: string): Map<string, RawArray> => new Map([[name, array]]);
    for (const name of ['../a', '/a', 'a//b', './a', 'a\\b', 'C:a', 'a\0', '\ud800', 'x'.repeat(65_532)]) {
      expect(() => encodeNpz(named(name))).toThrow(ArgumentError);
    }
    expect(() => encodeNpz(new Map(), { compress: 1 as never })).toThrow('compress must be a boolean, got 1');
    const empty: RawArray = { dtype: 'uint8', shape: [0], data: new Uint8Array(0) };
    const many = new Map(Array.from({ length: 65_535 }, (_, i) => [String(i), empty]));
    expect(() => encodeNpz(many)).toThrow('encodeNpz: at most 65534 arrays fit, got 65535');
    expect([...parseNpz(encodeNpz(named('a/b \u00e9')), 'x').keys()]).toEqual(['a/b \u00e9']);
    const half: RawArray = { dtype: 'bfloat16', shape: [1], data: new Uint16Array(1) };
    expect(() => encodeNpz(new Map([['h', half]]))).toThrow(DTypeError);
  });
});

const good = zip([a, b]);
const bomb = deflateRawSync(Buffer.alloc(1_000_000));
const malformed: readonly MalformedRow[] = [
  ['an empty file', new Uint8Array(0), 'truncated: an archive has at least 22 bytes, got 0'],
  [
    'text',
    Buffer.from('this is not a zip archive at all'),
    'no end-of-directory record in 32 bytes: not a zip archive, or truncated',
  ],
  ['an npy file', data.slice(0, 21), 'truncated: an archive has at least 22 bytes, got 21'],
  ['bytes after the end', Uint8Array.from([...zip([]), 0]), 'no end-of-directory record in 23 bytes'],
  ['two disks', zip([a], { disk: 1 }), 'must be on one disk'],
  ['counts that disagree', zip([a], { countOnDisk: 2 }), 'the two entry counts of the end record must agree'],
  ['a directory past the end', zip([a], { directoryOffset: 0x7fffffff }), 'the directory must end at byte'],
  ['a directory too short', zip([a], { directoryBytes: 10 }), 'got 179 + 10'],
  [
    'zip64',
    zip([a], { beforeEnd: fields([4, 0x07064b50], [4, 0], [8, 0], [4, 1]) }),
    'archives over 4 GiB or 65,535 entries (zip64) are not supported',
  ],
  ['fewer records than counted', zip([a], { count: 2 }), 'directory record 1: must fit before byte 230, starts at 230'],
  ['more records than counted', zip([a, b], { count: 1 }), '51 bytes follow the directory'],
  ['a record without signature', good.with(good.length - 22 - 102, 0), 'directory record 0: no signature at byte'],
  [
    'a name past the directory',
    good.with(good.length - 22 - 51 + 28, 255),
    'directory record 1: must end before byte 460, got 710',
  ],
  ['an encrypted entry', zip([{ ...a, flags: 1 }]), 'entry "a.npy": must not be encrypted'],
  ['strong encryption', zip([{ ...a, flags: 0x40 }]), 'entry "a.npy": flags must be among 0x80e, got 0x40'],
  ['masked headers', zip([{ ...a, flags: 0x2000 }]), 'entry "a.npy": flags must be among 0x80e, got 0x2000'],
  ['method bzip2', zip([{ ...a, method: 12 }]), 'method must be stored (0) or deflated (8), got 12'],
  ['method deflate64', zip([{ ...a, method: 9 }]), 'method must be stored (0) or deflated (8), got 9'],
  ['version 6.3', zip([{ ...a, version: 63 }]), 'must need a reader of at most version 45, got 63'],
  ['an entry on disk 3', zip([{ ...a, disk: 3 }]), 'entry "a.npy": must be on disk 0, got 3'],
  ['zip64 sizes', zip([{ ...a, nBytes: 0xffffffff }]), 'entry "a.npy": sizes over 4 GiB (zip64) are not supported'],
  ['stored sizes that differ', zip([{ ...a, nBytes: 5 }]), 'stored size 144 must equal its size 5'],
  ['an impossible ratio', zip([{ ...deflated, nBytes: 4_000_000_000 }]), 'cannot inflate to 4000000000'],
  [
    'sizes beyond the limit',
    zip(
      Array.from({ length: 5 }, (_, i) => ({
        name: `${i}.npy`,
        data: new Uint8Array(0),
        method: 8,
        stored: Buffer.alloc(1_000_000),
        nBytes: 1_000_000_000,
      })),
    ),
    'inflated sizes must sum to at most 4294967296 bytes, got 5000000000',
  ],
  ['a duplicate name', zip([a, b, a]), 'entry "a.npy": a name must appear once'],
  ['an empty name', zip([{ ...a, name: '' }]), 'the name must not be empty, got ""'],
  ['a parent folder', zip([{ ...a, name: '../a.npy' }]), 'the name must be relative without . or .., got "../a.npy"'],
  ['a parent folder inside', zip([{ ...a, name: 'x/../../a.npy' }]), 'without . or .., got "x/../../a.npy"'],
  ['an absolute name', zip([{ ...a, name: '/etc/a.npy' }]), 'without . or .., got "/etc/a.npy"'],
  ['a backslash', zip([{ ...a, name: '..\\a.npy' }]), 'control characters, backslashes or colons, got "..\\\\a.npy"'],
  ['a drive', zip([{ ...a, name: 'C:a.npy' }]), 'control characters, backslashes or colons, got "C:a.npy"'],
  ['a NUL in the name', zip([{ ...a, name: 'a.npy\0.txt' }]), 'backslashes or colons, got "a.npy\\u0000.txt"'],
  [
    'a folder',
    zip([{ name: 'a/', data: new Uint8Array(0) }]),
    'the name must be that of a file, not a folder, got "a/"',
  ],
  ['a name in another encoding', zip([{ ...a, name: '\u00e9.npy' }]), 'a name without the UTF-8 flag must be ASCII'],
  [
    'a name that is not UTF-8',
    good.with(good.length - 22 - 5, 0xff),
    'directory record 1: the name must be valid UTF-8',
  ],
  ['another suffix', zip([{ ...a, name: 'a.txt' }]), 'entry "a.txt": the name must end in .npy'],
  [
    'an offset past the end',
    zip([{ ...a, offset: 1_000_000 }]),
    'entry "a.npy": local header must be at byte 0, where the one before ends, got 1000000',
  ],
  [
    'entries that overlap',
    zip([a, { ...b, offset: 0 }]),
    'entry "b.npy": local header must be at byte 179, where the one before ends, got 0',
  ],
  [
    'bytes before the first entry',
    Uint8Array.from(Buffer.concat([Buffer.from('#!'), zip([{ ...a, offset: 2 }], { directoryOffset: 181 })])),
    'local header must be at byte 0, where the one before ends, got 2',
  ],
  [
    'bytes before the directory',
    zip([a], { beforeDirectory: Buffer.alloc(3) }),
    'the directory must be at byte 179, where the data ends, got 182',
  ],
  [
    'data past the directory',
    zip([{ ...a, nBytes: 145, storedBytes: 145 }]),
    'entry "a.npy": data must end before the directory at 179, got 180',
  ],
  ['a local header without signature', zip([{ ...a, localSignature: 7 }]), 'entry "a.npy": no local header at byte 0'],
  [
    'a local header that is cut',
    zip([a], { beforeDirectory: Buffer.alloc(0), directoryOffset: 179 })
      .with(28, 0xff)
      .with(29, 0xff),
    'entry "a.npy": the local header is truncated',
  ],
  [
    'no local header at all',
    zip([b], { directoryOffset: 0 }).slice(179),
    'entry "b.npy": the local header is truncated',
  ],
  ['another local name', zip([{ ...a, local: { name: 'b.npy' } }]), 'entry "a.npy": the local header has another name'],
  ['another local method', zip([{ ...a, local: { method: 8 } }]), 'entry "a.npy": the local header has another method'],
  ['other local flags', zip([{ ...a, local: { flags: 2 } }]), 'entry "a.npy": the local header has other flags'],
  [
    'another local size',
    zip([{ ...a, local: { nBytes: 1 } }]),
    'entry "a.npy": the local header has other sizes or another CRC',
  ],
  [
    'another local CRC',
    zip([{ ...b, local: { crc: 1 } }]),
    'entry "b.npy": the local header has other sizes or another CRC',
  ],
  [
    'no local sizes without descriptor',
    zip([{ ...a, name: 'c.npy', local: { crc: 0, nBytes: 0, storedBytes: 0 } }]),
    'entry "c.npy": the local header has other sizes',
  ],
  [
    'zip64 promised and absent',
    zip([{ ...a, local: { nBytes: 0xffffffff, storedBytes: 0xffffffff } }]),
    'the local header promises zip64 sizes and has none',
  ],
  [
    'a short zip64 field',
    zip([
      { ...b, local: { nBytes: 0xffffffff, storedBytes: 0xffffffff }, localExtra: fields([2, 1], [2, 16], [8, 144]) },
    ]),
    'entry "b.npy": the local header promises zip64 sizes and has none',
  ],
  [
    'no descriptor',
    zip([{ ...a, ...streamed }]),
    'no data descriptor with the sizes and CRC of the directory after the data',
  ],
  [
    'a wrong descriptor',
    zip([{ ...b, ...streamed, after: descriptor(4, true).fill(0, 8, 9) }]),
    'entry "b.npy": no data descriptor',
  ],
  ['a wrong CRC', zip([{ ...a, crc: 12345 }]), 'entry "a.npy": CRC-32 must be 12345, got'],
  ['a flipped data bit', good.with(179 + 35 + 140, 5), 'entry "b.npy": CRC-32 must be'],
  [
    'invalid DEFLATE data',
    zip([{ ...a, method: 8, stored: Buffer.alloc(20, 0xff), nBytes: 144 }]),
    'not valid DEFLATE data (Z_DATA_ERROR)',
  ],
  [
    'DEFLATE data that is cut',
    zip([{ ...deflated, stored: deflateRawSync(data).subarray(0, 30) }]),
    'not valid DEFLATE data (Z_BUF_ERROR)',
  ],
  [
    'bytes after the DEFLATE data',
    zip([{ ...deflated, stored: Buffer.concat([deflateRawSync(data), Buffer.alloc(3)]) }]),
    '3 bytes follow the end of the DEFLATE data',
  ],
  ['a bomb', zip([{ ...a, method: 8, stored: bomb, nBytes: 500 }]), 'inflates to more than the declared 500 bytes'],
  ['less than declared', zip([{ ...deflated, nBytes: 200 }]), 'must inflate to 200 bytes, got 144'],
  [
    'no npy inside',
    zip([{ ...a, data: Buffer.from('hello') }]),
    'entry "a.npy": truncated: a header has at least 10 bytes, got 5',
  ],
  [
    'npy that is cut',
    zip([{ ...a, data: data.slice(0, -1) }]),
    'entry "a.npy": truncated: shape [4] needs 16 bytes of data, got 15',
  ],
  [
    'npy that is too long',
    zip([{ ...a, data: Uint8Array.from([...data, 0]) }]),
    'entry "a.npy": 1 bytes follow the 16 bytes of data',
  ],
];

describe('malformed npz', () => {
  refusesEach('parseNp[yz]', (file, what) => parseNpz(file, what), malformed);

  it('parses or refuses randomly damaged files, and nothing else', () => {
    const plain = encodeNpz(new Map([['a', array]]));
    const compressed = encodeNpz(
      new Map([
        ['a', array],
        ['b', array],
      ]),
      { compress: true },
    );
    survivesDamage(
      (file) => parseNpz(file, 'damaged'),
      [plain, compressed, zip([{ ...a, ...streamed, after: descriptor(4, true) }])],
      3000,
    );
  });
});

it('refuses hostile arguments with typed errors', () => {
  expectHostileSafe('parseNpz', parseNpz, [good, 'a', { maxBytes: 1000 }]);
  expectHostileSafe('encodeNpz', encodeNpz, [new Map([['a', array]]), { compress: false }]);
});

describe('with numpy', () => {
  const python = '/usr/bin/python3';
  const present = spawnSync(python, ['-c', 'import numpy']).status === 0;
  if (!present) process.stderr.write(`SKIPPED: npz against numpy, because ${python} with numpy is not here\n`);

  (present ? it : it.skip)('reads what numpy writes and is read by numpy', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'hrm-npz-'));
    try {
      const arrays = new Map<string, RawArray>([
        ['a', array],
        ['x/y', { ...array, shape: [2, 2] }],
      ]);
      writeFileSync(path.join(folder, 'stored.npz'), encodeNpz(arrays));
      writeFileSync(path.join(folder, 'deflated.npz'), encodeNpz(arrays, { compress: true }));
      const script = `
import numpy as n, sys, os
d = sys.argv[1]
for f in 'stored', 'deflated':
    z = n.load(os.path.join(d, f + '.npz'))
    assert sorted(z.keys()) == ['a', 'x/y'], z.keys()
    assert (z['a'] == [1, 2, 3, 4]).all() and (z['x/y'] == [[1, 2], [3, 4]]).all()
k = {'p': n.arange(6).reshape(2, 3), 'q': n.float16([0.5, 2]), 'e': n.zeros((0, 3))}
n.savez(os.path.join(d, 's.npz'), **k)
n.savez_compressed(os.path.join(d, 'c.npz'), **k)
`;
      execFileSync(python, ['-c', script, folder]);
      for (const name of ['s.npz', 'c.npz']) {
        const loaded = parseNpz(readFileSync(path.join(folder, name)), name);
        expect([...loaded].map(([key, { dtype, shape, data }]) => [key, dtype, shape, [...data]])).toEqual([
          ['p', 'int32', [2, 3], [0, 1, 2, 3, 4, 5]],
          ['q', 'float32', [2], [0.5, 2]],
          ['e', 'float64', [0, 3], []],
        ]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
