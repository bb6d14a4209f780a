import { FREE, GOAL, PATH, START, WALL, type MazeGrid } from '../../../ts/data/maze/grid';

function neighbours(cell: number, size: number): number[] {
  const [row, column] = [Math.floor(cell / size), cell % size];
  return [
    ...(row > 0 ? [cell - size] : []),
    ...(row < size - 1 ? [cell + size] : []),
    ...(column > 0 ? [cell - 1] : []),
    ...(column < size - 1 ? [cell + 1] : []),
  ];
}

/** Moves from the start to each cell by relaxing until nothing changes: the oracle for the fast searches. */
export function naiveMoves(maze: MazeGrid, size: number): number {
  const moves = Array.from(maze, (token) => (token === START ? 0 : Infinity));
  for (let changed = true; changed;) {
    changed = false;
    for (let cell = 0; cell < maze.length; cell++) {
      if (maze[cell] === WALL) continue;
      const least = Math.min(...neighbours(cell, size).map((other) => moves[other]! + 1));
      if (least < moves[cell]!) {
        moves[cell] = least;
        changed = true;
      }
    }
  }
  const least = moves[maze.indexOf(GOAL)]!;
  return least === Infinity ? -1 : least;
}

/** The path of A* word by word: of the open cells with the lowest estimate the lowest index, from a list. */
export function naivePath(maze: MazeGrid, size: number): number[] | null {
  const goal = maze.indexOf(GOAL);
  const start = maze.indexOf(START);
  const distance = (cell: number): number =>
    Math.abs(Math.floor(cell / size) - Math.floor(goal / size)) + Math.abs((cell % size) - (goal % size));
  const moves = new Map([[start, 0]]);
  const parent = new Map<number, number>();
  const open = new Set([start]);
  const estimate = (cell: number): number => moves.get(cell)! + distance(cell);
  while (open.size > 0) {
    const cell = [...open].sort((a, b) => estimate(a) - estimate(b) || a - b)[0]!;
    open.delete(cell);
    if (cell === goal) {
      const path = [cell];
      while (path[0] !== start) path.unshift(parent.get(path[0]!)!);
      return path;
    }
    for (const next of neighbours(cell, size)) {
      if (maze[next] === WALL || (moves.get(next) ?? Infinity) <= moves.get(cell)! + 1) continue;
      moves.set(next, moves.get(cell)! + 1);
      parent.set(next, cell);
      open.add(next);
    }
  }
  return null;
}

/** Every shortest path of a maze, as answers. */
export function allShortest(maze: MazeGrid, size: number): MazeGrid[] {
  const length = naiveMoves(maze, size);
  const answers: MazeGrid[] = [];
  const walk = (path: number[]): void => {
    const cell = path.at(-1)!;
    if (maze[cell] === GOAL) {
      const answer = maze.slice();
      for (const inner of path.slice(1, -1)) answer[inner] = PATH;
      answers.push(answer);
      return;
    }
    if (path.length > length) return;
    for (const next of neighbours(cell, size)) {
      if (!path.includes(next) && (maze[next] === FREE || maze[next] === GOAL)) walk([...path, next]);
    }
  };
  if (length >= 0) walk([maze.indexOf(START)]);
  return answers;
}
