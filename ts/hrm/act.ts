/** Adaptive computation time: one segment of a batch as a pure function (HRM section 3). */
import { noGrad } from '../autograd/no_grad';
import { detached } from '../autograd/tape';
import { zerosLike } from '../ops/arange';
import { add } from '../ops/arithmetic';
import { ge, gt, logicalAnd, logicalOr, lt } from '../ops/compare';
import { maximum } from '../ops/power';
import { type Generator, rand, randint } from '../ops/random';
import { sigmoid } from '../ops/unary';
import { reshape } from '../ops/reshape';
import { where } from '../ops/where';
import { readOptions } from '../tensor/arguments';
import { ones, zeros } from '../tensor/create';
import type { Tensor } from '../tensor/tensor';
import { requireBatch, requireCarry, requireModel } from './arguments';
import type { ModelConfig } from './config';
import type { Hrm } from './model';

/** A batch of puzzles. */
export interface BatchTensors {
  /** int32 [B, seqLen] */
  inputs: Tensor;
  /** int32 [B, seqLen]; -100: not scored */
  labels: Tensor;
  /** int32 [B] */
  puzzleIdentifiers: Tensor;
}

/** What one segment leaves to the next. */
export interface Carry {
  /** [B, S, D] in forward dtype, detached */
  zH: Tensor;
  zL: Tensor;
  /** int32 [B]: segments done on the current rows */
  steps: Tensor;
  /** bool [B]: rows to be replaced by fresh ones */
  halted: Tensor;
  /** The rows in use. */
  current: BatchTensors;
}

export interface StepOutputs {
  /** [B, seqLen, V] in forward dtype */
  logits: Tensor;
  /** [B] float32 */
  qHalt: Tensor;
  qContinue: Tensor;
  /** [B] float32; only in training with the official halting loss and M > 1 */
  targetQContinue: Tensor | undefined;
  /** [B, puzzleEmbNdim]: leaf that receives the gradient of the puzzle embedding's rows in use */
  puzzleRows: Tensor | undefined;
}

export interface ActOptions {
  /** Halting by Q, exploration and the Q target; otherwise every row runs M segments. */
  training: boolean;
  /** Draws the exploration, in training with haltExplorationProb > 0. Left out: the default generator. */
  generator?: Generator;
}

/** A carry in which every row has halted: the first step fills it. Its states are never read. */
export function initialCarry(model: Hrm, batch: BatchTensors): Carry {
  const rows = requireBatch('initialCarry', 'batch', batch);
  const [batchSize = 0] = rows.inputs.shape;
  return {
    ...requireModel('initialCarry', model).initialStates(batchSize),
    steps: zeros([batchSize], { dtype: 'int32', device: rows.inputs.device }),
    halted: ones([batchSize], { dtype: 'bool', device: rows.inputs.device }),
    current: rows,
  };
}

/** Halted rows take the incoming row, the others keep theirs; by select, so that nothing of a halted row survives. */
function replaceHalted(model: Hrm, carry: Carry, batch: BatchTensors): Omit<Carry, 'halted'> {
  const { halted } = carry;
  const [batchSize = 0] = halted.shape;
  const initial = model.initialStates(batchSize);
  const perToken = reshape(halted, [batchSize, 1]);
  const perState = reshape(halted, [batchSize, 1, 1]);
  return {
    zH: where(perState, initial.zH, carry.zH),
    zL: where(perState, initial.zL, carry.zL),
    steps: where(halted, zeros([], { dtype: 'int32' }), carry.steps),
    current: {
      inputs: where(perToken, batch.inputs, carry.current.inputs),
      labels: where(perToken, batch.labels, carry.current.labels),
      puzzleIdentifiers: where(halted, batch.puzzleIdentifiers, carry.current.puzzleIdentifiers),
    },
  };
}

/** A random lower bound on the segments of some rows: 2..M with probability haltExplorationProb, else 0. */
function explorationBound(model: Hrm, batchSize: number, generator: Generator | undefined): Tensor {
  const { haltExplorationProb, haltMaxSteps } = model.config;
  // Drawn where the generator's state is; the default one is the CPU's.
  const [bound, draw] = [
    randint(2, haltMaxSteps + 1, [batchSize], { generator }),
    rand([batchSize], { generator }),
  ].map((drawn) => (drawn.device === model.device ? drawn : drawn.to(model.device))) as [Tensor, Tensor];
  return where(lt(draw, haltExplorationProb), bound, zeros([], { dtype: 'int32' }));
}

/** Where the Q head says that a row is done (HRM section 3): a bool for each row. */
export function saysHalt(
  { haltLoss }: Pick<ModelConfig, 'haltLoss'>,
  { qHalt, qContinue }: Pick<StepOutputs, 'qHalt' | 'qContinue'>,
): Tensor {
  if (haltLoss === 'none') return zerosLike(qHalt, { dtype: 'bool' });
  return haltLoss === 'halt' ? gt(qHalt, 0) : gt(qHalt, qContinue);
}

/**
 * One segment (HRM section 3, steps 1 to 3). Reads nothing on the host.
 *
 * @param carry its tensors stay the caller's
 * @param batch the incoming rows; row i is taken only where carry row i had halted
 */
export function actStep(
  model: Hrm,
  carry: Carry,
  batch: BatchTensors,
  options: ActOptions,
): { carry: Carry; outputs: StepOutputs } {
  const { haltMaxSteps, haltLoss, haltExplorationProb } = requireModel('actStep', model).config;
  const before = requireCarry('actStep', carry);
  const rows = requireBatch('actStep', 'batch', batch);
  const { training, generator } = readOptions('actStep', options, ['training', 'generator']);
  const { zH, zL, steps, current } = noGrad(() => replaceHalted(model, before, rows));

  const puzzleRows = model.puzzleEmb?.rows(current.puzzleIdentifiers);
  const x = model.inputEmbedding(current.inputs, puzzleRows);
  const states = model.recur({ zH, zL }, x);
  const heads = model.heads(states.zH);
  const newStates = { zH: detached(states.zH), zL: detached(states.zL) };

  return noGrad(() => {
    const newSteps = add(steps, 1);
    const lastStep = ge(newSteps, haltMaxSteps);
    let halted = lastStep;
    let targetQContinue: Tensor | undefined;
    if (training && haltMaxSteps > 1) {
      halted = logicalOr(halted, saysHalt({ haltLoss }, heads));
      if (haltExplorationProb > 0) {
        const bound = explorationBound(model, newSteps.shape[0] as number, generator);
        halted = logicalAnd(halted, ge(newSteps, bound));
      }
      if (haltLoss === 'official') {
        // The Q head reads token 0 alone.
        const next = model.qValues(model.recurNoGrad(newStates, x, 1).zH);
        targetQContinue = sigmoid(where(lastStep, next.qHalt, maximum(next.qHalt, next.qContinue)));
      }
    }
    return {
      carry: { ...newStates, steps: newSteps, halted, current },
      outputs: { ...heads, targetQContinue, puzzleRows },
    };
  });
}
