import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Philox } from '../../../ts/data/philox';
import { blanksOf, enumerateSolutions, generateSudoku, randomSolution } from '../../../ts/data/sudoku/generate';
import { geometryOf, geometryOfCells, geometryOfSize, type Geometry } from '../../../ts/data/sudoku/geometry';
import { checkAnswer, describeViolation, findConflicts, isSolved, keepsClues } from '../../../ts/data/sudoku/rules';
import { solverOf } from '../../../ts/data/sudoku/solver';
import { formatGrid, parseGrid, prettyGrid } from '../../../ts/data/sudoku/text';
import { SudokuTransform } from '../../../ts/data/sudoku/transform';
import { ArgumentError, FormatError } from '../../../ts/error';
import { naiveSolutions } from './naive';

const small = geometryOf(2, 2);
const nine = geometryOf(3, 3);
const shapes = [
  [2, 2],
  [2, 3],
  [3, 2],
  [3, 3],
  [3, 4],
  [4, 4],
  [1, 5],
  [2, 8],
] as const;
const allGeometries = shapes.map(([boxRows, boxCols]) => geometryOf(boxRows, boxCols));
const geometries = fc.constantFrom(...allGeometries);

describe('geometry', () => {
  it('has the boxes of the rules and the right number of peers', () => {
    for (const { size, cells, boxRows, boxCols, boxOf, units, peers } of allGeometries) {
      expect([size, cells]).toEqual([boxRows * boxCols, (boxRows * boxCols) ** 2]);
      expect(units.length).toBe(3 * size);
      for (let cell = 0; cell < cells; cell++) {
        const inUnits = units.filter((unit) => unit.includes(cell)).length;
        expect(inUnits).toBe(3);
        expect(peers[cell]!.length).toBe(2 * (size - 1) + (boxRows - 1) * (boxCols - 1));
        expect(boxOf[cell]).toBe(Math.floor(cell / size / boxRows) * boxRows + Math.floor((cell % size) / boxCols));
      }
    }
  });

  it('picks box shapes, and refuses impossible ones', () => {
    const shape = ({ boxRows, boxCols }: Geometry): string => `${boxRows}x${boxCols}`;
    expect([4, 6, 8, 9, 10, 12, 15, 16, 25, 30].map((size) => shape(geometryOfSize(size)))).toEqual([
      '2x2',
      '2x3',
      '2x4',
      '3x3',
      '2x5',
      '3x4',
      '3x5',
      '4x4',
      '5x5',
      '5x6',
    ]);
    expect(geometryOfCells(81)).toBe(nine);
    expect(geometryOfCells(80)).toBeUndefined();
    expect(geometryOfCells(25)).toBeUndefined();
    for (const size of [0, 1, 2, 3, 5, 7, 32, 4.5, NaN]) expect(() => geometryOfSize(size)).toThrow(ArgumentError);
    for (const [rows, cols] of [
      [0, 4],
      [-2, -2],
      [1.5, 2],
      [1, 1],
      [4, 8],
      [NaN, 3],
    ] as const) {
      expect(() => geometryOf(rows, cols)).toThrow(ArgumentError);
    }
  });
});

describe('text', () => {
  it('reads back what it writes, plain and pretty, for any size', () => {
    fc.assert(
      fc.property(geometries, fc.nat(), (geometry, seed) => {
        const rng = new Philox(seed);
        const grid = Uint8Array.from({ length: geometry.cells }, () => rng.below(geometry.size + 1));
        expect(parseGrid(formatGrid(grid), geometry).grid).toEqual(grid);
        expect(parseGrid(prettyGrid(grid, geometry), geometry).grid).toEqual(grid);
        expect(parseGrid(formatGrid(grid).toLowerCase().replaceAll('.', '0'), geometry).grid).toEqual(grid);
      }),
    );
  });

  it('draws boxes of their shape and accepts Unicode drawing', () => {
    const { grid } = parseGrid('1234 3412 2143 43.1');
    expect(prettyGrid(grid, small)).toBe(
      [
        '+-----+-----+',
        '| 1 2 | 3 4 |',
        '| 3 4 | 1 2 |',
        '+-----+-----+',
        '| 2 1 | 4 3 |',
        '| 4 3 | . 1 |',
        '+-----+-----+',
      ].join('\n'),
    );
    expect(parseGrid('┌─────┐\n│12│34│\r\n│34║12│\t2143 43.1═').grid).toEqual(grid);
  });

  it.each([
    ['', 'got 0 cells'],
    ['123', 'got 3 cells'],
    ['1234341221434x21', "character 14 must be a digit, letter, '.' or '0', got \"x\""],
    ['1234341221434*21', 'character 14'],
    ['1234341221434521', 'cell 14 must be at most 4 in a 4x4 grid, got 5'],
    ['12343412214343211', 'got 17 cells'],
    ['1234341221434\u0664' + '21', 'character 14'],
  ])('refuses %j', (text, message) => {
    expect(() => parseGrid(text)).toThrow(FormatError);
    expect(() => parseGrid(text)).toThrow(message);
  });

  it('refuses a grid of another size than asked for, and endless text', () => {
    expect(() => parseGrid('1'.repeat(70_000))).toThrow('at most 65536 characters');
    expect(() => parseGrid('.'.repeat(16), nine)).toThrow('81 cells, got 16');
    expect(() => parseGrid(5 as unknown as string)).toThrow(ArgumentError);
  });
});

describe('rules', () => {
  const puzzle = parseGrid('1... ..3. .1.. ...2').grid;

  it('names every broken rule', () => {
    const answer = parseGrid('1134 4232 2.43 3412').grid;
    const violations = checkAnswer(puzzle, answer, small);
    expect(violations.map(({ rule, index, digit }) => [rule, index, digit])).toEqual([
      ['clue', 9, 1],
      ['blank', 9, 0],
      ['row', 0, 1],
      ['row', 1, 2],
      ['column', 2, 3],
      ['column', 3, 2],
      ['box', 0, 1],
      ['box', 1, 3],
    ]);
    expect(describeViolation(violations[2]!, small)).toBe(
      'row 1 has the digit 1 in 2 cells (row 1 column 1; row 1 column 2)',
    );
    expect(describeViolation(violations[0]!, small)).toBe('the clue 1 at row 3 column 2 was changed');
    expect(describeViolation(violations[1]!, small)).toBe('the cell at row 3 column 2 is blank');
  });

  it('accepts a right answer and catches any single changed cell', () => {
    fc.assert(
      fc.property(geometries, fc.nat(), (geometry, seed) => {
        const rng = new Philox(seed);
        const solution = randomSolution(geometry, rng);
        const blank = new Uint8Array(geometry.cells);
        expect(checkAnswer(blank, solution, geometry)).toEqual([]);
        expect(checkAnswer(solution, solution, geometry)).toEqual([]);
        const cell = rng.below(geometry.cells);
        const wrong = solution.slice();
        wrong[cell] = (wrong[cell]! % geometry.size) + 1;
        expect(isSolved(wrong, geometry)).toBe(false);
        expect(keepsClues(solution, wrong)).toBe(false);
        const rules = findConflicts(wrong, geometry).map(({ rule }) => rule);
        expect(rules).toContain('row');
        expect(rules).toContain('column');
        expect(rules).toContain('box');
        expect(checkAnswer(solution, wrong, geometry)[0]).toMatchObject({ rule: 'clue', index: cell });
      }),
      { numRuns: 40 },
    );
  });
});

describe('SudokuTransform', () => {
  it('is undone by its inverse, keeps grids solved and solution counts unchanged', () => {
    fc.assert(
      fc.property(geometries, fc.nat(), (geometry, seed) => {
        const rng = new Philox(seed);
        const transform = SudokuTransform.random(geometry, rng);
        const grid = Uint8Array.from({ length: geometry.cells }, () => rng.below(geometry.size + 1));
        const image = transform.apply(grid);
        expect(transform.inverse().apply(image)).toEqual(grid);
        expect(transform.apply(transform.inverse().apply(grid))).toEqual(grid);
        expect(blanksOf(image)).toBe(blanksOf(grid));
        const solution = randomSolution(geometry, rng);
        expect(isSolved(transform.apply(solution), geometry)).toBe(true);
      }),
    );
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 0.2, max: 0.8, noNaN: true }), (seed, keep) => {
        const rng = new Philox(seed);
        const puzzle = randomSolution(small, rng).map((digit) => (rng.uniform() < keep ? digit : 0));
        const image = SudokuTransform.random(small, rng).apply(puzzle);
        expect(naiveSolutions(image, small, 300).length).toBe(naiveSolutions(puzzle, small, 300).length);
      }),
    );
  });

  it('reaches every 4x4 symmetry: 24 relabellings x 8 x 8 x 2', () => {
    const rng = new Philox(1);
    const label = Uint8Array.from({ length: 16 }, (_, cell) => cell);
    const positions = new Set<string>();
    const digits = new Set<string>();
    for (let i = 0; i < 4000; i++) {
      const transform = SudokuTransform.random(small, rng);
      digits.add([...transform.digits].join(''));
      const plain = new SudokuTransform(
        small,
        Uint8Array.of(0, 1, 2, 3, 4),
        transform.rows,
        transform.cols,
        transform.transposed,
      );
      // Two passes of base-4 labels show where each cell went.
      const high = plain.apply(label.map((cell) => cell >> 2));
      const low = plain.apply(label.map((cell) => cell & 3));
      positions.add([...high].map((value, i2) => value * 4 + low[i2]!).join(' '));
    }
    expect([digits.size, positions.size]).toEqual([24, 128]);
  });

  it('follows the written definition on an example', () => {
    const grid = parseGrid('1234 3412 2143 4321').grid;
    const swapped = new SudokuTransform(
      small,
      Uint8Array.of(0, 2, 1, 3, 4),
      Uint8Array.of(2, 3, 1, 0),
      Uint8Array.of(1, 0, 2, 3),
      true,
    );
    // Transposed: 1324 2413 3142 4231; rows 2 3 1 0; columns 1 0 2 3; then 1 <-> 2.
    expect(formatGrid(swapped.apply(grid))).toBe('2341' + '1432' + '4123' + '3214');
    expect(SudokuTransform.identity(small).apply(grid)).toEqual(grid);
  });

  it('refuses what is no symmetry', () => {
    const good = [Uint8Array.of(0, 1, 2, 3, 4), Uint8Array.of(0, 1, 2, 3), Uint8Array.of(0, 1, 2, 3)] as const;
    const make = (digits: Uint8Array, rows: Uint8Array, cols: Uint8Array, transposed = false, shape = small) =>
      new SudokuTransform(shape, digits, rows, cols, transposed);
    expect(() => make(Uint8Array.of(1, 0, 2, 3, 4), good[1], good[2])).toThrow(ArgumentError);
    expect(() => make(Uint8Array.of(0, 1, 1, 3, 4), good[1], good[2])).toThrow(ArgumentError);
    expect(() => make(good[0], Uint8Array.of(0, 2, 1, 3), good[2])).toThrow('rows must permute');
    expect(() => make(good[0], good[1], Uint8Array.of(0, 2, 1, 3))).toThrow('cols must permute');
    expect(() => make(good[0], good[1], Uint8Array.of(0, 1, 2, 4))).toThrow(ArgumentError);
    const six = geometryOf(2, 3);
    const identity = SudokuTransform.identity(six);
    expect(() => make(identity.digits, identity.rows, identity.cols, true, six)).toThrow('square boxes');
  });
});

describe('generateSudoku', () => {
  it('enumerates the 288 grids of 4x4', () => {
    const grids = enumerateSolutions(small);
    expect(grids.length).toBe(288);
    expect(new Set(grids.map(formatGrid)).size).toBe(288);
    expect(grids.every((grid) => isSolved(grid, small))).toBe(true);
    expect(() => enumerateSolutions(small, 287)).toThrow(ArgumentError);
    expect(() => enumerateSolutions(nine, 100)).toThrow(ArgumentError);
  });

  it('makes distinct puzzles with one solution and the asked number of blanks, the same for the same seed', () => {
    fc.assert(
      fc.property(fc.constantFrom(small, geometryOf(2, 3), geometryOf(3, 2)), fc.nat(), (geometry, seed) => {
        const blanks = geometry === small ? { min: 8, max: 11 } : { min: 12, max: 18 };
        const set = generateSudoku({ geometry, count: 8, seed, blanks });
        const again = generateSudoku({ geometry, count: 8, seed, blanks });
        expect(set.length).toBe(8);
        const texts = new Set<string>();
        for (let i = 0; i < set.length; i++) {
          const puzzle = set.puzzle(i);
          const solutions = naiveSolutions(puzzle, geometry, 2);
          expect(solutions.map(formatGrid)).toEqual([formatGrid(set.solution(i))]);
          expect(blanksOf(puzzle)).toBeGreaterThanOrEqual(blanks.min);
          expect(blanksOf(puzzle)).toBeLessThanOrEqual(blanks.max);
          texts.add(formatGrid(puzzle));
          expect(again.puzzle(i)).toEqual(puzzle);
        }
        expect(texts.size).toBe(8);
      }),
      { numRuns: 30 },
    );
  });

  it('makes minimal puzzles: no clue is redundant', () => {
    for (const geometry of [small, nine]) {
      const set = generateSudoku({ geometry, count: 5, seed: 11, blanks: 'minimal' });
      for (let i = 0; i < set.length; i++) {
        const puzzle = set.puzzle(i);
        for (let cell = 0; cell < puzzle.length; cell++) {
          if (puzzle[cell] === 0) continue;
          const fewer = puzzle.slice();
          fewer[cell] = 0;
          const solutions =
            geometry === small ? naiveSolutions(fewer, small, 2).length : solverOf(nine).solve(fewer).solutions;
          expect(solutions).toBe(2);
        }
      }
    }
  });

  it('spreads the number of blanks evenly and never repeats, even when puzzles run out', () => {
    const counts = new Map<number, number>();
    const set = generateSudoku({ geometry: small, count: 2000, seed: 5, blanks: { min: 8, max: 12 } });
    const texts = new Set<string>();
    for (let i = 0; i < set.length; i++) {
      const blanks = blanksOf(set.puzzle(i));
      counts.set(blanks, (counts.get(blanks) ?? 0) + 1);
      texts.add(formatGrid(set.puzzle(i)));
    }
    expect(texts.size).toBe(2000);
    for (let blanks = 8; blanks <= 12; blanks++) expect(Math.abs(counts.get(blanks)! - 400)).toBeLessThan(80);
    // One blank in one grid: 16 puzzles, no more.
    const solutions = [enumerateSolutions(small)[7]!];
    const one = { min: 1, max: 1 };
    expect(generateSudoku({ geometry: small, count: 16, seed: 1, blanks: one, solutions }).length).toBe(16);
    expect(() => generateSudoku({ geometry: small, count: 17, seed: 1, blanks: one, solutions })).toThrow(
      '16 of 17 made',
    );
    expect(() => generateSudoku({ geometry: small, count: 1, seed: 1, blanks: { min: 13, max: 13 } })).toThrow(
      'no new 4x4 puzzle with 13 blanks',
    );
  });

  it('makes larger grids with unique solutions', () => {
    for (const geometry of [geometryOf(3, 4), geometryOf(4, 4)]) {
      const set = generateSudoku({ geometry, count: 2, seed: 1, blanks: { min: 60, max: 70 } });
      for (let i = 0; i < 2; i++) {
        expect(isSolved(set.solution(i), geometry) && keepsClues(set.puzzle(i), set.solution(i))).toBe(true);
      }
    }
  });

  it('refuses bad requests', () => {
    const base = { geometry: small, count: 1, seed: 1, blanks: { min: 1, max: 2 } };
    const bad: Record<string, unknown>[] = [
      { count: -1 },
      { count: 0.5 },
      { seed: -1 },
      { seed: 0.5 },
      { blanks: { min: 3, max: 2 } },
      { blanks: { min: 0, max: 17 } },
      { blanks: {} },
      { blanks: null },
      { solutions: [] },
      { solutions: [new Uint8Array(16)] },
      { solutions: [new Uint8Array(3)] },
    ];
    for (const options of bad) {
      expect(() => generateSudoku({ ...base, ...options })).toThrow(ArgumentError);
    }
    const set = generateSudoku(base);
    expect(() => set.puzzle(1)).toThrow(ArgumentError);
    expect(() => set.rating(-1)).toThrow(ArgumentError);
  });
});
