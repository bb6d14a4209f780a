import type { Philox } from '../philox';
import { FREE, GOAL, START, WALL, type MazeGrid } from './grid';

// Looked up once: in a vm context (jest) every mention of a global is slow.
const { floor } = Math;
const TWO_16 = 2 ** 16;
const TWO_32 = 2 ** 32;

/** One of the two searches: cells in the order in which they were reached, the newest level from `from` to `end`. */
class Side {
  readonly queue: Int32Array;
  from = 0;
  end = 0;

  constructor(
    readonly mark: number,
    cells: number,
  ) {
    this.queue = new Int32Array(cells);
  }
}

/**
 * Draws mazes into one array, giving up early on those whose path is too short, because of 30x30 mazes with the published
 * settings only one in some 50,000 is kept. Searches from start and goal, always the smaller one by a level, until they
 * meet; a cell becomes wall or free when a search first touches it. With the number of walls and of cells left to draw for as
 * the odds that is the same distribution as choosing all walls at once, uniformly, and start and goal among the other cells.
 */
export class MazeDraw {
  readonly #cells: number;
  readonly #maze: MazeGrid;
  /** Which search reached a cell: 0 none. */
  readonly #reached: Uint8Array;
  readonly #sides: readonly [Side, Side];
  #wallsLeft = 0;
  #cellsLeft = 0;
  /** Random bits that are left of a word. */
  #bits = 0;
  #nBits = 0;

  constructor(readonly size: number) {
    this.#cells = size * size;
    this.#maze = new Uint8Array(this.#cells);
    this.#reached = new Uint8Array(this.#cells);
    this.#sides = [new Side(1, this.#cells), new Side(2, this.#cells)];
  }

  /**
   * A maze with so many walls, in an array that the next call overwrites.
   * @returns undefined when there is no path, or one of at most `minPath` moves
   */
  next(rng: Philox, walls: number, minPath: number): MazeGrid | undefined {
    const cells = this.#cells;
    const maze = this.#maze.fill(0);
    const start = rng.below(cells);
    // Any cell but the start.
    const goal = (start + 1 + rng.below(cells - 1)) % cells;
    maze[start] = START;
    maze[goal] = GOAL;
    this.#wallsLeft = walls;
    this.#cellsLeft = cells - 2;
    this.#nBits = 0;
    if (this.#moves(rng, start, goal) <= minPath) return undefined;
    for (let cell = 0; cell < cells; cell++) if (maze[cell] === 0) this.#reveal(rng, cell);
    return maze;
  }

  /** Makes a cell a wall or free, by 16 random bits where they decide and 32 more where they do not. */
  #reveal(rng: Philox, cell: number): number {
    if (this.#nBits === 0) {
      this.#bits = rng.uint32();
      this.#nBits = 32;
    }
    const draw = this.#bits & 0xffff;
    this.#bits >>>= 16;
    this.#nBits -= 16;
    const odds = (this.#wallsLeft * TWO_16) / this.#cellsLeft--;
    const isWall = draw + 1 <= odds || (draw < odds && rng.uint32() < (odds - draw) * TWO_32);
    if (isWall) this.#wallsLeft--;
    return (this.#maze[cell] = isWall ? WALL : FREE);
  }

  /** Moves of a shortest path from the start to the goal; -1 when there is none. */
  #moves(rng: Philox, start: number, goal: number): number {
    const [fromStart, fromGoal] = this.#sides;
    const reached = this.#reached.fill(0);
    for (const [side, cell] of [
      [fromStart, start],
      [fromGoal, goal],
    ] as const) {
      side.queue[0] = cell;
      side.from = 0;
      side.end = 1;
      reached[cell] = side.mark;
    }
    for (let moves = 1; ; moves++) {
      const isSmaller = fromStart.end - fromStart.from <= fromGoal.end - fromGoal.from;
      const side = isSmaller ? fromStart : fromGoal;
      // Both searches know all cells of their levels, so the first meeting is on a shortest path.
      if (this.#meets(rng, side)) return moves;
      if (side.from === side.end) return -1;
    }
  }

  /** Searches one level on. @returns whether the other search has been there */
  #meets(rng: Philox, side: Side): boolean {
    const { size } = this;
    const [cells, maze, reached] = [this.#cells, this.#maze, this.#reached];
    const { queue, mark, from, end } = side;
    let tail = end;
    for (let head = from; head < end; head++) {
      const cell = queue[head]!;
      const column = cell - size * floor(cell / size);
      for (let way = 0; way < 4; way++) {
        let next: number;
        if (way === 0) next = cell - size;
        else if (way === 1) next = cell + size < cells ? cell + size : -1;
        else if (way === 2) next = column > 0 ? cell - 1 : -1;
        else next = column < size - 1 ? cell + 1 : -1;
        if (next < 0) continue;
        const by = reached[next]!;
        if (by !== 0) {
          if (by !== mark) return true;
          continue;
        }
        if (maze[next] !== 0 || this.#reveal(rng, next) === WALL) continue;
        reached[next] = mark;
        queue[tail++] = next;
      }
    }
    side.from = end;
    side.end = tail;
    return false;
  }
}
