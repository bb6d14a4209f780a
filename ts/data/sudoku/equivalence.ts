import type { Geometry, Grid } from './geometry';
import { SudokuTransform } from './transform';

/** Rounds of refinement: enough for a clue to feel every other clue, which is at most a few lines away. */
const ROUNDS = 4;
/** Row and column assignments tried before an equivalence counts as undecided; only very symmetric grids need many. */
const MAX_STEPS = 200_000;

/** Colours of lines and digits that no symmetry of Sudoku changes, and a hash of them all. */
interface Colours {
  readonly rows: Uint32Array;
  readonly cols: Uint32Array;
  readonly digits: Uint32Array;
  readonly hash: number;
}

/** A 32-bit mixing function (the finaliser of MurmurHash3). */
function mix(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/**
 * Colour refinement over clues, rows, columns, bands, stacks, boxes and digits. Sums of mixed colours stand for multisets;
 * where boxes are square, rows and columns are treated alike, because a transpose swaps them.
 */
function refine(grid: Grid, geometry: Geometry, salt: number): Colours {
  const { size, boxRows, boxCols, boxOf } = geometry;
  const rows = new Uint32Array(size).fill(mix(salt + 1));
  const cols = new Uint32Array(size).fill(mix(boxRows === boxCols ? salt + 1 : salt + 2));
  const digits = new Uint32Array(size + 1).fill(mix(salt + 3));
  const boxes = new Uint32Array(size);
  const bands = new Uint32Array(size);
  const stacks = new Uint32Array(size);
  let hash = 0;
  for (let round = 0; round < ROUNDS; round++) {
    bands.fill(0);
    stacks.fill(0);
    for (let line = 0; line < size; line++) {
      bands[Math.floor(line / boxRows)]! += mix(rows[line]!);
      stacks[Math.floor(line / boxCols)]! += mix(cols[line]!);
    }
    const rowSums = new Uint32Array(size);
    const colSums = new Uint32Array(size);
    const digitSums = new Uint32Array(size + 1);
    const boxSums = new Uint32Array(size);
    hash = 0;
    for (let cell = 0; cell < grid.length; cell++) {
      const digit = grid[cell]!;
      if (digit === 0) continue;
      const row = Math.floor(cell / size);
      const col = cell % size;
      const lines = mix(rows[row]! + 1) + mix(cols[col]! + 1);
      const blocks = mix(bands[Math.floor(row / boxRows)]! + 2) + mix(stacks[Math.floor(col / boxCols)]! + 2);
      const code = mix(mix(lines) + 3 * mix(blocks) + 5 * digits[digit]! + 7 * boxes[boxOf[cell]!]! + salt);
      rowSums[row]! += code;
      colSums[col]! += code;
      digitSums[digit]! += code;
      boxSums[boxOf[cell]!]! += code;
      hash = (hash + mix(code)) >>> 0;
    }
    for (let i = 0; i < size; i++) {
      rows[i] = mix(rows[i]! + mix(rowSums[i]!));
      cols[i] = mix(cols[i]! + mix(colSums[i]!));
      digits[i + 1] = mix(digits[i + 1]! + mix(digitSums[i + 1]!));
      boxes[i] = mix(boxSums[i]!);
    }
  }
  return { rows, cols, digits, hash };
}

/**
 * A number that puzzles equal up to Sudoku symmetries share (53 bits). Different numbers prove that they are not; equal
 * ones call for {@link findEquivalence}. Says little about solved grids, whose lines all look alike.
 */
export function symmetryInvariant(puzzle: Grid, geometry: Geometry): number {
  const low = refine(puzzle, geometry, 0).hash;
  const high = refine(puzzle, geometry, 0x9e3779b9).hash;
  return (high & 0x1fffff) * 2 ** 32 + low;
}

/**
 * A symmetry that maps puzzle a onto puzzle b; null when there is none, undefined when the search was given up.
 */
export function findEquivalence(a: Grid, b: Grid, geometry: Geometry): SudokuTransform | null | undefined {
  const search = new Matcher(b, geometry);
  for (const transposed of geometry.boxRows === geometry.boxCols ? [false, true] : [false]) {
    const found = search.match(transposed ? transpose(a, geometry.size) : a);
    if (found !== null) {
      const [digits, rows, cols] = found;
      return new SudokuTransform(geometry, digits, rows, cols, transposed);
    }
    if (search.exhausted) return undefined;
  }
  return null;
}

function transpose(grid: Grid, size: number): Grid {
  return grid.map((_, cell) => grid[(cell % size) * size + Math.floor(cell / size)]!);
}

type Match = [digits: Uint8Array, rows: Uint8Array, cols: Uint8Array];

class Matcher {
  readonly #target: Colours;
  #steps = 0;

  constructor(
    private readonly b: Grid,
    private readonly geometry: Geometry,
  ) {
    this.#target = refine(b, geometry, 0);
  }

  get exhausted(): boolean {
    return this.#steps > MAX_STEPS;
  }

  /** Rows, columns and digits of `a` for those of b, without a transpose. */
  match(a: Grid): Match | null {
    const { size, boxRows, boxCols } = this.geometry;
    const colours = refine(a, this.geometry, 0);
    if (colours.hash !== this.#target.hash) return null;
    const rows = new Uint8Array(size);
    const cols = new Uint8Array(size);
    let digits: Uint8Array | null = null;
    const columnFits = (col: number): boolean => {
      digits = this.#digitMap(a, rows, cols, col + 1);
      return digits !== null;
    };
    const matched = this.#assign(
      rows,
      colours.rows,
      this.#target.rows,
      boxRows,
      () => true,
      () => this.#assign(cols, colours.cols, this.#target.cols, boxCols, columnFits, () => true),
    );
    return matched && digits !== null ? [digits, rows, cols] : null;
  }

  /** Tries every source line for lines 0, 1, ... that keeps colours and groups; `done` runs on each full assignment. */
  #assign(
    lines: Uint8Array,
    from: Uint32Array,
    to: Uint32Array,
    side: number,
    fits: (line: number) => boolean,
    done: () => boolean,
  ): boolean {
    const used = new Uint8Array(lines.length);
    const place = (line: number): boolean => {
      if (line === lines.length) return done();
      const first = line - (line % side);
      for (let source = 0; source < lines.length; source++) {
        if (used[source] !== 0 || from[source] !== to[line]) continue;
        // A group is full before the next one starts, so its first line cannot come from one in use.
        if (line !== first && Math.floor(source / side) !== Math.floor(lines[first]! / side)) continue;
        if (this.#steps++ > MAX_STEPS) return false;
        lines[line] = source;
        used[source] = 1;
        if (fits(line) && place(line + 1)) return true;
        used[source] = 0;
      }
      return false;
    };
    return place(0);
  }

  /** The relabelling that makes the first columns equal, null when there is none; unused digits go in order. */
  #digitMap(a: Grid, rows: Uint8Array, cols: Uint8Array, nCols: number): Uint8Array | null {
    const { size } = this.geometry;
    const map = new Uint8Array(size + 1);
    const taken = new Uint8Array(size + 1);
    for (let col = 0; col < nCols; col++) {
      for (let row = 0; row < size; row++) {
        const source = a[rows[row]! * size + cols[col]!]!;
        const target = this.b[row * size + col]!;
        if ((source === 0) !== (target === 0)) return null;
        if (source === 0) continue;
        if (map[source] === 0 && taken[target] === 0) {
          map[source] = target;
          taken[target] = 1;
        } else if (map[source] !== target) {
          return null;
        }
      }
    }
    for (let digit = 1, free = 1; digit <= size; digit++) {
      if (map[digit] !== 0) continue;
      while (taken[free] !== 0) free++;
      map[digit] = free;
      taken[free] = 1;
    }
    return map;
  }
}
