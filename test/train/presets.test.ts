import { afterEach, describe, expect, it } from '@jest/globals';
import { Generator, noGrad, randint, tidy } from '../../ts/index';
import { actStep, initialCarry } from '../../ts/hrm/act';
import { Hrm } from '../../ts/hrm/model';
import { demandFused, fallbackCounts, resetFallbackCounts } from '../../ts/ops/fused';
import { modelConfigFor, parseConfig } from '../../ts/train/config';
import { presetLayer, presetList } from '../../ts/train/presets';
import { batchTensors, TrainStep } from '../../ts/train/step';

const [BATCH, SEQ, VOCAB, PUZZLES] = [3, 9, 7, 4] as const;

/** Two training steps and an evaluation segment of a preset; only sizes are smaller than its own. */
function runPreset(name: string, forwardDtype: string): void {
  const small = { source: 'test', values: { model: { hidden: 32, forwardDtype }, train: { batchSize: BATCH } } };
  const { optim, ...config } = parseConfig([presetLayer(name), small]);
  const shape = { seqLen: SEQ, vocabSize: VOCAB, numPuzzleIdentifiers: PUZZLES };
  const generator = new Generator(5);
  const model = new Hrm(modelConfigFor({ optim, ...config }, shape), generator);
  const step = new TrainStep(model, { optim, totalSteps: 10, batchSize: BATCH, generator });
  const integers = (n: number, end: number): Int32Array =>
    Int32Array.from(randint(0, end, [n], { generator }).dataSync());
  const batch = {
    setName: 'all',
    inputs: integers(BATCH * SEQ, VOCAB),
    labels: integers(BATCH * SEQ, VOCAB),
    puzzleIdentifiers: integers(BATCH, PUZZLES),
    nValid: BATCH,
  };
  for (const number of [1, 2]) step.run(number, batch);
  expect(step.read(0)).toHaveLength(2);
  tidy(() => {
    const tensors = batchTensors(batch);
    const { outputs } = noGrad(() => actStep(model, initialCarry(model, tensors), tensors, { training: false }));
    expect(outputs.logits.shape).toEqual([BATCH, SEQ, VOCAB]);
  });
  step.dispose();
  model.dispose();
}

describe.each(presetList.map(({ name }) => name))('preset %s', (name) => {
  afterEach(resetFallbackCounts);

  it.each(['float32', 'bfloat16'])('takes the fused path throughout, in %s', (forwardDtype) => {
    resetFallbackCounts();
    demandFused(() => {
      runPreset(name, forwardDtype);
    });
    expect([...fallbackCounts()]).toEqual([]);
  });
});
