/** The ways of zH and zL through their principal components (paper, figure 3). */
import type { PuzzleDataset } from '../data/dataset';
import { ArgumentError } from '../error';
import type { Hrm } from '../hrm/model';
import { sub } from '../ops/arithmetic';
import { matmul } from '../ops/matmul';
import { mean } from '../ops/reduce';
import { transpose } from '../ops/reshape';
import { tensor } from '../tensor/create';
import { tidy } from '../tensor/scope';
import { leadingEigen } from './eigen';
import { ANALYSIS_OPTIONS, type AnalysisOptions, eachBatch, readAnalysis, requireSegments } from './puzzles';
import { walkSegments } from './walk';

export interface TrajectoryOptions extends AnalysisOptions {
  /** Default haltMaxSteps. */
  readonly segments?: number;
}

/** One state of one puzzle. */
export interface TrajectoryPoint {
  /** 0 for the initial state. */
  readonly segment: number;
  /** Number of the L update in its segment, from 1; 0 for the initial state. */
  readonly step: number;
  /** Coordinates along the principal components. */
  readonly at: readonly number[];
}

export interface StateTrajectories {
  /** Share of the variance that each component explains. */
  readonly explained: readonly number[];
  /** One a puzzle. */
  readonly paths: readonly (readonly TrajectoryPoint[])[];
}

export interface Trajectories {
  readonly count: number;
  /** Numbers a point has before it is projected: S D. */
  readonly dimensions: number;
  readonly zH: StateTrajectories;
  readonly zL: StateTrajectories;
}

const COMPONENTS = 3;
const DEFAULT_PUZZLES = 6;
/** The Gram matrix of the points has this many rows at most. */
const MAX_POINTS = 4096;

interface Visited {
  segment: number;
  step: number;
  state: Float64Array;
}

/**
 * Principal components of whole states: a point is a puzzle's state with all its S tokens and D dimensions, of all puzzles and
 * updates together, centred. zH has a point after every H update and zL after every L update, and both their initial state.
 *
 * @param options `puzzles` defaults to 6 here
 * @throws ArgumentError; the signal's reason when it is aborted
 */
export async function stateTrajectories(
  model: Hrm,
  dataset: PuzzleDataset,
  options: TrajectoryOptions = {},
): Promise<Trajectories> {
  const op = 'stateTrajectories';
  const { given, ...checked } = readAnalysis(op, model, dataset, options, [...ANALYSIS_OPTIONS, 'segments']);
  const { haltMaxSteps, hCycles, lCycles, hidden, seqLen, puzzleEmbLen } = checked.model.config;
  const segments = requireSegments(op, 'segments', given.segments ?? haltMaxSteps);
  const puzzles = given.puzzles === undefined ? DEFAULT_PUZZLES : given.puzzles;
  const chosen = checked.dataset.sets.reduce((sum, { nExamples }) => sum + Math.min(nExamples, puzzles ?? Infinity), 0);
  const points = chosen * (1 + segments * hCycles * lCycles);
  if (points > MAX_POINTS) {
    throw new ArgumentError(
      `${op}: puzzles x L updates must be at most ${MAX_POINTS} points, got ${points}; fewer puzzles or segments`,
    );
  }
  const size = (seqLen + puzzleEmbLen) * hidden;
  const visited: { zH: Visited[][]; zL: Visited[][] } = { zH: [], zL: [] };
  const count = await eachBatch(checked.model, checked.dataset, { ...given, puzzles }, (start) => {
    const firstRow = visited.zH.length;
    const record = (name: 'zH' | 'zL', segment: number, step: number, z: typeof start.x): void => {
      const values = z.dataSync();
      for (let row = 0; row * size < values.length; ++row) {
        const state = Float64Array.from(values.subarray(row * size, (row + 1) * size));
        (visited[name][firstRow + row] ??= []).push({ segment, step, state });
      }
    };
    record('zH', 0, 0, start.states.zH);
    record('zL', 0, 0, start.states.zL);
    walkSegments(checked.model, start, segments, (segment, { level, step, after }) => {
      record(level === 'H' ? 'zH' : 'zL', segment, step, after);
    });
  });
  return { count, dimensions: size, zH: project(visited.zH), zL: project(visited.zL) };
}

/** Principal components by the Gram matrix of the points: there are fewer of them than dimensions. */
function project(paths: readonly (readonly Visited[])[]): StateTrajectories {
  const points = paths.flat();
  const gram = gramRows(points.map(({ state }) => state));
  const total = gram.reduce((sum, row, i) => sum + row[i]!, 0);
  const pairs = total > 0 ? leadingEigen(gram, COMPONENTS) : [];
  const axes = pairs.map(({ value, vector }) => {
    // The sign of an eigenvector is arbitrary: the farthest point lies on the positive side.
    const farthest = vector.reduce((most, v) => (Math.abs(v) > Math.abs(most) ? v : most), 0);
    return vector.map((v) => v * Math.sqrt(value) * Math.sign(farthest));
  });
  let i = 0;
  return {
    explained: pairs.map(({ value }) => value / total),
    paths: paths.map((path) =>
      path.map(({ segment, step }) => {
        const at = axes.map((axis) => axis[i]!);
        i++;
        return { segment, step, at };
      }),
    ),
  };
}

/** Products of the points with each other, around their mean. */
function gramRows(points: readonly Float64Array[]): Float64Array[] {
  const [n, size] = [points.length, points[0]?.length ?? 0];
  const all = new Float64Array(n * size);
  points.forEach((point, i) => all.set(point, i * size));
  const gram = tidy(() => {
    const x = tensor(all, { shape: [n, size] });
    const centred = sub(x, mean(x, 0));
    return Float64Array.from(matmul(centred, transpose(centred, 0, 1)).dataSync());
  });
  return Array.from({ length: n }, (_, i) => gram.slice(i * n, (i + 1) * n));
}
