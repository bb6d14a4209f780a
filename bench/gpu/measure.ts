/** One row of the GPU's yardstick, ours: builds its case, warms up, samples. bench/peers/torch_peer/measure.py is the peer's. */
import { carryFrom } from '../../ts/hrm/initial_states';
import { Hrm } from '../../ts/hrm/model';
import type { Device } from '../../ts/native/device';
import { memory, resetPeakMemory, synchronize, trimMemory } from '../../ts/native/runtime';
import { Generator } from '../../ts/ops/random';
import { tidy } from '../../ts/tensor/scope';
import { parseConfig } from '../../ts/train/config';
import { presetLayer } from '../../ts/train/presets';
import { SegmentRunner } from '../../ts/train/segment_runner';
import { runSegments } from '../../ts/train/segments';
import { batchTensors, TrainStep } from '../../ts/train/step';
import { forwardFlops, stepFlops } from '../workload';
import type { Case } from './cases';

/** As the peer's. */
export const SOLVE_SEGMENTS = 16;
const WARM_UPS = 3;

export interface Answer {
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  readonly samples: readonly number[];
  readonly details: Readonly<Record<string, number | string>>;
}

export interface Sampling {
  readonly repeats: number;
  /** A sample takes at least as long, by repeating what it times. */
  readonly leastMs: number;
}

/** What is timed, and how to let go of it. */
interface Subject {
  readonly run: () => void;
  dispose(): void;
}

/** Tokens 1 to below `limit`: zeros run faster. */
function tokens(size: number, limit: number, seed: number): Int32Array {
  return Int32Array.from({ length: size }, (_, i) => 1 + ((Math.imul(i + 1, 2654435761 + seed) >>> 8) % (limit - 1)));
}

function batchOf({ config, batch }: Case) {
  const size = batch * config.seqLen;
  return {
    inputs: tokens(size, config.vocabSize, 1),
    labels: tokens(size, config.vocabSize, 2),
    puzzleIdentifiers: new Int32Array(batch),
    nValid: batch,
    setName: 'all',
  };
}

/** The training step of `hrm train`, its metrics read a few steps later. */
function trainingStep(item: Case, device: Device): Subject {
  const model = new Hrm(item.config, new Generator(0)).to(device);
  const { optim } = parseConfig([presetLayer('sudoku-extreme')]);
  const generator = new Generator(1, { device });
  const training = new TrainStep(model, { optim, totalSteps: 1 << 20, batchSize: item.batch, generator });
  const batch = batchOf(item);
  let step = 0;
  return {
    run() {
      training.run(++step, batch);
      training.read(4);
    },
    dispose() {
      training.dispose();
      model.dispose();
    },
  };
}

/** One segment of evaluation as `evaluate` runs it: a graph; each goes on from the last, with the same work. */
function evaluationSegment(item: Case, device: Device): Subject {
  const model = new Hrm(item.config, new Generator(0)).to(device);
  const runner = new SegmentRunner(model);
  tidy(() => {
    const batch = batchTensors(batchOf(item), device);
    runner.start(carryFrom(model, batch, { zH: model.hInit, zL: model.lInit }));
  });
  return {
    run() {
      tidy(() => {
        runner.next();
      });
    },
    dispose() {
      runner.dispose();
      model.dispose();
    },
  };
}

/** A puzzle through all segments, every answer read, as `hrm solve` does. */
function solving(item: Case, device: Device): Subject {
  const model = new Hrm(item.config, new Generator(0)).to(device);
  const inputs = tokens(item.config.seqLen, item.config.vocabSize, 1);
  return {
    run() {
      let last;
      for (const answer of runSegments(model, { inputs, puzzleIdentifier: 0 }, SOLVE_SEGMENTS)) last = answer;
      if (last === undefined) throw new RangeError('bench: a solve without segments');
    },
    dispose() {
      model.dispose();
    },
  };
}

const SUBJECTS: Readonly<Record<string, (item: Case, device: Device) => Subject>> = {
  step: trainingStep,
  segment: evaluationSegment,
  solve: solving,
};

function sample({ run }: Subject, device: Device, { repeats, leastMs }: Sampling): { samples: number[]; runs: number } {
  const timed = (runs: number): number => {
    synchronize(device);
    const start = performance.now();
    for (let i = 0; i < runs; ++i) run();
    synchronize(device);
    return (performance.now() - start) / runs;
  };
  const once = timed(1);
  const runs = leastMs > 0 ? Math.max(1, Math.ceil(leastMs / once)) : 1;
  return { samples: Array.from({ length: repeats }, () => timed(runs)), runs };
}

function flopsOf(measure: string, { config, batch }: Case): number {
  if (measure === 'step') return stepFlops(config, batch);
  return forwardFlops(config, batch) * (measure === 'solve' ? SOLVE_SEGMENTS : 1);
}

/** @param measure step, segment or solve */
export function measureTime(measure: string, item: Case, device: Device, sampling: Sampling): Answer {
  trimMemory(device);
  resetPeakMemory(device);
  const start = performance.now();
  const subject = SUBJECTS[measure]!(item, device);
  try {
    for (let i = 0; i < WARM_UPS; ++i) subject.run();
    synchronize(device);
    const warmUpSeconds = (performance.now() - start) / 1e3;
    // A solve is a latency: every one is waited for.
    const { samples, runs } = sample(subject, device, measure === 'solve' ? { ...sampling, leastMs: 0 } : sampling);
    const details = {
      runsPerSample: runs,
      flops: flopsOf(measure, item),
      warmUpSeconds: Number(warmUpSeconds.toFixed(2)),
      peakAllocatedBytes: memory(device).peakBytes,
    };
    return { unit: 'ms', better: 'lower', samples, details };
  } finally {
    subject.dispose();
  }
}

/** What a training step needs beside weights, optimizer and carry. */
export function measureActivations(item: Case, device: Device): Answer {
  const subject = trainingStep(item, device);
  try {
    for (let i = 0; i < WARM_UPS; ++i) subject.run();
    synchronize(device);
    const { liveBytes } = memory(device);
    resetPeakMemory(device);
    subject.run();
    synchronize(device);
    const bytes = memory(device).peakBytes - liveBytes;
    return { unit: 'MiB', better: 'lower', samples: [bytes / 2 ** 20], details: { batch: item.batch, liveBytes } };
  } finally {
    subject.dispose();
  }
}
