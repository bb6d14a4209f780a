import { FREE, cellText, GOAL, PATH, requireGrid, requireMaze, START, WALL, type MazeGrid } from './grid';
import { searchOf } from './search';

/** What an answer to a maze is worth. Cells are row-major indices. */
export interface MazeFinding {
  /** A shortest path, everything else as in the maze: what counts as right leniently. */
  readonly isRight: boolean;
  /** Walls, start and goal that the answer does not have, and free cells that are neither free nor path in it. */
  readonly changed: readonly number[];
  /** Start to goal, both included, through path cells by the fewest moves; null when these do not join the two. */
  readonly path: readonly number[] | null;
  /** Path cells that `path` does not use. */
  readonly stray: readonly number[];
  /** Moves of a shortest path of the maze; null when it has none. */
  readonly shortest: number | null;
}

/**
 * Judges an answer leniently: it is right when walls, start and goal are those of the maze, free cells are free or path, and
 * the path cells are exactly the inner cells of *a* shortest path, whichever. An answer that is exactly right is right.
 *
 * @throws ArgumentError when the maze is none or the answer has another size
 */
export function judgeMaze(maze: MazeGrid, answer: MazeGrid): MazeFinding {
  const grid = requireMaze('judgeMaze: maze', maze);
  requireGrid('judgeMaze: answer', answer, Math.sqrt(grid.length));
  const search = searchOf(Math.sqrt(grid.length));
  const changed: number[] = [];
  const marks: number[] = [];
  // The marks on the maze itself: a start that the answer moved does not lead anywhere.
  const marked = grid.slice();
  for (let cell = 0; cell < grid.length; cell++) {
    if (answer[cell] === PATH && grid[cell] === FREE) marks.push(cell);
    else if (answer[cell] !== grid[cell]) changed.push(cell);
  }
  for (const cell of marks) marked[cell] = PATH;
  const path = search.markedMoves(marked) < 0 ? null : search.pathTo(grid.indexOf(GOAL));
  const used = new Set(path);
  const stray = marks.filter((cell) => !used.has(cell));
  const moves = search.moves(grid);
  const shortest = moves < 0 ? null : moves;
  const isRight = changed.length === 0 && stray.length === 0 && path !== null && path.length - 1 === shortest;
  return { isRight, changed, path, stray, shortest };
}

const NAMES: Readonly<Record<number, string>> = {
  0: 'padding',
  [WALL]: 'a wall',
  [FREE]: 'free',
  [START]: 'the start',
  [GOAL]: 'the goal',
  [PATH]: 'path',
};

/** What is wrong with an answer, in words; empty when it is right leniently. @throws ArgumentError as {@link judgeMaze} */
export function mazeViolations(maze: MazeGrid, answer: MazeGrid): string[] {
  const { changed, path, stray, shortest } = judgeMaze(maze, answer);
  const size = Math.sqrt(maze.length);
  const faults = changed.map(
    (cell) => `the cell at ${cellText(cell, size)} is ${NAMES[maze[cell]!]}, not ${NAMES[answer[cell]!]}`,
  );
  if (path === null) faults.push('it is not a path: the marked cells do not join S and G');
  else if (path.length - 1 !== shortest) {
    faults.push(`it is a path, but not a shortest one: ${path.length - 1} moves, where ${shortest} are enough`);
  }
  if (path !== null && stray.length > 0) {
    faults.push(`${stray.length} marked cells are not on the path, such as ${cellText(stray[0]!, size)}`);
  }
  return faults;
}

/**
 * {@link judgeMaze} without input checks or details, for many answers: whether tokens at an offset are a right answer to
 * the tokens of a maze there.
 */
export class LenientJudge {
  readonly #maze: MazeGrid;

  constructor(readonly size: number) {
    this.#maze = new Uint8Array(size * size);
  }

  isRight(inputs: ArrayLike<number>, answers: ArrayLike<number>, offset: number): boolean {
    const marked = this.#maze;
    let marks = 0;
    for (let cell = 0; cell < marked.length; cell++) {
      const [token, answer] = [inputs[offset + cell]!, answers[offset + cell]!];
      const isMark = answer === PATH && token === FREE;
      if (!isMark && answer !== token) return false;
      if (isMark) marks++;
      marked[cell] = answer;
    }
    const search = searchOf(this.size);
    const moves = search.markedMoves(marked);
    // With as many marks as the path has inner cells, none is off it; path cells are open, so the maze's shortest is next.
    return moves >= 0 && marks === moves - 1 && search.moves(marked) === moves;
  }
}
