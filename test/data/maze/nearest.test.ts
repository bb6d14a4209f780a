import { describe, expect, it } from '@jest/globals';
import { FREE, GOAL, PATH, START, WALL } from '../../../ts/data/maze/grid';
import { generateMazes } from '../../../ts/data/maze/generate';
import { nearestPathLabels } from '../../../ts/data/maze/nearest';
import { Philox } from '../../../ts/data/philox';

const VOCAB = 6;

/** Inner cells of every shortest path, by trying all walks of the fewest moves. */
function allShortestPaths(maze: ArrayLike<number>, size: number): number[][] {
  const start = Array.from(maze).indexOf(START);
  let walks = [[start]];
  for (let moves = 1; moves < size * size; moves++) {
    const longer: number[][] = [];
    for (const walk of walks) {
      const cell = walk.at(-1)!;
      const column = cell % size;
      for (const [next, inside] of [
        [cell - size, cell >= size],
        [cell + size, cell + size < size * size],
        [cell - 1, column > 0],
        [cell + 1, column < size - 1],
      ] as const)
        if (inside && maze[next] !== WALL && !walk.includes(next)) longer.push([...walk, next]);
    }
    const found = longer.filter((walk) => maze[walk.at(-1)!] === GOAL);
    if (found.length > 0) return found.map((walk) => walk.slice(1, -1));
    walks = longer;
  }
  return [];
}

describe('nearestPathLabels', () => {
  it.each(['softmax', 'stablemax'] as const)('takes the most probable of all shortest paths by %s', (lossType) => {
    const size = 5;
    // HRM section 3.4.
    const s = (x: number): number => (x < 0 ? 1 / (1 - x) : x + 1);
    const weight = (logit: number): number => (lossType === 'softmax' ? Math.exp(logit) : s(logit));
    const set = generateMazes({ size, count: 40, seed: 3, minPath: 4, wallPercent: { min: 5, max: 25 } });
    const inputs = new Int32Array(40 * 25);
    const rng = new Philox(11);
    const logits = Float32Array.from({ length: 40 * 25 * VOCAB }, () => rng.below(2000) / 125 - 8);
    for (let i = 0; i < 40; i++) inputs.set(set.maze(i), i * 25);
    const labels = nearestPathLabels(size, {
      inputs,
      labels: new Int32Array(40 * 25),
      logits,
      vocabSize: VOCAB,
      lossType,
    });
    let several = 0;
    for (let i = 0; i < 40; i++) {
      const maze = set.maze(i);
      const score = (path: readonly number[]): number =>
        path.reduce((sum, cell) => {
          const at = (i * 25 + cell) * VOCAB;
          return sum + Math.log(weight(logits[at + PATH]!) / weight(logits[at + FREE]!));
        }, 0);
      const paths = allShortestPaths(maze, size).sort((a, b) => score(b) - score(a));
      if (paths.length > 1) several++;
      const expected = maze.slice();
      for (const cell of paths[0]!) expected[cell] = PATH;
      expect(Array.from(labels.subarray(i * 25, (i + 1) * 25))).toEqual(Array.from(expected));
    }
    expect(several).toBeGreaterThan(20);
  });

  it('keeps the labels of rows without start, goal or path', () => {
    const [walled, padding] = [
      [START, WALL, WALL, GOAL],
      [0, 0, 0, 0],
    ];
    const labels = Int32Array.from([9, 8, 7, 6, 5, 4, 3, 2]);
    const rows = {
      inputs: Int32Array.from([...walled, ...padding]),
      labels,
      vocabSize: VOCAB,
      lossType: 'softmax' as const,
    };
    const chosen = nearestPathLabels(2, { ...rows, logits: new Float32Array(8 * VOCAB) });
    expect(chosen).toEqual(labels);
    expect(chosen).not.toBe(labels);
  });

  it('survives logits that are not numbers', () => {
    const inputs = Int32Array.from([START, FREE, FREE, GOAL]);
    const logits = new Float32Array(4 * VOCAB).fill(NaN);
    const labels = nearestPathLabels(2, { inputs, labels: inputs, logits, vocabSize: VOCAB, lossType: 'softmax' });
    expect(Array.from(labels).filter((token) => token === PATH)).toHaveLength(1);
  });
});
