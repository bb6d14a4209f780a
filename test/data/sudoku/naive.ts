import type { Geometry, Grid } from '../../../ts/data/sudoku/geometry';

/** Counts solutions by plain backtracking from the rules alone: the oracle for the fast solver. */
export function naiveSolutions(grid: Grid, geometry: Geometry, limit: number): Grid[] {
  const { size, boxRows, boxCols } = geometry;
  const work = grid.slice();
  const found: Grid[] = [];
  const allowed = (cell: number, digit: number): boolean => {
    const row = Math.floor(cell / size);
    const col = cell % size;
    for (let other = 0; other < work.length; other++) {
      if (other === cell || work[other] !== digit) continue;
      const r = Math.floor(other / size);
      const c = other % size;
      const sameBox =
        Math.floor(r / boxRows) === Math.floor(row / boxRows) && Math.floor(c / boxCols) === Math.floor(col / boxCols);
      if (r === row || c === col || sameBox) return false;
    }
    return true;
  };
  const search = (from: number): void => {
    let cell = from;
    while (cell < work.length && work[cell] !== 0) cell++;
    if (cell === work.length) {
      found.push(work.slice());
      return;
    }
    for (let digit = 1; digit <= size && found.length < limit; digit++) {
      if (!allowed(cell, digit)) continue;
      work[cell] = digit;
      search(cell + 1);
      work[cell] = 0;
    }
  };
  for (let cell = 0; cell < work.length; cell++) {
    const digit = work[cell]!;
    if (digit === 0) continue;
    work[cell] = 0;
    const fine = allowed(cell, digit);
    work[cell] = digit;
    if (!fine) return [];
  }
  search(0);
  return found;
}
