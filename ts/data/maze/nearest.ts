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
  /** How the logits become probabilities. */
  readonly lossType: 'softmax' | 'stablemax';
}

/** Log probability of a logit but for what is the same for all of its cell; stablemax as in HRM section 3.4. */
const logScore = {
  softmax: (logit: number): number => logit,
  stablemax: (logit: number): number => (logit < 0 ? -Math.log1p(-logit) : Math.log1p(logit)),
};

/**
 * Labels by the shortest path that the model finds most probable: of all paths with the fewest moves the one with the largest
 * sum of log(p of path / p of free) over its cells, found by dynamic programming over the moves to the goal.
 *
 * A maze has several shortest paths as a rule (nine of ten 10x10 mazes do), and the label is one of them by a rule that takes
 * A*'s order to follow. A model that is to find *a* shortest path learns sooner when each is as good as the other: this is
 * hard expectation-maximisation (Viterbi training) over the paths.
 *
 * @returns [n, size * size]
 */
export function nearestPathLabels(
  size: number,
  { inputs, labels, logits, vocabSize, lossType }: AnsweredMazes,
): Int32Array {
  const score = logScore[lossType];
  const cells = size * size;
  const out = labels.slice();
  const moves = new Int32Array(cells);
  const best = new Float64Array(cells);
  const parent = new Int32Array(cells);
  const queue = new Int32Array(cells);
  for (let at = 0; at < inputs.length; at += cells) {
    const maze = inputs.subarray(at, at + cells);
    const [start, goal] = [maze.indexOf(START), maze.indexOf(GOAL)];
    if (start < 0 || goal < 0) continue;
    moves.fill(-1);
    moves[goal] = 0;
    best[goal] = 0;
    queue[0] = goal;
    // Breadth first: when a cell's turn comes, all cells one move nearer to the goal had theirs.
    for (let head = 0, tail = 1; head < tail; head++) {
      const cell = queue[head]!;
      if (cell === start) break;
      const logit = (at + cell) * vocabSize;
      const sum = best[cell]! + (cell === goal ? 0 : score(logits[logit + PATH]!) - score(logits[logit + FREE]!));
      const column = cell % size;
      for (let direction = 0; direction < 4; direction++) {
        const next = neighbourOf(cell, column, direction, size);
        if (next < 0 || maze[next] === WALL) continue;
        if (moves[next] === -1) {
          moves[next] = moves[cell]! + 1;
          queue[tail++] = next;
        } else if (moves[next] !== moves[cell]! + 1 || !(sum > best[next]!)) {
          continue;
        }
        best[next] = sum;
        parent[next] = cell;
      }
    }
    if (moves[start] === -1) continue;
    out.set(maze, at);
    for (let cell = parent[start]!; cell !== goal; cell = parent[cell]!) out[at + cell] = PATH;
  }
  return out;
}
