/** Hrm.lowMemory and the update in backward: the same bits in less memory. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { geometryOf } from '../../ts/data/sudoku/geometry';
import { generateSudoku } from '../../ts/data/sudoku/generate';
import { sudokuSampler } from '../../ts/data/sudoku/source';
import {
  backward,
  type DType,
  Generator,
  type ModelSettings,
  memory,
  mul,
  noGrad,
  randn,
  resetPeakMemory,
  sum,
  type Tensor,
  tensor,
  tidy,
} from '../../ts/index';
import { AdamATan2 } from '../../ts/optim/adam_atan2';
import { updateInBackward } from '../../ts/optim/in_backward';
import { parseConfig } from '../../ts/train/config';
import { TrainStep } from '../../ts/train/step';
import { heldMemory } from '../support/memory';
import { tinyModel } from '../support/tiny_model';
import { tinyRun } from '../support/tiny_run';

const bits = (t: Tensor | undefined): string =>
  createHash('sha1').update(new Float64Array(t!.dataSync())).digest('hex');

const VARIANTS: Readonly<Record<string, Partial<ModelSettings>>> = {
  'one step': { hLayers: 2, lLayers: 2, hCycles: 2 },
  'three steps': { hLayers: 2, lLayers: 2, hCycles: 2, gradSteps: 3 },
  'the full segment': { hLayers: 2, lLayers: 2, hCycles: 2, gradSteps: 'full' },
  'shared levels': { hLayers: 2, lLayers: 2, hCycles: 2, sharedLevels: true, gradSteps: 2 },
  'a SwiGLU over the sequence': { mlpT: true, posEncodings: 'none', lLayers: 2, hCycles: 2 },
  'rotary positions': { posEncodings: 'rope', lLayers: 2, hCycles: 2 },
  float64: { forwardDtype: 'float64', hCycles: 2 },
};

describe.each(Object.keys(VARIANTS))('lowMemory, %s', (name) => {
  const settings = VARIANTS[name]!;
  const pass = (lowMemory: boolean): string[] => {
    const model = tinyModel(settings);
    model.lowMemory = lowMemory;
    const dtype = model.config.forwardDtype as DType;
    const generator = new Generator(3);
    const state = (): Tensor => randn([2, 17, 16], { generator, dtype });
    const from = { zH: state(), zL: state() };
    const x = state();
    x.requiresGrad = true;
    const { zH, zL } = model.recur(from, x);
    const weight = state();
    backward(sum(mul(zH, weight)));
    const ahead = model.recurNoGrad(from, x, 1);
    return [zH, zL, ahead.zH, ahead.zL, x.grad, ...model.parameters().map((p) => p.grad)]
      .filter((t) => t !== undefined)
      .map(bits);
  };

  it('gives the same states and gradients, bit by bit', () => {
    const plain = pass(false);
    expect(plain.length).toBeGreaterThan(8);
    expect(pass(true)).toEqual(plain);
  });

  it('trains to the same weights and metrics, bit by bit', () => {
    const { optim } = parseConfig([{ source: 'test', values: tinyRun }]);
    const train = (lowMemory: boolean): unknown[] => {
      const training = new TrainStep(tinyModel({ puzzleEmbNdim: 16, ...settings }), {
        optim: { ...optim, seqLrRatio: settings.mlpT ? 0.5 : 1 },
        totalSteps: 8,
        batchSize: 8,
        generator: new Generator(4),
        lowMemory,
      });
      const set = generateSudoku({ geometry: geometryOf(2, 2), count: 32, seed: 3, blanks: { min: 4, max: 6 } });
      const batches = sudokuSampler(
        set,
        { augmentations: 0, seed: 0 },
        { batchSize: 8, seed: 1, epochsPerInterval: 9 },
      );
      for (let step = 1; step <= 4; ++step) training.run(step, batches.next()!);
      const states = [training.model.stateDict(), training.dense.stateDict(), training.ema!.stateDict()];
      const found = [...training.read(0), ...states.flatMap((state) => [...state].map(([key, t]) => [key, bits(t)]))];
      training.dispose();
      return found;
    };
    expect(train(true)).toEqual(train(false));
  });
});

describe('updateInBackward', () => {
  it('uses gradients that are there already, too', () => {
    const run = (inBackward: boolean): number[][] => {
      const [p, q] = [tensor([1], { requiresGrad: true }), tensor([2], { requiresGrad: true })];
      const optimizer = new AdamATan2([
        ['p', p],
        ['q', q],
      ]);
      const [lr, yes] = [tensor(0.1), tensor(true)];
      backward(sum(mul(p, q)));
      const loss = sum(mul(p, p));
      if (inBackward) {
        optimizer.begin(yes);
        updateInBackward(loss, optimizer, [p, q], lr, () => yes);
        expect([p.grad, q.grad]).toEqual([undefined, undefined]);
      } else {
        backward(loss);
        optimizer.step(lr, yes);
      }
      return [p, q, ...optimizer.stateDict().values()].map((t) => [...t.dataSync()]);
    };
    expect(run(true)).toEqual(run(false));
  });
});

describe('the memory of a training step', () => {
  it('is that of the weights and moments, and of little more', () => {
    const { optim } = parseConfig([{ source: 'test', values: { ...tinyRun, optim: { ...tinyRun.optim, ema: null } } }]);
    const set = generateSudoku({ geometry: geometryOf(2, 2), count: 8, seed: 3, blanks: { min: 4, max: 6 } });
    const peak = (lowMemory: boolean): number => {
      const settings = { hidden: 128, nHeads: 2, hLayers: 4, lLayers: 4, hCycles: 2 };
      const training = new TrainStep(tinyModel(settings), {
        optim,
        totalSteps: 8,
        batchSize: 8,
        generator: new Generator(4),
        lowMemory,
      });
      const batches = sudokuSampler(
        set,
        { augmentations: 0, seed: 0 },
        { batchSize: 8, seed: 1, epochsPerInterval: 9 },
      );
      training.run(1, batches.next()!);
      const before = heldMemory().liveBytes;
      resetPeakMemory();
      training.run(2, batches.next()!);
      const bytes = memory().peakBytes - before;
      const ofWeights = training.model.parameters().reduce((n, p) => n + p.size * 4, 0);
      training.read(0);
      training.dispose();
      return bytes / ofWeights;
    };
    // Beside weights and moments: all gradients and activations, or those of one block.
    expect(peak(false)).toBeGreaterThan(1.5);
    expect(peak(true)).toBeLessThan(1);
  });

  it.each([false, true])('does not grow with the updates that carry no gradient, lowMemory %s', (lowMemory) => {
    const generator = new Generator(3);
    const peaks = [2, 8].map((cycles) => {
      const model = tinyModel({ hidden: 16, hLayers: 2, lLayers: 2, hCycles: cycles, lCycles: cycles });
      model.lowMemory = lowMemory;
      const [zH, zL, x] = [0, 1, 2].map(() => randn([32, 17, 16], { generator })) as [Tensor, Tensor, Tensor];
      const pass = (): number => {
        const before = heldMemory().liveBytes;
        resetPeakMemory();
        tidy(() => {
          model.recur({ zH, zL }, x);
          noGrad(() => model.recurNoGrad({ zH, zL }, x));
        });
        return memory().peakBytes - before;
      };
      pass();
      return pass();
    });
    expect(peaks[1]! / peaks[0]!).toBeLessThan(1.01);
  });

  it('does not grow with the blocks that carry no gradient either, with lowMemory', () => {
    const generator = new Generator(3);
    const [zH, zL, x] = [0, 1, 2].map(() => randn([32, 17, 16], { generator })) as [Tensor, Tensor, Tensor];
    const [two, eight] = [2, 8].map((layers) => {
      const model = tinyModel({ hidden: 16, hLayers: layers, lLayers: layers });
      model.lowMemory = true;
      const before = heldMemory().liveBytes;
      resetPeakMemory();
      tidy(() => {
        noGrad(() => model.recurNoGrad({ zH, zL }, x));
      });
      return memory().peakBytes - before;
    }) as [number, number];
    expect(eight / two).toBeLessThan(1.01);
  });

  it('does not hold the packed weights of an evaluation', () => {
    const model = tinyModel({ hidden: 128, nHeads: 2, hLayers: 4, lLayers: 4, hCycles: 2 });
    const generator = new Generator(3);
    const [zH, zL, x] = [0, 1, 2].map(() => randn([2, 17, 128], { generator })) as [Tensor, Tensor, Tensor];
    const left = (lowMemory: boolean): number => {
      model.releasePacked();
      model.lowMemory = lowMemory;
      const before = heldMemory().liveBytes;
      tidy(() => {
        noGrad(() => model.recurNoGrad({ zH, zL }, x));
      });
      return memory().liveBytes - before;
    };
    expect(left(false)).toBeGreaterThan(0);
    expect(left(true)).toBe(0);
  });
});
