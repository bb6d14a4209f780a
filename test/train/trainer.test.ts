import { spawn } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { noGrad } from '../../ts/autograd/no_grad';
import { geometryOf } from '../../ts/data/sudoku/geometry';
import { generateSudoku } from '../../ts/data/sudoku/generate';
import { sudokuSampler } from '../../ts/data/sudoku/source';
import { ArgumentError, AutogradError, NonFiniteError } from '../../ts/error';
import { Hrm } from '../../ts/hrm/model';
import { modelConfig } from '../../ts/hrm/config';
import { CheckpointStore } from '../../ts/io/checkpoint_store';
import { parseSafetensors } from '../../ts/io/safetensors';
import { memory } from '../../ts/native/runtime';
import { copy_ } from '../../ts/ops/cast';
import { Generator } from '../../ts/ops/random';
import { full } from '../../ts/tensor/create';
import type { Tensor } from '../../ts/tensor/tensor';
import { parseConfig, type ConfigValues } from '../../ts/train/config';
import { loadModel } from '../../ts/train/load_model';
import { TrainStep } from '../../ts/train/step';
import { train, type RunStart, type TrainOptions, type TrainResult } from '../../ts/train/train';
import { runCli } from '../support/run_cli';
import { tinyModel } from '../support/tiny_model';
import { tinyRun, withDirectory } from '../support/tiny_run';

const merged = (changes: ConfigValues): ConfigValues =>
  Object.fromEntries(Object.entries(tinyRun).map(([group, values]) => [group, { ...values, ...changes[group] }]));

const run = (options: TrainOptions, changes: ConfigValues = {}): Promise<TrainResult> =>
  train({ config: merged(changes), ...options });

const metricsOf = (dir: string): string => readFileSync(path.join(dir, 'metrics.jsonl'), 'utf8');
const weightsOf = (dir: string): Uint8Array => readFileSync(path.join(loadModel(dir).path, 'model.safetensors'));

const sampler = () => {
  const set = generateSudoku({ geometry: geometryOf(2, 2), count: 32, seed: 3, blanks: { min: 4, max: 6 } });
  return sudokuSampler(set, { augmentations: 0, seed: 0 }, { batchSize: 8, seed: 1, epochsPerInterval: 1000 });
};
const { optim } = parseConfig([{ source: 'test', values: tinyRun }]);
const stepOptions = { optim, totalSteps: 100, batchSize: 8, generator: new Generator(4) };

describe('TrainStep', () => {
  it('learns, in memory that does not grow', () => {
    const training = new TrainStep(tinyModel(), { ...stepOptions, optim: { ...optim, lr: 3e-3 } });
    const batches = sampler();
    const losses: number[] = [];
    const live: number[] = [];
    for (let step = 1; step <= 40; step++) {
      training.run(step, batches.next()!);
      for (const { loss } of training.read(2)) losses.push(loss / 8);
      live.push(memory().tensors);
    }
    expect(losses).toHaveLength(38);
    expect(losses[37]!).toBeLessThan(losses[0]! - 0.5);
    // The collector may take one that was dropped before; none is added.
    expect(Math.max(...live.slice(5))).toBeLessThanOrEqual(live[4]!);
    training.dispose();
  });

  it.each([0, 1])('trains the SwiGLU over the sequence at seqLrRatio %d of the rate', (seqLrRatio) => {
    const model = tinyModel({ mlpT: true, posEncodings: 'none' });
    const weights = (): [string, string][] =>
      model.namedParameters().map(([name, weight]) => [name, String(Array.from(weight.dataSync()))]);
    const before = new Map(weights());
    const training = new TrainStep(model, { ...stepOptions, optim: { ...optim, lr: 3e-3, seqLrRatio } });
    training.run(1, sampler().next()!);
    const moved = weights().filter(([name, values]) => before.get(name) !== values);
    const names = [...before.keys()].filter((name) => seqLrRatio > 0 || !name.includes('mlp_t'));
    expect(names.length).toBe(before.size - (seqLrRatio > 0 ? 0 : 4));
    expect(moved.map(([name]) => name)).toEqual(names);
    training.dispose();
  });

  it('reads nothing on the host', () => {
    class Peeking extends Hrm {
      override logits(zH: Tensor): Tensor {
        zH.dataSync();
        return super.logits(zH);
      }
    }
    const config = modelConfig({ ...tinyRun.model, seqLen: 16, vocabSize: 6 });
    const training = new TrainStep(new Peeking(config, new Generator(1)), stepOptions);
    expect(() => {
      training.run(1, sampler().next()!);
    }).toThrow(AutogradError);
  });

  it('does not update when something is not finite, and names it', () => {
    const model = tinyModel();
    const training = new TrainStep(model, stepOptions);
    const batches = sampler();
    training.run(1, batches.next()!);
    const head = model.stateDict().get('lm_head.weight')!;
    const before = head.dataSync();
    // Finite weights, but logits that overflow.
    noGrad(() => {
      copy_(head, full([...head.shape], 3e38));
    });
    const broken = head.dataSync();
    training.run(2, batches.next()!);
    expect(head.dataSync()).toEqual(broken);
    expect(broken).not.toEqual(before);
    expect(training.read(1)).toHaveLength(1);
    expect(() => training.read(0)).toThrow(/the logits must be finite at step 2/);
  });

  it('does not count on updates in backward when the forward pass is not finite', () => {
    const model = tinyModel();
    const training = new TrainStep(model, { ...stepOptions, lowMemory: true });
    const head = model.stateDict().get('lm_head.weight')!;
    noGrad(() => {
      copy_(head, full([...head.shape], 3e38));
    });
    const before = [...model.stateDict().values()].map((t) => t.dataSync());
    training.run(1, sampler().next()!);
    expect([...model.stateDict().values()].map((t) => t.dataSync())).toEqual(before);
    expect(training.dense.stateDict().get('step')!.item()).toBe(0);
    expect(() => training.read(0)).toThrow(
      /the logits must be finite at step 1, .*part of the update may have been made/,
    );
  });

  describe.each([false, true])('when gradients overflow, lowMemory %s', (lowMemory) => {
    it('updates no parameter whose gradient is not finite, and nothing that needs all of them', () => {
      // States of zeros, whose norms multiply gradients by 1 / sqrt(eps) each: only those of the heads are finite.
      const settings = { stateInit: 'zero', rmsNormEps: 1e-14, puzzleEmbNdim: 16, hLayers: 2, lLayers: 2 } as const;
      const model = tinyModel(settings);
      const training = new TrainStep(model, { ...stepOptions, lowMemory });
      const weights = new Map(model.namedParameters());
      noGrad(() => {
        for (const name of ['embed_tokens.embedding_weight', 'embed_pos.embedding_weight'])
          copy_(weights.get(name)!, full([...weights.get(name)!.shape], 0));
      });
      const ofOthers = () => [...training.ema!.stateDict().values(), model.puzzleEmb!.weights].map((t) => t.dataSync());
      const values = () => [...weights].map(([name, t]) => [name, [...t.dataSync()]] as const);
      const [before, others] = [values(), ofOthers()];
      training.run(1, sampler().next()!);
      const after = values();
      const moved = after.filter(([, data], i) => String(data) !== String(before[i]![1])).map(([name]) => name);
      expect(after.flatMap(([, data]) => data).every(Number.isFinite)).toBe(true);
      expect(moved).not.toContain('embed_tokens.embedding_weight');
      expect(moved).not.toContain('L_level.layers.0.self_attn.qkv_proj.weight');
      // Gradients of zero, for the blocks: the decay is what moves them.
      expect(moved.slice(-3)).toEqual(
        lowMemory ? ['H_level.layers.1.mlp.down_proj.weight', 'lm_head.weight', 'q_head.bias'] : [],
      );
      expect(ofOthers()).toEqual(others);
      expect(() => training.read(0)).toThrow(
        /train: the gradient of embed_tokens\.embedding_weight must be finite at step 1/,
      );
      training.dispose();
      expect(model.lowMemory).toBe(false);
    });
  });

  it('names a weight first', () => {
    const model = tinyModel();
    const training = new TrainStep(model, stepOptions);
    const weight = model.stateDict().get('H_level.layers.0.mlp.down_proj.weight')!;
    noGrad(() => {
      copy_(weight, full([...weight.shape], NaN));
    });
    training.run(1, sampler().next()!);
    expect(() => training.read(0)).toThrow(
      /the weight H_level\.layers\.0\.mlp\.down_proj\.weight must be finite at step 1/,
    );
  });
});

describe('train', () => {
  it('writes metrics, evaluations and checkpoints, and gives the model', async () => {
    await withDirectory(async (out) => {
      const { status, step, evaluations, model, data } = await run({ out });
      expect({ status, step }).toEqual({ status: 'finished', step: 12 });
      const lines = metricsOf(out)
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(lines.map(({ kind, step: at, split }) => [kind, at, split].join(' ').trim())).toEqual([
        'train 3',
        'eval 5 valid',
        'train 6',
        'train 9',
        'eval 10 valid',
        'train 12',
        'final 12 test',
      ]);
      expect(lines[0]).toMatchObject({ lr: expect.any(Number), lmLoss: expect.any(Number), count: expect.any(Number) });
      expect(lines[1]).toMatchObject({ count: 8, segments: 2, exactStandardError: expect.any(Number) });
      expect(evaluations.map(({ kind }) => kind)).toEqual(['eval', 'eval', 'final']);
      expect(data.guard!.seen).toEqual({ nRows: 96, nOverlaps: 0 });
      expect(readdirSync(path.join(out, 'checkpoints')).sort()).toEqual(['step-00000008', 'step-00000012']);

      const names = [...parseSafetensors(weightsOf(out), 'model').tensors.keys()];
      expect(names).toContain('model.inner.H_level.layers.0.self_attn.qkv_proj.weight');
      expect(names).toContain('model.inner.puzzle_emb.weights');
      // The averaged weights are what was evaluated and what is loaded.
      const loaded = loadModel(out);
      expect(loaded.isAveraged).toBe(true);
      for (const [name, weight] of loaded.model.stateDict()) {
        expect([name, weight.dataSync()]).toEqual([name, model.stateDict().get(name)!.dataSync()]);
      }
    });
  });

  it('is interrupted after any step and goes on as if it had not been', async () => {
    await withDirectory(async (whole) => {
      await run({ out: whole });
      for (const stopAt of [1, 5, 9]) {
        await withDirectory(async (out) => {
          const controller = new AbortController();
          let started = 0;
          const first = await run({
            out,
            signal: controller.signal,
            onStart: () => (started = 1),
            onStep: ({ step }) => step === stopAt && controller.abort(),
          });
          expect(started).toBe(1);
          expect(first.status).toBe('interrupted');
          expect(first.step).toBeGreaterThanOrEqual(stopAt);
          expect(first.step).toBeLessThan(12);
          const second = await train({ out, resume: true });
          expect(second.status).toBe('finished');
          expect(metricsOf(out)).toBe(metricsOf(whole));
          expect(Buffer.compare(weightsOf(out), weightsOf(whole))).toBe(0);
        });
      }
    });
  });

  it('reports an error that comes together with the signal', async () => {
    const controller = new AbortController();
    const failing = run({
      signal: controller.signal,
      onStart: ({ data }) => {
        Object.defineProperty(data.valid ?? data.test!, 'sets', {
          get: () => {
            controller.abort();
            throw new Error('broken');
          },
        });
      },
    });
    await expect(failing).rejects.toThrow(ArgumentError);
  });

  it('closes its files when it fails before the first step', async () => {
    await withDirectory(async (out) => {
      const failing = run({
        out,
        onStart: () => {
          throw new Error('refused');
        },
      });
      await expect(failing).rejects.toThrow('refused');
      const open = readdirSync('/proc/self/fd').flatMap((fd) => {
        try {
          return [readlinkSync(`/proc/self/fd/${fd}`)];
        } catch {
          return [];
        }
      });
      expect(open.filter((file) => file.startsWith(realpathSync(out)))).toEqual([]);
    });
  });

  it('is killed and goes on to the same bytes', async () => {
    await withDirectory(async (whole) => {
      await run({ out: whole });
      await withDirectory(async (out) => {
        await killedRun(out, 7);
        const before = metricsOf(out);
        await train({ out, resume: true });
        expect(before.length).toBeGreaterThan(0);
        expect(metricsOf(out)).toBe(metricsOf(whole));
        expect(Buffer.compare(weightsOf(out), weightsOf(whole))).toBe(0);
      });
    });
  });

  it('passes over a damaged checkpoint, aloud, and refuses to begin anew where all are damaged', async () => {
    await withDirectory(async (out) => {
      await run({ out }, { train: { steps: 4, checkpointEverySteps: 2 } });
      const checkpoints = path.join(out, 'checkpoints');
      const damage = (name: string): void => {
        const file = path.join(checkpoints, name, 'model.safetensors');
        const bytes = readFileSync(file);
        bytes[bytes.length - 1]! ^= 1;
        writeFileSync(file, bytes);
      };
      damage('step-00000004');
      expect(loadModel(out)).toMatchObject({
        step: 2,
        rejected: [{ path: expect.stringContaining('00000004') as unknown }],
      });
      const judged = await runCli(['eval', out, '--puzzles', '2']);
      expect(judged).toMatchObject({
        exitCode: 0,
        stderr: expect.stringMatching(/^passed over .*step-00000004: /) as unknown,
      });
      damage('step-00000002');
      const before = metricsOf(out);
      await expect(train({ out, resume: true })).rejects.toThrow(
        /resume: .* has no good checkpoint; .*00000004.*00000002/,
      );
      expect(metricsOf(out)).toBe(before);
      expect(readdirSync(checkpoints).sort()).toEqual(['step-00000002', 'step-00000004']);
    });
  });

  it('refuses to begin anew over metrics whose checkpoints are gone', async () => {
    await withDirectory(async (out) => {
      await run({ out }, { train: { steps: 4, checkpointEverySteps: 2, logEverySteps: 1 } });
      rmSync(path.join(out, 'checkpoints'), { recursive: true });
      const before = metricsOf(out);
      await expect(train({ out, resume: true })).rejects.toThrow(
        /resume: .* must have a checkpoint, since metrics.jsonl goes to step 4, got none/,
      );
      expect(metricsOf(out)).toBe(before);
    });
  });

  it('gives the same bytes in less memory', async () => {
    await withDirectory(async (dir) => {
      const [plain, low] = [path.join(dir, 'plain'), path.join(dir, 'low')];
      await run({ out: plain });
      await run({ out: low }, { train: { lowMemory: true } });
      expect(metricsOf(low)).toBe(metricsOf(plain));
      expect(weightsOf(low)).toEqual(weightsOf(plain));
    });
  });

  it('refuses to resume as another experiment, naming the field', async () => {
    await withDirectory(async (out) => {
      await run({ out }, { train: { steps: 4 }, eval: { finalPuzzles: 0 } });
      await expect(train({ out, resume: true, config: { model: { hidden: 32 } } })).rejects.toThrow(
        /resume: model\.hidden must be 16 as in the checkpoint, got 32/,
      );
      await expect(run({ out })).rejects.toThrow(/already holds a run \(step 4\)/);
      // A longer run is the same experiment.
      const longer = await train({ out, resume: true, config: { train: { steps: 6 } } });
      expect(longer.step).toBe(6);
    });
  });

  it('stops early once validation is good enough', async () => {
    await withDirectory(async (out) => {
      // Any share above 0 counts: the model needs only one puzzle.
      const easy = { data: { minBlanks: 1, maxBlanks: 1 }, train: { steps: 400, stopAtExactAccuracy: 0.01 } };
      const config = { ...easy, optim: { lr: 5e-3, ema: null }, eval: { everySteps: 20, puzzles: null } };
      const result = await run({ out }, config);
      expect(result.status).toBe('stopped');
      expect(result.step).toBeLessThan(400);
      // A stopped run stays stopped, and says so.
      const starts: boolean[] = [];
      const onStart = ({ isOver }: RunStart): void => void starts.push(isOver);
      const again = await train({ out, resume: true, onStart });
      expect(again).toMatchObject({ status: 'stopped', step: result.step });
      const lower = await train({ out, resume: true, onStart, config: { train: { stopAtExactAccuracy: 0.005 } } });
      expect(lower).toMatchObject({ status: 'stopped', step: result.step });
      // With a higher bound, none, or another length it goes on.
      const steps = result.step + 3;
      const longer = await train({ out, resume: true, onStart, config: { train: { steps } } });
      expect(longer).toMatchObject({ status: 'finished', step: steps });
      expect(starts).toEqual([true, true, false]);
    });
  });

  it.each([1, null])('goes on after an early stop when the bound becomes %s', async (stopAtExactAccuracy) => {
    await withDirectory(async (out) => {
      const easy = { data: { minBlanks: 1, maxBlanks: 1 }, train: { steps: 60, stopAtExactAccuracy: 0.01 } };
      const config = { ...easy, optim: { lr: 5e-3, ema: null }, eval: { everySteps: 20, puzzles: null } };
      const first = await run({ out }, config);
      expect(first.status).toBe('stopped');
      const second = await train({ out, resume: true, config: { train: { stopAtExactAccuracy } } });
      expect(second.step).toBeGreaterThan(first.step);
    });
  });

  it('in epochs ends with its last interval, and its schedule later, as the official code', async () => {
    await withDirectory(async (out) => {
      // 48 groups: 27 batches of 7 in 4 epochs, but 13 in each interval of 2.
      const train4 = { steps: null, epochs: 4, intervalEpochs: 2, batchSize: 7 };
      const starts: RunStart[] = [];
      const onStart = (start: RunStart): void => void starts.push(start);
      const result = await run({ out, onStart }, { train: train4, eval: { everySteps: null, finalPuzzles: 0 } });
      expect(result).toMatchObject({ status: 'finished', step: 26 });
      expect(starts[0]!.totalSteps).toBe(26);
      const again = await train({ out, resume: true, onStart });
      expect(again).toMatchObject({ status: 'finished', step: 26 });
      expect(starts[1]!.isOver).toBe(true);
      const longer = await train({ out, resume: true, onStart, config: { train: { epochs: 6 } } });
      expect(longer).toMatchObject({ status: 'finished', step: 39 });
      await expect(train({ out, resume: true, config: { train: { epochs: 2 } } })).rejects.toThrow(
        'resume: the run must have at least 6 epochs, got 2',
      );
    });
  });

  it('stops at what is not finite and keeps the last good checkpoint', async () => {
    await withDirectory(async (out) => {
      let poison: (() => void) | undefined;
      const failing = run({
        out,
        onStart: ({ model }) => {
          const weight = model.stateDict().get('embed_tokens.embedding_weight')!;
          poison = () => {
            noGrad(() => copy_(weight, full([...weight.shape], Infinity)));
          };
        },
        onCheckpoint: ({ step }) => step === 4 && poison!(),
      });
      await expect(failing).rejects.toThrow(NonFiniteError);
      await expect(failing).rejects.toThrow(/weight embed_tokens\.embedding_weight must be finite at step 5/);
      const { checkpoint } = new CheckpointStore(path.join(out, 'checkpoints')).latest();
      expect(checkpoint!.step).toBe(4);
      expect((await train({ out, resume: true })).status).toBe('finished');
    });
  });
});

/** Runs the tiny configuration in a process of its own and kills it with SIGKILL after a step. */
function killedRun(out: string, step: number): Promise<void> {
  const program = path.resolve(__dirname, '../programs/train_until_killed.js');
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, out, String(step)], { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve();
      else reject(new Error(`the program must be killed, it ended with ${code}: ${stderr}`));
    });
  });
}
