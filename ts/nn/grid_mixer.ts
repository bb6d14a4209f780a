import { noGrad } from '../autograd/no_grad';
import { copy_ } from '../ops/cast';
import { tensor } from '../tensor/create';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';

/** Of the drawn weights, what is left beside those of the messages. */
const NOISE = 0.2;
/** Above, below, left, right, and the cell itself: rows and columns to go. */
const DIRECTIONS = [
  [-1, 0],
  [1, 0],
  [0, -1],
  [0, 1],
  [0, 0],
] as const;

/**
 * Starts a SwiGLU over the sequence as the passing of messages between the cells of a square grid: each unit is a pair of
 * neighbours (or a cell and itself), whose gate reads the one, whose up reads the other, and whose down writes to the
 * one; a fifth of what was drawn stays beside it. All weights train from there: what ConViT (arXiv 2103.10697) does for
 * attention, a start that looks where a convolution would.
 *
 * @param gateUp [2F, S], down [S, F] in place, F at least the number of such pairs (the configuration checks it)
 * @param side of the grid, whose cells are the last side * side tokens
 */
export function startOnGrid({ gateUp, down }: { gateUp: Tensor; down: Tensor }, side: number): void {
  const [tokens = 0, inner = 0] = down.shape;
  const prefix = tokens - side * side;
  const values = (weight: Tensor): Float32Array =>
    Float32Array.from(weight.dataSync() as Float32Array, (value) => value * NOISE);
  const [gateUpValues, downValues] = [values(gateUp), values(down)];
  let unit = 0;
  for (const [below, beside] of DIRECTIONS) {
    for (let cell = 0; cell < side * side; cell++) {
      const [row, column] = [Math.floor(cell / side) + below, (cell % side) + beside];
      if (row < 0 || column < 0 || row >= side || column >= side) continue;
      gateUpValues[unit * tokens + prefix + cell]! += 1;
      gateUpValues[(inner + unit) * tokens + prefix + row * side + column]! += 1;
      downValues[(prefix + cell) * inner + unit]! += 1;
      unit++;
    }
  }
  tidy(() =>
    noGrad(() => {
      copy_(gateUp, tensor(gateUpValues, { shape: [...gateUp.shape] }));
      copy_(down, tensor(downValues, { shape: [...down.shape] }));
    }),
  );
}
