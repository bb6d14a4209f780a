/** How many dimensions the states use: participation ratios (paper, figure 8). */
import type { PuzzleDataset } from '../data/dataset';
import { Hrm } from '../hrm/model';
import { add_, sub } from '../ops/arithmetic';
import { requireTensor, shapeText } from '../ops/arguments';
import { cast } from '../ops/cast';
import { matmul } from '../ops/matmul';
import { Generator } from '../ops/random';
import { mean, sum } from '../ops/reduce';
import { reshape, transpose } from '../ops/reshape';
import { narrow } from '../ops/slice';
import { ShapeError } from '../error';
import { requireInteger } from '../tensor/arguments';
import { toDevice, zeros } from '../tensor/create';
import { keep, tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { ANALYSIS_OPTIONS, type AnalysisOptions, eachBatch, readAnalysis, requireSegments } from './puzzles';
import { walkSegments } from './walk';

export interface DimensionOptions extends AnalysisOptions {
  /** Default haltMaxSteps. */
  readonly segments?: number;
  /** Seed of the weights of the untrained model. Default 0. */
  readonly untrainedSeed?: number;
}

/** Participation ratios of both states; null where nothing varies. */
export interface StateRatios {
  readonly zH: number | null;
  readonly zL: number | null;
}

export interface ModelRatios {
  /** Of the states that segment 1, 2, ... leaves. */
  readonly bySegment: readonly StateRatios[];
  /** Of all states together: zL after every L update, zH after every H update, of every segment. */
  readonly all: StateRatios;
}

export interface Dimensions {
  /** Puzzles that were looked at. */
  readonly count: number;
  /** Samples of a puzzle and state: its tokens, without the puzzle embedding's. */
  readonly tokens: number;
  /** D: the largest ratio there can be. */
  readonly hidden: number;
  readonly trained: ModelRatios;
  /** The same configuration with fresh weights. */
  readonly untrained: ModelRatios;
}

/**
 * The paper's ratios (arXiv 2506.21734, figure 8: a 27M-parameter model, D = 512, trained on Sudoku-Extreme, 100 puzzles). It does
 * not say how tokens enter the covariance, so they are for orientation.
 */
export const PAPER_RATIOS = {
  trained: { zH: 89.95, zL: 30.22 },
  untrained: { zH: 40.75, zL: 42.09 },
} as const satisfies Record<string, StateRatios>;

/** Sums of a sample of vectors from which its covariance follows, in float64 around the first batch's mean. */
class CovarianceSums {
  readonly #gram: Tensor;
  readonly #sum: Tensor;
  #origin: Tensor | undefined;
  #count = 0;

  constructor(readonly width: number) {
    this.#gram = tidy(() => keep(zeros([width, width], { dtype: 'float64' })));
    this.#sum = tidy(() => keep(zeros([width], { dtype: 'float64' })));
  }

  /** @param x [..., width]; every vector is a sample */
  add(x: Tensor): void {
    tidy(() => {
      // float64 lives on the CPU.
      const rows = reshape(cast(toDevice(x, 'cpu', 'participationRatio'), 'float64'), [-1, this.width]);
      this.#origin ??= keep(mean(rows, 0));
      const centred = sub(rows, this.#origin);
      add_(this.#sum, sum(centred, 0));
      add_(this.#gram, matmul(transpose(centred, 0, 1), centred));
      this.#count += rows.shape[0]!;
    });
  }

  /** (tr C)^2 / ||C||_F^2 = (sum lambda)^2 / sum lambda^2: no eigenvalue is needed. */
  get participationRatio(): number | null {
    const n = this.#count;
    const [gram, sums] = [this.#gram.dataSync(), this.#sum.dataSync()];
    let [trace, squares] = [0, 0];
    for (let i = 0; i < this.width; ++i)
      for (let j = 0; j < this.width; ++j) {
        const c = gram[i * this.width + j]! / n - (sums[i]! / n) * (sums[j]! / n);
        if (i === j) trace += c;
        squares += c * c;
      }
    return squares > 0 ? trace ** 2 / squares : null;
  }

  dispose(): void {
    for (const tensor of [this.#gram, this.#sum, this.#origin]) tensor?.dispose();
  }
}

/**
 * Participation ratio (sum lambda)^2 / sum lambda^2 of the covariance of vectors: between 1 (a line) and D (a ball).
 *
 * @param x [..., D]; every vector along the last dimension is a sample
 * @returns null where nothing varies
 */
export function participationRatio(x: Tensor): number | null {
  const { shape } = requireTensor('participationRatio', 'x', x);
  const width = shape.at(-1);
  if (width === undefined || x.size === 0)
    throw new ShapeError(`participationRatio: x must have shape [..., D] with a sample, got ${shapeText(shape)}`);
  const sums = new CovarianceSums(width);
  try {
    sums.add(x);
    return sums.participationRatio;
  } finally {
    sums.dispose();
  }
}

/** The sums for one model: of each segment's last states, and of all. */
class RatioSums {
  readonly #bySegment: { zH: CovarianceSums; zL: CovarianceSums }[];
  readonly #all: { zH: CovarianceSums; zL: CovarianceSums };

  constructor(segments: number, width: number) {
    const pair = () => ({ zH: new CovarianceSums(width), zL: new CovarianceSums(width) });
    this.#bySegment = Array.from({ length: segments }, pair);
    this.#all = pair();
  }
  /** The state after an update. */
  addUpdate(level: 'H' | 'L', z: Tensor): void {
    this.#all[level === 'H' ? 'zH' : 'zL'].add(z);
  }
  addSegment(segment: number, zH: Tensor, zL: Tensor): void {
    const sums = this.#bySegment[segment - 1]!;
    sums.zH.add(zH);
    sums.zL.add(zL);
  }
  get ratios(): ModelRatios {
    const of = ({ zH, zL }: { zH: CovarianceSums; zL: CovarianceSums }): StateRatios => ({
      zH: zH.participationRatio,
      zL: zL.participationRatio,
    });
    return { bySegment: this.#bySegment.map(of), all: of(this.#all) };
  }
  dispose(): void {
    for (const { zH, zL } of [...this.#bySegment, this.#all]) {
      zH.dispose();
      zL.dispose();
    }
  }
}

async function ratiosOf(
  model: Hrm,
  dataset: PuzzleDataset,
  segments: number,
  options: AnalysisOptions,
): Promise<{ ratios: ModelRatios; count: number }> {
  const { hidden, puzzleEmbLen, seqLen } = model.config;
  const cells = (z: Tensor): Tensor => narrow(z, 1, puzzleEmbLen, seqLen);
  const sums = new RatioSums(segments, hidden);
  try {
    const count = await eachBatch(model, dataset, options, (start) => {
      walkSegments(
        model,
        start,
        segments,
        (_, { level, after }) => sums.addUpdate(level, cells(after)),
        (segment, { zH, zL }) => sums.addSegment(segment, cells(zH), cells(zL)),
      );
    });
    return { ratios: sums.ratios, count };
  } finally {
    sums.dispose();
  }
}

/**
 * Participation ratios of zH and zL, trained and with fresh weights. Samples are vectors of D numbers, one a token (without
 * the puzzle embedding's tokens) and puzzle; the covariance is that of these samples around their mean.
 *
 * @throws ArgumentError; the signal's reason when it is aborted
 */
export async function stateDimensions(
  model: Hrm,
  dataset: PuzzleDataset,
  options: DimensionOptions = {},
): Promise<Dimensions> {
  const op = 'stateDimensions';
  const { given, ...checked } = readAnalysis(op, model, dataset, options, [
    ...ANALYSIS_OPTIONS,
    'segments',
    'untrainedSeed',
  ]);
  const { config } = checked.model;
  const segments = requireSegments(op, 'segments', given.segments ?? config.haltMaxSteps);
  const seed = requireInteger(op, 'untrainedSeed', given.untrainedSeed ?? 0, 0);
  const trained = await ratiosOf(checked.model, checked.dataset, segments, given);
  using generator = new Generator(seed);
  const fresh = new Hrm(config, generator).to(checked.model.device);
  try {
    const untrained = await ratiosOf(fresh, checked.dataset, segments, given);
    return {
      count: trained.count,
      tokens: config.seqLen,
      hidden: config.hidden,
      trained: trained.ratios,
      untrained: untrained.ratios,
    };
  } finally {
    fresh.dispose();
  }
}
