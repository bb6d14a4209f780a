import { FREE, GOAL, neighbourOf, PATH, requireMaze, START, WALL, type MazeGrid } from './grid';

/** Tokens that may be walked on, as bits. */
const OPEN_CELLS = (1 << FREE) | (1 << START) | (1 << GOAL) | (1 << PATH);
const MARKED_CELLS = (1 << PATH) | (1 << GOAL);

// Looked up once: in a vm context (jest) every mention of a global is slow.
const { abs, floor } = Math;

/** Searches in mazes of one size, with the arrays that they share. */
export class MazeSearch {
  readonly #cells: number;
  /** Moves from the start, valid where #seen is the number of this search. */
  readonly #moves: Int32Array;
  readonly #seen: Int32Array;
  readonly #parent: Int32Array;
  readonly #queue: Int32Array;
  #search = 0;

  constructor(readonly size: number) {
    this.#cells = size * size;
    this.#moves = new Int32Array(this.#cells);
    this.#seen = new Int32Array(this.#cells);
    this.#parent = new Int32Array(this.#cells);
    // The heap of A*: a cell enters once for each neighbour at most.
    this.#queue = new Int32Array(4 * this.#cells + 4);
  }

  /** Moves of a shortest path from start to goal through cells that are no walls; -1 when there is none. */
  moves(grid: MazeGrid): number {
    return this.#breadthFirst(grid, grid.indexOf(START), OPEN_CELLS);
  }

  /** The same through path cells alone. */
  markedMoves(answer: MazeGrid): number {
    return this.#breadthFirst(answer, answer.indexOf(START), MARKED_CELLS);
  }

  /** Cells from start to goal, both included, of the search that ended at the goal last. */
  pathTo(goal: number): number[] {
    const path = [goal];
    for (let cell = goal; this.#parent[cell]! >= 0;) path.push((cell = this.#parent[cell]!));
    return path.reverse();
  }

  #breadthFirst(grid: MazeGrid, start: number, open: number): number {
    const { size } = this;
    const queue = this.#queue;
    this.#begin(start);
    queue[0] = start;
    for (let head = 0, tail = 1; head < tail; head++) {
      const cell = queue[head]!;
      if (grid[cell] === GOAL) return this.#moves[cell]!;
      const column = cell % size;
      for (let way = 0; way < 4; way++) {
        const next = neighbourOf(cell, column, way, size);
        if (next < 0 || this.#seen[next] === this.#search || ((open >> grid[next]!) & 1) === 0) continue;
        this.#reach(next, cell);
        queue[tail++] = next;
      }
    }
    return -1;
  }

  /**
   * A* with the Manhattan distance to the goal; among cells of the same estimate the one with the lowest row-major index goes
   * first. That decides which of the shortest paths is the label.
   *
   * @returns cells from start to goal, both included; null when there is no path
   */
  shortestPath(grid: MazeGrid): number[] | null {
    const { size } = this;
    const cells = this.#cells;
    const goal = grid.indexOf(GOAL);
    const [goalRow, goalColumn] = [floor(goal / size), goal % size];
    const start = grid.indexOf(START);
    // One number orders by estimate, then by index: both are below 2^15.
    const keyOf = (cell: number): number =>
      (this.#moves[cell]! + abs(floor(cell / size) - goalRow) + abs((cell % size) - goalColumn)) * cells + cell;
    this.#begin(start);
    const heap = this.#queue;
    let length = push(heap, 0, keyOf(start));
    while (length > 0) {
      const key = heap[0]!;
      length = pop(heap, length);
      const cell = key % cells;
      if (cell === goal) return this.pathTo(goal);
      // Reached by fewer moves since it was put there.
      if (key !== keyOf(cell)) continue;
      const column = cell % size;
      for (let way = 0; way < 4; way++) {
        const next = neighbourOf(cell, column, way, size);
        if (next < 0 || grid[next] === WALL) continue;
        const isNew = this.#seen[next] !== this.#search;
        if (!isNew && this.#moves[next]! <= this.#moves[cell]! + 1) continue;
        this.#reach(next, cell);
        length = push(heap, length, keyOf(next));
      }
    }
    return null;
  }

  #begin(start: number): void {
    this.#search++;
    this.#seen[start] = this.#search;
    this.#moves[start] = 0;
    this.#parent[start] = -1;
  }

  #reach(cell: number, from: number): void {
    this.#seen[cell] = this.#search;
    this.#moves[cell] = this.#moves[from]! + 1;
    this.#parent[cell] = from;
  }
}

/** Puts a key on a binary heap. @returns its new length */
function push(heap: Int32Array, length: number, key: number): number {
  let at = length;
  while (at > 0) {
    const above = (at - 1) >> 1;
    if (heap[above]! <= key) break;
    heap[at] = heap[above]!;
    at = above;
  }
  heap[at] = key;
  return length + 1;
}

/** Takes the smallest key, heap[0], off. @returns its new length */
function pop(heap: Int32Array, length: number): number {
  const end = length - 1;
  const key = heap[end]!;
  let at = 0;
  for (let below = 1; below < end; below = 2 * at + 1) {
    if (below + 1 < end && heap[below + 1]! < heap[below]!) below++;
    if (heap[below]! >= key) break;
    heap[at] = heap[below]!;
    at = below;
  }
  heap[at] = key;
  return end;
}

const searches = new Map<number, MazeSearch>();

/** The search for mazes of a size; one object a size, used by one caller at a time. */
export function searchOf(size: number): MazeSearch {
  let search = searches.get(size);
  if (search === undefined) searches.set(size, (search = new MazeSearch(size)));
  return search;
}

/**
 * The shortest path that is a maze's label (HRM section 6): by A*, 4 neighbours, Manhattan distance, ties by lowest row-major
 * index.
 *
 * @returns row-major cells from start to goal, both included, one more than its moves; null when there is no path
 * @throws ArgumentError unless the grid is a maze
 */
export function shortestPath(maze: MazeGrid): number[] | null {
  const grid = requireMaze('shortestPath', maze);
  return searchOf(Math.sqrt(grid.length)).shortestPath(grid);
}

/** A maze with a path's inner cells marked. */
export function withPath(maze: MazeGrid, path: readonly number[]): MazeGrid {
  const answer = maze.slice();
  for (const cell of path.slice(1, -1)) answer[cell] = PATH;
  return answer;
}
