import { types } from 'node:util';
import { ArgumentError } from '../../error';
import { describe } from '../../io/arguments';
import { isInstance } from '../../tensor/arguments';
import { Philox } from '../philox';
import { requireGeometry, type Geometry, type Grid } from './geometry';

// Looked up once: in a vm context (jest) every mention of a global is slow.
const { floor } = Math;

/**
 * A symmetry of Sudoku: digit relabelling after band, row-in-band, stack and column-in-stack permutations after an
 * optional transpose. It maps valid grids onto valid grids and keeps the number of solutions.
 */
export class SudokuTransform {
  /** Source cell of every target cell. */
  readonly #source: Uint16Array;

  /**
   * @param digits new digit of each old one, length size + 1, digits[0] = 0
   * @param rows row of the (transposed) source that becomes row i; keeps bands together
   * @param cols likewise for columns
   * @param transposed only for square boxes
   * @throws ArgumentError when the parts are no such permutations
   */
  constructor(
    readonly geometry: Geometry,
    readonly digits: Uint8Array,
    readonly rows: Uint8Array,
    readonly cols: Uint8Array,
    readonly transposed: boolean,
  ) {
    const { size, boxRows, boxCols } = requireGeometry('SudokuTransform', geometry);
    for (const part of [digits, rows, cols]) {
      if (!types.isUint8Array(part)) {
        throw new ArgumentError(`SudokuTransform: permutations must be Uint8Arrays, got ${describe(part)}`);
      }
    }
    if (digits.length !== size + 1 || digits[0] !== 0 || !isPermutation(digits)) {
      throw new ArgumentError(`SudokuTransform: digits must permute 0..${size} and fix 0, got ${describe(digits)}`);
    }
    assertLinePermutation(rows, size, boxRows, 'rows');
    assertLinePermutation(cols, size, boxCols, 'cols');
    if (transposed && boxRows !== boxCols) {
      throw new ArgumentError(`SudokuTransform: transpose needs square boxes, got ${boxRows} x ${boxCols}`);
    }
    this.#source = new Uint16Array(geometry.cells);
    for (let row = 0; row < size; row++) {
      for (let col = 0; col < size; col++) {
        const [r, c] = [rows[row]!, cols[col]!];
        this.#source[row * size + col] = transposed ? c * size + r : r * size + c;
      }
    }
  }

  static identity(geometry: Geometry): SudokuTransform {
    const { size } = requireGeometry('SudokuTransform.identity', geometry);
    return new SudokuTransform(geometry, range(size + 1), range(size), range(size), false);
  }

  /** A uniform draw from all symmetries of the geometry. */
  static random(geometry: Geometry, rng: Philox): SudokuTransform {
    const { size, boxRows, boxCols } = requireGeometry('SudokuTransform.random', geometry);
    if (!isInstance(rng, Philox)) {
      throw new ArgumentError(`SudokuTransform.random: rng must be a Philox, got ${describe(rng)}`);
    }
    const digits = new Uint8Array(size + 1);
    const relabelled = rng.permutation(size);
    for (let i = 0; i < size; i++) digits[i + 1] = relabelled[i]! + 1;
    const transposed = boxRows === boxCols && rng.below(2) === 1;
    return new SudokuTransform(
      geometry,
      digits,
      randomLines(size, boxRows, rng),
      randomLines(size, boxCols, rng),
      transposed,
    );
  }

  /**
   * The image of a grid (of this geometry, digits unchecked) as a new array, or in `out`, which must not be the grid itself.
   * @throws ArgumentError for anything but grids of that size
   */
  apply(grid: Grid, out?: Grid): Grid {
    const { cells } = this.geometry;
    if (!types.isUint8Array(grid) || grid.length !== cells)
      throw new ArgumentError(
        `SudokuTransform.apply: grid must be a Uint8Array of ${cells} digits, got ${describe(grid)}`,
      );
    if (out !== undefined && (!types.isUint8Array(out) || out.length !== cells))
      throw new ArgumentError(
        `SudokuTransform.apply: out must be a Uint8Array of ${cells} digits, got ${describe(out)}`,
      );
    return this.#applied(grid, out ?? new Uint8Array(cells));
  }

  #applied(grid: Grid, out: Grid): Grid {
    const source = this.#source;
    const digits = this.digits;
    for (let cell = 0; cell < source.length; cell++) out[cell] = digits[grid[source[cell]!]!]!;
    return out;
  }

  /** The symmetry that undoes this one. */
  inverse(): SudokuTransform {
    // apply = relabel . permute . transpose. Undone: relabel back, permute back, transpose; the last two swap places
    // when rows and columns trade their permutations.
    const rows = inverted(this.rows);
    const cols = inverted(this.cols);
    return new SudokuTransform(
      this.geometry,
      inverted(this.digits),
      this.transposed ? cols : rows,
      this.transposed ? rows : cols,
      this.transposed,
    );
  }
}

function randomLines(size: number, boxSide: number, rng: Philox): Uint8Array {
  const lines = new Uint8Array(size);
  let next = 0;
  for (const band of rng.permutation(size / boxSide)) {
    for (const line of rng.permutation(boxSide)) lines[next++] = band * boxSide + line;
  }
  return lines;
}

function range(n: number): Uint8Array {
  return Uint8Array.from({ length: n }, (_, i) => i);
}

function inverted(permutation: Uint8Array): Uint8Array {
  const inverse = new Uint8Array(permutation.length);
  for (let i = 0; i < permutation.length; i++) inverse[permutation[i]!] = i;
  return inverse;
}

function isPermutation(values: Uint8Array): boolean {
  return new Set(values).size === values.length && values.every((value) => value < values.length);
}

function assertLinePermutation(lines: Uint8Array, size: number, boxSide: number, what: string): void {
  const bandOf = (line: number): number => floor(line / boxSide);
  const valid =
    lines.length === size &&
    isPermutation(lines) &&
    lines.every((line, i) => bandOf(line) === bandOf(lines[bandOf(i) * boxSide]!));
  if (!valid) {
    throw new ArgumentError(
      `SudokuTransform: ${what} must permute 0..${size - 1} and keep groups of ${boxSide} together, got ${describe(lines)}`,
    );
  }
}
