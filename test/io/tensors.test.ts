import { afterAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import {
  ArgumentError,
  DTypeError,
  FileError,
  FormatError,
  loadNpy,
  loadNpz,
  loadSafetensors,
  memory,
  saveNpy,
  saveNpz,
  saveSafetensors,
  tensor,
  type Tensor,
  tidy,
  transpose,
} from '../../ts/index';
import { encodeNpy } from '../../ts/io/npy';
import { encodeNpz } from '../../ts/io/npz';
import type { RawArray } from '../../ts/io/raw_array';
import { encodeSafetensors, parseSafetensors } from '../../ts/io/safetensors';
import { type DType, DTYPES } from '../../ts/tensor/dtype';

const folder = mkdtempSync(path.join(tmpdir(), 'hrm-tensors-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const at = (name: string): string => path.join(folder, name);

const nine: RawArray = { dtype: 'uint8', shape: [1, 1, 1, 1, 1, 1, 1, 1, 1], data: new Uint8Array(1) };

/** Any values of a dtype, NaN, infinities and negative zero among them. */
function anyTensor(dtypes: readonly DType[]): fc.Arbitrary<{ dtype: DType; shape: number[]; values: number[] }> {
  return fc
    .record({
      dtype: fc.constantFrom(...dtypes),
      shape: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }),
    })
    .chain(({ dtype, shape }) => {
      const n = shape.reduce((a, b) => a * b, 1);
      const integers = { bool: [0, 1], uint8: [0, 255], int32: [-(2 ** 31), 2 ** 31 - 1] } as const;
      const element =
        dtype in integers
          ? fc.integer({ min: integers[dtype as 'bool'][0], max: integers[dtype as 'bool'][1] })
          : dtype === 'float64'
            ? fc.double()
            : fc.float();
      return fc.record({
        dtype: fc.constant(dtype),
        shape: fc.constant(shape),
        values: fc.array(element, { minLength: n, maxLength: n }),
      });
    });
}

const make = ({ dtype, shape, values }: { dtype: DType; shape: number[]; values: number[] }): Tensor =>
  tensor(Float64Array.from(values), { dtype, shape });

function expectSame(found: Tensor | undefined, wanted: Tensor): void {
  expect([found?.dtype, found?.shape]).toEqual([wanted.dtype, wanted.shape]);
  expect(found?.dataSync()).toEqual(wanted.dataSync());
}

describe('safetensors', () => {
  it('keep every dtype, bit for bit', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ maxLength: 5 }), anyTensor(DTYPES)), { maxLength: 4 }), (list) => {
        tidy(() => {
          const tensors = new Map(list.map(([name, spec]) => [name, make(spec)]));
          tensors.delete('__metadata__');
          saveSafetensors(at('x.safetensors'), tensors);
          const loaded = loadSafetensors(at('x.safetensors'));
          // Sorted: the header is a JSON object, whose names carry no order.
          expect([...loaded.keys()].sort()).toEqual([...tensors.keys()].sort());
          for (const [name, wanted] of tensors) expectSame(loaded.get(name), wanted);
        });
      }),
      { numRuns: 40 },
    );
  });

  it('keep the bits of every bfloat16', () => {
    const all = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);
    saveSafetensors(at('b.safetensors'), { all: tensor(all, { dtype: 'bfloat16' }) });
    const raw = parseSafetensors(readFileSync(at('b.safetensors')), 'b').tensors.get('all');
    expect(raw?.dtype).toBe('bfloat16');
    expect(raw?.data).toEqual(all);
    const loaded = loadSafetensors(at('b.safetensors')).get('all') as Tensor;
    expect([loaded.dtype, loaded.dataSync()[0x3f80], loaded.dataSync()[0xc040]]).toEqual(['bfloat16', 1, -3]);
  });

  it('take objects, views and metadata', () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    saveSafetensors(at('v.safetensors'), { x, t: transpose(x, 0, 1) }, new Map([['format', 'pt']]));
    expect([...(loadSafetensors(at('v.safetensors')).get('t')?.dataSync() ?? [])]).toEqual([1, 3, 2, 4]);
    expect(parseSafetensors(readFileSync(at('v.safetensors')), 'v').metadata.get('format')).toBe('pt');
  });

  it('leave nothing behind where a tensor is refused', () => {
    const first: RawArray = { ...nine, shape: [1] };
    writeFileSync(
      at('nine.safetensors'),
      encodeSafetensors(
        new Map([
          ['a', first],
          ['nine', nine],
        ]),
      ),
    );
    const before = memory().tensors;
    expect(() => loadSafetensors(at('nine.safetensors'))).toThrow(/loadSafetensors: .*nine.*at most 8 dimensions/);
    // The collector may take others meanwhile.
    expect(memory().tensors).toBeLessThanOrEqual(before);
  });
});

describe('npy and npz', () => {
  const numpy = DTYPES.filter((dtype) => dtype !== 'bfloat16');

  it('keep every dtype that numpy has', () => {
    fc.assert(
      fc.property(fc.tuple(anyTensor(numpy), anyTensor(numpy), fc.boolean()), ([a, b, compress]) => {
        tidy(() => {
          const tensors = { a: make(a), b: make(b) };
          saveNpy(at('a.npy'), tensors.a);
          expectSame(loadNpy(at('a.npy')), tensors.a);
          saveNpz(at('ab.npz'), tensors, { compress });
          const loaded = loadNpz(at('ab.npz'));
          expect([...loaded.keys()]).toEqual(['a', 'b']);
          expectSame(loaded.get('a'), tensors.a);
          expectSame(loaded.get('b'), tensors.b);
        });
      }),
      { numRuns: 40 },
    );
  });

  it('refuse what they cannot hold', () => {
    const half = tensor([1], { dtype: 'bfloat16' });
    expect(() => saveNpy(at('h.npy'), half)).toThrow(DTypeError);
    expect(() => saveNpz(at('h.npz'), { half })).toThrow(DTypeError);
    writeFileSync(at('nine.npy'), encodeNpy(nine));
    writeFileSync(at('nine.npz'), encodeNpz(new Map([['x', nine]])));
    expect(() => loadNpy(at('nine.npy'))).toThrow(FormatError);
    expect(() => loadNpz(at('nine.npz'))).toThrow(FormatError);
    expect(() => loadNpz(at('ab.npz'), { maxBytes: 1 })).toThrow(FormatError);
  });
});

describe('bad arguments', () => {
  const x = tensor([1]);
  const gone = tensor([1]);
  gone.dispose();
  it.each<[string, () => unknown, new (message: string) => Error]>([
    ['a file that is not there', () => loadSafetensors(at('none')), FileError],
    ['a folder', () => loadNpy(folder), FileError],
    ['a path that is a number', () => loadNpz(3 as unknown as string), ArgumentError],
    ['a folder that is not there', () => saveNpy(at('none/x.npy'), x), FileError],
    ['a tensor for a map', () => saveSafetensors(at('y'), x as unknown as Map<string, Tensor>), ArgumentError],
    ['an array', () => saveNpz(at('y'), [x] as unknown as Map<string, Tensor>), ArgumentError],
    ['numbers for tensors', () => saveSafetensors(at('y'), { x: 1 as unknown as Tensor }), ArgumentError],
    ['numbers in a map', () => saveNpz(at('y'), new Map([['x', 1 as unknown as Tensor]])), ArgumentError],
    ['a map for a tensor', () => saveNpy(at('y'), new Map() as unknown as Tensor), ArgumentError],
    ['a disposed tensor', () => saveNpy(at('y'), gone), Error],
  ])('refuse %s', (_what, run, error) => {
    expect(run).toThrow(error);
  });
});
