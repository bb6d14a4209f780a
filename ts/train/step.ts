/** One optimizer step: a segment forward, its loss, backward and both updates; nothing of it is read on the host unless targets are chosen. */
import { withRefreshedCopies } from '../autograd/rounded_copy';
import { backward } from '../autograd/tape';
import type { Batch } from '../data/sampler';
import { types } from 'node:util';
import { ArgumentError, NonFiniteError } from '../error';
import { actStep, type BatchTensors, type Carry, initialCarry } from '../hrm/act';
import { actLoss, METRIC_NAMES } from '../hrm/loss';
import { type Hrm, isOverSequence } from '../hrm/model';
import { add_, div } from '../ops/arithmetic';
import { cast } from '../ops/cast';
import { isFinite } from '../ops/compare';
import { concat, stack } from '../ops/concat';
import type { Generator } from '../ops/random';
import { all, sum } from '../ops/reduce';
import { reshape } from '../ops/reshape';
import type { Device } from '../native/device';
import { AdamATan2 } from '../optim/adam_atan2';
import { Ema } from '../optim/ema';
import { updateInBackward } from '../optim/in_backward';
import { learningRate } from '../optim/schedule';
import { SparseSignSGD } from '../optim/sign_sgd';
import { tensor, zeros } from '../tensor/create';
import { readFields } from '../tensor/arguments';
import { describe } from '../tensor/dtype';
import { withoutHostReads } from '../tensor/host_reads';
import { capture, type Captured } from '../tensor/capture';
import { keep, tidy } from '../tensor/scope';
import type { OrderedRead, Tensor } from '../tensor/tensor';
import { noGrad } from '../autograd/no_grad';
import { disposeBatch, disposeCarry, ownBatch, ownCarry, writeBatch, writeCarry } from './carry';
import type { RunConfig } from './config';
import { chooseTargets, type TargetChooser } from './targets';

/** The tensors of a batch of the sampler, int32. */
export function batchTensors(
  batch: Pick<Batch, 'inputs' | 'labels' | 'puzzleIdentifiers'>,
  device: Device = 'cpu',
): BatchTensors {
  const { inputs, labels, puzzleIdentifiers } = readFields('batchTensors', 'batch', batch, [
    'inputs',
    'labels',
    'puzzleIdentifiers',
  ]);
  for (const [name, tokens] of Object.entries({ inputs, labels, puzzleIdentifiers }))
    if (!types.isInt32Array(tokens))
      throw new ArgumentError(`batchTensors: ${name} must be an Int32Array, got ${describe(tokens)}`);
  const shape = [puzzleIdentifiers.length, inputs.length / Math.max(1, puzzleIdentifiers.length)];
  return {
    inputs: tensor(inputs, { shape, device }),
    labels: tensor(labels, { shape, device }),
    puzzleIdentifiers: tensor(puzzleIdentifiers, { device }),
  };
}

/** What a step leaves for the host to look at later. */
interface PendingReport {
  readonly step: number;
  /** METRIC_NAMES, then the loss and the learning rate. */
  readonly values: OrderedRead;
  /** The loss, the sum of the logits, and of the gradient of each parameter in turn: not finite where one of theirs is. */
  readonly probes: OrderedRead;
}

/** The same in the step's own tensors, over which the next step writes. */
type StepResult = Readonly<Record<'values' | 'probes', Tensor>>;

/** What a step looks at to know whether it is finite. */
interface Watched {
  readonly loss: Tensor;
  readonly logits: Tensor;
  readonly puzzleRows: Tensor | undefined;
}

interface Updated {
  /** bool []: whether everything that was watched is. */
  readonly finite: Tensor;
  readonly probes: Tensor;
}

/** Sums over the rows of one step, as HRM section 3.5 has them. */
export interface StepReport {
  readonly step: number;
  readonly batchSize: number;
  readonly metrics: Readonly<Record<(typeof METRIC_NAMES)[number], number>>;
  /** Total, summed over the rows. */
  readonly loss: number;
  readonly lr: number;
}

export interface TrainStepOptions {
  readonly optim: RunConfig['optim'];
  /** Steps that the schedule spans. */
  readonly totalSteps: number;
  readonly batchSize: number;
  /** Draws the exploration of halting. */
  readonly generator: Generator;
  /** Whether a step on an accelerator is captured and launched as one graph. Default true; the numbers are the same. */
  readonly graph?: boolean;
  /**
   * Whether steps hold less memory for the same numbers, on the CPU: the model's passes do (`Hrm.lowMemory`), and each parameter is
   * updated as soon as its gradient is complete, so that with `gradSteps` 1 and two levels there are never all gradients at once
   * (weights that several updates share wait for the first of them). A gradient that is not finite, or an error in backward,
   * comes after other parameters have been updated. The model's passes stay so until `dispose`. Default false.
   */
  readonly lowMemory?: boolean;
  /** Chooses the labels of each step by its logits, which the host then reads: no graph. */
  readonly targets?: TargetChooser | undefined;
}

/** The training state beside the data order: model, optimizers, carry and step, all tensors. */
export class TrainStep {
  readonly model: Hrm;
  readonly dense: AdamATan2;
  readonly sparse: SparseSignSGD | undefined;
  readonly ema: Ema | undefined;
  readonly options: TrainStepOptions;
  /** Steps done, int32 []. */
  readonly counter: Tensor;
  /** The rows that come in; they keep their memory, as the carry does, so that the step can be a graph. */
  #incoming: BatchTensors | undefined;
  #carry: Carry | undefined;
  #update: Captured<StepResult>;
  readonly #pending: PendingReport[] = [];
  readonly #lowMemoryBefore: boolean;

  constructor(model: Hrm, options: TrainStepOptions) {
    const { beta1, beta2, weightDecay, seqLrRatio, puzzleEmbWeightDecay, ema } = options.optim;
    const overSequence = model.namedParameters().filter(([name]) => isOverSequence(name));
    this.model = model;
    this.options = options;
    this.dense = new AdamATan2(model.namedParameters(), {
      beta1,
      beta2,
      weightDecay,
      lrRatios: new Map(overSequence.map(([name]) => [name, seqLrRatio])),
      copies: model.roundedCopies,
    });
    this.sparse = model.puzzleEmb && new SparseSignSGD(model.puzzleEmb.weights, { weightDecay: puzzleEmbWeightDecay });
    this.ema = ema === null ? undefined : new Ema(model.namedParameters(), { decay: ema });
    this.counter = zeros([], { dtype: 'int32', device: model.device });
    this.#update = this.#capture();
    this.#lowMemoryBefore = model.lowMemory;
    if (options.lowMemory) model.lowMemory = true;
  }

  #capture(): Captured<StepResult> {
    const { device } = this.model;
    return capture(() => withRefreshedCopies(() => this.#step()), {
      device: this.options.graph === false || this.options.targets ? 'cpu' : device,
    });
  }

  /** What the last step left to the next. */
  get carry(): Carry | undefined {
    return this.#carry;
  }

  /** Goes on from a copy of another carry; undefined: from none. */
  restoreCarry(carry: Carry | undefined): void {
    // A graph writes into the carry that it was made with.
    this.#update.dispose();
    this.#update = this.#capture();
    disposeCarry(this.#carry);
    this.#carry = carry && ownCarry(carry, this.model.device);
  }

  /** Runs step number `step` (from 1) on a batch. Its report waits until `read` is called. */
  run(step: number, batch: Batch): void {
    tidy(() => {
      this.#takeIn(batchTensors(batch));
    });
    // Here and not in the step, which may be recorded: loading and evaluation write master weights between steps.
    this.model.refreshCopies();
    const { values, probes } = this.options.targets ? this.#update() : withoutHostReads(() => this.#update());
    // The optimizer has, whoever ran the step.
    for (const copy of this.model.roundedCopies.values()) copy.written();
    this.#pending.push({ step, values: values.readLater(), probes: probes.readLater() });
  }

  #takeIn(batch: BatchTensors): void {
    const { model } = this;
    if (this.#incoming === undefined) this.#incoming = ownBatch(batch, model.device);
    else writeBatch(this.#incoming, batch);
    this.#carry ??= ownCarry(
      noGrad(() => initialCarry(model, this.#incoming!)),
      model.device,
    );
  }

  /** Reads and writes nothing but tensors that outlive it, all on the device. */
  #step(): StepResult {
    const { model, options } = this;
    const { optim, batchSize, generator } = options;
    noGrad(() => add_(this.counter, 1));
    const { carry, outputs } = actStep(model, this.#carry!, this.#incoming!, { training: true, generator });
    const { logits } = outputs;
    const { lossType } = model.config;
    const current = options.targets
      ? chooseTargets(options.targets, carry.current, { logits, lossType })
      : carry.current;
    const { loss, metrics } = actLoss(model.config, { ...carry, current }, outputs);
    // Frees the packed weights: the gradients can have their memory.
    model.releasePacked();
    const schedule = {
      warmupSteps: optim.lrWarmupSteps,
      totalSteps: options.totalSteps,
      minRatio: optim.lrMinRatio,
    };
    const lr = noGrad(() => learningRate(this.counter, { base: optim.lr, ...schedule }));
    const meanLoss = div(loss, batchSize);
    return noGrad(() => {
      const step = { loss, logits: outputs.logits, puzzleRows: outputs.puzzleRows };
      const { finite, probes } = options.lowMemory
        ? this.#updateInBackward(meanLoss, step, lr)
        : this.#updateAfterBackward(meanLoss, step, lr);
      const rowGradient = outputs.puzzleRows?.grad;
      if (this.sparse && rowGradient) {
        const rowLr = learningRate(this.counter, { base: optim.puzzleEmbLr, ...schedule });
        this.sparse.step(carry.current.puzzleIdentifiers, rowGradient, rowLr, finite);
        rowGradient.dispose();
      }
      this.ema?.update(finite);
      model.zeroGrad();
      writeCarry(this.#carry!, carry);
      const scalars = [loss, lr].map((item) => cast(reshape(item, [1]), 'float32'));
      return { values: concat([metrics, ...scalars], 0), probes };
    });
  }

  /** Backward, then one update of all dense parameters where every gradient is finite. */
  #updateAfterBackward(meanLoss: Tensor, step: Watched, lr: Tensor): Updated {
    backward(meanLoss);
    const gradients = this.model.namedParameters().map(([, parameter]) => parameter.grad);
    const probes = stack(
      [step.loss, step.logits, ...gradients, step.puzzleRows?.grad].map((item) => this.#probe(item)),
    );
    const finite = all(isFinite(probes));
    this.dense.step(lr, finite);
    return { finite, probes };
  }

  /** Backward with the update of each dense parameter in it, where the loss, the logits and its own gradient are finite. */
  #updateInBackward(meanLoss: Tensor, step: Watched, lr: Tensor): Updated {
    const parameters = this.model.parameters();
    const probes = new Map<Tensor, Tensor>();
    const ofForward = [step.loss, step.logits].map((item) => this.#probe(item));
    const finite = all(isFinite(stack(ofForward)));
    this.dense.begin(finite);
    try {
      updateInBackward(meanLoss, this.dense, parameters, lr, (parameter) => {
        const probe = keep(this.#probe(parameter.grad));
        probes.set(parameter, probe);
        return isFinite(probe);
      });
      const ofGradients = parameters.map((parameter) => probes.get(parameter) ?? this.#probe(undefined));
      const watched = stack([...ofForward, ...ofGradients, this.#probe(step.puzzleRows?.grad)]);
      return { finite: all(isFinite(watched)), probes: watched };
    } finally {
      for (const probe of probes.values()) probe.dispose();
    }
  }

  /** One number that is not finite where one of the tensor's is; 0 of none. */
  #probe(item: Tensor | undefined): Tensor {
    return cast(item ? sum(item) : zeros([], { device: this.model.device }), 'float32');
  }

  /**
   * Reads the reports of all but the newest `behind` steps, oldest first.
   * @throws NonFiniteError naming the step and the first tensor that was not finite
   */
  read(behind: number): StepReport[] {
    const reports: StepReport[] = [];
    while (this.#pending.length > behind) {
      const { step, values, probes } = this.#pending.shift()!;
      let numbers, sums;
      try {
        [numbers, sums] = [values.wait(), probes.wait()];
      } finally {
        values.dispose();
        probes.dispose();
      }
      this.#checkFinite(step, sums);
      reports.push({
        step,
        batchSize: this.options.batchSize,
        metrics: Object.fromEntries(METRIC_NAMES.map((name, i) => [name, numbers[i]!])) as StepReport['metrics'],
        loss: numbers[METRIC_NAMES.length]!,
        lr: numbers[METRIC_NAMES.length + 1]!,
      });
    }
    return reports;
  }

  #checkFinite(step: number, sums: ArrayLike<number>): void {
    const bad = Array.from(sums).findIndex((value) => !Number.isFinite(value));
    if (bad < 0) return;
    // The causes come first: a weight, then what is computed from it.
    const weight = this.#badWeight();
    const [loss, logits] = [sums[0]!, sums[1]!];
    const names = this.model.namedParameters().map(([name]) => name);
    const gradient = `the gradient of ${names[bad - 2] ?? 'the puzzle embedding'}`;
    const what = weight ?? (!Number.isFinite(logits) ? 'the logits' : !Number.isFinite(loss) ? 'the loss' : gradient);
    throw new NonFiniteError(
      `train: ${what} must be finite at step ${step}, got NaN or infinity; ${this.options.lowMemory ? 'part of the update may have been made' : 'the update was not made'}. ` +
        'A lower learning rate (optim.lr) or a longer warm-up usually helps',
    );
  }

  /** The first weight that is not finite, by name. Reads all of them. */
  #badWeight(): string | undefined {
    return tidy(() => {
      for (const [name, weight] of this.model.stateDict()) {
        if (noGrad(() => all(isFinite(weight))).item() === false) return `the weight ${name}`;
      }
      return undefined;
    });
  }

  /** @throws NonFiniteError when a weight is not finite, so that no such checkpoint is written */
  checkWeights(step: number): void {
    const weight = this.#badWeight();
    if (weight !== undefined) {
      throw new NonFiniteError(`train: ${weight} must be finite after step ${step}, got NaN or infinity`);
    }
  }

  /** Runs `fn` with the averaged weights in the model, where there are any, and puts the trained ones back. */
  async withEvaluationWeights<R>(fn: () => Promise<R>): Promise<R> {
    return this.ema ? await this.ema.swapped(fn) : await fn();
  }

  /** Leaves the averaged weights in the model, where there are any. */
  useEvaluationWeights(): void {
    this.ema?.apply();
  }

  dispose(): void {
    this.#update.dispose();
    disposeCarry(this.#carry);
    disposeBatch(this.#incoming);
    this.#carry = this.#incoming = undefined;
    this.model.lowMemory = this.#lowMemoryBefore;
    for (const { values, probes } of this.#pending.splice(0)) {
      values.dispose();
      probes.dispose();
    }
    this.counter.dispose();
    this.dense.dispose();
    this.ema?.dispose();
  }
}
