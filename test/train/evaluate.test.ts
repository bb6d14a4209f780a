import { describe, expect, it } from '@jest/globals';
import { sudokuDataset } from '../../ts/data/sudoku/source';
import { generateSudoku } from '../../ts/data/sudoku/generate';
import { geometryOf } from '../../ts/data/sudoku/geometry';
import { noGrad } from '../../ts/autograd/no_grad';
import { testBatches } from '../../ts/data/sampler';
import { actStep, initialCarry } from '../../ts/hrm/act';
import { argmax } from '../../ts/ops/softmax';
import { IGNORE_LABEL } from '../../ts/tensor/ignore_label';
import { batchTensors } from '../../ts/train/step';
import { copy_ } from '../../ts/ops/cast';
import { tensor } from '../../ts/tensor/create';
import { memory, resetPeakMemory } from '../../ts/native/runtime';
import { evaluate } from '../../ts/train/evaluate';
import { heldMemory } from '../support/memory';
import { tinyModel } from '../support/tiny_model';
import { FLOAT32_ACCURACY_PLACES, FLOAT32_PLACES, FLOAT64_PLACES } from '../support/tolerance';

const dataset = sudokuDataset(
  generateSudoku({ geometry: geometryOf(2, 2), count: 11, seed: 5, blanks: { min: 4, max: 6 } }),
);

/** A model whose q head halts where the sum of zH's first token says so: some rows do, some do not. */
function undecidedModel() {
  const model = tinyModel();
  const state = model.stateDict();
  noGrad(() => {
    copy_(state.get('q_head.bias')!, tensor([0, 0]));
    copy_(
      state.get('q_head.weight')!,
      tensor(
        Float32Array.from({ length: 32 }, (_, i) => Math.sin(i * i)),
        { shape: [2, 16] },
      ),
    );
  });
  return model;
}

describe('evaluate', () => {
  it('does not count padding: any batch size gives the same metrics', async () => {
    const model = tinyModel();
    const whole = await evaluate(model, dataset, { batchSize: 11 });
    const parts = await evaluate(model, dataset, { batchSize: 4 });
    expect(whole.count).toBe(11);
    expect(parts).toEqual({
      ...whole,
      lmLoss: expect.closeTo(whole.lmLoss, 5),
      qHaltLoss: expect.closeTo(whole.qHaltLoss, 5),
      accuracy: expect.closeTo(whole.accuracy, 6),
      accuracyStandardError: expect.closeTo(whole.accuracyStandardError, 6),
    });
    expect(whole.exactBySegment).toHaveLength(2);
    expect(whole.exactBySegment[1]).toBeCloseTo(whole.exactAccuracy, FLOAT32_PLACES);
    expect(whole.accuracy).toBeGreaterThan(0);
  });

  it('gives the standard error of the exact share, and takes a fixed subset', async () => {
    const result = await evaluate(tinyModel(), dataset, { puzzles: 7, segments: 1 });
    const { exactAccuracy: p } = result;
    expect(result).toMatchObject({ count: 7, segments: 1, steps: 1 });
    expect(result.exactStandardError).toBeCloseTo(Math.sqrt((p * (1 - p)) / 7), FLOAT64_PLACES);
  });

  it('gives the standard error of the share of cells, over the puzzles', async () => {
    const model = tinyModel();
    const result = await evaluate(model, dataset, { segments: 1 });
    const [batch] = testBatches(dataset, 11);
    const { inputs, labels, puzzleIdentifiers } = batch!;
    const rows = batchTensors({ inputs, labels, puzzleIdentifiers });
    const { outputs } = noGrad(() => actStep(model, initialCarry(model, rows), rows, { training: false }));
    const answers = argmax(outputs.logits, 2).dataSync();
    const shares = Array.from({ length: 11 }, (_, row) => {
      const cells = Array.from({ length: 16 }, (_, i) => row * 16 + i).filter((i) => labels[i] !== IGNORE_LABEL);
      return cells.filter((i) => answers[i] === labels[i]).length / cells.length;
    });
    const mean = shares.reduce((a, b) => a + b) / 11;
    const variance = shares.reduce((a, b) => a + (b - mean) ** 2, 0) / 11;
    expect(variance).toBeGreaterThan(0);
    expect(result.accuracyStandardError).toBeCloseTo(Math.sqrt(variance / 11), FLOAT32_PLACES);
  });

  it('runs more segments than the model was trained with', async () => {
    const result = await evaluate(tinyModel(), dataset, { segments: 5 });
    expect(result.steps).toBe(5);
    expect(result.exactBySegment).toHaveLength(5);
  });

  it('lets rows halt, the rest compacted, and counts each once', async () => {
    const model = undecidedModel();
    const fixed = await evaluate(model, dataset, { segments: 4 });
    const adaptive = await evaluate(model, dataset, { segments: 4, adaptive: true });
    expect(adaptive.count).toBe(11);
    expect(adaptive.steps).toBeGreaterThan(1);
    expect(adaptive.steps).toBeLessThan(4);
    expect(fixed.steps).toBe(4);
    // Which row shares a batch with which must not matter.
    const alone = await evaluate(model, dataset, { segments: 4, adaptive: true, batchSize: 1 });
    expect(alone.steps).toBeCloseTo(adaptive.steps, FLOAT32_PLACES);
    expect(alone.accuracy).toBeCloseTo(adaptive.accuracy, FLOAT32_ACCURACY_PLACES);
    expect(alone.lmLoss).toBeCloseTo(adaptive.lmLoss, 4);
  });

  it('equals the fixed run where nothing halts early', async () => {
    const model = tinyModel();
    // The initial q head is the same for both; qHalt is never above qContinue.
    const fixed = await evaluate(model, dataset);
    const adaptive = await evaluate(model, dataset, { adaptive: true });
    expect(adaptive).toEqual({ ...fixed, exactBySegment: [] });
  });

  it('leaves no tensor behind', async () => {
    const model = undecidedModel();
    await evaluate(model, dataset, { adaptive: true });
    const before = heldMemory().tensors;
    await evaluate(model, dataset, { adaptive: true });
    await evaluate(model, dataset);
    expect(memory().tensors).toBeLessThanOrEqual(before);
  });

  it.each([false, true])('does not take more memory for more segments (adaptive %s)', async (adaptive) => {
    // The initial q head never halts.
    const model = tinyModel();
    const peak = async (segments: number): Promise<number> => {
      const before = heldMemory().liveBytes;
      resetPeakMemory();
      await evaluate(model, dataset, { segments, adaptive });
      return memory().peakBytes - before;
    };
    await peak(4);
    const few = await peak(4);
    expect(await peak(40)).toBeLessThan(few * 1.1);
  });

  it('ends when it is told to between the segments of a batch, and keeps nothing', async () => {
    const model = tinyModel();
    await evaluate(model, dataset);
    const before = memory().tensors;
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    // One batch of minutes.
    const running = evaluate(model, dataset, { segments: 65536, signal: controller.signal });
    await expect(running).rejects.toThrow(/abort/);
    expect(memory().tensors).toBeLessThanOrEqual(before);
  });

  it.each([
    [{ segments: 65537 }, /evaluate: segments must be an integer in \[1, 65536\], got 65537/],
    [{ segments: 0 }, /segments must be an integer in \[1, 65536\], got 0/],
    [{ batchSize: 2 ** 20 + 1 }, /evaluate: batchSize must be an integer in \[1, 1048576\], got 1048577/],
  ])('refuses %j', async (options, message) => {
    await expect(evaluate(tinyModel(), dataset, options)).rejects.toThrow(message);
  });

  it('ends when it is told to', async () => {
    await expect(evaluate(tinyModel(), dataset, { batchSize: 1, signal: AbortSignal.abort() })).rejects.toThrow(
      /abort/,
    );
  });
});
