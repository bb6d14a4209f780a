import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { dihedralImage, dihedralInverse, dihedralTables } from '../../../ts/data/maze/dihedral';
import { FREE, GOAL, PATH, START, WALL, type MazeGrid } from '../../../ts/data/maze/grid';
import { layoutClass, layoutImages, layoutOf } from '../../../ts/data/maze/layout';
import { judgeMaze, LenientJudge, mazeViolations } from '../../../ts/data/maze/rules';
import { MazeSearch, shortestPath, withPath } from '../../../ts/data/maze/search';
import { MazeSet } from '../../../ts/data/maze/set';
import { formatMaze, parseMaze, prettyMaze } from '../../../ts/data/maze/text';
import { ArgumentError, FormatError } from '../../../ts/error';
import { allShortest, naiveMoves, naivePath } from './naive';

/** Mazes of a few cells with few to many walls; some have no path. */
const mazes = fc
  .record({ size: fc.integer({ min: 2, max: 7 }), seed: fc.infiniteStream(fc.nat(99)), walls: fc.nat(60) })
  .map(({ size, seed, walls }) => {
    const draws = Array.from({ length: size * size + 2 }, () => seed.next().value as number);
    const maze = Uint8Array.from({ length: size * size }, (_, cell) => (draws[cell]! < walls ? WALL : FREE));
    const start = draws.at(-1)! % maze.length;
    maze[start] = START;
    maze[(start + 1 + (draws.at(-2)! % (maze.length - 1))) % maze.length] = GOAL;
    return { size, maze };
  });

describe('text', () => {
  it('reads back what it writes, on one line or one a row', () => {
    fc.assert(
      fc.property(mazes, ({ size, maze }) => {
        expect(parseMaze(formatMaze(maze))).toEqual(maze);
        expect(parseMaze(prettyMaze(maze), size)).toEqual(maze);
        expect(formatMaze(maze)).toMatch(/^[# SG]+$/);
      }),
    );
  });

  it('takes dots and spaces for free cells, rows cut off by an editor, and | for a new row', () => {
    const expected = Uint8Array.of(START, FREE, FREE, WALL, WALL, FREE, GOAL, PATH, FREE);
    for (const text of ['S  ## Go ', 'S..##.Go.', 'S\n##\nGo\n', 'S  \r\n##.\r\nGo.', 'S|##|Go']) {
      expect(parseMaze(text, 3)).toEqual(expected);
    }
  });

  it.each([
    ['S.G', undefined, /x: a maze on one line must have a square number of cells, got 3/],
    ['S..G', 3, /x: a maze on one line must have 3 x 3 = 9 cells, got 4/],
    ['S.\n.G\n..', 2, /x: a maze must have 2 rows, got 3/],
    ['S...\n.G', 2, /x: row 1 must have 2 cells, got 4/],
    ['S.\nxG', 2, /x: row 2 character 1 must be '#', a space or '.', 'S', 'G' or 'o', got/],
    ['S?.G', 2, /x: character 2 must be/],
    ['S', undefined, /a square number/],
  ])('refuses %j', (text, size, message) => {
    expect(() => parseMaze(text, size, 'x')).toThrow(message);
    expect(() => parseMaze(text, size, 'x')).toThrow(FormatError);
  });
});

describe('search', () => {
  it('finds the moves of a shortest path, or that there is none', () => {
    let none = 0;
    fc.assert(
      fc.property(mazes, ({ size, maze }) => {
        const expected = naiveMoves(maze, size);
        if (expected < 0) none++;
        expect(new MazeSearch(size).moves(maze)).toBe(expected);
      }),
      { numRuns: 300 },
    );
    expect(none).toBeGreaterThan(10);
  });

  it('gives the path of A* with ties by the lowest index', () => {
    fc.assert(
      fc.property(mazes, ({ size, maze }) => {
        const path = shortestPath(maze);
        expect(path).toEqual(naivePath(maze, size));
        if (path) expect(path.length - 1).toBe(naiveMoves(maze, size));
      }),
      { numRuns: 300 },
    );
  });

  it('chooses among equal paths the one that A* finds first', () => {
    // Without walls all cells have the same estimate: the lowest index goes first, so the path runs along the top.
    expect(shortestPath(parseMaze('S.......G'))).toEqual([0, 1, 2, 5, 8]);
    expect(shortestPath(parseMaze('G.......S'))).toEqual([8, 5, 2, 1, 0]);
  });

  it('refuses what is no maze', () => {
    expect(() => shortestPath(parseMaze('S...'))).toThrow(/one goal G, got 0/);
    expect(() => shortestPath(parseMaze('SSG.'))).toThrow(/one start S, got 2/);
    expect(() => shortestPath(parseMaze('SoG.'))).toThrow(/no path cells, got 1/);
    expect(() => shortestPath(Uint8Array.of(START, GOAL, 0, FREE))).toThrow(/no padding, got 1 cells/);
    expect(() => shortestPath(Uint8Array.of(START, GOAL, 6, FREE))).toThrow(/cell 2 must be a token 0 to 5, got 6/);
    expect(() => shortestPath(Uint8Array.of(START, GOAL, FREE))).toThrow(ArgumentError);
    expect(() => shortestPath('SG..' as never)).toThrow(ArgumentError);
  });
});

describe('lenient judgement', () => {
  it('takes every shortest path and nothing else', () => {
    fc.assert(
      fc.property(mazes, fc.nat(), fc.integer({ min: 0, max: 5 }), ({ size, maze }, at, token) => {
        const judge = new LenientJudge(size);
        const right = allShortest(maze, size);
        const texts = new Set(right.map(formatMaze));
        const check = (answer: MazeGrid): void => {
          const expected = texts.has(Array.from(answer, (cell) => '?# SGo'[cell]).join(''));
          expect(judge.isRight(maze, answer, 0)).toBe(expected);
          expect(judgeMaze(maze, answer).isRight).toBe(expected);
          expect(mazeViolations(maze, answer).length === 0).toBe(expected);
        };
        check(maze);
        for (const answer of right.slice(0, 5)) {
          check(answer);
          const changed = answer.slice();
          changed[at % changed.length] = token;
          check(changed);
        }
      }),
      { numRuns: 500 },
    );
  });

  const maze = parseMaze('S..|.#.|..G', 3);
  const answer = (text: string): MazeGrid => parseMaze(text, 3);
  it.each([
    ['Soo|.#o|..G', []],
    ['S..|o#.|ooG', []],
    ['S..|.#.|..G', ['it is not a path: the marked cells do not join S and G']],
    ['So.|.#o|..G', ['it is not a path: the marked cells do not join S and G']],
    ['Soo|o#o|..G', ['1 marked cells are not on the path, such as row 2 column 1']],
    ['SoG|.#o|..G', ['the cell at row 1 column 3 is free, not the goal', 'it is not a path: the marked cells']],
    ['Soo|..o|..G', ['the cell at row 2 column 2 is a wall, not free']],
    ['Soo|.oo|..G', ['the cell at row 2 column 2 is a wall, not path']],
    ['ooo|.#o|..G', ['the cell at row 1 column 1 is the start, not path']],
  ])('%s: %j', (text, expected) => {
    const found = mazeViolations(maze, answer(text));
    expect(found).toHaveLength(expected.length);
    expected.forEach((fault, i) => expect(found[i]).toContain(fault));
    expect(judgeMaze(maze, answer(text)).isRight).toBe(expected.length === 0);
  });

  it('says when a path is longer than it need be', () => {
    const detour = parseMaze('SG|..', 2);
    expect(mazeViolations(detour, parseMaze('SG|oo', 2))).toEqual([
      '2 marked cells are not on the path, such as row 2 column 1',
    ]);
    const open = parseMaze('S.G|...|...', 3);
    const long = parseMaze('S.G|ooo|...', 3);
    expect(new LenientJudge(3).isRight(open, long, 0)).toBe(false);
    expect(new LenientJudge(3).isRight(open, parseMaze('SoG|...|...', 3), 0)).toBe(true);
    expect(judgeMaze(open, long)).toMatchObject({ path: [0, 3, 4, 5, 2], shortest: 2, changed: [], stray: [] });
    expect(mazeViolations(open, long)).toEqual(['it is a path, but not a shortest one: 4 moves, where 2 are enough']);
  });
});

describe('symmetries', () => {
  it('are undone by their inverses, and are those of the official ids', () => {
    fc.assert(
      fc.property(mazes, fc.integer({ min: 0, max: 7 }), ({ maze, size }, id) => {
        const image = dihedralImage(maze, id);
        expect(dihedralImage(image, dihedralInverse(id))).toEqual(maze);
        // Shortest paths stay shortest, so an answer's image is an answer of the image.
        expect(naiveMoves(image, size)).toBe(naiveMoves(maze, size));
        for (const answer of allShortest(maze, size).slice(0, 2)) {
          expect(judgeMaze(image, dihedralImage(answer, id)).isRight).toBe(true);
        }
      }),
    );
    const grid = parseMaze('S# G', 2);
    const images = Array.from({ length: 8 }, (_, id) => formatMaze(dihedralImage(grid, id)));
    // identity, quarter turns counter-clockwise, left-right, up-down, transpose, left-right after a quarter turn
    expect(images).toEqual(['S# G', '#GS ', 'G #S', ' SG#', '#SG ', ' GS#', 'S #G', 'G# S']);
  });

  it('are a group of eight', () => {
    const tables = dihedralTables(3);
    expect(new Set(tables.map((table) => table.join())).size).toBe(8);
    for (const a of tables) {
      for (const b of tables) {
        const both = Array.from(a, (cell) => b[cell]).join();
        expect(tables.some((table) => table.join() === both)).toBe(true);
      }
    }
  });

  it('leave the class of a layout as it is, and other layouts have another', () => {
    fc.assert(
      fc.property(mazes, fc.integer({ min: 0, max: 7 }), fc.nat(), ({ maze, size }, id, at) => {
        const image = dihedralImage(maze, id);
        expect(layoutClass(image, size)).toBe(layoutClass(maze, size));
        expect(layoutImages(maze, size)).toContain(layoutOf(image, size));
        // Start and goal are no part of it.
        expect(
          layoutOf(
            maze.map((token) => (token === WALL ? WALL : FREE)),
            size,
          ),
        ).toBe(layoutOf(maze, size));
        const other = maze.slice();
        const cell = at % other.length;
        other[cell] = other[cell] === WALL ? FREE : WALL;
        expect(layoutClass(other, size)).not.toBe(layoutClass(maze, size));
      }),
    );
  });

  it.each([-1, 8, 0.5, '1', null])('refuse the id %j', (id) => {
    expect(() => dihedralImage(parseMaze('S..G'), id as number)).toThrow(ArgumentError);
    expect(() => dihedralInverse(id as number)).toThrow(ArgumentError);
  });
});

describe('MazeSet', () => {
  it('keeps copies, selects rows, and refuses what does not fit', () => {
    const set = new MazeSet(2);
    const maze = parseMaze('S.#G');
    const answer = withPath(maze, [0, 1, 3]);
    set.push(maze, answer, 2);
    maze[2] = FREE;
    set.push(maze, answer, 3);
    expect(formatMaze(set.maze(0))).toBe('S #G');
    expect(formatMaze(set.answer(0))).toBe('So#G');
    const picked = set.select([1, 0, 1]);
    expect([0, 1, 2].map((i) => picked.rating(i))).toEqual([3, 2, 3]);
    expect(() => set.maze(2)).toThrow(/index must be 0 to 1, got 2/);
    expect(() => set.push(parseMaze('S.......G'), answer, 1)).toThrow(ArgumentError);
    expect(() => set.push(answer, answer, 1)).toThrow(/no path cells/);
    expect(() => new MazeSet(1)).toThrow(/size must be an integer in \[2, 128\], got 1/);
  });
});
