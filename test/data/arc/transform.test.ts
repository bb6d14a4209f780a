import { describe, expect, it } from '@jest/globals';
import { decodeArcGrid, encodeArcGrid, findCorner, decodeFrom } from '../../../ts/data/arc/canvas';
import { rowsOf, type ArcGrid } from '../../../ts/data/arc/grid';
import { ArcTransform, parseArcName } from '../../../ts/data/arc/transform';
import { Philox } from '../../../ts/data/philox';
import { ArgumentError } from '../../../ts/error';
import { randomGrid } from '../../support/arc_tasks';

const rng = new Philox(7);
const grid = (rows: readonly (readonly number[])[]): ArcGrid => ({
  rows: rows.length,
  cols: rows[0]!.length,
  cells: Uint8Array.from(rows.flat()),
});
const identityColours = Uint8Array.from({ length: 10 }, (_, i) => i);

describe('ArcTransform', () => {
  // What numpy's rot90, fliplr, flipud and transpose make of [[1, 2, 3], [4, 5, 6]], in the official order.
  it.each([
    [
      0,
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ],
    [
      1,
      [
        [3, 6],
        [2, 5],
        [1, 4],
      ],
    ],
    [
      2,
      [
        [6, 5, 4],
        [3, 2, 1],
      ],
    ],
    [
      3,
      [
        [4, 1],
        [5, 2],
        [6, 3],
      ],
    ],
    [
      4,
      [
        [3, 2, 1],
        [6, 5, 4],
      ],
    ],
    [
      5,
      [
        [4, 5, 6],
        [1, 2, 3],
      ],
    ],
    [
      6,
      [
        [1, 4],
        [2, 5],
        [3, 6],
      ],
    ],
    [
      7,
      [
        [6, 3],
        [5, 2],
        [4, 1],
      ],
    ],
  ])('dihedral %i is the official one', (dihedral, expected) => {
    const image = new ArcTransform(dihedral, identityColours).apply(
      grid([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    );
    expect(rowsOf(image)).toEqual(expected);
  });

  it('changes colours by the digits of its name, keeps black and undoes itself', () => {
    for (let i = 0; i < 200; i++) {
      const transform = ArcTransform.random(rng);
      const before = randomGrid(rng, 30);
      const image = transform.apply(before);
      expect(transform.undo(image)).toEqual(before);
      expect(transform.colours[0]).toBe(0);
      const name = transform.nameOf('some_task');
      expect(name).toMatch(/^some_task_t[0-7]_0[1-9]{9}$/);
      const parsed = parseArcName(name);
      expect(parsed.task).toBe('some_task');
      expect(parsed.transform!.apply(before)).toEqual(image);
      expect(ArcTransform.ofCode(transform.code).nameOf('t')).toBe(transform.nameOf('t'));
    }
    const swapped = new ArcTransform(0, Uint8Array.of(0, 2, 1, 3, 4, 5, 6, 7, 8, 9));
    expect(swapped.nameOf('x')).toBe('x_t0_0213456789');
    expect(rowsOf(swapped.apply(grid([[0, 1, 2, 9]])))).toEqual([[0, 2, 1, 9]]);
  });

  it('draws every dihedral and no order of colours more than others', () => {
    const dihedrals = new Map<number, number>();
    const firsts = new Map<number, number>();
    for (let i = 0; i < 7200; i++) {
      const { dihedral, colours } = ArcTransform.random(rng);
      dihedrals.set(dihedral, (dihedrals.get(dihedral) ?? 0) + 1);
      firsts.set(colours[1]!, (firsts.get(colours[1]!) ?? 0) + 1);
    }
    // 900 and 800 expected; five standard deviations are 140.
    expect([...dihedrals.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    for (const n of dihedrals.values()) expect(Math.abs(n - 900)).toBeLessThan(140);
    expect(firsts.size).toBe(9);
    for (const n of firsts.values()) expect(Math.abs(n - 800)).toBeLessThan(140);
  });

  it('takes plain names for original tasks', () => {
    for (const name of [
      '007bbfb7',
      'x_t8_0123456789',
      'x_t1_1023456789',
      'x_t1_0112345678',
      'x_t1_012345678',
      '<blank>',
    ])
      expect(parseArcName(name)).toEqual({ task: name, transform: null });
  });

  it.each([
    [() => new ArcTransform(8, identityColours), 'ArcTransform: dihedral must be an integer in [0, 7], got 8'],
    [() => new ArcTransform(0, Uint8Array.of(1, 0, 2, 3, 4, 5, 6, 7, 8, 9)), 'must permute 0..9 and fix 0'],
    [() => new ArcTransform(0, Uint8Array.of(0, 1, 1, 3, 4, 5, 6, 7, 8, 9)), 'must permute 0..9 and fix 0'],
    [() => ArcTransform.identity().apply({ rows: 2, cols: 2, cells: new Uint8Array(3) }), '2 x 2 colours from 0 to 9'],
    [() => ArcTransform.identity().undo({ rows: 1, cols: 1, cells: Uint8Array.of(10) }), '1 x 1 colours from 0 to 9'],
  ])('refuses what is none: %#', (make, message) => {
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(message);
  });
});

describe('the canvas', () => {
  it('puts end tokens below and to the right of the grid, not at the corner, and padding elsewhere', () => {
    const tokens = encodeArcGrid(
      grid([
        [0, 9],
        [1, 2],
      ]),
      4,
      1,
      0,
    );
    expect(Array.from({ length: 4 }, (_, i) => [...tokens.subarray(i * 4, i * 4 + 4)])).toEqual([
      [0, 0, 0, 0],
      [2, 11, 1, 0],
      [3, 4, 1, 0],
      [1, 1, 0, 0],
    ]);
  });

  it('leaves end tokens out where the canvas ends', () => {
    expect([...encodeArcGrid(grid([[5, 5, 5]]), 3, 1, 0)]).toEqual([0, 0, 0, 7, 7, 7, 1, 1, 1]);
    expect([...encodeArcGrid(grid([[5], [5]]), 3, 1, 1)]).toEqual([0, 0, 0, 0, 7, 1, 0, 7, 1]);
    expect([...encodeArcGrid(grid([[5], [5]]), 3, 0, 2)]).toEqual([0, 0, 7, 0, 0, 7, 0, 0, 1]);
    expect([
      ...encodeArcGrid(
        grid([
          [5, 5],
          [5, 5],
        ]),
        2,
      ),
    ]).toEqual([7, 7, 7, 7]);
  });

  it('gives 1,000 random grids back after augmentation, encoding, translation, cropping and undoing', () => {
    for (let i = 0; i < 1000; i++) {
      const before = randomGrid(rng, 30);
      const transform = ArcTransform.random(rng);
      const image = transform.apply(before);
      const [row, col] = [rng.below(31 - image.rows), rng.below(31 - image.cols)];
      const tokens = encodeArcGrid(image, 30, row, col);
      const corner = findCorner(tokens, 30, 0)!;
      expect(corner).toEqual({ canvas: 30, row, col });
      expect(transform.undo(decodeFrom(tokens, corner, 0))).toEqual(before);
      expect(transform.undo(decodeArcGrid(encodeArcGrid(image)))).toEqual(before);
    }
  });

  it('crops a prediction to the largest rectangle of colours, the flatter of equals', () => {
    const crop = (rows: readonly (readonly number[])[]): number[][] => rowsOf(decodeArcGrid(rows.flat()));
    expect(
      crop([
        [2, 3, 1],
        [4, 1, 1],
        [5, 0, 2],
      ]),
    ).toEqual([[0], [2], [3]]);
    expect(
      crop([
        [2, 3, 4],
        [5, 6, 1],
        [1, 1, 1],
      ]),
    ).toEqual([
      [0, 1],
      [3, 4],
    ]);
    expect(
      crop([
        [2, 3, 1],
        [4, 1, 1],
        [1, 1, 1],
      ]),
    ).toEqual([[0, 1]]);
    expect(
      crop([
        [1, 2, 2],
        [2, 2, 2],
        [2, 2, 2],
      ]),
    ).toEqual([]);
    expect(
      crop([
        [11, 12, 2],
        [2, 2, 2],
        [2, 2, 2],
      ]),
    ).toEqual([[9], [0], [0]]);
    expect(
      crop([
        [2, -100, 2],
        [NaN, 2, 2],
        [2, 2, 2],
      ]),
    ).toEqual([[0]]);
  });

  it('refuses what does not fit', () => {
    expect(() => encodeArcGrid(grid([[1, 2]]), 2, 0, 1)).toThrow(
      'must fit on the canvas of side 2 at (0, 1), got 1 x 2',
    );
    expect(() => encodeArcGrid(grid([[1]]), 31)).toThrow('canvas must be an integer in [1, 30], got 31');
    expect(() => decodeArcGrid(new Int32Array(10))).toThrow('tokens must be a square canvas');
  });
});
