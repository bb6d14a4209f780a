// A task of your own: six digits in, the same digits sorted out.
//   node docs/examples/custom_task.mjs [steps]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { evaluate, Philox, train, writeDataset } from 'hrm-engine';

const seqLen = 6;
const random = new Philox(1);

/** n different examples; token 0 is padding, digit d is token d + 1. Every example is a puzzle and a group of its own. */
function sortingDigits(n, seen) {
  const rows = [];
  while (rows.length < n) {
    const row = Array.from({ length: seqLen }, () => random.below(10) + 1);
    if (seen.has(row.join())) continue;
    seen.add(row.join());
    rows.push(row);
  }
  const offsets = Int32Array.from({ length: n + 1 }, (_, i) => i);
  const metadata = {
    ...{ padId: 0, ignoreLabelId: 0, blankIdentifierId: 0, vocabSize: 11, seqLen, numPuzzleIdentifiers: 1 },
    ...{ totalGroups: n, meanPuzzleExamples: 1, sets: ['all'] },
  };
  const inputs = Uint8Array.from(rows.flat());
  const labels = Int16Array.from(rows.flatMap((row) => row.toSorted((a, b) => a - b)));
  const indices = { puzzleIdentifiers: new Int32Array(n), puzzleIndices: offsets, groupIndices: offsets };
  return { metadata, sets: [{ name: 'all', nExamples: n, inputs, labels, ...indices }] };
}

const seen = new Set();
const dir = path.join(mkdtempSync(path.join(tmpdir(), 'sorting-')), 'data');
writeDataset(dir, { train: sortingDigits(20000, seen), test: sortingDigits(500, seen) }, ['sorting']);
const steps = Number(process.argv[2] ?? 1000);
const config = { data: { kind: 'npy', dir }, train: { steps, stopAtExactAccuracy: null }, eval: { everySteps: null } };
// Of the preset stay the model and the optimizer; everything about the data is replaced.
const { model, data } = await train({
  preset: 'demo-4x4',
  config,
  onStep: ({ step, loss, batchSize }) =>
    step % 100 === 0 && console.log(`step ${step}  loss ${(loss / batchSize).toFixed(3)}`),
});
const onAnswers = ({ inputs, tokens }) => {
  const text = (all, row) => Array.from(all.subarray(row * seqLen, (row + 1) * seqLen), (token) => token - 1).join(' ');
  for (let row = 0; row < 3; row++) console.log(`${text(inputs, row)}  sorted:  ${text(tokens, row)}`);
};
const { exactAccuracy } = await evaluate(model, data.test, { batchSize: 500, onAnswers });
console.log(`${(exactAccuracy * 100).toFixed(1)}% of 500 unseen lists exactly right`);
rmSync(path.dirname(dir), { recursive: true });
