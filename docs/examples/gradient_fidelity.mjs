// How near the one-step gradient of HRM is to backpropagation through the whole segment, twice: by hand, and with compareGradients.
//   node docs/examples/gradient_fidelity.mjs [training steps] [puzzles]
import {
  batchTensors,
  compareGradients,
  crossEntropy,
  Generator,
  Hrm,
  modelConfig,
  noGrad,
  testBatches,
  tidy,
  train,
  valueAndGrad,
} from 'hrm-engine';

const steps = Number(process.argv[2] ?? 300);
const puzzles = Number(process.argv[3] ?? 64);
const { model, data } = await train({
  preset: 'demo-4x4',
  config: { train: { steps, stopAtExactAccuracy: null }, eval: { everySteps: null } },
});

function cosine(a, b) {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return dot / Math.sqrt(aa * bb);
}

// By hand: the gradient of the first segment's loss with respect to the input embedding x, by how many L updates carry it.
const depths = [1, 2, 3, 'full'];
tidy(() => {
  const [rows] = testBatches(data.test, puzzles);
  const batch = batchTensors(rows);
  const x = noGrad(() => model.inputEmbedding(batch.inputs, model.puzzleEmb.rows(batch.puzzleIdentifiers)));
  const gradients = depths.map((gradSteps) => {
    const variant = new Hrm(modelConfig({ ...model.config, gradSteps }), new Generator(0));
    variant.loadStateDict(model.stateDict());
    const loss = valueAndGrad((input) => {
      const { zH } = variant.recur(variant.initialStates(puzzles), input);
      return crossEntropy(variant.logits(zH), batch.labels, { kind: variant.config.lossType });
    });
    const { value, grads } = loss(x);
    const result = { gradSteps, value: value.item(), values: grads[0].dataSync() };
    variant.dispose();
    return result;
  });
  const full = gradients.at(-1).values;
  console.log('gradient of the loss with respect to x');
  for (const { gradSteps, value, values } of gradients)
    console.log(
      `  gradSteps ${gradSteps}: loss ${value.toFixed(4)}, cosine to full ${cosine(values, full).toFixed(3)}`,
    );
});

// The same question over all weights, with time and memory, by number of cycles (docs/analysis.md).
const options = {
  puzzles,
  gradSteps: [1, 2, 'full'],
  cycles: [
    [2, 2],
    [2, 4],
  ],
  rounds: 3,
};
const { rows } = await compareGradients(model, data.test, options);
console.log('gradient of the training loss with respect to the weights');
for (const { hCycles, lCycles, gradSteps, cosine: angle, normRatio, ms, peakBytes } of rows)
  console.log(
    `  ${hCycles}x${lCycles} gradSteps ${gradSteps}: cosine ${angle.toFixed(3)}, norm ratio ${normRatio.toFixed(3)}, ` +
      `${ms.toFixed(1)} ms, ${(peakBytes / 2 ** 20).toFixed(1)} MiB`,
  );
