import { describe, expect, it } from '@jest/globals';
import { Philox } from '../../../ts/data/philox';
import { MazeDraw } from '../../../ts/data/maze/draw';
import { generateMazes } from '../../../ts/data/maze/generate';
import { countOf, WALL } from '../../../ts/data/maze/grid';
import { layoutClass } from '../../../ts/data/maze/layout';
import { judgeMaze } from '../../../ts/data/maze/rules';
import { MazeSearch } from '../../../ts/data/maze/search';
import type { MazeSet } from '../../../ts/data/maze/set';
import { datasetSampler } from '../../../ts/data/sampler';
import { isMazeDataset, mazeDataset, mazeSampler } from '../../../ts/data/maze/source';
import { generateMazeSplits, mazeOverlapOf, splitByLayout } from '../../../ts/data/maze/split';
import { formatMaze } from '../../../ts/data/maze/text';
import { generateSudoku } from '../../../ts/data/sudoku/generate';
import { geometryOf } from '../../../ts/data/sudoku/geometry';
import { sudokuDataset } from '../../../ts/data/sudoku/source';
import { ArgumentError } from '../../../ts/error';
import { naiveMoves, naivePath } from './naive';

const small = { size: 8, count: 60, seed: 3, minPath: 9, wallPercent: { min: 30, max: 45 } };
const textsOf = (set: MazeSet): string[] => Array.from({ length: set.length }, (_, i) => formatMaze(set.answer(i)));

describe('generateMazes', () => {
  it('keeps the published rules, with labels by A*', () => {
    const set = generateMazes(small);
    expect(set.length).toBe(60);
    for (let i = 0; i < set.length; i++) {
      const maze = set.maze(i);
      expect(naiveMoves(maze, 8)).toBe(set.rating(i));
      expect(set.rating(i)).toBeGreaterThan(9);
      expect(countOf(maze, WALL)).toBeGreaterThanOrEqual(20); // 30% of 64 is 19.2
      expect(countOf(maze, WALL)).toBeLessThanOrEqual(28); // 45% is 28.8
      const path = naivePath(maze, 8)!;
      expect(Array.from(set.answer(i), (token, cell) => (token === 5 ? cell : -1)).filter((cell) => cell >= 0)).toEqual(
        path.slice(1, -1).sort((a, b) => a - b),
      );
    }
    expect(new Set(Array.from({ length: 60 }, (_, i) => layoutClass(set.maze(i), 8))).size).toBe(60);
  });

  it('is the same for the same seed, whatever the number, and another for another seed or part', () => {
    const set = textsOf(generateMazes(small));
    expect(textsOf(generateMazes({ ...small, count: 20 }))).toEqual(set.slice(0, 20));
    expect(textsOf(generateMazes({ ...small, seed: 4 }))).not.toEqual(set);
    expect(textsOf(generateMazes({ ...small, part: 1 }))).not.toEqual(set);
    expect(set[0]).toBe('##   #oS   #  o#  #  oo##  # o##  # #ooo##     o     # G# ## # #');
  });

  it('does not repeat or use a layout to avoid, turned or mirrored', () => {
    // 3x3 mazes of two and three walls have 120 layouts, 24 up to symmetry; some of those are never solvable.
    const tiny = { size: 3, seed: 1, minPath: 0, wallPercent: { min: 22, max: 34 } };
    const all = generateMazes({ ...tiny, count: 12 });
    const classes = Array.from({ length: 12 }, (_, i) => layoutClass(all.maze(i), 3));
    expect(new Set(classes).size).toBe(12);
    const avoidLayouts = new Set(classes.slice(0, 6));
    const rest = generateMazes({ ...tiny, count: 6, avoidLayouts });
    for (let i = 0; i < 6; i++) expect(avoidLayouts.has(layoutClass(rest.maze(i), 3))).toBe(false);
    expect(() => generateMazes({ ...tiny, count: 1000 })).toThrow(/no new 3x3 maze of 2 to 3 walls/);
  });

  it.each([
    [{ size: 1 }, /size must be an integer in \[2, 128\]/],
    [{ count: -1 }, /count must be an integer/],
    [{ minPath: 63 }, /minPath must be an integer in \[0, 62\], got 63/],
    [{ minPath: '9' }, /minPath must be an integer/],
    [{ wallPercent: { min: 40, max: 30 } }, /wallPercent must be 0 <= min <= max <= 100/],
    [{ wallPercent: { min: 30.1, max: 30.2 } }, /wallPercent must be/],
    [{ wallPercent: 30 }, /wallPercent must be/],
    [{ seed: -1 }, /seed must be/],
    [{ part: 15 }, /part must be an integer in \[0, 14\]/],
    [{ avoidLayouts: ['x'] }, /avoidLayouts must be a Set/],
    [{ minPath: 60 }, /no new 8x8 maze of 20 to 28 walls with more than 60 moves in \d+ tries, 0 of 60 made/],
    [{ walls: 3 }, /options are size, count/],
  ])('refuses %j', (changes, message) => {
    expect(() => generateMazes({ ...small, ...(changes as object) })).toThrow(message);
    expect(() => generateMazes({ ...small, ...(changes as object) })).toThrow(ArgumentError);
  });
});

describe('MazeDraw', () => {
  it('draws as if all walls were chosen first: every 3x3 maze as often', () => {
    // 3x3, two walls: start, goal and walls can be chosen in 9 * 8 * 21 = 1512 ways, all equally likely.
    const draw = new MazeDraw(3);
    const search = new MazeSearch(3);
    const rng = new Philox(7);
    const counts = new Map<string, number>();
    let kept = 0;
    const draws = 60_000;
    for (let i = 0; i < draws; i++) {
      const maze = draw.next(rng, 2, 2);
      if (maze === undefined) continue;
      kept++;
      expect(search.moves(maze)).toBeGreaterThan(2);
      const text = formatMaze(maze);
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    // By counting them all.
    const expected = everyMaze(2).filter((maze) => naiveMoves(maze, 3) > 2);
    expect(counts.size).toBe(expected.length);
    expect(Math.abs(kept / draws - expected.length / 1512)).toBeLessThan(0.01);
    const mean = kept / expected.length;
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0);
    // Mean and standard deviation of chi-square with so many degrees of freedom.
    const freedom = expected.length - 1;
    expect(Math.abs(chiSquare - freedom)).toBeLessThan(5 * Math.sqrt(2 * freedom));
  });
});

/** Every 3x3 maze with so many walls. */
function everyMaze(walls: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let bits = 0; bits < 512; bits++) {
    const cells = Array.from({ length: 9 }, (_, cell) => cell);
    if (cells.filter((cell) => (bits >> cell) & 1).length !== walls) continue;
    const open = cells.filter((cell) => ((bits >> cell) & 1) === 0);
    for (const start of open) {
      for (const goal of open) {
        if (goal === start) continue;
        found.push(
          Uint8Array.from(cells, (cell) => ((bits >> cell) & 1 ? 1 : cell === start ? 3 : cell === goal ? 4 : 2)),
        );
      }
    }
  }
  return found;
}

describe('splits', () => {
  it('share no layout up to symmetry, and the test side does not depend on the others', () => {
    const options = { ...small, trainPuzzles: 50, validPuzzles: 20, testPuzzles: 30 };
    const { count: _count, ...given } = options;
    const { train, valid, test } = generateMazeSplits(given);
    expect([train.length, valid.length, test.length]).toEqual([50, 20, 30]);
    for (const [a, b] of [
      [train, valid],
      [train, test],
      [valid, test],
    ] as const) {
      expect(mazeOverlapOf(a, b)).toEqual({ layouts: 0, symmetric: 0 });
    }
    const other = generateMazeSplits({ ...given, trainPuzzles: 5, validPuzzles: 1 });
    expect(textsOf(other.test)).toEqual(textsOf(test));
    // Few layouts: without care the sets would overlap.
    const few = { size: 3, seed: 1, minPath: 0, wallPercent: { min: 11, max: 34 } };
    const tiny = generateMazeSplits({ ...few, trainPuzzles: 8, validPuzzles: 4, testPuzzles: 8 });
    expect(mazeOverlapOf(tiny.train, tiny.test)).toEqual({ layouts: 0, symmetric: 0 });
    expect(() => generateMazeSplits({ ...few, trainPuzzles: 500, validPuzzles: 1, testPuzzles: 1 })).toThrow(/no new/);
  });

  it('divide a set by layout', () => {
    const set = generateMazes(small);
    const twice = set.select([...Array(60).keys(), ...Array(60).keys()]);
    const [first, second] = splitByLayout(twice, 0.25, 7);
    expect([first.length, second.length]).toEqual([90, 30]);
    expect(mazeOverlapOf(first, second)).toEqual({ layouts: 0, symmetric: 0 });
    expect(mazeOverlapOf(set, second)).toEqual({ layouts: 15, symmetric: 15 });
    for (const fraction of [0, 1, -1, NaN, '0.5']) {
      expect(() => splitByLayout(set, fraction as number, 7)).toThrow(ArgumentError);
    }
    expect(() => mazeOverlapOf(set, generateMazes({ ...small, size: 7, count: 1 }))).toThrow(
      /of one size, got 8 and 7/,
    );
  });
});

describe('sampler and dataset', () => {
  const set = generateMazes(small);
  const options = { batchSize: 16, seed: 5, epochsPerInterval: 4 };

  it.each([false, true])('give the same batches (dihedral %s)', (dihedral) => {
    const drawn = mazeSampler(set, { dihedral }, options);
    const stored = datasetSampler(mazeDataset(set, { dihedral }), options);
    const seen = new Set<string>();
    for (let i = 0; i < 12; i++) {
      const batch = drawn.next();
      expect(batch).toEqual(stored.next());
      for (let row = 0; row < 16 && batch; row++) {
        const part = (tokens: Int32Array): Uint8Array => Uint8Array.from(tokens.subarray(row * 64, (row + 1) * 64));
        expect(judgeMaze(part(batch.inputs), part(batch.labels)).isRight).toBe(true);
        seen.add(formatMaze(part(batch.inputs)));
      }
    }
    if (dihedral) expect(seen.size).toBeGreaterThan(60);
    else expect(seen.size).toBe(60);
  });

  it('are told from other data of six tokens', () => {
    expect(isMazeDataset(mazeDataset(set))).toBe(true);
    const few = mazeDataset(set.select([0, 1, 2, 3, 4]));
    // A second start is a fault; in most rows it says that these are no mazes.
    for (const [faults, isMaze] of [
      [2, true],
      [3, false],
    ] as const) {
      const inputs = few.sets[0]!.inputs.slice();
      for (let row = 0; row < faults; row++) inputs[row * 64 + inputs.subarray(row * 64).indexOf(2)] = 3;
      expect(isMazeDataset({ ...few, sets: [{ ...few.sets[0]!, inputs }] })).toBe(isMaze);
    }
    const blanks = { min: 4, max: 10 };
    const sudoku = sudokuDataset(generateSudoku({ geometry: geometryOf(2, 2), count: 50, seed: 1, blanks }));
    expect(sudoku.metadata.vocabSize).toBe(6);
    expect(isMazeDataset(sudoku)).toBe(false);
    expect(() => isMazeDataset({} as never)).toThrow(ArgumentError);
  });

  it('refuse bad options', () => {
    expect(() => mazeDataset(set.select([]))).toThrow(/at least one maze/);
    expect(() => mazeDataset(set, { dihedral: 1 as never })).toThrow(/dihedral must be a boolean, got 1/);
    expect(() => mazeSampler({} as never, {}, options)).toThrow(/set must be a MazeSet/);
  });
});
