/** Solves a Sudoku and shows how the answer came about, segment by segment. */
import { noGrad } from '../autograd/no_grad';
import type { Geometry, Grid } from '../data/sudoku/geometry';
import { assertGrid, geometryOfCells, requireGeometry } from '../data/sudoku/geometry';
import { checkAnswer, describeViolation } from '../data/sudoku/rules';
import { readTokens, writeTokens } from '../data/sudoku/source';
import { parseGrid } from '../data/sudoku/text';
import { ArgumentError } from '../error';
import { actStep, initialCarry } from '../hrm/act';
import { IGNORE_LABEL } from '../hrm/loss';
import type { Hrm } from '../hrm/model';
import { requireModel } from '../hrm/arguments';
import { readOptions } from '../tensor/arguments';
import { zeros } from '../tensor/create';
import { describe } from '../tensor/dtype';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { haltingRows } from './evaluate';
import { batchTensors, disposeCarry } from './step';

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
  const steps = noGrad(() => tidy(() => runSegments(model, grid, geometry, segments)));
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

function runSegments(model: Hrm, grid: Grid, geometry: Geometry, segments: number): SolveSegment[] {
  const inputs = new Int32Array(geometry.cells);
  writeTokens(grid, inputs, 0);
  const labels = new Int32Array(geometry.cells).fill(IGNORE_LABEL);
  const rows = batchTensors({ inputs, labels, puzzleIdentifiers: new Int32Array(1) }, model.device);
  const steps: SolveSegment[] = [];
  let carry = initialCarry(model, rows);
  for (let segment = 0; segment < segments; segment++) {
    const previous = carry;
    carry = tidy(() => {
      const { carry: next, outputs } = actStep(model, previous, rows, { training: false });
      const { tokens, confidence } = decode(model, outputs.logits, grid);
      steps.push({
        grid: readTokens(tokens, 0, geometry),
        confidence,
        qHalt: Number(outputs.qHalt.item()),
        qContinue: Number(outputs.qContinue.item()),
        halts: haltingRows(model, outputs, false)[0]!,
      });
      return { ...next, halted: zeros([1], { dtype: 'bool' }) };
    });
    if (segment > 0) disposeCarry(previous);
  }
  return steps;
}

/** Weight of a logit under the loss that the model was trained with; probabilities are weights over their sum. */
function weightOf(lossType: Hrm['config']['lossType'], logit: number, max: number): number {
  if (lossType === 'softmax') return Math.exp(logit - max);
  return logit >= 0 ? logit + 1 : 1 / (1 - logit + 1e-30);
}

function decode({ config }: Hrm, logits: Tensor, grid: Grid): { tokens: Int32Array; confidence: number } {
  const { vocabSize, lossType } = config;
  const values = logits.dataSync();
  const tokens = new Int32Array(grid.length);
  let total = 0;
  let blanks = 0;
  for (let cell = 0; cell < grid.length; cell++) {
    const row = Array.from(values.subarray(cell * vocabSize, (cell + 1) * vocabSize));
    const max = Math.max(...row);
    tokens[cell] = row.indexOf(max);
    if (grid[cell] !== 0) continue;
    const sum = row.reduce((part, logit) => part + weightOf(lossType, logit, max), 0);
    total += weightOf(lossType, max, max) / sum;
    blanks++;
  }
  return { tokens, confidence: blanks === 0 ? 1 : total / blanks };
}
