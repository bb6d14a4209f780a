/** Captured steps and segments have the numbers of those that run op by op; `npm run test:simt` has graphs. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from '@jest/globals';
import { AdamATan2, backward, capture, type Device, initialCarry, mul, sum } from '../../ts/index';
import { ShapeError } from '../../ts/error';
import { actStep } from '../../ts/hrm/act';
import type { ModelSettings } from '../../ts/hrm/config';
import type { Hrm } from '../../ts/hrm/model';
import { full, tensor } from '../../ts/tensor/create';
import { sudokuDataset, sudokuSampler } from '../../ts/data/sudoku/source';
import { generateSudoku } from '../../ts/data/sudoku/generate';
import { geometryOf } from '../../ts/data/sudoku/geometry';
import { noGrad } from '../../ts/autograd/no_grad';
import { carryFrom } from '../../ts/hrm/initial_states';
import { copy_ } from '../../ts/ops/cast';
import { Generator, randn } from '../../ts/ops/random';
import { tidy } from '../../ts/tensor/scope';
import type { Tensor } from '../../ts/tensor/tensor';
import { carryTensors } from '../../ts/train/carry';
import { parseConfig } from '../../ts/train/config';
import { type Answers, evaluate, type EvaluateOptions } from '../../ts/train/evaluate';
import { loadModel } from '../../ts/train/load_model';
import { SegmentRunner } from '../../ts/train/segment_runner';
import { batchSegments, runSegments, segmentAnswers, unlabelledBatch } from '../../ts/train/segments';
import { solve } from '../../ts/train/solve';
import { batchTensors, TrainStep } from '../../ts/train/step';
import { train } from '../../ts/train/train';
import { eachDevice } from '../support/devices';
import { heldMemory } from '../support/memory';
import { tinyModel } from '../support/tiny_model';
import { tinyRun, withDirectory } from '../support/tiny_run';

const BATCH = 4;
const set = generateSudoku({ geometry: geometryOf(2, 2), count: 16, seed: 3, blanks: { min: 4, max: 6 } });
const { optim } = parseConfig([{ source: 'test', values: tinyRun }]);
const model = { puzzleEmbNdim: 16, haltMaxSteps: 3 };
type ForwardDtype = 'float32' | 'bfloat16';

function stepOf(hrm: Hrm, graph = true): TrainStep {
  const generator = new Generator(4, { device: hrm.device });
  // With a mixer two groups of parameters are updated, at rates of their own.
  const rates = { ...optim, seqLrRatio: hrm.config.mlpT ? 0.25 : 1 };
  return new TrainStep(hrm, { optim: rates, totalSteps: 20, batchSize: BATCH, generator, graph });
}

function samplerOf(batchSize: number, seed: number) {
  return sudokuSampler(set, { augmentations: 0, seed: 0 }, { batchSize, seed, epochsPerInterval: 99 });
}

/** Some rows halt early, some do not. */
function undecided(settings: Partial<ModelSettings>, device: Device): Hrm {
  const hrm = tinyModel(settings);
  const state = hrm.stateDict();
  const weight = Float32Array.from({ length: 32 }, (_, i) => Math.sin(i * i));
  noGrad(() => {
    copy_(state.get('q_head.bias')!, tensor([0, 0]));
    copy_(state.get('q_head.weight')!, tensor(weight, { shape: [2, 16] }));
  });
  return hrm.to(device);
}

/** Every tensor's name and a hash of its bytes: jest takes minutes to show how long lists differ. */
function digests(tensors: ReadonlyMap<string, Tensor>): string[] {
  return [...tensors].map(([name, t]) => `${name} ${createHash('sha256').update(t.dataSync()).digest('hex')}`);
}

/** Everything that eight steps leave behind, the last four from a carry of their own. */
function trained(device: Device, graph: boolean, settings: Partial<ModelSettings>) {
  const hrm = tinyModel({ ...model, ...settings }).to(device);
  const training = stepOf(hrm, graph);
  const { generator } = training.options;
  const batches = samplerOf(BATCH, 1);
  const reports = [];
  const halted: unknown[] = [];
  for (let step = 1; step <= 8; ++step) {
    if (step === 5) training.restoreCarry(undefined);
    training.run(step, batches.next()!);
    reports.push(...training.read(3));
    halted.push(training.carry!.halted.dataSync());
  }
  reports.push(...training.read(0));
  const state = {
    reports,
    halted,
    weights: digests(hrm.stateDict()),
    moments: digests(training.dense.stateDict()),
    averages: digests(training.ema!.stateDict()),
    carry: digests(carryTensors(training.carry!)),
    counter: training.counter.item(),
    generator: generator.save(),
  };
  training.dispose();
  generator.dispose();
  hrm.dispose();
  return state;
}

eachDevice('graphs in training', (device) => {
  it.each<Partial<ModelSettings>>([
    { forwardDtype: 'float32' },
    { forwardDtype: 'bfloat16' },
    { forwardDtype: 'bfloat16', mlpT: true, posEncodings: 'none' },
  ])('train as op by op, bit for bit, and again: %j', (settings) => {
    const live = heldMemory(device).liveBytes;
    const [graph, again, eager] = [true, true, false].map((isGraph) => trained(device, isGraph, settings)) as [
      ReturnType<typeof trained>,
      ReturnType<typeof trained>,
      ReturnType<typeof trained>,
    ];
    for (const key of Object.keys(eager) as (keyof typeof eager)[]) {
      expect([key, graph[key]]).toEqual([key, eager[key]]);
      expect([key, again[key]]).toEqual([key, graph[key]]);
    }
    expect(graph.counter).toBe(8);
    // Rows halt at different steps, so that the carry matters.
    expect(new Set(graph.halted.map(String)).size).toBeGreaterThan(1);
    expect(heldMemory(device).liveBytes).toBeLessThanOrEqual(live);
  });

  it('go on from a checkpoint as if they had not ended', async () => {
    const config = {
      ...tinyRun,
      train: { ...tinyRun.train, device, batchSize: BATCH, steps: 7, checkpointEverySteps: 4 },
      // Averaged weights come and go between steps.
      eval: { everySteps: 3, puzzles: 4, finalPuzzles: 0 },
    };
    await withDirectory(async (root) => {
      const [whole, parts, eager] = ['whole', 'parts', 'eager'].map((name) => path.join(root, name)) as [
        string,
        string,
        string,
      ];
      await train({ config, out: whole });
      await train({ config: { ...config, train: { ...config.train, graph: false } }, out: eager });
      const interrupt = new AbortController();
      const onStep = ({ step }: { step: number }): void => {
        if (step === 1) interrupt.abort();
      };
      const first = await train({ config, out: parts, onStep, signal: interrupt.signal });
      expect(first.status).toBe('interrupted');
      expect(first.step).toBeGreaterThan(2);
      expect(first.step).toBeLessThan(7);
      await train({ out: parts, resume: true });
      const files = (dir: string) =>
        ['model.safetensors', 'ema.safetensors', 'training.safetensors', 'training.json'].map((name) => [
          name,
          readFileSync(path.join(loadModel(dir).path, name)),
        ]);
      expect(files(parts)).toEqual(files(whole));
      expect(files(eager)).toEqual(files(whole));
      const metrics = (dir: string) => readFileSync(path.join(dir, 'metrics.jsonl'), 'utf8');
      expect(metrics(parts)).toBe(metrics(whole));
      expect(metrics(eager)).toBe(metrics(whole));
      expect(metrics(whole)).toContain('eval');
    });
  });

  it.each(['float32', 'bfloat16'] as const)('of a forward pass by hand follow the weights in %s', (forwardDtype) => {
    const hrm = undecided({ ...model, forwardDtype }, device);
    const rows = [0, 1].map((i) => ({
      inputs: Int32Array.from(set.puzzle(i), (digit) => digit + 1),
      puzzleIdentifier: 0,
    }));
    const start = initialCarry(hrm, unlabelledBatch(rows, hrm));
    const forward = (): Tensor => noGrad(() => actStep(hrm, start, start.current, { training: false }).outputs.logits);
    const captured = capture(forward);
    const [name, weight] = [...hrm.stateDict()].find(([key]) => key.startsWith('L_level'))!;
    for (const factor of [1, 1, 0.5, 2]) {
      // The second call records with copies that are up to date.
      if (factor !== 1) noGrad(() => copy_(weight, mul(weight, factor)));
      const got = captured().dataSync();
      expect([name, got]).toEqual([name, forward().dataSync()]);
    }
    captured.dispose();
    hrm.dispose();
  });

  it('are of a model that was loaded onto the device', async () => {
    await withDirectory(async (out) => {
      await train({
        preset: 'demo-4x4',
        config: {
          ...tinyRun,
          eval: { everySteps: null, finalPuzzles: 0 },
          train: { ...tinyRun.train, stopAtExactAccuracy: null },
        },
        out,
      });
      const [here, there] = [loadModel(out), loadModel(out, { device })];
      expect([here, there].map((loaded) => loaded.model.device)).toEqual(['cpu', tensor(0, { device }).device]);
      const solved = [here, there].map(({ model: hrm }) => solve(hrm, set.puzzle(0), { segments: 2 }));
      expect(solved[1]!.answer).toEqual(solved[0]!.answer);
      for (const { model: hrm } of [here, there]) hrm.dispose();
    });
  });

  it('draw exploration wherever the default generator is', () => {
    const hrm = undecided({ ...model, haltExplorationProb: 1 }, device);
    const batch = batchTensors(samplerOf(BATCH, 1).next()!, device);
    const { carry } = noGrad(() => actStep(hrm, initialCarry(hrm, batch), batch, { training: true }));
    // Every row has a bound of at least 2 segments.
    expect([carry.halted.device, ...carry.halted.dataSync()]).toEqual([hrm.device, 0, 0, 0, 0]);
    hrm.dispose();
  });

  it('need an optimizer of the device that the weights are on', () => {
    const hrm = tinyModel(model);
    const [name, weight] = hrm.namedParameters()[0]!;
    const optimizer = new AdamATan2([[name, weight]]);
    hrm.to(device);
    backward(sum(mul(weight, weight)));
    const step = (): void => optimizer.step(tensor(1e-3, { device }), tensor(true, { device }));
    if (device === 'cpu') step();
    else expect(step).toThrow(/^AdamATan2.step: .* must be on cpu, where it was when this optimizer was made, got /);
    hrm.dispose();
  });

  it('refuse a batch of another shape, and go on', () => {
    const hrm = tinyModel(model).to(device);
    const training = stepOf(hrm);
    const batches = [4, 4, 3, 4].map((batchSize, i) => samplerOf(batchSize, i).next()!);
    batches.forEach((batch, i) => {
      if (i === 2) expect(() => training.run(3, batch)).toThrow(ShapeError);
      else training.run(i + 1, batch);
    });
    expect(training.read(0).map(({ step }) => step)).toEqual([1, 2, 4]);
    expect(training.counter.item()).toBe(3);
    training.dispose();
    hrm.dispose();
  });

  it('make no update of numbers that are not finite, and say so', () => {
    const after = (graph: boolean): unknown => {
      const hrm = tinyModel(model).to(device);
      const training = stepOf(hrm, graph);
      const sampler = samplerOf(BATCH, 1);
      for (let step = 1; step <= 3; ++step) training.run(step, sampler.next()!);
      const name = 'lm_head.weight';
      const head = hrm.stateDict().get(name)!;
      const whole = tensor(head.dataSync(), { shape: head.shape });
      const states = (): string[] =>
        [hrm, training.dense, training.ema!]
          .flatMap((owner) => digests(owner.stateDict()))
          .filter((line) => !line.startsWith(`${name} `));
      const before = states();
      noGrad(() => copy_(head, full(head.shape, NaN)));
      training.run(4, sampler.next()!);
      expect(training.read(1).map(({ step }) => step)).toEqual([1, 2, 3]);
      expect(() => training.read(0)).toThrow(/the weight lm_head.weight must be finite at step 4/);
      expect(states()).toEqual(before);
      noGrad(() => copy_(head, whole));
      training.restoreCarry(undefined);
      for (let step = 5; step <= 7; ++step) training.run(step, sampler.next()!);
      const end = [training.read(0), states()];
      training.dispose();
      hrm.dispose();
      return end;
    };
    expect(after(true)).toEqual(after(false));
  });

  it.each([
    ['float32', 'stablemax'],
    ['bfloat16', 'softmax'],
  ] as const)('evaluate as segment by segment, the smaller last batch too: %s, %s', async (forwardDtype, lossType) => {
    const hrm = undecided({ ...model, forwardDtype, lossType }, device);
    const dataset = sudokuDataset(set);
    const options = { batchSize: 6, segments: 3, puzzles: 8 };
    const answered = async (changes: EvaluateOptions) => {
      const answers: Answers[] = [];
      const result = await evaluate(hrm, dataset, { ...options, ...changes, onAnswers: (some) => answers.push(some) });
      return { result, answers };
    };
    const graph = await answered({});
    // The weights are packed now.
    const live = heldMemory(device).liveBytes;
    expect(await answered({})).toEqual(graph);
    expect(await answered({ graph: false })).toEqual(graph);
    expect(graph.result.count).toBe(8);
    if (forwardDtype === 'float32') {
      const [voted, adaptive] = [await answered({ initialStates: 2 }), await answered({ adaptive: true })];
      expect(await answered({ initialStates: 2, graph: false })).toEqual(voted);
      expect(await answered({ adaptive: true, graph: false })).toEqual(adaptive);
      expect(adaptive.result.steps).toBeGreaterThan(1);
      expect(adaptive.result.steps).toBeLessThan(3);
    }
    expect(heldMemory(device).liveBytes).toBeLessThanOrEqual(live);
    hrm.dispose();
  });

  it('solve as segment by segment', () => {
    const hrm = undecided(model, device);
    const puzzles = [0, 1, 2, 3, 4].map((i) => set.puzzle(i));
    // The last batch is a smaller one.
    const solved = solve(hrm, puzzles, { segments: 4, batchSize: 2 }).map(({ segments }) =>
      segments.map(({ qHalt, halts }) => [qHalt, halts]),
    );
    const eager = [0, 2, 4].flatMap((first) =>
      tidy(() => {
        // One that has seen nothing before.
        const runner = new SegmentRunner(hrm, false);
        const batch = puzzles.slice(first, first + 2);
        const rows = batch.map((puzzle) => ({
          inputs: Int32Array.from(puzzle, (digit) => digit + 1),
          puzzleIdentifier: 0,
        }));
        const seen = rows.map((): unknown[] => []);
        for (const segment of batchSegments(hrm, unlabelledBatch(rows, hrm), { segments: 4, runner }))
          segmentAnswers(hrm, segment).forEach(({ qHalt, halts }, row) => seen[row]!.push([qHalt, halts]));
        runner.dispose();
        return seen;
      }),
    );
    expect(solved).toEqual(eager);
    expect(new Set(solved.flat().map(String)).size).toBe(20);
    hrm.dispose();
  });

  it.each<ForwardDtype>(['float32', 'bfloat16'])(
    'read weights that were written between segments: %s',
    (forwardDtype) => {
      const hrm = tinyModel({ ...model, forwardDtype }).to(device);
      const rows = { inputs: Int32Array.from({ length: 32 }, (_, i) => 1 + (i % 5)), labels: new Int32Array(32) };
      const answers = (graph: boolean): unknown[] => {
        const runner = new SegmentRunner(hrm, graph);
        const seen = [0.1, 0.2, 0.3].flatMap((std, i) => {
          const weight = hrm.stateDict().get('L_level.layers.0.mlp.down_proj.weight')!;
          noGrad(() => copy_(weight, randn(weight.shape, { generator: new Generator(i), std })));
          tidy(() => {
            const batch = batchTensors({ ...rows, puzzleIdentifiers: new Int32Array(2) }, device);
            runner.start(carryFrom(hrm, batch, { zH: hrm.hInit, zL: hrm.lInit }));
          });
          return [1, 2, 3].map(() => Array.from(runner.next().outputs.logits.dataSync()));
        });
        runner.dispose();
        return seen;
      };
      const [graph, eager] = [answers(true), answers(false)];
      expect(graph).toEqual(eager);
      expect(new Set(graph.map(String)).size).toBe(9);
      hrm.dispose();
    },
  );

  it('show the segments of one puzzle', () => {
    const hrm = tinyModel(model).to(device);
    const rows = [0, 1].map((i) => Int32Array.from({ length: 16 }, (_, cell) => ((cell + i) % 5) + 1));
    const there = rows.map((inputs) => [...runSegments(hrm, { inputs, puzzleIdentifier: 0 }, 4)]);
    const one = rows.map((inputs) => [...runSegments(hrm, { inputs, puzzleIdentifier: 0 }, 1)]);
    // Segments differ, and their number changes none of them.
    expect(there.map(([first]) => first)).toEqual(one.map(([first]) => first));
    for (const row of there) expect(new Set(row.map(({ confidence }) => String(confidence))).size).toBe(4);
    expect(there[0]).not.toEqual(there[1]);
    hrm.dispose();
  });
});
