/** A model with random data and a live carry, to time and to weigh: what the peer's workload.py is for PyTorch. */
import { noGrad } from '../ts/autograd/no_grad';
import { backward } from '../ts/autograd/tape';
import { actStep, type BatchTensors, type Carry, initialCarry } from '../ts/hrm/act';
import {
  gradLSteps,
  modelConfig,
  type ModelConfig,
  type ModelSettings,
  swigluInnerSize,
  totalSeqLen,
} from '../ts/hrm/config';
import { actLoss } from '../ts/hrm/loss';
import { Hrm } from '../ts/hrm/model';
import { div } from '../ts/ops/arithmetic';
import { Generator, randint } from '../ts/ops/random';
import { AdamATan2 } from '../ts/optim/adam_atan2';
import { updateInBackward } from '../ts/optim/in_backward';
import { SparseSignSGD } from '../ts/optim/sign_sgd';
import { full, zeros } from '../ts/tensor/create';
import { tidy } from '../ts/tensor/scope';
import type { Tensor } from '../ts/tensor/tensor';

/** Sizes of a model and its batch, in the words of both sides. */
export interface Size {
  hidden: number;
  layers: number;
  heads: number;
  batch: number;
  seq: number;
  vocab: number;
}

const LEARNING_RATE = 1e-4;

export function configOf(
  { hidden, layers, heads, seq, vocab }: Size,
  settings: Partial<ModelSettings> = {},
): ModelConfig {
  return modelConfig({
    hidden,
    nHeads: heads,
    hLayers: layers,
    lLayers: layers,
    seqLen: seq,
    vocabSize: vocab,
    ...settings,
  });
}

export function sizeName({ hidden, layers, heads, batch, seq }: Size): string {
  return `hidden ${hidden}, ${layers}+${layers} layers, ${heads} heads, batch ${batch}, seq ${seq}`;
}

/** Floating-point operations of one block: the linear maps and the two attention products, for outTokens of its tokens. */
function blockFlops(config: ModelConfig, batch: number, outTokens = totalSeqLen(config)): number {
  const { hidden, expansion } = config;
  const tokens = totalSeqLen(config);
  const inner = swigluInnerSize(hidden, expansion);
  const qkv = tokens * 2 * 3 * hidden * hidden;
  return batch * (qkv + outTokens * (2 * (hidden * hidden + 3 * hidden * inner) + 4 * tokens * hidden));
}

/** Of one recurrence. */
export function forwardFlops(config: ModelConfig, batch: number): number {
  const { hCycles, lCycles, hLayers, lLayers } = config;
  return blockFlops(config, batch) * hCycles * (lCycles * lLayers + hLayers);
}

/**
 * Of a training step: two recurrences, the last block of the second for one token, and backward (twice the forward)
 * through the calls that carry gradient.
 */
export function stepFlops(config: ModelConfig, batch: number): number {
  const { lCycles, hLayers, lLayers } = config;
  const lCalls = gradLSteps(config);
  const hCalls = Math.ceil(lCalls / lCycles);
  const forward = 2 * forwardFlops(config, batch) - blockFlops(config, batch) + blockFlops(config, batch, 1);
  return forward + 2 * blockFlops(config, batch) * (lCalls * lLayers + hCalls * hLayers);
}

function disposeAll(tensors: Iterable<Tensor>): void {
  for (const tensor of tensors) if (!tensor.isDisposed) tensor.dispose();
}

/** Forward and training step at one size, through the library's API. Weights, batch and carry are those of a run after
 * its first segment. */
export class Workload {
  readonly config: ModelConfig;
  readonly #size: Size;
  readonly #model: Hrm;
  readonly #dense: AdamATan2;
  readonly #sparse: SparseSignSGD | undefined;
  readonly #generator: Generator;
  readonly #batch: BatchTensors;
  readonly #lr: Tensor;
  readonly #finite: Tensor;
  readonly #lowMemory: boolean;
  #carry: Carry;

  /** @param lowMemory as TrainStepOptions.lowMemory */
  constructor(size: Size, settings: Partial<ModelSettings> = {}, { lowMemory = false } = {}) {
    this.config = configOf(size, settings);
    this.#size = size;
    this.#generator = new Generator(0);
    this.#model = new Hrm(this.config, this.#generator);
    this.#model.lowMemory = this.#lowMemory = lowMemory;
    this.#dense = new AdamATan2(this.#model.namedParameters(), { beta1: 0.9, beta2: 0.95, weightDecay: 0.1 });
    const { puzzleEmb } = this.#model;
    this.#sparse = puzzleEmb && new SparseSignSGD(puzzleEmb.weights, { weightDecay: 1 });
    const tokens = (): Tensor => randint(1, size.vocab, [size.batch, size.seq], { generator: this.#generator });
    this.#batch = {
      inputs: tokens(),
      labels: tokens(),
      puzzleIdentifiers: zeros([size.batch], { dtype: 'int32' }),
    };
    this.#lr = full([], LEARNING_RATE);
    this.#finite = full([], true, { dtype: 'bool' });
    const empty = initialCarry(this.#model, this.#batch);
    this.#carry = tidy(() => noGrad(() => actStep(this.#model, empty, this.#batch, { training: false })).carry);
    disposeAll([empty.zH, empty.zL, empty.steps, empty.halted]);
  }

  /** One evaluation segment; the carry stays, so that every call does the same. @returns a sum over what came out */
  forward(): number {
    return tidy(() => {
      const { outputs } = noGrad(() => actStep(this.#model, this.#carry, this.#batch, { training: false }));
      return Number(outputs.qHalt.dataSync()[0]);
    });
  }

  /** One training step: two recurrences, backward, both optimizers; the carry goes on. @returns the loss a row */
  step(): number {
    const old = this.#carry;
    const { carry, loss } = tidy(() => {
      const step = actStep(this.#model, old, this.#batch, { training: true, generator: this.#generator });
      const { puzzleRows } = step.outputs;
      const meanLoss = div(actLoss(this.config, step.carry, step.outputs).loss, this.#size.batch);
      // As TrainStep does.
      this.#model.releasePacked();
      if (this.#lowMemory) {
        this.#dense.begin(this.#finite);
        updateInBackward(meanLoss, this.#dense, this.#model.parameters(), this.#lr, () => this.#finite);
      } else {
        backward(meanLoss);
        this.#dense.step(this.#lr, this.#finite);
      }
      noGrad(() => {
        if (this.#sparse && puzzleRows?.grad)
          this.#sparse.step(step.carry.current.puzzleIdentifiers, puzzleRows.grad, this.#lr, this.#finite);
      });
      puzzleRows?.grad?.dispose();
      this.#model.zeroGrad();
      return { carry: step.carry, loss: Number(meanLoss.item()) };
    });
    this.#carry = carry;
    disposeAll(carryTensors(old).filter((tensor) => !carryTensors(carry).includes(tensor) && !this.#isOfBatch(tensor)));
    return loss;
  }

  #isOfBatch(tensor: Tensor): boolean {
    return batchTensorsOf(this.#batch).includes(tensor);
  }

  dispose(): void {
    disposeAll([...carryTensors(this.#carry), ...batchTensorsOf(this.#batch), this.#lr, this.#finite]);
    this.#dense.dispose();
    this.#model.dispose();
    this.#generator.dispose();
  }
}

function carryTensors({ zH, zL, steps, halted, current }: Carry): Tensor[] {
  return [zH, zL, steps, halted, ...batchTensorsOf(current)];
}

function batchTensorsOf({ inputs, labels, puzzleIdentifiers }: BatchTensors): Tensor[] {
  return [inputs, labels, puzzleIdentifiers];
}
