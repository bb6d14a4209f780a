import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Philox } from '../../../ts/data/philox';
import { findEquivalence, symmetryInvariant } from '../../../ts/data/sudoku/equivalence';
import { blanksOf, enumerateSolutions, generateSudoku } from '../../../ts/data/sudoku/generate';
import { geometryOf } from '../../../ts/data/sudoku/geometry';
import { readTokens, sudokuSampler } from '../../../ts/data/sudoku/source';
import {
  assertDisjoint,
  blanksHistogram,
  generateSplits,
  gridsOf,
  overlapOf,
  splitByGrid,
} from '../../../ts/data/sudoku/split';
import { formatGrid } from '../../../ts/data/sudoku/text';
import { SudokuTransform } from '../../../ts/data/sudoku/transform';
import { ArgumentError } from '../../../ts/error';
import { naiveSolutions } from './naive';

const small = geometryOf(2, 2);

describe('generateSplits', () => {
  const options = {
    geometry: small,
    seed: 1,
    blanks: { min: 8, max: 12 },
    trainPuzzles: 1000,
    validPuzzles: 200,
    testPuzzles: 500,
  };

  it('makes three 4x4 sets that share no puzzle and no grid, with unique solutions and 8 to 12 blanks', () => {
    for (const seed of [1, 2, 3]) {
      const { train, valid, test } = generateSplits({ ...options, seed });
      expect([train.length, valid.length, test.length]).toEqual([1000, 200, 500]);
      for (const [a, b] of [
        [train, valid],
        [train, test],
        [valid, test],
      ] as const) {
        expect(overlapOf(a, b)).toEqual({ puzzles: 0, solutions: 0 });
        assertDisjoint(a, b, 'test');
      }
      expect([...blanksHistogram(test).keys()]).toEqual([8, 9, 10, 11, 12]);
      expect([...blanksHistogram(test).values()].reduce((a, b) => a + b)).toBe(500);
      for (let i = 0; i < test.length; i++) {
        expect(naiveSolutions(test.puzzle(i), small, 2).map(formatGrid)).toEqual([formatGrid(test.solution(i))]);
        expect(test.puzzle(i).filter((digit) => digit === 0).length).toBe(blanksOf(test.puzzle(i)));
      }
    }
  });

  it('keeps augmented training rows off the held-out grids, which they would hit otherwise', () => {
    const { train, valid, test, accept } = generateSplits(options);
    const held = new Set([...gridsOf(valid), ...gridsOf(test)]);
    const hits = (guarded: boolean): number => {
      const sampler = sudokuSampler(
        train,
        { augmentations: 1000, seed: 1, ...(guarded ? { accept } : {}) },
        { batchSize: 100, seed: 1, epochsPerInterval: 10 },
      );
      let count = 0;
      for (let i = 0; i < 40; i++) {
        const batch = sampler.next()!;
        for (let row = 0; row < 100; row++) {
          if (held.has(formatGrid(readTokens(batch.labels, row * 16, small)))) count++;
        }
      }
      return count;
    };
    expect(hits(true)).toBe(0);
    expect(hits(false)).toBeGreaterThan(500);
  });

  it('splits larger sizes too, and refuses what cannot be split', () => {
    const six = geometryOf(2, 3);
    const { train, valid, test } = generateSplits({
      ...options,
      geometry: six,
      trainPuzzles: 30,
      validPuzzles: 10,
      testPuzzles: 10,
    });
    expect(overlapOf(train, test)).toEqual({ puzzles: 0, solutions: 0 });
    expect([train.length, valid.length, test.length]).toEqual([30, 10, 10]);
    expect(() => generateSplits({ ...options, geometry: geometryOf(1, 2) })).toThrow('has only 2 grids');
    expect(() => generateSplits({ ...options, testPuzzles: -1 })).toThrow(ArgumentError);
  });
});

describe('splitByGrid', () => {
  it('keeps all puzzles of a grid on one side', () => {
    const solutions = enumerateSolutions(small).slice(0, 20);
    const set = generateSudoku({ geometry: small, count: 200, seed: 1, blanks: { min: 4, max: 9 }, solutions });
    const [first, second] = splitByGrid(set, 0.25, 7);
    expect(first.length + second.length).toBe(200);
    expect([gridsOf(first).size, gridsOf(second).size]).toEqual([15, 5]);
    expect(overlapOf(first, second).solutions).toBe(0);
    expect(overlapOf(set, second)).toEqual({ puzzles: second.length, solutions: 5 });
    expect(() => assertDisjoint(set, second, 'x')).toThrow(`x: must share nothing, got ${second.length} puzzles and 5`);
    for (const fraction of [0, 1, -1, NaN, 0.001]) expect(() => splitByGrid(set, fraction, 7)).toThrow(ArgumentError);
  });
});

describe('equivalence', () => {
  const geometries = fc.constantFrom(small, geometryOf(2, 3), geometryOf(3, 2), geometryOf(3, 3), geometryOf(3, 4));

  it('finds a symmetry between a puzzle and its image, and the invariant agrees', () => {
    fc.assert(
      fc.property(geometries, fc.nat(), (geometry, seed) => {
        const min = Math.floor(geometry.cells * 0.3);
        const puzzle = generateSudoku({ geometry, count: 1, seed, blanks: { min, max: min + 5 } }).puzzle(0);
        const image = SudokuTransform.random(geometry, new Philox(seed, 5)).apply(puzzle);
        expect(symmetryInvariant(image, geometry)).toBe(symmetryInvariant(puzzle, geometry));
        const found = findEquivalence(puzzle, image, geometry);
        expect(found?.apply(puzzle)).toEqual(image);
      }),
      { numRuns: 150 },
    );
  });

  it('tells apart puzzles that differ in one clue or have none in common', () => {
    const nine = geometryOf(3, 3);
    const set = generateSudoku({ geometry: nine, count: 60, seed: 2, blanks: 'minimal' });
    const seen = new Set<number>();
    for (let i = 0; i < set.length; i++) {
      seen.add(symmetryInvariant(set.puzzle(i), nine));
      const fewer = set.puzzle(i).slice();
      fewer[fewer.findIndex((digit) => digit !== 0)] = 0;
      seen.add(symmetryInvariant(fewer, nine));
      expect(findEquivalence(set.puzzle(i), fewer, nine)).toBeNull();
    }
    expect(seen.size).toBe(120);
  });

  it('agrees with trying all symmetries of 4x4', () => {
    const sorted = [
      Uint8Array.of(0, 1, 2, 3),
      Uint8Array.of(1, 0, 2, 3),
      Uint8Array.of(0, 1, 3, 2),
      Uint8Array.of(1, 0, 3, 2),
    ];
    const lines = sorted.flatMap((order) => [order, Uint8Array.from([...order.slice(2), ...order.slice(0, 2)])]);
    const digits: Uint8Array[] = [];
    for (let code = 0; code < 256; code++) {
      const map = Uint8Array.of(0, 1 + (code & 3), 1 + ((code >> 2) & 3), 1 + ((code >> 4) & 3), 1 + (code >> 6));
      if (new Set(map).size === 5) digits.push(map);
    }
    const all = digits.flatMap((d) =>
      lines.flatMap((r) => lines.flatMap((c) => [false, true].map((t) => new SudokuTransform(small, d, r, c, t)))),
    );
    expect(all.length).toBe(24 * 128);
    const set = generateSudoku({ geometry: small, count: 40, seed: 9, blanks: { min: 12, max: 12 } });
    let equivalent = 0;
    for (let i = 1; i < set.length; i++) {
      const images = new Set(all.map((transform) => formatGrid(transform.apply(set.puzzle(i)))));
      for (let j = 0; j < i; j++) {
        const expected = images.has(formatGrid(set.puzzle(j)));
        if (expected) equivalent++;
        expect(findEquivalence(set.puzzle(i), set.puzzle(j), small) !== null).toBe(expected);
      }
    }
    expect(equivalent).toBeGreaterThan(0);
  });

  it('gives up on grids whose symmetry leaves too many choices, instead of searching for ever', () => {
    const sixteen = geometryOf(4, 4);
    const solved = generateSudoku({ geometry: sixteen, count: 2, seed: 1, blanks: { min: 0, max: 0 } });
    const started = performance.now();
    expect(findEquivalence(solved.solution(0), solved.solution(1), sixteen)).not.toBeInstanceOf(SudokuTransform);
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});
