/** Training in bfloat16 with float32 master weights, on the CPU and on an accelerator (`npm run test:simt`). */
import { expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { backward } from '../../ts/autograd/tape';
import { noGrad } from '../../ts/autograd/no_grad';
import { actStep, initialCarry } from '../../ts/hrm/act';
import { modelConfig, type ModelSettings } from '../../ts/hrm/config';
import { carryFrom } from '../../ts/hrm/initial_states';
import { actLoss } from '../../ts/hrm/loss';
import { Hrm } from '../../ts/hrm/model';
import { addon } from '../../ts/native/boundary';
import { AdamATan2 } from '../../ts/optim/adam_atan2';
import { capture } from '../../ts/tensor/capture';
import { full } from '../../ts/tensor/create';
import { parseSafetensors } from '../../ts/io/safetensors';
import type { Device } from '../../ts/native/device';
import { div } from '../../ts/ops/arithmetic';
import { cast, copy_ } from '../../ts/ops/cast';
import { demandFused } from '../../ts/ops/fused';
import { Generator, randn } from '../../ts/ops/random';
import { Tensor } from '../../ts/tensor/tensor';
import { tidy } from '../../ts/tensor/scope';
import { parseConfig, type ConfigValues } from '../../ts/train/config';
import { loadModel } from '../../ts/train/load_model';
import { presetLayer } from '../../ts/train/presets';
import { SegmentRunner } from '../../ts/train/segment_runner';
import { batchTensors, TrainStep } from '../../ts/train/step';
import { train } from '../../ts/train/train';
import { eachDevice } from '../support/devices';
import { runCli } from '../support/run_cli';
import { tinyArguments, tinyRun, withDirectory } from '../support/tiny_run';

const [BATCH, SEQ] = [4, 8] as const;
/** The cosine of each tensor's gradient with that in float32, at least. */
const GRADIENT_COSINE = 0.999;
/**
 * Where norms run over few tokens, rounding the weights alone turns gradients further. Then: at most three times the angle
 * of that, nine times its distance from 1, since what kernels pass on is rounded in more places than weights are.
 */
const ROUNDED_WEIGHTS_FACTOR = 9;

const SMALL = {
  hidden: 32,
  nHeads: 2,
  hLayers: 2,
  lLayers: 2,
  expansion: 2,
  seqLen: SEQ,
  vocabSize: 6,
  puzzleEmbNdim: 32,
  haltMaxSteps: 3,
} satisfies Partial<ModelSettings>;
const VARIANTS: Readonly<Record<string, Partial<ModelSettings>>> = {
  'rotary attention': {},
  'learned positions, softmax': { posEncodings: 'learned', lossType: 'softmax' },
  'a SwiGLU over the sequence, shared levels': { mlpT: true, posEncodings: 'none', sharedLevels: true, gradSteps: 2 },
};

function modelOf(
  forwardDtype: ModelSettings['forwardDtype'],
  device: Device,
  fields: Partial<ModelSettings> = {},
): Hrm {
  const model = new Hrm(modelConfig({ ...SMALL, ...fields, forwardDtype }), new Generator(3));
  // Away from the start, where the Q head says nothing.
  const head = model.stateDict().get('q_head.weight')!;
  noGrad(() => copy_(head, randn(head.shape, { generator: new Generator(5), std: 0.2 })));
  return model.to(device);
}

/** Digits, a third of them not scored. */
function batchOf(seed: number, batchSize: number = BATCH) {
  const token = (i: number, of: number): number => (Math.imul(i + 1, 2654435761 + seed) >>> 8) % of;
  const inputs = Int32Array.from({ length: batchSize * SEQ }, (_, i) => 1 + token(i, 5));
  const labels = inputs.map((digit, i) => (i % 3 === 0 ? -100 : digit));
  return { inputs, labels, puzzleIdentifiers: new Int32Array(batchSize), nValid: batchSize, setName: 'all' };
}

/** The gradients of one training step, by name. */
function gradientsOf(model: Hrm, device: Device): Map<string, Float64Array> {
  return tidy(() => {
    const batch = batchTensors(batchOf(1), device);
    const { carry, outputs } = demandFused(() =>
      actStep(model, initialCarry(model, batch), batch, { training: true, generator: new Generator(7, { device }) }),
    );
    backward(div(actLoss(model.config, carry, outputs).loss, BATCH));
    const all: [string, Tensor | undefined][] = [
      ...model.namedParameters().map(([name, weight]): [string, Tensor | undefined] => [name, weight.grad]),
      ['puzzleRows', outputs.puzzleRows?.grad],
    ];
    const found = new Map(
      all.map(([name, gradient]) => {
        expect([name, gradient?.dtype]).toEqual([name, 'float32']);
        return [name, Float64Array.from(gradient!.dataSync() as Float32Array)];
      }),
    );
    model.zeroGrad();
    return found;
  });
}

function cosine(a: Float64Array, b: Float64Array): number {
  const dot = (x: Float64Array, y: Float64Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

const isRounded = (value: number): boolean => (new Uint32Array(Float32Array.of(value).buffer)[0]! & 0xffff) === 0;
const versionOf = (t: Tensor): number => addon().version(Tensor.handleOf(t, 'test', 'tensor').id);
const valuesOf = (tensors: Iterable<Tensor>): number[][] =>
  [...tensors].map((t) => Array.from(t.dataSync() as Float32Array));

/** A hash of all values: jest takes minutes to show how long lists differ. */
const digestOf = (tensors: Iterable<Tensor>): string => {
  const hash = createHash('sha256');
  for (const t of tensors) hash.update(t.dataSync());
  return hash.digest('hex');
};

const demo = parseConfig([presetLayer('demo-4x4')]).optim;
function stepOf(model: Hrm, device: Device): TrainStep {
  const optim = { ...demo, lr: 5e-3, lrWarmupSteps: 2, ema: 0.9 };
  const generator = new Generator(4, { device });
  return new TrainStep(model, { optim, totalSteps: 100, batchSize: BATCH, generator });
}

/** Losses of steps on one batch. */
function lossesOf(model: Hrm, device: Device, steps: number): number[] {
  const training = stepOf(model, device);
  for (let i = 1; i <= steps; ++i) training.run(i, batchOf(1));
  const losses = training.read(0).map(({ loss }) => loss / BATCH);
  training.dispose();
  return losses;
}

eachDevice('bfloat16 training', (device) => {
  it.each(Object.entries(VARIANTS))('has the gradients of float32 but for rounding: %s', (_, fields) => {
    const wide = gradientsOf(modelOf('float32', device, fields), device);
    const narrow = gradientsOf(modelOf('bfloat16', device, fields), device);
    const rounded = modelOf('float32', device, fields);
    noGrad(() => {
      for (const [name, weight] of rounded.namedParameters())
        if (name.includes('_level.')) copy_(weight, cast(weight, 'bfloat16'));
    });
    const ofRounded = gradientsOf(rounded, device);
    expect([...narrow.keys()]).toEqual([...wide.keys()]);
    for (const [name, gradient] of narrow) {
      const exact = wide.get(name)!;
      const similar = cosine(gradient, exact);
      const rounding = ofRounded.get(name)!;
      const allowed = ROUNDED_WEIGHTS_FACTOR * (1 - cosine(rounding, exact));
      if (!(similar >= Math.min(GRADIENT_COSINE, 1 - allowed))) throw new Error(`${name}: cosine ${similar}`);
      const longer = (g: Float64Array): number => Math.hypot(...g) / Math.hypot(...exact) - 1;
      // Three times, as for the angle, whose square the factor is for.
      const allowedLength = Math.max(0.05, Math.sqrt(ROUNDED_WEIGHTS_FACTOR) * Math.abs(longer(rounding)));
      if (!(Math.abs(longer(gradient)) < allowedLength)) throw new Error(`${name}: ${longer(gradient)} longer`);
      // Gradients of weights come straight from float32 sums.
      if (name.endsWith('weight') && !name.startsWith('embed')) expect(gradient.every(isRounded)).toBe(false);
    }
  });

  it('updates master weights and their copies together', () => {
    const model = modelOf('bfloat16', device);
    const training = stepOf(model, device);
    // The second step is recorded too, where steps are graphs: a write of its own.
    for (const step of [1, 2]) training.run(step, batchOf(step));
    const copies = [...model.roundedCopies.values()];
    // Four weights a block, and the head.
    expect(copies).toHaveLength(4 * 4 + 1);
    const versions = copies.map((copy) => versionOf(copy.tensor));
    training.run(3, batchOf(3));
    // The one write is the optimizer's.
    expect(copies.map((copy) => versionOf(copy.tensor))).toEqual(versions.map((version) => version + 1));
    for (const { leaf, tensor } of copies) {
      expect(leaf.dtype).toBe('float32');
      expect(tensor.device).toBe(leaf.device);
      expect(valuesOf([tensor])).toEqual(valuesOf([cast(leaf, 'bfloat16')]));
      expect(valuesOf([leaf]).flat().every(isRounded)).toBe(false);
    }
    training.dispose();
    model.dispose();
  });

  it('reads what was written to a master weight', () => {
    const [model, fresh] = [modelOf('bfloat16', device), modelOf('bfloat16', device)];
    const logits = (of: Hrm): number[][] =>
      tidy(() => {
        const batch = batchTensors(batchOf(1), device);
        return valuesOf([actStep(of, initialCarry(of, batch), batch, { training: false }).outputs.logits]);
      });
    const before = logits(model);
    const name = 'L_level.layers.0.mlp.down_proj.weight';
    for (const of of [model, fresh])
      noGrad(() => {
        const weight = of.stateDict().get(name)!;
        copy_(weight, randn(weight.shape, { generator: new Generator(8), std: 0.1 }));
      });
    expect(logits(model)).toEqual(logits(fresh));
    expect(logits(model)).not.toEqual(before);
    model.dispose();
    fresh.dispose();
  });

  it('captures a step of somebody else with the numbers of one that runs op by op', () => {
    const after = (isCaptured: boolean): unknown[] => {
      const model = modelOf('bfloat16', device);
      const batch = batchTensors(batchOf(1), device);
      const optimizer = new AdamATan2(model.namedParameters(), { copies: model.roundedCopies });
      const [lr, finite] = [full([], 0.01, { device }), full([], true, { device })];
      const generator = new Generator(7, { device });
      const step = capture(
        () => {
          const run = actStep(model, initialCarry(model, batch), batch, { training: true, generator });
          const { loss } = actLoss(model.config, run.carry, run.outputs);
          backward(loss);
          optimizer.step(lr, finite);
          model.zeroGrad();
          return loss;
        },
        { device: isCaptured ? device : 'cpu' },
      );
      const losses = [1, 2, 3, 4].map(() => step().item());
      const copies = [...model.roundedCopies.values()];
      expect(digestOf(copies.map(({ tensor }) => tensor))).toBe(
        digestOf(copies.map(({ leaf }) => cast(leaf, 'bfloat16'))),
      );
      const weights = digestOf(model.stateDict().values());
      for (const owner of [step, optimizer, model]) owner.dispose();
      return [losses, weights];
    };
    const captured = after(true);
    expect(captured).toEqual(after(false));
    expect(new Set(captured[0] as number[]).size).toBe(4);
  });

  it('rounds what no recording is to round once: where the owner of the graph does so before', () => {
    const model = modelOf('bfloat16', device);
    const runner = new SegmentRunner(model);
    tidy(() => {
      runner.start(carryFrom(model, batchTensors(batchOf(1), device), { zH: model.hInit, zL: model.lInit }));
    });
    for (let i = 0; i < 3; ++i) runner.next();
    const versions = [...model.roundedCopies.values()].map((copy) => versionOf(copy.tensor));
    expect(versions).toHaveLength(4 * 4 + 1);
    for (let i = 0; i < 3; ++i) runner.next();
    expect([...model.roundedCopies.values()].map((copy) => versionOf(copy.tensor))).toEqual(versions);
    runner.dispose();
    model.dispose();
  });

  it('learns as float32 does, the same way again', () => {
    const steps = 24;
    const [narrow, again, wide] = (['bfloat16', 'bfloat16', 'float32'] as const).map((dtype) =>
      lossesOf(modelOf(dtype, device), device, steps),
    ) as [number[], number[], number[]];
    expect(again).toEqual(narrow);
    expect(narrow).not.toEqual(wide);
    expect(wide.at(-1)!).toBeLessThan(0.75 * wide[0]!);
    expect(Math.abs(narrow.at(-1)! - wide.at(-1)!)).toBeLessThan(0.1 * wide[0]!);
  });

  const settings = (changes: ConfigValues): ConfigValues => {
    const model = { ...tinyRun.model, forwardDtype: 'bfloat16' };
    const optim = { ...tinyRun.optim, lrMinRatio: 1 };
    const all: ConfigValues = { ...tinyRun, model, optim, train: { ...tinyRun.train, device }, ...changes };
    return all;
  };
  const bytesOf = (dir: string, file: string): Uint8Array => readFileSync(path.join(loadModel(dir).path, file));

  it('goes on from a checkpoint of master weights as if it had not stopped', async () => {
    await withDirectory(async (dir) => {
      const [whole, halves, unseen] = ['whole', 'halves', 'unseen'].map((name) => path.join(dir, name)) as [
        string,
        string,
        string,
      ];
      const lengths = (steps: number): ConfigValues => settings({ train: { ...tinyRun.train, device, steps } });
      await train({ config: lengths(6), out: whole });
      await train({ config: lengths(4), out: halves });
      const saved = parseSafetensors(bytesOf(halves, 'model.safetensors'), 'weights').tensors;
      expect([...saved.values()].every(({ dtype }) => dtype === 'float32')).toBe(true);
      expect([...saved.keys()]).toEqual([
        ...parseSafetensors(bytesOf(whole, 'model.safetensors'), 'weights').tensors.keys(),
      ]);
      await train({ config: lengths(6), out: halves, resume: true });
      // Evaluations put averages into the weights and take them out again.
      const none = { everySteps: null, finalPuzzles: 0 };
      await train({ config: { ...lengths(6), eval: none }, out: unseen });
      for (const file of ['model.safetensors', 'ema.safetensors', 'training.safetensors']) {
        expect(bytesOf(halves, file)).toEqual(bytesOf(whole, file));
        expect(bytesOf(unseen, file)).toEqual(bytesOf(whole, file));
      }
    });
  });

  it('is a setting of hrm train', async () => {
    await withDirectory(async (dir) => {
      const out = path.join(dir, 'run');
      const changes = { 'model.forwardDtype': 'bfloat16', 'train.device': device, 'train.steps': 2 };
      const { exitCode, stderr } = await runCli([
        'train',
        '--preset',
        'demo-4x4',
        '--out',
        out,
        ...tinyArguments(changes),
      ]);
      expect([exitCode, stderr]).toEqual([0, expect.stringContaining('at the end, test')]);
      const { model } = loadModel(out);
      expect(model.config.forwardDtype).toBe('bfloat16');
      model.dispose();
    });
  });
});
