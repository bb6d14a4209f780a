// A training loop from scratch: data, one optimizer step a segment, evaluation, a solved puzzle.
//   node docs/examples/train_from_scratch.mjs [steps]
import {
  actLoss,
  actStep,
  AdamATan2,
  backward,
  batchTensors,
  div,
  evaluate,
  generateSplits,
  Generator,
  geometryOf,
  Hrm,
  initialCarry,
  learningRate,
  modelConfig,
  prettyGrid,
  solve,
  SparseSignSGD,
  sudokuDataset,
  sudokuSampler,
  tensor,
  tidy,
} from 'hrm-engine';

const steps = Number(process.argv[2] ?? 1500);
const batchSize = 64;

// 4x4 Sudokus; no solution grid is in two splits, even as an augmentation of another.
const geometry = geometryOf(2, 2);
const sizes = { trainPuzzles: 4000, validPuzzles: 100, testPuzzles: 300 };
const puzzles = generateSplits({ geometry, seed: 1, ...sizes, blanks: { min: 8, max: 12 } });
const test = sudokuDataset(puzzles.test);
const { accept } = puzzles;
const sampler = sudokuSampler(
  puzzles.train,
  { augmentations: 3, seed: 1, accept },
  { batchSize, seed: 1, epochsPerInterval: 1 },
);

const generator = new Generator(1);
const config = modelConfig({
  ...{ hidden: 64, nHeads: 4, hLayers: 1, lLayers: 1, posEncodings: 'learned', lossType: 'softmax', haltMaxSteps: 4 },
  ...{ seqLen: 16, vocabSize: 6 },
});
const model = new Hrm(config, generator);
const dense = new AdamATan2(model.namedParameters(), { weightDecay: 0.1 });
const sparse = new SparseSignSGD(model.puzzleEmb.weights, { weightDecay: 0.1 });

let carry;
for (let step = 1; step <= steps; step++) {
  const { carry: next, shown } = tidy(() => {
    // null at the end of an epoch; the call after that begins the next one.
    const batch = batchTensors(sampler.next() ?? sampler.next());
    // A row stays in the batch for as many segments as it needs; then the next puzzle takes its place.
    const { carry: after, outputs } = actStep(model, carry ?? initialCarry(model, batch), batch, {
      training: true,
      generator,
    });
    const { loss } = actLoss(config, after, outputs);
    const mean = div(loss, batchSize);
    backward(mean);
    const schedule = { base: 2e-3, warmupSteps: 50, totalSteps: steps, minRatio: 0.05 };
    const lr = learningRate(tensor(Int32Array.of(step), { shape: [] }), schedule);
    const finite = tensor(true);
    dense.step(lr, finite);
    sparse.step(after.current.puzzleIdentifiers, outputs.puzzleRows.grad, lr, finite);
    outputs.puzzleRows.grad.dispose();
    model.zeroGrad();
    return { carry: after, shown: step % 100 === 0 || step === steps ? mean.item() : undefined };
  });
  // The states of the step before; `current` of the first carry is its batch, which tidy has freed.
  if (carry)
    for (const item of [carry.zH, carry.zL, carry.steps, carry.halted, ...Object.values(carry.current)]) item.dispose();
  carry = next;
  if (shown !== undefined) console.log(`step ${step}  loss ${shown.toFixed(3)}`);
}

const { exactAccuracy, exactStandardError, exactBySegment } = await evaluate(model, test);
console.log(`exactly right: ${(exactAccuracy * 100).toFixed(1)}% ± ${(exactStandardError * 100).toFixed(1)}%`);
console.log(`after each segment: ${exactBySegment.map((share) => `${(share * 100).toFixed(1)}%`).join(' ')}`);
const { puzzle, answer, haltingSegment, violations } = solve(model, puzzles.test.puzzle(0));
console.log(`${prettyGrid(puzzle, geometry)}\n${prettyGrid(answer, geometry)}`);
console.log(`halts at segment ${haltingSegment}; ${violations.length === 0 ? 'right' : violations[0]}`);
