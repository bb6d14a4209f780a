/** The rules of a maze (HRM section 6): tokens are the characters `# SGo` + 1, the answer marks one shortest path by o. */
import type { Problem } from './protocol';

const [WALL, FLOOR, START, GOAL, PATH] = [1, 2, 3, 4, 5];

interface Size {
  readonly rows: number;
  readonly cols: number;
}

const cellsOf = (tokens: ArrayLike<number>, token: number): number[] =>
  Array.from(tokens).flatMap((value, cell) => (value === token ? [cell] : []));

/** Steps from `start` to every cell that `open` lets through; -1 where there is no way. */
function distances(start: number, open: (cell: number) => boolean, { rows, cols }: Size): Int32Array {
  const steps = new Int32Array(rows * cols).fill(-1);
  steps[start] = 0;
  const queue = [start];
  for (let head = 0; head < queue.length; head++) {
    const cell = queue[head]!;
    const col = cell % cols;
    const near = [cell - cols, cell + cols, col > 0 ? cell - 1 : -1, col < cols - 1 ? cell + 1 : -1];
    for (const next of near) {
      if (next < 0 || next >= steps.length || steps[next] !== -1 || !open(next)) continue;
      steps[next] = steps[cell]! + 1;
      queue.push(next);
    }
  }
  return steps;
}

/** What keeps a drawing from being a maze: one start, one goal, a way between them. */
export function mazePuzzleProblems(puzzle: ArrayLike<number>, size: Size): Problem[] {
  const [starts, goals] = [cellsOf(puzzle, START), cellsOf(puzzle, GOAL)];
  const problems: Problem[] = [];
  if (starts.length !== 1) problems.push({ text: `there must be one start, got ${starts.length}`, cells: starts });
  if (goals.length !== 1) problems.push({ text: `there must be one goal, got ${goals.length}`, cells: goals });
  if (problems.length > 0) return problems;
  const open = (cell: number): boolean => puzzle[cell] !== WALL;
  if (distances(starts[0]!, open, size)[goals[0]!] !== -1) return [];
  return [{ text: 'no way leads from the start to the goal', cells: [starts[0]!, goals[0]!] }];
}

/** The rules that an answer breaks: the maze stays as it is, the marks join start and goal, and no mark is too many. */
export function mazeProblems(puzzle: ArrayLike<number>, answer: ArrayLike<number>, size: Size): Problem[] {
  const problems: Problem[] = [];
  const all = Array.from({ length: size.rows * size.cols }, (_, cell) => cell);
  const crossed = all.filter((cell) => puzzle[cell] === WALL && answer[cell] === PATH);
  if (crossed.length > 0) problems.push({ text: `walls on the path: ${crossed.length}`, cells: crossed });
  const redrawn = all.filter((cell) => answer[cell] !== puzzle[cell] && answer[cell] !== PATH);
  const hidden = all.filter((cell) => answer[cell] === PATH && (puzzle[cell] === START || puzzle[cell] === GOAL));
  const changed = [...redrawn, ...hidden];
  if (changed.length > 0) problems.push({ text: `changed cells of the maze: ${changed.length}`, cells: changed });
  if (mazePuzzleProblems(puzzle, size).length > 0) return problems;

  const [start] = cellsOf(puzzle, START) as [number];
  const [goal] = cellsOf(puzzle, GOAL) as [number];
  const marked = (cell: number): boolean => cell === goal || (answer[cell] === PATH && puzzle[cell] !== WALL);
  const alongMarks = distances(start, marked, size);
  if (alongMarks[goal] === -1) {
    return [...problems, { text: 'the path does not lead from the start to the goal', cells: [start, goal] }];
  }
  const shortest = distances(start, (cell) => puzzle[cell] !== WALL, size)[goal]!;
  const nMarks = cellsOf(answer, PATH).filter((cell) => puzzle[cell] === FLOOR).length;
  if (nMarks > shortest - 1) {
    problems.push({ text: `marked cells: ${nMarks}, the shortest path has ${shortest - 1}`, cells: [] });
  }
  return problems;
}
