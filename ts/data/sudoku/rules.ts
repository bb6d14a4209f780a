import { ArgumentError } from '../../error';
import { readArray, readFields } from '../../tensor/arguments';
import { describe } from '../../tensor/dtype';
import { assertGrid, requireGeometry, type Geometry, type Grid } from './geometry';
import { digitText } from './text';

/** A rule that an answer breaks. Cells are row-major indices. */
export interface Violation {
  /** A digit twice in a row, column or box; a clue that was changed; a cell left blank. */
  readonly rule: 'row' | 'column' | 'box' | 'clue' | 'blank';
  /** Row, column or box number from 0, boxes row-major; for a clue or blank, the cell. */
  readonly index: number;
  /** The repeated digit; for a clue, the digit that should be there; 0 for a blank. */
  readonly digit: number;
  readonly cells: readonly number[];
}

const UNIT_RULES = ['row', 'column', 'box'] as const;

/**
 * Repeated digits in rows, columns and boxes. Blanks are fine here.
 * @throws ArgumentError when the grid does not fit the geometry
 */
export function findConflicts(grid: Grid, geometry: Geometry): Violation[] {
  assertGrid(grid, requireGeometry('findConflicts', geometry), 'findConflicts');
  const violations: Violation[] = [];
  const { size, units } = geometry;
  for (let u = 0; u < units.length; u++) {
    if (!hasRepeat(grid, units[u]!)) continue;
    for (let digit = 1; digit <= size; digit++) {
      const cells = [...units[u]!].filter((cell) => grid[cell] === digit);
      if (cells.length > 1) {
        violations.push({ rule: UNIT_RULES[Math.floor(u / size)]!, index: u % size, digit, cells });
      }
    }
  }
  return violations;
}

function hasRepeat(grid: Grid, unit: Int16Array): boolean {
  let seen = 0;
  for (const cell of unit) {
    const bit = (1 << grid[cell]!) & ~1;
    if ((seen & bit) !== 0) return true;
    seen |= bit;
  }
  return false;
}

/** True when every row, column and box holds every digit once. No input checks: for inner loops. */
export function isSolved(grid: Grid, geometry: Geometry): boolean {
  for (let cell = 0; cell < geometry.cells; cell++) if (grid[cell] === 0) return false;
  return !geometry.units.some((unit) => hasRepeat(grid, unit));
}

/** True when the answer keeps every clue of the puzzle. */
export function keepsClues(puzzle: Grid, answer: Grid): boolean {
  for (let cell = 0; cell < puzzle.length; cell++) {
    if (puzzle[cell] !== 0 && puzzle[cell] !== answer[cell]) return false;
  }
  return true;
}

/**
 * Every rule that an answer to a puzzle breaks, empty when it is right: changed clues first, then blanks, then repeated
 * digits.
 * @throws ArgumentError when a grid does not fit the geometry
 */
export function checkAnswer(puzzle: Grid, answer: Grid, geometry: Geometry): Violation[] {
  assertGrid(puzzle, requireGeometry('checkAnswer', geometry), 'checkAnswer: puzzle');
  assertGrid(answer, geometry, 'checkAnswer: answer');
  const violations: Violation[] = [];
  for (let cell = 0; cell < geometry.cells; cell++) {
    if (puzzle[cell] !== 0 && puzzle[cell] !== answer[cell]) {
      violations.push({ rule: 'clue', index: cell, digit: puzzle[cell]!, cells: [cell] });
    }
  }
  for (let cell = 0; cell < geometry.cells; cell++) {
    if (answer[cell] === 0) violations.push({ rule: 'blank', index: cell, digit: 0, cells: [cell] });
  }
  return [...violations, ...findConflicts(answer, geometry)];
}

/** One violation in words, rows, columns and boxes counted from 1. */
export function describeViolation(violation: Violation, geometry: Geometry): string {
  const { size } = requireGeometry('describeViolation', geometry);
  const where = (cell: number): string => `row ${Math.floor(cell / size) + 1} column ${(cell % size) + 1}`;
  const keys = ['rule', 'index', 'digit', 'cells'] as const;
  const { rule, index, digit, cells: given } = readFields('describeViolation', 'violation', violation, keys);
  const cells = readArray('describeViolation', 'violation.cells', given) as readonly number[];
  for (const n of [index, digit, ...cells])
    if (typeof n !== 'number') throw new ArgumentError(`describeViolation: expected a violation, got ${describe(n)}`);
  if (![...UNIT_RULES, 'clue', 'blank'].includes(rule))
    throw new ArgumentError(`describeViolation: unknown rule ${describe(rule)}`);
  if (rule === 'clue') return `the clue ${digitText(digit)} at ${where(index)} was changed`;
  if (rule === 'blank') return `the cell at ${where(index)} is blank`;
  return `${rule} ${index + 1} has the digit ${digitText(digit)} in ${cells.length} cells (${cells.map(where).join('; ')})`;
}
