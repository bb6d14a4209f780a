import { describe, expect, it } from '@jest/globals';
import { generateSudoku } from '../../ts/data/sudoku/generate';
import { geometryOf } from '../../ts/data/sudoku/geometry';
import { sudokuDataset } from '../../ts/data/sudoku/source';
import { testBatches } from '../../ts/data/sampler';
import { drawInitialStates } from '../../ts/hrm/initial_states';
import { noGrad } from '../../ts/autograd/no_grad';
import { memory } from '../../ts/native/runtime';
import { copy_ } from '../../ts/ops/cast';
import { logStablemax } from '../../ts/ops/cross_entropy';
import { argmax, logSoftmax } from '../../ts/ops/softmax';
import { tensor } from '../../ts/tensor/create';
import type { Tensor } from '../../ts/tensor/tensor';
import { evaluate } from '../../ts/train/evaluate';
import { batchTensors } from '../../ts/train/step';
import { type FinalOutputs, finalOutputs, vote } from '../../ts/train/vote';
import { tinyModel } from '../support/tiny_model';
import { FLOAT32_PLACES, FLOAT64_PLACES } from '../support/tolerance';

const dataset = sudokuDataset(
  generateSudoku({ geometry: geometryOf(2, 2), count: 11, seed: 5, blanks: { min: 4, max: 6 } }),
);

/** Some rows halt early, some do not, and initial states differ in when. */
function undecidedModel() {
  const model = tinyModel();
  const state = model.stateDict();
  noGrad(() => {
    copy_(state.get('q_head.bias')!, tensor([0, 0]));
    const weight = Float32Array.from({ length: 32 }, (_, i) => Math.sin(i * i));
    copy_(state.get('q_head.weight')!, tensor(weight, { shape: [2, 16] }));
  });
  return model;
}

const allRows = () => batchTensors([...testBatches(dataset, 11)][0]!);

describe('drawInitialStates', () => {
  it('begins with the states that the model was trained with, and a longer list with a shorter one', () => {
    const model = tinyModel();
    const numbers = (count: number, seed = 3): number[][] =>
      drawInitialStates(model, count, seed).flatMap(({ zH, zL }) => [[...zH.dataSync()], [...zL.dataSync()]]);
    const four = numbers(4);
    expect(four.slice(0, 2)).toEqual([[...model.hInit.dataSync()], [...model.lInit.dataSync()]]);
    expect(numbers(2)).toEqual(four.slice(0, 4));
    expect(new Set(four.map(String)).size).toBe(8);
    expect(numbers(2, 4)[2]).not.toEqual(four[2]);
  });

  it('draws from the distribution of H_init', () => {
    const model = tinyModel({ hidden: 512 });
    const values = drawInitialStates(model, 9, 0)
      .slice(1)
      .flatMap(({ zH, zL }) => [...zH.dataSync(), ...zL.dataSync()] as number[]);
    const deviation = Math.sqrt(values.reduce((total, v) => total + v * v, 0) / values.length);
    // 8192 numbers: the deviation of a deviation is under 0.01.
    expect(Math.abs(deviation - 1)).toBeLessThan(0.04);
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(2.2738);
  });
});

describe('vote', () => {
  const run = (logits: Tensor): FinalOutputs => ({
    outputs: {
      ...{ logits, qHalt: tensor([1]), qContinue: tensor([-3]) },
      ...{ targetQContinue: undefined, puzzleRows: undefined },
    },
    steps: tensor(Int32Array.of(2)),
  });
  it.each(['softmax', 'stablemax'] as const)('takes the mean of the probabilities, under %s', (lossType) => {
    const logs = (x: Tensor): number[] => [
      ...(lossType === 'softmax' ? logSoftmax(x, -1) : logStablemax(x)).dataSync(),
    ];
    const [a, b] = [tensor([[[2, 1.5, -4]]]), tensor([[[-3, 1, 0.5]]])];
    const { outputs, steps } = vote({ lossType }, [run(a), run(b)]);
    const [p, q] = [logs(a), logs(b)];
    logs(outputs.logits).forEach((value, i) => {
      expect(Math.exp(value)).toBeCloseTo((Math.exp(p[i]!) + Math.exp(q[i]!)) / 2, FLOAT32_PLACES);
    });
    // One is surer of token 0 than the other of token 1, but 1 has more in all.
    expect(argmax(outputs.logits, 2).item()).toBe(1);
    expect(outputs.qHalt.dataSync()[0]).toBe(1);
    expect(steps.dataSync()[0]).toBe(4);
  });
});

describe('evaluate with several initial states', () => {
  it.each([false, true])('votes on what each state answers alone (adaptive %s)', async (adaptive) => {
    const model = undecidedModel();
    const options = { segments: 4, adaptive };
    const result = await evaluate(model, dataset, { ...options, initialStates: 3, statesSeed: 2, batchSize: 4 });
    const rows = allRows();
    const runs = noGrad(() =>
      drawInitialStates(model, 3, 2).map((start) => finalOutputs(model, rows, { ...options, start })),
    );
    const voted = [...argmax(vote(model.config, runs).outputs.logits, 2).dataSync()];
    const labels = [...rows.labels.dataSync()];
    expect(result.accuracy).toBeCloseTo(voted.filter((token, i) => token === labels[i]).length / labels.length, 6);
    const steps = runs.flatMap((each) => [...each.steps.dataSync()] as number[]);
    expect(result.steps).toBeCloseTo(steps.reduce((a, b) => a + b) / 11, 5);
    if (adaptive) expect(new Set(steps).size).toBeGreaterThan(1);
    const alone = await evaluate(model, dataset, options);
    expect(result.vote).toMatchObject({ initialStates: 3 });
    expect(result.vote!.exactByState[0]).toBe(alone.exactAccuracy);
    expect(result.vote!.gain).toBeCloseTo(result.exactAccuracy - alone.exactAccuracy, FLOAT32_PLACES);
    expect(result.exactBySegment).toEqual([]);
    expect(alone.vote).toBeUndefined();
  });

  it('keeps rows in order where they halt at different segments', () => {
    const model = undecidedModel();
    const rows = allRows();
    noGrad(() => {
      const { outputs, steps } = finalOutputs(model, rows, { segments: 4, adaptive: true });
      const halted = [...steps.dataSync()] as number[];
      expect(new Set(halted).size).toBeGreaterThan(1);
      for (const [row, segments] of halted.entries()) {
        const { outputs: fixed } = finalOutputs(model, rows, { segments });
        expect(outputs.qHalt.dataSync()[row]).toBeCloseTo(fixed.qHalt.dataSync()[row]!, FLOAT32_PLACES);
      }
    });
  });

  it("counts what the vote wins and loses against the model's own state", async () => {
    const model = undecidedModel();
    const options = { initialStates: 4, segments: 3 };
    const answers: number[][] = [];
    for (const initialStates of [1, 4])
      await evaluate(model, dataset, {
        ...options,
        initialStates,
        onAnswers: ({ tokens }) => answers.push([...tokens]),
      });
    const rowsOf = (tokens: readonly number[]): string[] =>
      Array.from({ length: 11 }, (_, row) => tokens.slice(row * 16, row * 16 + 16).join());
    const [own, voted] = answers.map(rowsOf);
    // The vote changes every answer here, so that a label can be right for the one or for the other.
    expect(own!.filter((row, i) => row === voted![i])).toEqual([]);
    const labels = Int16Array.from({ length: 11 * 16 }, (_, i) => answers[i < 6 * 16 ? 0 : 1]![i]!);
    labels.fill(-100, 10 * 16);
    const known = { ...dataset, sets: [{ ...dataset.sets[0]!, labels }] };
    const { vote: figures, ...result } = await evaluate(model, known, options);
    expect(result).toMatchObject({ count: 10, exactAccuracy: 0.4 });
    expect(figures!.exactByState).toHaveLength(4);
    expect(figures!.exactByState[0]).toBe(0.6);
    expect(figures!.gain).toBeCloseTo(-0.2, FLOAT64_PLACES);
    // All ten differ, 4 times +1 and 6 times -1.
    expect(figures!.gainStandardError).toBeCloseTo(Math.sqrt((1 - 0.04) / 10), FLOAT64_PLACES);
  });

  it('gives the answers of the vote, once a row, and leaves no tensor behind', async () => {
    const model = undecidedModel();
    const seen: number[] = [];
    const options = { adaptive: true, initialStates: 2 } as const;
    await evaluate(model, dataset, { ...options, onAnswers: ({ qHalt }) => seen.push(qHalt.length) });
    expect(seen).toEqual([11]);
    const before = memory().tensors;
    await evaluate(model, dataset, options);
    // Fewer where the collector has freed what an earlier test left.
    expect(memory().tensors).toBeLessThanOrEqual(before);
  });

  it.each([0, 1.5, '2', 5000, NaN, null])('refuses %p initial states', async (initialStates) => {
    await expect(evaluate(tinyModel(), dataset, { initialStates: initialStates as number })).rejects.toThrow(
      /evaluate: initialStates must be an integer in \[1, 4096\]/,
    );
  });
});
