/** The loop of a run: batches to steps, metrics, evaluations and checkpoints, so that it can end and go on anywhere. */
import path from 'node:path';
import { Philox, streamOf } from '../data/philox';
import type { Batch, TrainSampler } from '../data/sampler';
import { ConfigError, FileError } from '../error';
import { Hrm } from '../hrm/model';
import { type Checkpoint, CheckpointStore } from '../io/checkpoint_store';
import { setNumThreads } from '../native/runtime';
import { Generator } from '../ops/random';
import { checkpointConfig, checkpointFiles, isWeightsOnly, restoreCheckpoint, restoreWeights } from './checkpoint';
import { modelConfigFor, type RunConfig } from './config';
import { evaluate, type Evaluation } from './evaluate';
import { runLength, type RunLength } from './length';
import { CHECKPOINTS_DIR } from './load_model';
import { MetricsWriter } from './metrics';
import { dataLength, dataShape, type RunData } from './run_data';
import { TrainStep, type StepReport } from './step';
import { MetricsWindow } from './window';

/** An evaluation of a run. */
export interface RunEvaluation {
  readonly step: number;
  /** 'eval' during the run, 'final' at its end. */
  readonly kind: 'eval' | 'final';
  readonly split: 'valid' | 'test';
  readonly result: Evaluation;
}

/** What a run tells as it goes. */
export interface RunEvents {
  /** Some steps after the step itself. */
  readonly onStep?: (report: StepReport) => void;
  readonly onEvaluation?: (evaluation: RunEvaluation) => void;
  readonly onCheckpoint?: (checkpoint: Checkpoint) => void;
}

export interface TrainerOptions extends RunEvents {
  /** Directory of metrics and checkpoints; without it neither is written. */
  readonly out?: string;
  /** Where to go on; `from` null starts a run anew whose metrics file may exist. */
  readonly resume?: { readonly from: Checkpoint | null };
}

/** Why the loop ended. */
export type RunStatus = 'finished' | 'stopped' | 'interrupted';

/** Philox streams under `train.seed`. */
const SEED_STREAM = 96;
const SEED_OF = { weights: 0, order: 1, exploration: 2 } as const;
/** Steps whose reports may wait: the host looks at a step while later ones run. */
const STEPS_BEHIND = 4;
/** An interval without end: no batch is dropped while the run goes on. */
const ONE_INTERVAL = 2 ** 31 - 1;

/** A seed for one purpose, so that no two of them share numbers. */
function seedFor(purpose: keyof typeof SEED_OF, seed: number): number {
  const draw = new Philox(seed, streamOf(SEED_STREAM, SEED_OF[purpose]));
  return draw.uint32() * 2 ** 20 + (draw.uint32() >>> 12);
}

/** A run: owns the loop over steps, evaluations and checkpoints, and goes on from a checkpoint as if it had not ended. */
export class Trainer {
  readonly model: Hrm;
  readonly length: RunLength;
  readonly evaluations: RunEvaluation[] = [];
  readonly #config: RunConfig;
  readonly #data: RunData;
  readonly #options: TrainerOptions;
  readonly #training: TrainStep;
  readonly #sampler: TrainSampler;
  readonly #window = new MetricsWindow();
  readonly #store: CheckpointStore | undefined;
  readonly #metrics: MetricsWriter | undefined;
  #step = 0;
  #evaluatedStep = 0;
  #savedStep = -1;
  #stopped = false;

  /** @throws ConfigError, FormatError where a checkpoint does not fit, DeviceError */
  constructor(config: RunConfig, data: RunData, options: TrainerOptions = {}) {
    const { train, optim } = config;
    if (train.threads !== null) setNumThreads(train.threads);
    this.#config = config;
    this.#data = data;
    this.#options = options;
    this.length = runLength(config, dataLength(data));
    this.model = new Hrm(modelConfigFor(config, dataShape(data)), new Generator(seedFor('weights', train.seed)));
    this.model.to(train.device);
    this.#training = new TrainStep(this.model, {
      optim,
      totalSteps: this.length.scheduleSteps,
      batchSize: train.batchSize,
      generator: new Generator(seedFor('exploration', train.seed), { device: train.device }),
      graph: train.graph,
      lowMemory: train.lowMemory,
      targets: data.targets,
    });
    this.#sampler = data.sampler({
      batchSize: train.batchSize,
      seed: seedFor('order', train.seed),
      epochsPerInterval: train.intervalEpochs ?? ONE_INTERVAL,
    });
    const { out } = options;
    if (out !== undefined) {
      this.#store = new CheckpointStore(path.join(out, CHECKPOINTS_DIR), { keep: train.keepCheckpoints });
      const nBytes = this.#restore();
      const resume = nBytes === null ? {} : { resume: { step: this.#step, nBytes } };
      this.#metrics = new MetricsWriter(out, { ...resume, tensorboard: train.tensorboard });
    }
  }

  /** @returns length of the metrics file to go on at, null for a new run */
  #restore(): number | null {
    const { resume } = this.#options;
    if (resume === undefined) return null;
    if (resume.from === null) return 0;
    if (isWeightsOnly(resume.from)) {
      restoreWeights(resume.from, this.#training);
      return 0;
    }
    const state = restoreCheckpoint(resume.from, this.#training, this.#sampler);
    this.#step = state.step;
    this.#savedStep = state.step;
    this.#evaluatedStep = state.evaluatedStep;
    this.#stopped = state.stopped && !this.#goesOn(checkpointConfig(resume.from));
    this.#window.state = state.window;
    const { maxSteps, intervals } = this.length;
    if (maxSteps !== null && this.#step > maxSteps) {
      throw new ConfigError(`resume: the run must have at least ${this.#step} steps, got ${maxSteps}`);
    }
    const { interval } = this.#sampler.cursor;
    if (intervals !== null && interval > intervals) {
      const { epochs, intervalEpochs } = this.#config.train;
      throw new ConfigError(`resume: the run must have at least ${interval * intervalEpochs!} epochs, got ${epochs}`);
    }
    return state.metricsBytes ?? 0;
  }

  /** Whether a run that stopped early is to go on: it was made longer, or has to become better. */
  #goesOn({ train: before }: RunConfig): boolean {
    const { train } = this.#config;
    const isHigher = (train.stopAtExactAccuracy ?? Infinity) > (before.stopAtExactAccuracy ?? Infinity);
    return isHigher || train.steps !== before.steps || train.epochs !== before.epochs;
  }

  /** Whether nothing is left to train. */
  get isOver(): boolean {
    const { maxSteps, intervals } = this.length;
    return (
      this.#stopped ||
      (maxSteps !== null && this.#step >= maxSteps) ||
      (intervals !== null && this.#sampler.cursor.interval >= intervals)
    );
  }

  /** Steps done. */
  get step(): number {
    return this.#step;
  }

  /**
   * Runs to the end of the run's length, an early stop, or the signal, whichever comes first. A signal lets the step finish
   * and saves. At the end the model holds the weights that were evaluated (the averaged ones, where the run keeps them).
   *
   * @throws NonFiniteError before anything that is not finite is saved
   */
  async run(signal?: AbortSignal): Promise<RunStatus> {
    try {
      for (;;) {
        await this.#evaluateIfDue(signal);
        const { checkpointEverySteps } = this.#config.train;
        if (checkpointEverySteps !== null && this.#step % checkpointEverySteps === 0 && this.#step > 0) this.#save();
        if (signal?.aborted) break;
        if (this.isOver) break;
        const batch = this.#nextBatch();
        if (batch === null) break;
        this.#trainStep(batch);
        await new Promise((resolve) => setImmediate(resolve));
      }
      this.#report(0);
      this.#save();
      if (!signal?.aborted) await this.#finalEvaluation(signal);
      this.#training.useEvaluationWeights();
      if (signal?.aborted) return 'interrupted';
      return this.#stopped ? 'stopped' : 'finished';
    } finally {
      this.#metrics?.close();
    }
  }

  /** @returns null when the last interval is over */
  #nextBatch(): Batch | null {
    const batch = this.#sampler.next();
    // The first call after the end of an interval starts the next one.
    return batch ?? (this.isOver ? null : this.#sampler.next());
  }

  #trainStep(batch: Batch): void {
    this.#data.guard?.check(batch);
    this.#training.run(this.#step + 1, batch);
    this.#step++;
    this.#report(STEPS_BEHIND);
  }

  /** Takes in the reports of all but the newest steps. */
  #report(behind: number): void {
    const { logEverySteps } = this.#config.train;
    for (const report of this.#training.read(behind)) {
      this.#window.add(report);
      this.#options.onStep?.(report);
      if (report.step % logEverySteps !== 0) continue;
      const values = this.#window.take(report.lr);
      this.#metrics?.write({ step: report.step, kind: 'train', values });
      this.#metrics?.timing({ event: 'step', step: report.step });
    }
  }

  async #evaluateIfDue(signal: AbortSignal | undefined): Promise<void> {
    const { everySteps, puzzles, segments } = this.#config.eval;
    if (everySteps === null || this.#step === 0 || this.#step % everySteps !== 0) return;
    if (this.#evaluatedStep === this.#step) return;
    this.#report(0);
    const split = this.#data.valid ? 'valid' : 'test';
    const result = await this.#evaluate(split, puzzles, segments, signal);
    if (result === undefined) return;
    this.#evaluatedStep = this.#step;
    this.#record({ step: this.#step, kind: 'eval', split, result });
    const { stopAtExactAccuracy } = this.#config.train;
    this.#stopped = stopAtExactAccuracy !== null && result.exactAccuracy >= stopAtExactAccuracy;
  }

  async #finalEvaluation(signal: AbortSignal | undefined): Promise<void> {
    const { finalPuzzles, finalSegments, segments } = this.#config.eval;
    if (finalPuzzles === 0 || !this.#data.test) return;
    const result = await this.#evaluate('test', finalPuzzles, finalSegments ?? segments, signal);
    if (result !== undefined) this.#record({ step: this.#step, kind: 'final', split: 'test', result });
  }

  /** @returns undefined when the signal came in between, or there is no such split */
  async #evaluate(
    split: 'valid' | 'test',
    puzzles: number | null,
    segments: number | null,
    signal: AbortSignal | undefined,
  ): Promise<Evaluation | undefined> {
    const dataset = this.#data[split];
    if (dataset === undefined || signal?.aborted) return undefined;
    const { eval: settings, train } = this.#config;
    const options = {
      batchSize: settings.batchSize ?? train.batchSize,
      segments: segments ?? this.model.config.haltMaxSteps,
      puzzles,
      subsetSeed: train.seed,
      graph: train.graph,
      signal,
    };
    return await this.#training.withEvaluationWeights(async () => {
      try {
        return await evaluate(this.model, dataset, options);
      } catch (error) {
        if (signal?.aborted && error === signal.reason) return undefined;
        throw error;
      }
    });
  }

  #record(evaluation: RunEvaluation): void {
    const { step, kind, split, result } = evaluation;
    const { exactBySegment: _curve, vote: _vote, ...values } = result;
    this.evaluations.push(evaluation);
    this.#metrics?.write({ step, kind, split, values });
    this.#options.onEvaluation?.(evaluation);
  }

  /** Saves the state after the last step, unless that is saved already. */
  #save(): void {
    if (this.#store === undefined || this.#savedStep === this.#step) return;
    this.#report(0);
    this.#training.checkWeights(this.#step);
    const state = {
      version: 1 as const,
      step: this.#step,
      metricsBytes: this.#metrics?.sync() ?? null,
      evaluatedStep: this.#evaluatedStep,
      stopped: this.#stopped,
      window: this.#window.state,
      cursor: this.#sampler.cursor,
      generator: this.#training.options.generator.save(),
    };
    const checkpoint = this.#store.save(this.#step, checkpointFiles(this.#config, this.#training, state));
    this.#savedStep = this.#step;
    this.#options.onCheckpoint?.(checkpoint);
  }

  /** Frees the training state and closes the metrics. The model stays. */
  dispose(): void {
    this.#metrics?.close();
    this.#training.dispose();
  }
}

/** @throws FileError when a new run would be mixed with what is in the directory */
export function requireNewRun(out: string): void {
  const { checkpoint } = new CheckpointStore(path.join(out, CHECKPOINTS_DIR)).latest();
  if (checkpoint !== null) {
    throw new FileError(
      `train: ${out} already holds a run (step ${checkpoint.step}); go on with it (hrm train --resume ${out}) or choose another directory`,
    );
  }
}
