import { ArgumentError } from '../../error';
import { describe } from '../../io/arguments';
import { isInstance } from '../../tensor/arguments';
import { readOptions, requireCallback, requireInteger } from '../check';
import { Philox } from '../philox';
import { assertGrid, requireGeometry, type Geometry, type Grid } from './geometry';

// Looked up once: in a vm context (jest) every mention of a global is slow.
const { clz32, imul } = Math;

/** What to look for; see {@link SudokuSolver.solve}. */
export interface SudokuSolveOptions {
  /** Stop after this many solutions. Default 2: is the puzzle unique? */
  readonly limit?: number;
  /** Give up (`complete: false`) after this many guesses. Default: never. */
  readonly maxGuesses?: number;
  /** Tries the candidates of a guessed cell in random order, so that the solution is a random one. */
  readonly rng?: Philox;
  /** Looks only for solutions without this digit in this cell. */
  readonly forbid?: { readonly cell: number; readonly digit: number };
  /** Called with every solution; the array is reused. */
  readonly onSolution?: (solution: Grid) => void;
}

export interface SolveResult {
  /** Solutions found, at most `limit`. */
  readonly solutions: number;
  /** The first one, null if there is none. */
  readonly solution: Grid | null;
  /**
   * Guesses made before the first solution, or in all when there is none: the difficulty rating. Trying the last
   * candidate of a cell after the others were refuted is no guess. 0 means singles and locked candidates suffice.
   */
  readonly guesses: number;
  /** False when maxGuesses stopped the search, so more solutions may exist. */
  readonly complete: boolean;
}

/**
 * Backtracking over candidate masks with naked singles, hidden singles and locked candidates, guessing in the cell with the
 * fewest candidates. One object serves any number of puzzles of its geometry and allocates only the answers.
 */
export class SudokuSolver {
  readonly #full: number;
  /** Candidate masks (bit d-1 = digit d), one grid for every depth of guessing. */
  readonly #candidates: Int32Array;
  readonly #peers: Int16Array;
  readonly #peerCount: number;
  readonly #units: Int16Array;
  readonly #unitsOfCell: Int16Array;
  readonly #dirty: Uint8Array;
  /** Cells that became single and whose peers do not know yet. */
  readonly #pending: Int16Array;
  #pendingCount = 0;
  readonly #lineMask: Int32Array;

  #limit = 0;
  #maxGuesses = 0;
  #rng: Philox | undefined;
  #onSolution: ((solution: Grid) => void) | undefined;
  #solutions = 0;
  #guesses = 0;
  #firstGuesses = 0;
  #first: Grid | null = null;
  #aborted = false;
  readonly #answer: Grid;

  constructor(readonly geometry: Geometry) {
    const { size, cells, boxOf, units, peers } = geometry;
    this.#full = 2 ** size - 1;
    this.#candidates = new Int32Array(cells * (cells + 2));
    this.#peerCount = peers[0]!.length;
    this.#peers = new Int16Array(cells * this.#peerCount);
    this.#unitsOfCell = new Int16Array(cells * 3);
    for (let cell = 0; cell < cells; cell++) {
      this.#peers.set(peers[cell]!, cell * this.#peerCount);
      this.#unitsOfCell.set([Math.floor(cell / size), size + (cell % size), 2 * size + boxOf[cell]!], cell * 3);
    }
    this.#units = new Int16Array(3 * size * size);
    units.forEach((unit, u) => this.#units.set(unit, u * size));
    this.#dirty = new Uint8Array(3 * size);
    // A cell can be queued once by elimination and once by a hidden single.
    this.#pending = new Int16Array(2 * cells + 1);
    this.#lineMask = new Int32Array(size * size);
    this.#answer = new Uint8Array(cells);
  }

  /**
   * Counts solutions up to a limit.
   * @throws ArgumentError when the grid does not fit the geometry or an option is out of range
   */
  solve(grid: Grid, options: SudokuSolveOptions = {}): SolveResult {
    const { limit = 2, maxGuesses = Infinity, rng, forbid, onSolution } = options;
    assertGrid(grid, this.geometry, 'solve');
    if (typeof limit !== 'number' || !(limit >= 1))
      throw new ArgumentError(`solve: limit must be at least 1, got ${describe(limit)}`);
    if (typeof maxGuesses !== 'number' || !(maxGuesses >= 0))
      throw new ArgumentError(`solve: maxGuesses must not be negative, got ${describe(maxGuesses)}`);
    this.#limit = limit;
    this.#maxGuesses = maxGuesses;
    this.#rng = rng;
    this.#onSolution = onSolution;
    this.#solutions = 0;
    this.#guesses = 0;
    this.#firstGuesses = 0;
    this.#first = null;
    this.#aborted = false;
    this.#pendingCount = 0;
    const candidates = this.#candidates;
    this.#dirty.fill(1);
    for (let cell = 0; cell < grid.length; cell++) {
      const digit = grid[cell]!;
      candidates[cell] = digit === 0 ? this.#full : 1 << (digit - 1);
      if (digit !== 0) this.#pending[this.#pendingCount++] = cell;
    }
    if (forbid !== undefined) candidates[forbid.cell]! &= ~(1 << (forbid.digit - 1));
    if (this.#propagate(0)) this.#search(0);
    return {
      solutions: this.#solutions,
      solution: this.#first,
      guesses: this.#first === null ? this.#guesses : this.#firstGuesses,
      complete: !this.#aborted,
    };
  }

  /** Guesses from a propagated state at `base`; returns true when the whole search is over. */
  #search(base: number): boolean {
    const { cells } = this.geometry;
    const candidates = this.#candidates;
    const best = this.#cellToGuess(base);
    if (best < 0) return this.#found(base);
    const next = base + cells;
    let mask = candidates[base + best]!;
    while (mask !== 0) {
      const bit = this.#rng === undefined ? mask & -mask : nthBit(mask, this.#rng.below(bitCount(mask)));
      mask &= ~bit;
      // The last candidate left is a deduction, not a guess.
      if (mask !== 0) {
        if (this.#guesses >= this.#maxGuesses) {
          this.#aborted = true;
          return true;
        }
        this.#guesses++;
      }
      candidates.copyWithin(next, base, next);
      candidates[next + best] = bit;
      this.#pendingCount = 0;
      this.#dirty.fill(0);
      this.#touch(best);
      this.#pending[this.#pendingCount++] = best;
      if (this.#propagate(next) && this.#search(next)) return true;
    }
    return false;
  }

  /**
   * An undecided cell with the fewest candidates, -1 when there is none. Among equals the one whose candidates its peers
   * share most, peers with two candidates counting four times: on hard 9x9 puzzles that halves the guesses.
   */
  #cellToGuess(base: number): number {
    const { cells } = this.geometry;
    const candidates = this.#candidates;
    const peers = this.#peers;
    const peerCount = this.#peerCount;
    let best = -1;
    let fewest = 99;
    let bestScore = -1;
    for (let cell = 0; cell < cells; cell++) {
      const mask = candidates[base + cell]!;
      if ((mask & (mask - 1)) === 0) continue;
      const count = bitCount(mask);
      if (count > fewest) continue;
      let score = 0;
      for (let i = cell * peerCount, end = i + peerCount; i < end; i++) {
        const other = candidates[base + peers[i]!]!;
        const rest = other & (other - 1);
        const shared = other & mask;
        if (rest === 0 || shared === 0) continue;
        const weight = (rest & (rest - 1)) === 0 ? 4 : 1;
        score += (shared & (shared - 1)) === 0 ? weight : 2 * weight;
      }
      if (count < fewest || score > bestScore) {
        best = cell;
        fewest = count;
        bestScore = score;
      }
    }
    return best;
  }

  #found(base: number): boolean {
    const answer = this.#answer;
    for (let cell = 0; cell < answer.length; cell++) answer[cell] = 32 - clz32(this.#candidates[base + cell]!);
    this.#solutions++;
    if (this.#first === null) {
      this.#first = answer.slice();
      this.#firstGuesses = this.#guesses;
    }
    this.#onSolution?.(answer);
    return this.#solutions >= this.#limit;
  }

  #touch(cell: number): void {
    const units = this.#unitsOfCell;
    const dirty = this.#dirty;
    dirty[units[3 * cell]!] = 1;
    dirty[units[3 * cell + 1]!] = 1;
    dirty[units[3 * cell + 2]!] = 1;
  }

  /** Applies the three techniques to a fixpoint; false means contradiction. */
  #propagate(base: number): boolean {
    for (;;) {
      if (!this.#nakedSingles(base)) return false;
      const hidden = this.#hiddenSingles(base);
      if (hidden < 0) return false;
      if (hidden > 0) continue;
      const locked = this.#lockedCandidates(base);
      if (locked < 0) return false;
      if (locked === 0) return true;
    }
  }

  #nakedSingles(base: number): boolean {
    const candidates = this.#candidates;
    const peers = this.#peers;
    const pending = this.#pending;
    const peerCount = this.#peerCount;
    while (this.#pendingCount > 0) {
      const cell = pending[--this.#pendingCount]!;
      const bit = candidates[base + cell]!;
      for (let i = cell * peerCount, end = i + peerCount; i < end; i++) {
        const peer = peers[i]!;
        const before = candidates[base + peer]!;
        if ((before & bit) === 0) continue;
        const after = before & ~bit;
        if (after === 0) return false;
        candidates[base + peer] = after;
        this.#touch(peer);
        if ((after & (after - 1)) === 0) pending[this.#pendingCount++] = peer;
      }
    }
    return true;
  }

  /** 1 when some cell was fixed, 0 when none, -1 on contradiction. */
  #hiddenSingles(base: number): number {
    const candidates = this.#candidates;
    const units = this.#units;
    const { size } = this.geometry;
    let progress = 0;
    for (let u = 0; u < 3 * size; u++) {
      if (this.#dirty[u] === 0) continue;
      this.#dirty[u] = 0;
      let once = 0;
      let twice = 0;
      let solved = 0;
      const start = u * size;
      for (let i = start; i < start + size; i++) {
        const mask = candidates[base + units[i]!]!;
        twice |= once & mask;
        once |= mask;
        if ((mask & (mask - 1)) === 0) solved |= mask;
      }
      if (once !== this.#full) return -1;
      const hidden = once & ~twice & ~solved;
      if (hidden === 0) continue;
      for (let i = start; i < start + size; i++) {
        const cell = units[i]!;
        const bit = candidates[base + cell]! & hidden;
        if (bit === 0) continue;
        // Two digits with this cell as their only place.
        if ((bit & (bit - 1)) !== 0) return -1;
        candidates[base + cell] = bit;
        this.#touch(cell);
        this.#pending[this.#pendingCount++] = cell;
        progress = 1;
      }
      if (progress !== 0) return 1;
    }
    return progress;
  }

  #lockedCandidates(base: number): number {
    const { boxRows, boxCols, size } = this.geometry;
    const rows = this.#lockedInLines(base, size, 1, boxRows, boxCols);
    if (rows < 0) return rows;
    const cols = this.#lockedInLines(base, 1, size, boxCols, boxRows);
    return cols < 0 ? cols : rows | cols;
  }

  /**
   * Locked candidates between boxes and lines. `lineStride` leads from line to line, `stride` along a line; a band holds
   * `bandLines` lines and a line crosses a box in `boxCells` cells (a segment).
   */
  #lockedInLines(base: number, lineStride: number, stride: number, bandLines: number, boxCells: number): number {
    const { size } = this.geometry;
    const candidates = this.#candidates;
    const masks = this.#lineMask;
    const segments = size / boxCells;
    let progress = 0;
    for (let band = 0; band < size; band += bandLines) {
      for (let line = 0; line < bandLines; line++) {
        for (let segment = 0; segment < segments; segment++) {
          let at = base + (band + line) * lineStride + segment * boxCells * stride;
          let mask = 0;
          for (let i = 0; i < boxCells; i++, at += stride) mask |= candidates[at]!;
          masks[line * segments + segment] = mask;
        }
      }
      for (let line = 0; line < bandLines; line++) {
        for (let segment = 0; segment < segments; segment++) {
          const own = masks[line * segments + segment]!;
          let inLine = 0;
          for (let s = 0; s < segments; s++) if (s !== segment) inLine |= masks[line * segments + s]!;
          let inBox = 0;
          for (let l = 0; l < bandLines; l++) if (l !== line) inBox |= masks[l * segments + segment]!;
          const onlyHereInLine = own & ~inLine & inBox;
          const onlyHereInBox = own & ~inBox & inLine;
          if (onlyHereInLine === 0 && onlyHereInBox === 0) continue;
          for (let l = 0; onlyHereInLine !== 0 && l < bandLines; l++) {
            if (l === line) continue;
            const at = (band + l) * lineStride + segment * boxCells * stride;
            if (!this.#remove(base, at, stride, boxCells, onlyHereInLine)) return -1;
            masks[l * segments + segment]! &= ~onlyHereInLine;
          }
          for (let s = 0; onlyHereInBox !== 0 && s < segments; s++) {
            if (s === segment) continue;
            const at = (band + line) * lineStride + s * boxCells * stride;
            if (!this.#remove(base, at, stride, boxCells, onlyHereInBox)) return -1;
            masks[line * segments + s]! &= ~onlyHereInBox;
          }
          progress = 1;
        }
      }
    }
    return progress;
  }

  #remove(base: number, first: number, stride: number, count: number, bits: number): boolean {
    const candidates = this.#candidates;
    for (let i = 0, cell = first; i < count; i++, cell += stride) {
      const before = candidates[base + cell]!;
      if ((before & bits) === 0) continue;
      const after = before & ~bits;
      if (after === 0) return false;
      candidates[base + cell] = after;
      this.#touch(cell);
      if ((after & (after - 1)) === 0 && (before & (before - 1)) !== 0) this.#pending[this.#pendingCount++] = cell;
    }
    return true;
  }
}

function bitCount(mask: number): number {
  mask -= (mask >>> 1) & 0x55555555;
  mask = (mask & 0x33333333) + ((mask >>> 2) & 0x33333333);
  return imul((mask + (mask >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The n-th lowest set bit of a mask. */
function nthBit(mask: number, n: number): number {
  for (; n > 0; n--) mask &= mask - 1;
  return mask & -mask;
}

const solvers = new WeakMap<Geometry, SudokuSolver>();

const OPTIONS = ['limit', 'maxGuesses', 'rng', 'forbid', 'onSolution'] as const;

/**
 * Counts the solutions of a puzzle up to a limit (default 2) and rates its difficulty, see {@link SolveResult}.
 * @throws ArgumentError when the grid does not fit the geometry or an option is out of range
 */
export function solveSudoku(grid: Grid, geometry: Geometry, options: SudokuSolveOptions = {}): SolveResult {
  const op = 'solveSudoku';
  const { size, cells } = requireGeometry(op, geometry);
  const given = readOptions(op, options, OPTIONS);
  requireCallback(op, 'onSolution', given.onSolution);
  if (given.rng !== undefined && !isInstance(given.rng, Philox)) {
    throw new ArgumentError(`${op}: rng must be a Philox, got ${describe(given.rng)}`);
  }
  if (given.forbid !== undefined) {
    const { cell, digit } = readOptions(op, given.forbid, ['cell', 'digit']);
    requireInteger(op, 'forbid.cell', cell, 0, cells - 1);
    requireInteger(op, 'forbid.digit', digit, 1, size);
  }
  // A solver of its own, because onSolution may solve other puzzles.
  return new SudokuSolver(geometry).solve(grid, given);
}

/** The shared solver of a geometry. Not reentrant: do not call it from its own onSolution. */
export function solverOf(geometry: Geometry): SudokuSolver {
  let solver = solvers.get(geometry);
  if (solver === undefined) {
    solver = new SudokuSolver(geometry);
    solvers.set(geometry, solver);
  }
  return solver;
}
