import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadDataset, loadIdentifiers, writeDataset, type PuzzleDataset, type Split } from '../../ts/data/dataset';
import { generateSudoku } from '../../ts/data/sudoku/generate';
import { geometryOf } from '../../ts/data/sudoku/geometry';
import { sudokuDataset } from '../../ts/data/sudoku/source';
import { ArgumentError, FileError, FormatError } from '../../ts/error';
import { encodeNpy } from '../../ts/io/npy';

/** An npy file of any numpy dtype, written by hand: what the official builders make but our encoder does not. */
function npy(descr: string, shape: readonly number[], body: ArrayBufferView): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const header = `${dict.padEnd(117)}\n`;
  const head = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]);
  return Buffer.concat([head, Buffer.from(header), Buffer.from(body.buffer, body.byteOffset, body.byteLength)]);
}

const int32 = (...values: number[]): Uint8Array => npy('<i4', [values.length], Int32Array.from(values));

/** The smallest directory as the official builder writes it: 3 examples of 2 tokens, 2 puzzles, 1 group. */
const official = {
  'identifiers.json': '["<blank>", "a"]',
  'train/dataset.json':
    '{"pad_id": 0, "ignore_label_id": 0, "blank_identifier_id": 0, "vocab_size": 11, "seq_len": 2, ' +
    '"num_puzzle_identifiers": 2, "total_groups": 1, "mean_puzzle_examples": 1.5, "total_puzzles": 2, "sets": ["all"]}',
  'train/all__inputs.npy': npy('<i8', [3, 2], BigInt64Array.from([1n, 2n, 3n, 4n, 5n, 10n])),
  'train/all__labels.npy': npy('|u1', [3, 2], Uint8Array.from([1, 0, 3, 4, 0, 10])),
  'train/all__puzzle_identifiers.npy': int32(0, 1),
  'train/all__puzzle_indices.npy': int32(0, 2, 3),
  'train/all__group_indices.npy': int32(0, 2),
} as const;
type OfficialFile = keyof typeof official;

let root: string;
let next = 0;
beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'hrm-dataset-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function writeOfficial(name: string, changes: Partial<Record<OfficialFile, string | Uint8Array | null>>): string {
  const directory = path.join(root, name);
  mkdirSync(path.join(directory, 'train'), { recursive: true });
  for (const [file, content] of Object.entries({ ...official, ...changes })) {
    if (content === null) continue;
    writeFileSync(path.join(directory, file), content);
  }
  return directory;
}

function metadataWith(changes: Record<string, unknown>): string {
  const fields = { ...(JSON.parse(official['train/dataset.json']) as Record<string, unknown>), ...changes };
  return JSON.stringify(fields);
}

describe('loadDataset', () => {
  it('reads the official files: int64 and uint8 tokens, ignored labels as -100', () => {
    const directory = writeOfficial('good', {});
    const { metadata, sets } = loadDataset(directory, 'train');
    expect(metadata).toEqual({
      padId: 0,
      ignoreLabelId: 0,
      blankIdentifierId: 0,
      vocabSize: 11,
      seqLen: 2,
      numPuzzleIdentifiers: 2,
      totalGroups: 1,
      meanPuzzleExamples: 1.5,
      sets: ['all'],
    });
    const [set] = sets;
    expect([...set!.inputs]).toEqual([1, 2, 3, 4, 5, 10]);
    expect([...set!.labels]).toEqual([1, -100, 3, 4, -100, 10]);
    expect([...set!.puzzleIdentifiers, ...set!.puzzleIndices, ...set!.groupIndices]).toEqual([0, 1, 0, 2, 3, 0, 2]);
    expect(loadIdentifiers(directory)).toEqual(['<blank>', 'a']);
  });

  it('keeps all labels when there is no ignored one, and reads int32 and int16', () => {
    const directory = writeOfficial('nulls', {
      'identifiers.json': null,
      'train/dataset.json': metadataWith({ ignore_label_id: null }),
      'train/all__inputs.npy': npy('<i2', [3, 2], Int16Array.from([1, 2, 3, 4, 5, 6])),
      'train/all__labels.npy': npy('<i4', [3, 2], Int32Array.from([0, 1, 2, 3, 4, 5])),
    });
    expect([...loadDataset(directory, 'train').sets[0]!.labels]).toEqual([0, 1, 2, 3, 4, 5]);
    expect(loadIdentifiers(directory)).toBeNull();
  });

  const inputs = 'train/all__inputs.npy';
  const labels = 'train/all__labels.npy';
  const ids = 'train/all__puzzle_identifiers.npy';
  const puzzles = 'train/all__puzzle_indices.npy';
  const groups = 'train/all__group_indices.npy';
  const json = 'train/dataset.json';
  const malformed: readonly (readonly [string, OfficialFile, string | Uint8Array, string])[] = [
    [
      'an input over the vocabulary',
      inputs,
      npy('|u1', [3, 2], Uint8Array.of(1, 2, 3, 4, 5, 11)),
      'token 1 of example 2',
    ],
    ['a negative input', inputs, npy('<i8', [3, 2], BigInt64Array.of(1n, -1n, 1n, 1n, 1n, 1n)), 'in [0, 10], got -1'],
    [
      'an input beyond int32',
      inputs,
      npy('<i8', [3, 2], BigInt64Array.of(1n, 2n ** 32n + 3n, 1n, 1n, 1n, 1n)),
      '4294967299',
    ],
    ['inputs of floats', inputs, npy('<f4', [3, 2], new Float32Array(6)), 'must hold integers, got float32'],
    ['inputs of bools', inputs, npy('|b1', [3, 2], new Uint8Array(6)), 'must hold integers, got bool'],
    [
      'inputs of another length',
      inputs,
      npy('|u1', [2, 3], new Uint8Array(6)),
      'shape must be [examples, 2], got [2, 3]',
    ],
    ['inputs of one dimension', inputs, npy('|u1', [6], new Uint8Array(6)), 'must have 2 dimensions, got 1'],
    ['no examples', inputs, npy('|u1', [0, 2], new Uint8Array(0)), 'shape must be [examples, 2], got [0, 2]'],
    ['truncated inputs', inputs, npy('|u1', [3, 2], new Uint8Array(5)), 'truncated'],
    ['trailing bytes', inputs, npy('|u1', [3, 2], new Uint8Array(7)), '1 bytes follow'],
    ['an empty file', inputs, '', 'truncated'],
    ['inputs that are no npy file', inputs, 'inputs that are no npy file', 'must start with the magic'],
    ['a label over the vocabulary', labels, npy('|u1', [3, 2], Uint8Array.of(1, 2, 3, 4, 5, 200)), 'got 200'],
    ['a label of -100 on disk', labels, npy('<i4', [3, 2], Int32Array.of(1, -100, 1, 1, 1, 1)), 'got -100'],
    ['fewer labels', labels, npy('|u1', [2, 2], new Uint8Array(4)), "[3, 2] as the inputs', got [2, 2]"],
    ['too few identifiers', ids, int32(0), 'for each of 2 puzzles, got 1'],
    ['too many identifiers', ids, int32(0, 1, 1), 'for each of 2 puzzles, got 3'],
    ['an identifier out of range', ids, int32(0, 2), 'identifier 1 must be in [0, 1], got 2'],
    ['a negative identifier', ids, int32(-1, 0), 'identifier 0 must be in [0, 1], got -1'],
    ['offsets that do not start at 0', puzzles, int32(1, 2, 3), 'offset 0 must be 0, got 1'],
    ['offsets that fall', puzzles, int32(0, 3, 2), 'offset 2 must be over 3'],
    ['an empty puzzle', puzzles, int32(0, 0, 3), 'offset 1 must be over 0'],
    ['offsets that stop early', puzzles, int32(0, 1, 2), 'the last offset must be 3, the number of examples, got 2'],
    ['offsets past the end', puzzles, int32(0, 2, 4), 'the last offset must be 3'],
    ['no offsets', puzzles, int32(), 'at least 2 offsets, got 0'],
    ['one offset', groups, int32(0), 'at least 2 offsets, got 1'],
    ['an empty group', groups, int32(0, 0, 2), 'offset 1 must be over 0'],
    ['groups past the puzzles', groups, int32(0, 3), 'the last offset must be 2, the number of puzzles'],
    ['offsets of two dimensions', groups, npy('<i4', [1, 2], Int32Array.of(0, 2)), 'must have 1 dimension, got 2'],
    [
      'a wrong number of groups',
      json,
      metadataWith({ total_groups: 2 }),
      'total_groups must be 1, the groups of its sets, got 2',
    ],
    ['metadata that is no object', json, '[]', 'the document must be an object'],
    ['metadata that is no JSON', json, '{', 'line 1'],
    ['a duplicate key', json, '{"pad_id": 0, "pad_id": 0}', 'a key must appear once'],
    ['a missing field', json, metadataWith({ vocab_size: undefined }), 'vocab_size must be an integer'],
    [
      'a field of another type',
      json,
      metadataWith({ seq_len: '2' }),
      'seq_len must be an integer in [1, 1048576], got "2"',
    ],
    ['a fractional size', json, metadataWith({ seq_len: 2.5 }), 'seq_len must be an integer'],
    ['a huge length', json, metadataWith({ seq_len: 2 ** 31 }), 'seq_len must be an integer'],
    ['an empty vocabulary', json, metadataWith({ vocab_size: 0 }), 'vocab_size must be an integer'],
    [
      'padding outside the vocabulary',
      json,
      metadataWith({ pad_id: 11 }),
      'pad_id must be an integer in [0, 10], got 11',
    ],
    ['a blank identifier out of range', json, metadataWith({ blank_identifier_id: 2 }), 'blank_identifier_id must be'],
    ['a mean of 0', json, metadataWith({ mean_puzzle_examples: 0 }), 'mean_puzzle_examples must be a number over 0'],
    [
      'a mean beyond all examples',
      json,
      metadataWith({ mean_puzzle_examples: 1e308 }),
      'mean_puzzle_examples must be a number over 0, at most 2147483647, got 1e+308',
    ],
    ['no sets', json, metadataWith({ sets: [] }), 'sets must be a list of 1 to 64 names'],
    ['a set twice', json, metadataWith({ sets: ['all', 'all'] }), 'sets must be distinct names'],
    ['a set that leaves the folder', json, metadataWith({ sets: ['../all'] }), 'sets must be names of letters'],
    ['a set that is no name', json, metadataWith({ sets: [7] }), 'sets must be names of letters'],
    ['__proto__ for the fields', json, `{"__proto__": ${official[json]}}`, 'vocab_size must be an integer'],
  ];

  it.each(malformed)('refuses %s, naming the file', (_name, file, content, reason) => {
    const directory = writeOfficial(`bad${next++}`, { [file]: content });
    let refusal: unknown;
    try {
      loadDataset(directory, 'train');
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(FormatError);
    expect((refusal as Error).message).toContain(reason);
    expect((refusal as Error).message).toContain(path.join(directory, file));
  });

  it.each(Object.keys(official).filter((file) => file !== 'identifiers.json') as OfficialFile[])(
    'names the missing file %s',
    (file) => {
      const directory = writeOfficial(`missing${next++}`, { [file]: null });
      expect(() => loadDataset(directory, 'train')).toThrow(FileError);
      expect(() => loadDataset(directory, 'train')).toThrow(path.join(directory, file));
    },
  );

  it('refuses bad arguments and identifiers', () => {
    const directory = writeOfficial('arguments', { 'identifiers.json': '{"a": 1}' });
    expect(() => loadDataset(directory, 'validation' as Split)).toThrow(ArgumentError);
    expect(() => loadDataset('', 'train')).toThrow(ArgumentError);
    expect(() => loadDataset(null as unknown as string, 'train')).toThrow(ArgumentError);
    expect(() => loadDataset(path.join(root, 'absent'), 'train')).toThrow(FileError);
    expect(() => loadIdentifiers(directory)).toThrow(FormatError);
  });
});

describe('writeDataset', () => {
  it('writes what it loads, for random sets', () => {
    const lengths = fc.array(fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }), {
      minLength: 1,
      maxLength: 4,
    });
    const sizes = fc.constantFrom(11, 256, 300, 40_000);
    fc.assert(
      fc.property(
        lengths,
        sizes,
        fc.option(fc.integer({ min: -100, max: 10 })),
        fc.infiniteStream(fc.nat(2 ** 20)),
        (groups, vocabSize, ignoreLabelId, stream) => {
          const draw = (below: number): number => stream.next().value % below;
          const seqLen = 3;
          const puzzleIndices = [0];
          const groupIndices = [0];
          for (const group of groups) {
            for (const length of group) puzzleIndices.push(puzzleIndices.at(-1)! + length);
            groupIndices.push(puzzleIndices.length - 1);
          }
          const nExamples = puzzleIndices.at(-1)!;
          const labels = Int32Array.from({ length: nExamples * seqLen }, () => {
            const label = draw(vocabSize);
            return ignoreLabelId !== null && (label === ignoreLabelId || draw(4) === 0) ? -100 : label;
          });
          const dataset: PuzzleDataset = {
            metadata: {
              padId: 0,
              ignoreLabelId,
              blankIdentifierId: 1,
              vocabSize,
              seqLen,
              numPuzzleIdentifiers: 5,
              totalGroups: groups.length,
              meanPuzzleExamples: 1.25,
              sets: ['all'],
            },
            sets: [
              {
                name: 'all',
                nExamples,
                inputs: Int32Array.from({ length: nExamples * seqLen }, () => draw(vocabSize)),
                labels,
                puzzleIdentifiers: Int32Array.from({ length: puzzleIndices.length - 1 }, () => draw(5)),
                puzzleIndices: Int32Array.from(puzzleIndices),
                groupIndices: Int32Array.from(groupIndices),
              },
            ],
          };
          const directory = path.join(root, `written${next++}`);
          const names = ['<blank>', 'b', 'c', 'd', 'e'];
          writeDataset(directory, { train: dataset }, names);
          const read = loadDataset(directory, 'train');
          expect(read.metadata).toEqual(dataset.metadata);
          for (const key of ['inputs', 'labels', 'puzzleIdentifiers', 'puzzleIndices', 'groupIndices'] as const) {
            expect([...read.sets[0]![key]]).toEqual([...dataset.sets[0]![key]]);
          }
          expect(loadIdentifiers(directory)).toEqual(names);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('uses the names, fields and dtypes of the official loader', () => {
    const geometry = geometryOf(2, 2);
    const dataset = sudokuDataset(generateSudoku({ geometry, count: 2, seed: 1, blanks: { min: 5, max: 8 } }), {
      augmentations: 3,
      seed: 2,
    });
    const directory = path.join(root, 'sudoku');
    writeDataset(directory, { train: dataset, test: dataset }, ['<blank>']);
    expect(readdirSync(directory).sort()).toEqual(['identifiers.json', 'test', 'train']);
    expect(readdirSync(path.join(directory, 'train')).sort()).toEqual([
      'all__group_indices.npy',
      'all__inputs.npy',
      'all__labels.npy',
      'all__puzzle_identifiers.npy',
      'all__puzzle_indices.npy',
      'dataset.json',
    ]);
    expect(JSON.parse(readFileSync(path.join(directory, 'train', 'dataset.json'), 'utf8'))).toEqual({
      pad_id: 0,
      ignore_label_id: 0,
      blank_identifier_id: 0,
      vocab_size: 6,
      seq_len: 16,
      num_puzzle_identifiers: 1,
      total_groups: 2,
      mean_puzzle_examples: 1,
      sets: ['all'],
    });
    const header = (field: string): string =>
      readFileSync(path.join(directory, 'train', `all__${field}.npy`))
        .subarray(10, 80)
        .toString('latin1');
    expect(header('inputs')).toContain("'|u1'");
    expect(header('inputs')).toContain('(8, 16)');
    for (const field of ['puzzle_identifiers', 'puzzle_indices', 'group_indices']) {
      expect(header(field)).toContain("'<i4'");
    }
    expect([...loadDataset(directory, 'test').sets[0]!.groupIndices]).toEqual([0, 4, 8]);
  });

  it('leaves nothing behind when it cannot write, and replaces nothing', () => {
    const dataset = loadDataset(writeOfficial('source', {}), 'train');
    const directory = path.join(root, 'fresh');
    const before = readdirSync(root);
    const set = dataset.sets[0]!;
    const change = (changes: object): PuzzleDataset => ({ ...dataset, sets: [{ ...set, ...changes }] });
    for (const [bad, names] of [
      [dataset, ['one']],
      [change({ inputs: Uint8Array.of(1, 2, 3, 4, 5, 11) }), ['a', 'b']],
      [change({ inputs: Int16Array.of(1, 2, 3, 4, 5, -100) }), ['a', 'b']],
      [change({ labels: Int16Array.of(1, 0, 3, 4, 5, 6) }), ['a', 'b']],
      [change({ labels: Int16Array.of(1) }), ['a', 'b']],
      [
        {
          ...change({ labels: Int16Array.of(1, -100, 3, 4, 5, 6) }),
          metadata: { ...dataset.metadata, ignoreLabelId: null },
        },
        ['a', 'b'],
      ],
    ] as const) {
      expect(() => writeDataset(directory, { train: bad }, names)).toThrow(ArgumentError);
    }
    expect(() => writeDataset(directory, { dev: dataset } as object, ['a', 'b'])).toThrow(ArgumentError);
    expect(existsSync(directory)).toBe(false);
    expect(readdirSync(root)).toEqual(before);
    writeDataset(directory, { train: dataset }, ['a', 'b']);
    expect(() => writeDataset(directory, { train: dataset }, ['a', 'b'])).toThrow(FileError);
    expect(encodeNpy({ dtype: 'int32', shape: [2], data: Int32Array.of(0, 2) })).toEqual(
      new Uint8Array(readFileSync(path.join(directory, 'train', 'all__group_indices.npy'))),
    );
  });
});
