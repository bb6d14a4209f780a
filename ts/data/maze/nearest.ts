import { FREE, GOAL, neighbourOf, PATH, START, WALL } from './grid';

/** Rows of tokens and what a model makes of them. */
export interface AnsweredMazes {
  /** [n, size * size] mazes */
  readonly inputs: Int32Array;
  /** [n, size * size] what is kept for a row that is no maze with a path */
  readonly labels: Int32Array;
  /** [n, size * size, vocabSize] */
  readonly logits: ArrayLike<number>;
  readonly vocabSize: number;
}

/**
 * Labels by the shortest path that the model finds most probable: of all paths with the fewest moves the one with the largest
 * sum of (logit of path - logit of free) over its cells, found by dynamic programming over the moves to the goal.
 *
 * A maze has several shortest paths as a rule (nine of ten 10x10 mazes do), and the label is one of them by a rule that takes
 * A*'s order to follow. A model that is to find *a* shortest path learns sooner when each is as good as the other: an
 * expectation-maximisation over the paths, with one path per step.
 *
 * @returns [n, size * size]
 */
export function nearestPathLabels(size: number, { inputs, labels, logits, vocabSize }: AnsweredMazes): Int32Array {
  const cells = size * size;
  const out = labels.slice();
  const moves = new Int32Array(cells);
  const score = new Float64Array(cells);
  const towardsGoal = new Int32Array(cells);
  const queue = new Int32Array(cells);
  for (let at = 0; at < inputs.length; at += cells) {
    const maze = inputs.subarray(at, at + cells);
    const [start, goal] = [maze.indexOf(START), maze.indexOf(GOAL)];
    if (start < 0 || goal < 0) continue;
    moves.fill(-1);
    moves[goal] = 0;
    score[goal] = 0;
    queue[0] = goal;
    // Breadth first: when a cell's turn comes, all cells one move nearer to the goal had theirs.
    for (let head = 0, tail = 1; head < tail; head++) {
      const cell = queue[head]!;
      if (cell === start) break;
      const logit = (at + cell) * vocabSize;
      const sum = score[cell]! + (cell === goal ? 0 : logits[logit + PATH]! - logits[logit + FREE]!);
      const column = cell % size;
      for (let way = 0; way < 4; way++) {
        const next = neighbourOf(cell, column, way, size);
        if (next < 0 || maze[next] === WALL) continue;
        if (moves[next] === -1) {
          moves[next] = moves[cell]! + 1;
          queue[tail++] = next;
        } else if (moves[next] !== moves[cell]! + 1 || !(sum > score[next]!)) {
          continue;
        }
        score[next] = sum;
        towardsGoal[next] = cell;
      }
    }
    if (moves[start] === -1) continue;
    out.set(maze, at);
    for (let cell = towardsGoal[start]!; cell !== goal; cell = towardsGoal[cell]!) out[at + cell] = PATH;
  }
  return out;
}
