/** The one-step gradient against deeper ones, up to backpropagation through the whole segment (HRM section 2). */
import { backward } from '../autograd/tape';
import type { PuzzleDataset } from '../data/dataset';
import { fixedSubset, testBatches } from '../data/sampler';
import { ArgumentError } from '../error';
import { actStep, type Carry } from '../hrm/act';
import { modelConfig, type ModelConfig } from '../hrm/config';
import { actLoss } from '../hrm/loss';
import { Hrm } from '../hrm/model';
import { memory, resetPeakMemory, synchronize } from '../native/runtime';
import { noGrad } from '../autograd/no_grad';
import { div } from '../ops/arithmetic';
import { Generator } from '../ops/random';
import { readArray, requireInteger } from '../tensor/arguments';
import { full, zeros } from '../tensor/create';
import { describe } from '../tensor/dtype';
import { tidy } from '../tensor/scope';
import { withoutPadding } from '../train/evaluate';
import { disposeCarry } from '../train/carry';
import { batchTensors } from '../train/step';
import { type AnalysisOptions, readAnalysis, requireSegments, startOf } from './puzzles';
import { median, spread } from './statistics';

/** How many of the last L updates carry gradient; 'full': all of the segment. */
export type GradSteps = number | 'full';

export interface GradientOptions extends Omit<AnalysisOptions, 'batchSize' | 'puzzles'> {
  /** Puzzles of the batch. Default 16. */
  readonly puzzles?: number;
  /** Default 1, lCycles and 'full', which is what the others are held against and is added where it is missing. */
  readonly gradSteps?: readonly GradSteps[];
  /** [hCycles, lCycles] to run the same weights with. Default the model's own, then 2x2, 2x4, 4x4 and 8x8. */
  readonly cycles?: readonly (readonly [number, number])[];
  /** The segment whose gradient is taken, after segment - 1 others without gradient from the initial states. Default 1. */
  readonly segment?: number;
  /** Timed rounds, in each of which every depth runs once; one more before them warms up. Default 5. */
  readonly rounds?: number;
}

/** A gradient against that of full backpropagation. */
export interface GradientAgreement {
  /** Cosine of the angle between both; null where one of them is zero. */
  readonly cosine: number | null;
  /** |gradient| / |full gradient|; null where the full one is zero. */
  readonly normRatio: number | null;
}

/** One depth of one recurrence. */
export interface GradientRow extends GradientAgreement {
  readonly hCycles: number;
  readonly lCycles: number;
  readonly gradSteps: GradSteps;
  /** Forward, loss and backward of the batch, without the optimizer: median over the rounds. */
  readonly ms: number;
  /** Half the distance between the quartiles over the rounds, relative to the median. */
  readonly spread: number;
  /** The most bytes of tensors and scratch that lived at once, on the model's device, beyond those before the step. */
  readonly peakBytes: number;
}

/** One parameter tensor at the model's own cycles. */
export interface ParameterRow {
  readonly name: string;
  readonly size: number;
  /** In the order of `gradSteps`. */
  readonly agreements: readonly GradientAgreement[];
}

export interface GradientComparison {
  /** Of the batch. */
  readonly puzzles: number;
  readonly segment: number;
  readonly rounds: number;
  /** Those of the table of parameters, which are of the first cycles. */
  readonly gradSteps: readonly GradSteps[];
  readonly cycles: readonly [number, number];
  readonly rows: readonly GradientRow[];
  readonly parameters: readonly ParameterRow[];
}

const OPTIONS = [
  'puzzles',
  'subsetSeed',
  'signal',
  'gradSteps',
  'cycles',
  'segment',
  'rounds',
] as const satisfies readonly (keyof GradientOptions)[];

type Gradients = ReadonlyMap<string, Float32Array | Float64Array>;

/** The rows of the puzzle embedding in use, which are no dense parameter. */
const PUZZLE_ROWS = 'puzzle_emb (rows in use)';
const DEFAULT_CYCLES = [
  [2, 2],
  [2, 4],
  [4, 4],
  [8, 8],
] as const;

/** The same weights under another recurrence. The caller disposes it. */
function variantOf(model: Hrm, changes: Pick<ModelConfig, 'hCycles' | 'lCycles' | 'gradSteps'>): Hrm {
  using generator = new Generator(0);
  // Exploration only draws when to halt, which a single segment has no use for.
  const variant = new Hrm(modelConfig({ ...model.config, ...changes, haltExplorationProb: 0 }), generator);
  variant.loadStateDict(model.stateDict());
  return variant.to(model.device);
}

/** The carry that enters a segment, and the rows that it is about. The caller disposes them. */
function carryInto(model: Hrm, dataset: PuzzleDataset, puzzles: number, subsetSeed: number, segment: number): Carry {
  return noGrad(() =>
    tidy(() => {
      const [batch] = testBatches(dataset, puzzles, (n) => fixedSubset(n, puzzles, subsetSeed));
      const start = startOf(model, batchTensors(withoutPadding(batch!), model.device));
      let { states } = start;
      for (let i = 1; i < segment; ++i) {
        const before = states;
        states = model.recurNoGrad(before, start.x);
        if (i > 1) for (const z of [before.zH, before.zL]) z.dispose();
      }
      const batchSize = start.rows.inputs.shape[0]!;
      return {
        ...states,
        steps: full([batchSize], segment - 1, { dtype: 'int32', device: model.device }),
        halted: zeros([batchSize], { dtype: 'bool', device: model.device }),
        current: start.rows,
      };
    }),
  );
}

/** Forward, loss and backward of one training segment; the gradients stay in the parameters. @returns the puzzle rows' */
function trainingGradient(model: Hrm, carry: Carry): Float32Array | Float64Array | undefined {
  return tidy(() => {
    const { carry: next, outputs } = actStep(model, carry, carry.current, { training: true });
    backward(div(actLoss(model.config, next, outputs).loss, carry.steps.shape[0]!));
    const rows = outputs.puzzleRows?.grad;
    const values = rows?.dataSync() as Float32Array | undefined;
    rows?.dispose();
    return values;
  });
}

function gradientsOf(model: Hrm, carry: Carry): Gradients {
  model.zeroGrad();
  const rows = trainingGradient(model, carry);
  const found = new Map<string, Float32Array | Float64Array>();
  for (const [name, parameter] of model.namedParameters())
    found.set(name, (parameter.grad?.dataSync() as Float32Array | undefined) ?? new Float32Array(parameter.size));
  if (rows !== undefined) found.set(PUZZLE_ROWS, rows);
  model.zeroGrad();
  return found;
}

/** Products from which cosines and norms follow. */
interface Products {
  ab: number;
  aa: number;
  bb: number;
}

function productsOf(a: ArrayLike<number>, b: ArrayLike<number>): Products {
  const products = { ab: 0, aa: 0, bb: 0 };
  for (let i = 0; i < a.length; ++i) {
    products.ab += a[i]! * b[i]!;
    products.aa += a[i]! ** 2;
    products.bb += b[i]! ** 2;
  }
  return products;
}

function agreementOf({ ab, aa, bb }: Products): GradientAgreement {
  return {
    cosine: aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : null,
    normRatio: bb > 0 ? Math.sqrt(aa / bb) : null,
  };
}

/** All tensors as one vector. */
function overall(gradients: Gradients, reference: Gradients): GradientAgreement {
  const total = { ab: 0, aa: 0, bb: 0 };
  for (const [name, values] of gradients) {
    const { ab, aa, bb } = productsOf(values, reference.get(name)!);
    total.ab += ab;
    total.aa += aa;
    total.bb += bb;
  }
  return agreementOf(total);
}

interface Depth {
  readonly gradSteps: GradSteps;
  readonly model: Hrm;
  readonly gradients: Gradients;
  readonly times: number[];
  peakBytes: number;
}

/** All depths of one recurrence, from the same carry. */
async function compareDepths(
  model: Hrm,
  [hCycles, lCycles]: readonly [number, number],
  depths: readonly GradSteps[],
  { dataset, puzzles, subsetSeed, segment, rounds, signal }: Checked,
): Promise<{ depths: Depth[]; batchSize: number }> {
  const { device } = model;
  const contestants: Depth[] = [];
  let carry: Carry | undefined;
  try {
    for (const gradSteps of depths) {
      const variant = variantOf(model, { hCycles, lCycles, gradSteps });
      const depth = { gradSteps, model: variant, gradients: new Map() as Gradients, times: [], peakBytes: 0 };
      contestants.push(depth);
      carry ??= carryInto(variant, dataset, puzzles, subsetSeed, segment);
      contestants[contestants.length - 1] = { ...depth, gradients: gradientsOf(variant, carry) };
      await takeTurn(signal);
    }
    for (let round = 0; round < rounds; ++round) {
      for (const depth of contestants) {
        synchronize(device);
        const before = memory(device).liveBytes;
        resetPeakMemory(device);
        const start = performance.now();
        trainingGradient(depth.model, carry!);
        synchronize(device);
        depth.times.push(performance.now() - start);
        depth.peakBytes = Math.max(depth.peakBytes, memory(device).peakBytes - before);
        depth.model.zeroGrad();
        await takeTurn(signal);
      }
    }
    return { depths: contestants, batchSize: carry!.steps.shape[0]! };
  } finally {
    disposeCarry(carry);
    for (const depth of contestants) depth.model.dispose();
  }
}

async function takeTurn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal?.throwIfAborted();
}

interface Checked {
  readonly dataset: PuzzleDataset;
  readonly puzzles: number;
  readonly subsetSeed: number;
  readonly segment: number;
  readonly rounds: number;
  readonly signal: AbortSignal | undefined;
}

function requireGradSteps(op: string, value: unknown): GradSteps[] {
  const depths = readArray(op, 'gradSteps', value, "a list of numbers and 'full'").map((depth, i) => {
    if (depth === 'full') return depth;
    return requireInteger(op, `gradSteps[${i}]`, depth, 1, 2 ** 20);
  });
  return [...new Set<GradSteps>([...depths.filter((depth) => depth !== 'full'), 'full'])];
}

function requireCycles(op: string, value: unknown): [number, number][] {
  const cycles = readArray(op, 'cycles', value, 'a list of pairs').map((pair, i): [number, number] => {
    const [h, l, ...rest] = readArray(op, `cycles[${i}]`, pair, 'a pair of numbers');
    if (rest.length > 0)
      throw new ArgumentError(`${op}: cycles[${i}] must be a pair of numbers, got ${describe(pair)}`);
    const count = (name: string, n: unknown): number => requireInteger(op, `cycles[${i}] ${name}`, n, 1, 1024);
    return [count('hCycles', h), count('lCycles', l)];
  });
  if (cycles.length === 0) throw new ArgumentError(`${op}: cycles must have at least one pair, got none`);
  return cycles;
}

/**
 * Compares gradients of the training loss by depth, on the same batch from the same carry, and what they take in time and
 * memory as hCycles x lCycles grows. Depths beyond a recurrence's hCycles * lCycles are left out of its rows. The model is
 * not changed.
 *
 * @throws ArgumentError; the signal's reason when it is aborted
 */
export async function compareGradients(
  model: Hrm,
  dataset: PuzzleDataset,
  options: GradientOptions = {},
): Promise<GradientComparison> {
  const op = 'compareGradients';
  const { given, ...checked } = readAnalysis(op, model, dataset, options, OPTIONS);
  const { config } = checked.model;
  const depths = requireGradSteps(op, given.gradSteps ?? [1, config.lCycles]);
  const asked = requireCycles(op, given.cycles ?? [[config.hCycles, config.lCycles], ...DEFAULT_CYCLES]);
  const cycles = [...new Map(asked.map((pair) => [pair.join('x'), pair])).values()];
  const settings: Checked = {
    dataset: checked.dataset,
    puzzles: given.puzzles ?? 16,
    subsetSeed: given.subsetSeed ?? 0,
    segment: requireSegments(op, 'segment', given.segment ?? 1),
    rounds: requireInteger(op, 'rounds', given.rounds ?? 5, 1, 1000),
    signal: given.signal,
  };
  const rows: GradientRow[] = [];
  let count = 0;
  let parameters: ParameterRow[] = [];
  let firstDepths: readonly GradSteps[] = [];
  for (const [hCycles, lCycles] of cycles) {
    const possible = depths.filter((depth) => depth === 'full' || depth < hCycles * lCycles);
    const { depths: measured, batchSize } = await compareDepths(checked.model, [hCycles, lCycles], possible, settings);
    const reference = measured.at(-1)!.gradients;
    count = batchSize;
    for (const { gradSteps, gradients, times, peakBytes } of measured) {
      const agreement = overall(gradients, reference);
      rows.push({ hCycles, lCycles, gradSteps, ...agreement, ms: median(times), spread: spread(times), peakBytes });
    }
    if (parameters.length > 0) continue;
    firstDepths = possible;
    parameters = [...reference].map(([name, values]) => ({
      name,
      size: values.length,
      agreements: measured.map(({ gradients }) => agreementOf(productsOf(gradients.get(name)!, values))),
    }));
  }
  const { segment, rounds } = settings;
  return { puzzles: count, segment, rounds, gradSteps: firstDepths, cycles: cycles[0]!, rows, parameters };
}
