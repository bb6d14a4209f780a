/** What makes ARC tokens a grid (HRM section 6): colours + 2 from the top left, 1 just past the last row and column, 0 beyond. */
import type { Problem } from './protocol';

const FIRST_COLOUR = 2;

/** Rows and columns of the largest top left rectangle made of colours only. */
export function arcGridSize(tokens: ArrayLike<number>, side: number): { rows: number; cols: number } {
  let best = { rows: 0, cols: 0 };
  let width = side;
  for (let row = 0; row < side && width > 0; row++) {
    let run = 0;
    while (run < width && tokens[row * side + run]! >= FIRST_COLOUR) run++;
    width = run;
    if ((row + 1) * width > best.rows * best.cols) best = { rows: row + 1, cols: width };
  }
  return best;
}

/** What keeps tokens from being one grid. */
export function arcProblems(tokens: ArrayLike<number>, side: number, what: string): Problem[] {
  const { rows, cols } = arcGridSize(tokens, side);
  if (rows === 0) return [{ text: `${what} has no grid: the cell at the top left is no colour`, cells: [0] }];
  const stray: number[] = [];
  for (let cell = 0; cell < side * side; cell++) {
    const inside = Math.floor(cell / side) < rows && cell % side < cols;
    if (!inside && tokens[cell]! >= FIRST_COLOUR) stray.push(cell);
  }
  if (stray.length === 0) return [];
  return [{ text: `${what} has colours outside its grid of ${rows} x ${cols}, cells: ${stray.length}`, cells: stray }];
}
