import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildArcDataset } from '../../../ts/data/arc/build';
import { encodeArcGrid } from '../../../ts/data/arc/canvas';
import { rowsOf, type ArcGrid } from '../../../ts/data/arc/grid';
import { readArcTasks } from '../../../ts/data/arc/read';
import { parseArcName } from '../../../ts/data/arc/transform';
import { arcSubmission, ArcVotes, type ArcPredictions } from '../../../ts/data/arc/vote';
import { loadDataset, loadIdentifiers, type PuzzleDataset } from '../../../ts/data/dataset';
import { Philox } from '../../../ts/data/philox';
import { ArgumentError, FormatError } from '../../../ts/error';
import { randomTask, writeTask, writeTasks } from '../../support/arc_tasks';

const CANVAS = 8;
const root = mkdtempSync(path.join(tmpdir(), 'hrm-arc-vote-'));
let test: PuzzleDataset;
let names: readonly string[];
/** The answer to each test input of e0, e1, e2 in turn (two each); null for the open task. */
let answers: (ArcGrid | null)[];
beforeAll(async () => {
  const source = writeTasks(path.join(root, 'source'), new Philox(11), [1, 3], 6);
  const task = randomTask(new Philox(12), 6);
  writeTask(path.join(source, 'evaluation'), 'open', { ...task, test: [{ input: task.test[0]!.input }] });
  const out = path.join(root, 'set');
  await buildArcDataset({ out, inputs: [source], augmentations: 4, seed: 2, canvas: CANVAS });
  test = loadDataset(out, 'test');
  names = loadIdentifiers(out)!;
  answers = readArcTasks(source)
    .filter(({ role }) => role === 'evaluation')
    .flatMap((each) => each.test.map(({ output }) => output));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const wrong = (colour: number): ArcGrid => ({ rows: 1, cols: 7, cells: new Uint8Array(7).fill(colour) });

/** What version v (0 = the original) of the k-th test input answers, in the original's colours, and its qHalt. */
type Answer = (k: number, v: number) => { grid: ArcGrid; qHalt: number };

/** Every row of the test split with the answer that was planted, under the row's augmentation. */
function planted(answer: Answer, keep: (k: number, v: number) => boolean = () => true): ArcPredictions {
  const set = test.sets[0]!;
  const rows: { input: ArrayLike<number>; tokens: Uint8Array; id: number; qHalt: number }[] = [];
  for (const [puzzle, id] of set.puzzleIdentifiers.entries()) {
    const group = Math.floor(puzzle / 5);
    const { transform } = parseArcName(names[id]!);
    for (let row = set.puzzleIndices[puzzle]!; row < set.puzzleIndices[puzzle + 1]!; row++) {
      const [k, v] = [2 * group + row - set.puzzleIndices[puzzle]!, puzzle % 5];
      if (!keep(k, v)) continue;
      const { grid, qHalt } = answer(k, v);
      const tokens = encodeArcGrid(transform === null ? grid : transform.apply(grid), CANVAS);
      rows.push({ input: set.inputs.subarray(row * 64, row * 64 + 64), tokens, id, qHalt });
    }
  }
  return {
    inputs: Int32Array.from(rows.flatMap(({ input }) => Array.from(input))),
    tokens: Int32Array.from(rows.flatMap(({ tokens }) => Array.from(tokens))),
    puzzleIdentifiers: Int32Array.from(rows, ({ id }) => id),
    qHalt: Float32Array.from(rows, ({ qHalt }) => qHalt),
  };
}

describe('ArcVotes', () => {
  it('counts votes over the augmentations, then confidence, and needs every test input of a task', () => {
    const votes = new ArcVotes(test, names);
    votes.add(
      planted((k, v) => {
        const right = answers[k] ?? wrong(9);
        // e0: both right, one by 3 votes of 5, one by confidence in a tie of 2, the fifth for something else.
        if (k === 0) return { grid: v < 3 ? right : wrong(1), qHalt: -5 };
        if (k === 1) return { grid: v < 2 ? wrong(1) : v < 4 ? right : wrong(2), qHalt: v < 2 ? -1 : 1 };
        // e1: the first is right, the second only in second place: fewer votes beat no confidence.
        if (k === 2) return { grid: right, qHalt: 0 };
        if (k === 3) return { grid: v < 3 ? wrong(3) : right, qHalt: v < 3 ? -9 : 9 };
        // e2: the first is right, the second in third place.
        if (k === 4) return { grid: right, qHalt: 0 };
        if (k === 5) return { grid: v < 2 ? wrong(4) : v < 4 ? wrong(5) : right, qHalt: 0 };
        return { grid: v < 4 ? wrong(6) : wrong(7), qHalt: 0 };
      }),
    );
    const result = votes.result();
    expect(result.scored).toBe(3);
    expect(result.pass1).toBeCloseTo(1 / 3, 12);
    expect(result.pass2).toBeCloseTo(2 / 3, 12);
    expect(result.votes).toBe(5 * 7);
    expect(result.tasks.map(({ name, tests }) => [name, tests.map(({ rank }) => rank)])).toEqual([
      ['e0', [1, 1]],
      ['e1', [1, 2]],
      ['e2', [1, 3]],
      ['open', [null]],
    ]);
    const [first, second] = result.tasks[0]!.tests[1]!.candidates;
    expect(first).toEqual({ grid: answers[1], votes: 2, confidence: expect.closeTo(1 / (1 + Math.exp(-1)), 6) });
    expect(second).toEqual({ grid: wrong(1), votes: 2, confidence: expect.closeTo(1 / (1 + Math.exp(1)), 6) });
    expect(JSON.parse(arcSubmission(result))).toEqual({
      e0: [
        { attempt_1: rowsOf(answers[0]!), attempt_2: rowsOf(wrong(1)) },
        { attempt_1: rowsOf(answers[1]!), attempt_2: rowsOf(wrong(1)) },
      ],
      e1: [
        { attempt_1: rowsOf(answers[2]!), attempt_2: rowsOf(answers[2]!) },
        { attempt_1: rowsOf(wrong(3)), attempt_2: rowsOf(answers[3]!) },
      ],
      e2: [
        { attempt_1: rowsOf(answers[4]!), attempt_2: rowsOf(answers[4]!) },
        { attempt_1: rowsOf(wrong(4)), attempt_2: rowsOf(wrong(5)) },
      ],
      open: [{ attempt_1: rowsOf(wrong(6)), attempt_2: rowsOf(wrong(7)) }],
    });
  });

  it('takes rows in any parts; a test input without votes is not solved and gets a placeholder', () => {
    const votes = new ArcVotes(test, names);
    votes.add(
      planted(
        (k) => ({ grid: answers[k] ?? wrong(9), qHalt: 0 }),
        (k, v) => k < 3 && v === 1,
      ),
    );
    votes.add(
      planted(
        (k) => ({ grid: answers[k] ?? wrong(9), qHalt: 0 }),
        (k, v) => k < 2 && v === 0,
      ),
    );
    const result = votes.result();
    expect(result).toMatchObject({ scored: 3, votes: 5 });
    expect(result.pass1).toBeCloseTo(1 / 3, 12);
    expect(result.tasks[1]!.tests[1]).toMatchObject({ votes: 0, candidates: [], rank: null });
    const submission = JSON.parse(arcSubmission(result)) as Record<string, unknown[]>;
    expect(submission['e1']![1]).toEqual({ attempt_1: [[0]], attempt_2: [[0]] });
    const nothing = {
      ...planted(
        (k) => ({ grid: answers[k] ?? wrong(9), qHalt: 0 }),
        (k) => k === 0,
      ),
    };
    votes.add({ ...nothing, tokens: new Int32Array(nothing.tokens.length) });
    votes.add({ ...nothing, tokens: new Int32Array(nothing.tokens.length) });
    const empty = votes.result();
    // Ten votes for an empty prediction, which is a grid like any other until it is written down.
    expect(empty.tasks[0]!.tests[0]!.candidates[0]).toMatchObject({ votes: 10, grid: { rows: 0, cols: 0 } });
    expect((JSON.parse(arcSubmission(empty)) as Record<string, unknown[]>)['e0']![0]).toMatchObject({
      attempt_1: [[0]],
    });
  });

  it('refuses rows of no task', () => {
    const votes = new ArcVotes(test, names);
    const rows = planted((k) => ({ grid: answers[k] ?? wrong(9), qHalt: 0 }));
    const inputs = rows.inputs.slice();
    inputs[0] = inputs[0] === 2 ? 3 : 2;
    expect(() => votes.add({ ...rows, inputs })).toThrow(FormatError);
    expect(() => votes.add({ ...rows, inputs })).toThrow(
      'row 0 (e0) must be an augmented test input of e0, got another',
    );
    const ids = rows.puzzleIdentifiers.slice().fill(names.length);
    expect(() => votes.add({ ...rows, puzzleIdentifiers: ids })).toThrow('must have a name');
    expect(() => votes.add({ ...rows, tokens: new Int32Array(3) })).toThrow(ArgumentError);
    expect(() => new ArcVotes({ ...test, metadata: { ...test.metadata, seqLen: 32 } }, names)).toThrow(ArgumentError);
    expect(votes.result()).toMatchObject({ votes: 0, pass1: 0 });
  });
});
