import { describe, expect, it } from '@jest/globals';
import {
  actLoss,
  actStep,
  AdamATan2,
  backward,
  batchTensors,
  div,
  evaluate,
  Generator,
  Hrm,
  initialCarry,
  loadModel,
  modelConfig,
  openRunData,
  parseConfig,
  solve,
  tensor,
  tidy,
  train,
} from '../ts/index';
import { tinyRun, withDirectory } from './support/tiny_run';

describe('the library', () => {
  it('trains, loads and solves in a few lines', async () => {
    await withDirectory(async (out) => {
      const steps: number[] = [];
      const run = await train({ config: tinyRun, out, onStep: ({ step }) => steps.push(step) });
      expect(steps).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));

      const { model } = loadModel(out);
      const { segments, answer, violations } = solve(model, '1... ..2. .3.. ...4');
      expect(segments).toHaveLength(2);
      expect(answer).toHaveLength(16);
      expect(Array.isArray(violations)).toBe(true);
      const again = await evaluate(model, run.data.test!);
      expect(again.exactAccuracy).toBe(run.evaluations.at(-1)!.result.exactAccuracy);
    });
  });

  it('lets one write the loop', async () => {
    const data = await openRunData(parseConfig([{ source: 'example', values: tinyRun }]));
    const sampler = data.sampler({ batchSize: 8, seed: 0, epochsPerInterval: 100 });
    const generator = new Generator(0);
    const model = new Hrm(modelConfig({ ...tinyRun.model, seqLen: 16, vocabSize: 6 }), generator);
    const optimizer = new AdamATan2(model.namedParameters(), { weightDecay: 0.1 });
    const [lr, finite] = [tensor(3e-3), tensor(true)];
    let carry = initialCarry(model, batchTensors(sampler.next()!));
    const losses: number[] = [];
    for (let step = 0; step < 30; step++) {
      carry = tidy(() => {
        const next = actStep(model, carry, batchTensors(sampler.next()!), { training: true, generator });
        const { loss } = actLoss(model.config, next.carry, next.outputs);
        backward(div(loss, 8));
        optimizer.step(lr, finite);
        model.zeroGrad();
        losses.push(Number(loss.item()) / 8);
        return next.carry;
      });
    }
    expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.3);
  });
});
