/** Forward residuals: how far each update moves its state (paper, figure 3). */
import type { PuzzleDataset } from '../data/dataset';
import type { Hrm } from '../hrm/model';
import { sub } from '../ops/arithmetic';
import { cast } from '../ops/cast';
import { square } from '../ops/power';
import { sum } from '../ops/reduce';
import { sqrt } from '../ops/unary';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import {
  ANALYSIS_OPTIONS,
  type AnalysisOptions,
  eachBatch,
  readAnalysis,
  requireSegments,
  type Start,
} from './puzzles';
import { type MeanEstimate, RunningMean } from './statistics';
import { walkSegments } from './walk';

export interface ResidualOptions extends AnalysisOptions {
  /** Default haltMaxSteps. */
  readonly segments?: number;
}

/** The residual of one update, mean over the puzzles. */
export interface Residual extends MeanEstimate {
  /** From 1. */
  readonly segment: number;
  /** Number of the L update in its segment, from 1; an H update has that of the L update before it. */
  readonly step: number;
  /** Number of the L update over all segments, from 1. */
  readonly time: number;
}

export interface Residuals {
  /** Puzzles that were looked at. */
  readonly count: number;
  /** Norm of a state behind its last rmsNorm, sqrt(S D): what the residuals can be held against. */
  readonly stateNorm: number;
  readonly H: readonly Residual[];
  readonly L: readonly Residual[];
  /**
   * The contrast: the L module alone as a plain recurrent network, from the same start with zH held at its initial state,
   * one entry for each entry of `L`.
   */
  readonly lAlone: readonly Residual[];
}

/** Residuals by (segment, step), in the order in which they first came. */
class ResidualTable {
  readonly #rows = new Map<number, { segment: number; step: number; norms: RunningMean }>();

  constructor(readonly stepsPerSegment: number) {}

  add(segment: number, step: number, before: Tensor, after: Tensor): void {
    const time = (segment - 1) * this.stepsPerSegment + step;
    let row = this.#rows.get(time);
    if (row === undefined) this.#rows.set(time, (row = { segment, step, norms: new RunningMean() }));
    for (const norm of distances(before, after)) row.norms.add(norm);
  }
  get residuals(): Residual[] {
    return [...this.#rows].map(([time, { segment, step, norms }]) => ({ segment, step, time, ...norms.estimate }));
  }
}

/** ||after - before|| of each puzzle, over all its tokens and dimensions. @param before [B, S, D] */
function distances(before: Tensor, after: Tensor): number[] {
  return tidy(() => {
    const [a, b] = [before, after].map((z) => (z.dtype === 'bfloat16' ? cast(z, 'float32') : z)) as [Tensor, Tensor];
    return Array.from(sqrt(sum(square(sub(b, a)), [1, 2])).dataSync());
  });
}

/**
 * Forward residuals ||z_t - z_(t-1)|| of every H and L update: the Frobenius norm over a puzzle's S tokens and D dimensions,
 * mean and standard error over the puzzles.
 *
 * @throws ArgumentError; the signal's reason when it is aborted
 */
export async function forwardResiduals(
  model: Hrm,
  dataset: PuzzleDataset,
  options: ResidualOptions = {},
): Promise<Residuals> {
  const { given, ...checked } = readAnalysis('forwardResiduals', model, dataset, options, [
    ...ANALYSIS_OPTIONS,
    'segments',
  ]);
  const { hCycles, lCycles, haltMaxSteps, hidden, seqLen, puzzleEmbLen } = checked.model.config;
  const segments = requireSegments('forwardResiduals', 'segments', given.segments ?? haltMaxSteps);
  const perSegment = hCycles * lCycles;
  const tables = { H: new ResidualTable(perSegment), L: new ResidualTable(perSegment) };
  const alone = new ResidualTable(perSegment);
  const count = await eachBatch(checked.model, checked.dataset, given, (start) => {
    walkSegments(checked.model, start, segments, (segment, { level, step, before, after }) => {
      tables[level].add(segment, step, before, after);
    });
    walkAlone(checked.model, start, segments * perSegment, (time, before, after) => {
      alone.add(Math.ceil(time / perSegment), ((time - 1) % perSegment) + 1, before, after);
    });
  });
  return {
    count,
    stateNorm: Math.sqrt((seqLen + puzzleEmbLen) * hidden),
    H: tables.H.residuals,
    L: tables.L.residuals,
    lAlone: alone.residuals,
  };
}

/** zL = L(zL, zH + x) again and again with zH as it was at first. */
function walkAlone(
  model: Hrm,
  { states, x }: Start,
  steps: number,
  visit: (time: number, before: Tensor, after: Tensor) => void,
): void {
  let zL = states.zL;
  for (let time = 1; time <= steps; ++time) {
    const before = zL;
    zL = model.updateL(before, states.zH, x);
    visit(time, before, zL);
    if (before !== states.zL) before.dispose();
  }
}
