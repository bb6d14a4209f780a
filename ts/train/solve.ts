/** Solves a Sudoku and shows how the answer came about, segment by segment. */
import type { Geometry, Grid } from '../data/sudoku/geometry';
import { assertGrid, geometryOfCells, requireGeometry } from '../data/sudoku/geometry';
import { checkAnswer, describeViolation } from '../data/sudoku/rules';
import { readTokens, writeTokens } from '../data/sudoku/source';
import { parseGrid } from '../data/sudoku/text';
import { ArgumentError } from '../error';
import type { Hrm } from '../hrm/model';
import { requireModel } from '../hrm/arguments';
import { readOptions } from '../tensor/arguments';
import { describe } from '../tensor/dtype';
import { runSegments } from './segments';

export interface SolveOptions {
  /** Default: the most nearly square boxes for the model's number of cells. */
  readonly geometry?: Geometry;
  /** Default haltMaxSteps. */
  readonly segments?: number;
}

/** The answer after one segment. */
export interface SolveSegment {
  /** 0 where the model's best token is no digit. */
  readonly grid: Grid;
  /** Mean probability of the chosen tokens over the puzzle's blank cells, 0 to 1. */
  readonly confidence: number;
  readonly qHalt: number;
  readonly qContinue: number;
  /** Whether the model would stop here. */
  readonly halts: boolean;
}

export interface Solution {
  readonly puzzle: Grid;
  readonly geometry: Geometry;
  readonly segments: readonly SolveSegment[];
  /** The grid of the last segment. */
  readonly answer: Grid;
  /** The first segment (from 1) after which the model would stop; null: it never was sure. */
  readonly haltingSegment: number | null;
  /** The rules that the answer breaks, in words; empty when it is right. */
  readonly violations: readonly string[];
}

/**
 * Lets a model solve one Sudoku.
 *
 * @param puzzle text (`.` or `0` for blanks; see `parseGrid`) or digits
 * @throws ArgumentError or FormatError where the puzzle does not fit the model
 */
export function solve(model: Hrm, puzzle: string | Grid, options: SolveOptions = {}): Solution {
  const { seqLen, haltMaxSteps, vocabSize } = requireModel('solve', model).config;
  const given = readOptions('solve', options, ['geometry', 'segments']);
  const geometry = given.geometry === undefined ? geometryOfCells(seqLen) : requireGeometry('solve', given.geometry);
  if (geometry === undefined || geometry.cells !== seqLen || vocabSize < geometry.size + 2) {
    throw new ArgumentError(
      `solve: the model must be one for ${geometry ? `${geometry.size}x${geometry.size} ` : ''}Sudokus, ` +
        `got seqLen ${seqLen} and vocabSize ${vocabSize}`,
    );
  }
  const { segments = haltMaxSteps } = given;
  if (!Number.isSafeInteger(segments) || segments < 1) {
    throw new ArgumentError(`solve: segments must be a positive integer, got ${describe(segments)}`);
  }
  const grid = typeof puzzle === 'string' ? parseGrid(puzzle, geometry, 'solve').grid : puzzle;
  assertGrid(grid, geometry, 'solve: puzzle');
  const inputs = new Int32Array(geometry.cells);
  writeTokens(grid, inputs, 0);
  const steps = Array.from(
    runSegments(model, { inputs, puzzleIdentifier: 0 }, segments),
    ({ tokens, confidence, qHalt, qContinue, halts }): SolveSegment => ({
      grid: readTokens(tokens, 0, geometry),
      confidence: blankConfidence(grid, confidence),
      qHalt,
      qContinue,
      halts,
    }),
  );
  const answer = steps[steps.length - 1]!.grid;
  const halting = steps.findIndex(({ halts }) => halts);
  return {
    puzzle: grid,
    geometry,
    segments: steps,
    answer,
    haltingSegment: halting < 0 ? null : halting + 1,
    violations: checkAnswer(grid, answer, geometry).map((violation) => describeViolation(violation, geometry)),
  };
}

/** Mean confidence over the cells that the puzzle leaves open; 1 where it leaves none. */
function blankConfidence(puzzle: Grid, confidence: Float64Array): number {
  const open = confidence.filter((_, cell) => puzzle[cell] === 0);
  return open.length === 0 ? 1 : open.reduce((total, value) => total + value, 0) / open.length;
}
