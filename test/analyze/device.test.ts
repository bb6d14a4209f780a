/** Analyses of a model on another device; `npm run test:simt` has one. */
import { expect, it } from '@jest/globals';
import { compareGradients, memory, resetPeakMemory, stateDimensions } from '../../ts';
import { addon } from '../../ts/native/boundary';
import { cyclingModel, puzzles } from '../support/analysis_model';
import { eachDevice } from '../support/devices';

eachDevice('analyses', (device) => {
  const small = { hidden: 8, forwardDtype: 'float32' } as const;

  it('compare gradients on the device of the model, with its memory', async () => {
    const options = { puzzles: 4, cycles: [[2, 2]], gradSteps: [1], rounds: 1, segment: 2 } as const;
    const [here, model] = [cyclingModel(small), cyclingModel(small).to(device)];
    const expected = await compareGradients(here, puzzles, options);
    resetPeakMemory();
    const [before, calls] = [memory().peakBytes, addon().opCalls()[0] ?? 0];
    const { rows } = await compareGradients(model, puzzles, options);
    expect(rows.map(({ gradSteps }) => gradSteps)).toEqual([1, 'full']);
    rows.forEach(({ cosine, normRatio, peakBytes }, i) => {
      expect(cosine).toBeCloseTo(expected.rows[i]!.cosine!, 3);
      expect(normRatio).toBeCloseTo(expected.rows[i]!.normRatio!, 3);
      expect(peakBytes).toBeGreaterThan(0);
    });
    if (device !== 'cpu') {
      expect(addon().opCalls()[0]! - calls).toBeGreaterThan(100);
      // Batches and gradients pass through the CPU; activations do not.
      expect(memory().peakBytes - before).toBeLessThan(rows[1]!.peakBytes);
    }
    here.dispose();
    model.dispose();
  });

  it('find the dimensions of states', async () => {
    const [here, model] = [cyclingModel(small), cyclingModel(small).to(device)];
    const options = { segments: 2, batchSize: 5 };
    const [expected, found] = [
      await stateDimensions(here, puzzles, options),
      await stateDimensions(model, puzzles, options),
    ];
    for (const which of ['trained', 'untrained'] as const)
      for (const level of ['zH', 'zL'] as const)
        expect(found[which].all[level]).toBeCloseTo(expected[which].all[level]!, 3);
    here.dispose();
    model.dispose();
  });
});
