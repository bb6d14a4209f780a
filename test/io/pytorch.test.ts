import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ArgumentError, FileError, FormatError } from '../../ts/error';
import { PyTorchFile } from '../../ts/io/pytorch/pytorch_file';
import type { RawArray } from '../../ts/io/raw_array';
import { readPyTorchCheckpoint } from '../../ts/io/tensors';
import { memory } from '../../ts/native/runtime';
import { expectHostileSafe } from './hostile';
import { refusesEach, survivesDamage } from './malformed';
import { archive, bytes, concat, dictOf, floats, ints, one, op, pickle, tensor, tupleOf } from './pytorch_files';
import { malformed, planted, unreadable } from './pytorch_hostile';
import { fields } from './zip_files';

// Files are read from disk, under a name that messages can be compared with.
const root = process.cwd();
const directory = mkdtempSync(path.join(tmpdir(), 'hrm-pytorch-'));
beforeAll(() => process.chdir(directory));
afterAll(() => {
  process.chdir(root);
  rmSync(directory, { recursive: true, force: true });
});

function readAll(file: Uint8Array, name = 'bad'): Map<string, RawArray> {
  writeFileSync(name, file);
  using input = new PyTorchFile(name);
  const arrays = new Map([...input.entries.keys()].map((key) => [key, input.read(key)]));
  for (const [key, { dtype, shape }] of input.entries) expect(arrays.get(key)).toMatchObject({ dtype, shape });
  return arrays;
}
const valuesOf = (file: Uint8Array, name = 'w'): unknown[] => {
  const { dtype, shape, data } = readAll(file).get(name)!;
  return [dtype, shape, ...data];
};

describe('PyTorchFile', () => {
  it('reads an archive as PyTorch writes it, with and without the 64-bit end record and newer entries', () => {
    const newer = {
      byteorder: 'little',
      '.format_version': '1',
      '.storage_alignment': '64',
      '.data/serialization_id': '1234567890123456789012345678901234567890',
    };
    for (const options of [{}, { narrow: true }, { notes: newer }, { folder: 'step_100' }]) {
      expect(valuesOf(archive(options))).toEqual(['float32', [4], 1, 2, 3, 4]);
    }
  });

  it('reads zip64 sizes and offsets', () => {
    const wide = (value: number) => fields([8, value]);
    const file = Buffer.from(archive({ narrow: true }));
    // The last record of the directory gets a 64-bit offset: 8 bytes of extra data more.
    const end = file.length - 22;
    const at = file.lastIndexOf(Buffer.from('PK\x01\x02', 'latin1'));
    const record = Buffer.from(file.subarray(at, end));
    const extra = Buffer.concat([fields([2, 1], [2, 8]), wide(record.readUInt32LE(42))]);
    record.writeUInt32LE(0xffffffff, 42);
    record.writeUInt16LE(extra.length, 30);
    const tail = Buffer.from(file.subarray(end));
    tail.writeUInt32LE(tail.readUInt32LE(12) + extra.length, 12);
    expect(valuesOf(Buffer.concat([file.subarray(0, at), record, extra, tail]))).toHaveLength(6);
  });

  it('reads every dtype', () => {
    const cases: readonly (readonly [type: string, stored: Uint8Array, dtype: string, ...values: number[]])[] = [
      ['FloatStorage', floats.subarray(0, 8), 'float32', 1, 2],
      ['DoubleStorage', Buffer.from(Float64Array.of(0.1, -2).buffer), 'float64', 0.1, -2],
      ['HalfStorage', bytes(0, 0x3c, 1, 0), 'float32', 1, 2 ** -24],
      ['BFloat16Storage', bytes(0x80, 0x3f, 0, 0xc0), 'bfloat16', 0x3f80, 0xc000],
      ['LongStorage', Buffer.from(BigInt64Array.of(-1n, 7n).buffer), 'int32', -1, 7],
      ['IntStorage', Buffer.from(Int32Array.of(-(2 ** 31), 7).buffer), 'int32', -(2 ** 31), 7],
      ['ShortStorage', Buffer.from(Int16Array.of(-3, 7).buffer), 'int32', -3, 7],
      ['CharStorage', bytes(255, 7), 'int32', -1, 7],
      ['ByteStorage', bytes(255, 7), 'uint8', 255, 7],
      ['BoolStorage', bytes(1, 0), 'bool', 1, 0],
    ];
    for (const [type, stored, dtype, ...values] of cases) {
      const code = one({ type: op.global('torch', type), count: op.int(2), size: ints(2) });
      expect(valuesOf(archive({ pickle: code, storages: { 0: stored } }))).toEqual([dtype, [2], ...values]);
    }
  });

  it('reads untyped storages with the dtype of the tensor', () => {
    const untyped = {
      type: op.global('torch.storage', 'UntypedStorage'),
      rebuild: '_rebuild_tensor_v3',
      count: op.int(16),
    };
    const code = one({
      ...untyped,
      offset: op.int(1),
      size: ints(3),
      more: [op.global('torch', 'float32'), dictOf({})],
    });
    expect(valuesOf(archive({ pickle: code }))).toEqual(['float32', [3], 2, 3, 4]);
    const words = one({ ...untyped, size: ints(8), more: [op.global('torch', 'uint16')] });
    expect(valuesOf(archive({ pickle: words }))).toEqual(['int32', [8], 0, 0x3f80, 0, 0x4000, 0, 0x4040, 0, 0x4080]);
  });

  it('reads views: offsets, transposes, steps, scalars, nothing', () => {
    const view = (offset: number, size: readonly number[], stride: readonly number[]) =>
      valuesOf(
        archive({ pickle: one({ offset: op.int(offset), size: ints(...size), stride: ints(...stride) }) }),
      ).slice(1);
    expect(view(1, [3], [1])).toEqual([[3], 2, 3, 4]);
    expect(view(0, [2, 2], [1, 2])).toEqual([[2, 2], 1, 3, 2, 4]);
    expect(view(1, [2], [2])).toEqual([[2], 2, 4]);
    expect(view(0, [2, 1, 2], [2, 77, 1])).toEqual([[2, 1, 2], 1, 2, 3, 4]);
    expect(view(2, [], [])).toEqual([[], 3]);
    expect(view(4, [0, 3], [3, 1])).toEqual([[0, 3]]);
    expect(view(3, [1, 1], [9, 9])).toEqual([[1, 1], 4]);
  });

  it('reads nested dictionaries, shared storages, parameters, and passes over everything else', () => {
    const parameter = concat(
      op.global('torch._utils', '_rebuild_parameter'),
      tupleOf(tensor(), op.newTrue, op.none),
      op.reduce,
    );
    const metadata = dictOf({ _metadata: dictOf({ version: op.int(1) }) });
    const state = concat(
      op.global('collections', 'OrderedDict'),
      op.emptyTuple,
      op.reduce,
      op.mark,
      ...[op.text('a'), parameter, op.text('b.c'), tensor({ offset: op.int(2), size: ints(2) })],
      op.setItems,
      metadata,
      op.build,
    );
    const device = concat(op.global('torch', 'device'), op.text('cuda'), op.int(1), op.tuple2, op.reduce);
    const size = concat(op.global('torch', 'Size'), ints(1, 2), op.tuple1, op.reduce);
    const list = concat(op.emptyList, op.mark, tensor({ size: ints(1) }), op.newFalse, op.appends);
    const all = { model: state, step: op.long(2n ** 62n), list, device, size, dtype: op.global('torch', 'bfloat16') };
    const read = readAll(archive({ pickle: pickle(dictOf(all)) }));
    expect([...read].map(([name, { data }]) => [name, ...data])).toEqual([
      ['model.a', 1, 2, 3, 4],
      ['model.b.c', 3, 4],
      ['list.0', 1],
    ]);
  });

  it('gives tensors in the order of the file, each storage read once, and closes the file', () => {
    const code = dictOf({
      z: tensor({ key: op.text('1') }),
      a: tensor(),
      y: tensor({ key: op.text('1'), size: ints(2) }),
    });
    writeFileSync('good', archive({ pickle: pickle(code), storages: { 0: floats, 1: floats.toReversed() } }));
    const before = memory().tensors;
    const tensors = readPyTorchCheckpoint('good');
    expect([...tensors.keys()]).toEqual(['z', 'a', 'y']);
    expect([...tensors.get('a')!.dataSync()]).toEqual([1, 2, 3, 4]);
    for (const item of tensors.values()) item.dispose();
    expect(memory().tensors).toBeLessThanOrEqual(before);
    const file = new PyTorchFile('good');
    expect(() => file.read('b')).toThrow(ArgumentError);
    file.close();
    file.close();
    expect(() => file.read('a')).toThrow(FileError);
    expect(() => new PyTorchFile('absent')).toThrow(FileError);
    expectHostileSafe('readPyTorchCheckpoint', readPyTorchCheckpoint, ['absent']);
  });

  it('says that a tensor has too many dimensions for one of ours', () => {
    const code = one({ size: ints(...Array<number>(9).fill(1)), stride: ints(...Array<number>(9).fill(1)) });
    writeFileSync('nine', archive({ pickle: code }));
    expect(() => readPyTorchCheckpoint('nine')).toThrow(FormatError);
    expect(() => readPyTorchCheckpoint('nine')).toThrow(
      'readPyTorchCheckpoint: nine: tensor "w": a tensor has at most 8',
    );
  });
});

/** Loads the planted pickles one after the other and prints the numbers of those that made the marker. */
const unpickleAll = `
import os, pickle, sys
for i in range(int(sys.argv[1])):
    try:
        with open(f'planted{i}', 'rb') as file:
            pickle._Unpickler(file).load()
    except BaseException:
        pass
    if os.path.exists(sys.argv[2]):
        os.remove(sys.argv[2])
        print(i, end=' ')
`;
const marker = path.join(directory, 'marker');
const plantedRows = planted(`touch ${marker}`);

describe('hostile checkpoints', () => {
  refusesEach('PyTorchFile(\\.read)?', (file) => readAll(file), [
    ...malformed,
    ...unreadable,
    ...plantedRows.map(([name, code, message]) => [`planted: ${name}`, archive({ pickle: code }), message] as const),
  ]);

  it('are at least 100', () => {
    expect(malformed.length + unreadable.length + plantedRows.length).toBeGreaterThanOrEqual(100);
  });

  it('run nothing', () => {
    expect(existsSync(marker)).toBe(false);
  });

  it('parses or refuses randomly damaged files, and nothing else', () => {
    const narrow = archive({ narrow: true, pickle: one({ size: ints(2, 2), stride: ints(1, 2) }) });
    survivesDamage((file) => readAll(file), [archive(), narrow], 500);
  });

  const python = spawnSync('/usr/bin/python3', ['-c', 'import pickle']).status === 0;
  if (!python) console.warn('SKIPPED: the planted pickles in a real unpickler (no /usr/bin/python3)');
  (python ? it : it.skip)('would have run in a real unpickler', () => {
    plantedRows.forEach(([, code], i) => writeFileSync(`planted${i}`, code));
    const { stdout } = spawnSync('/usr/bin/python3', ['-c', unpickleAll, String(plantedRows.length), marker], {
      encoding: 'utf8',
      timeout: 100_000,
    });
    const runs = stdout
      .trim()
      .split(' ')
      .map((i) => plantedRows[Number(i)]!);
    rmSync(marker, { force: true });
    expect(runs.map(([name]) => name)).toEqual(
      expect.arrayContaining(['os.system', 'posix.system', 'builtins.eval', 'STACK_GLOBAL', 'INST']),
    );
  });
});
