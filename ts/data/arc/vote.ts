import { types } from 'node:util';
import { ArgumentError, FormatError } from '../../error';
import { describe } from '../../io/arguments';
import { readArray, readFields, requireInteger } from '../../tensor/arguments';
import { requireDataset } from '../check';
import { IGNORE_LABEL, type PuzzleDataset } from '../dataset';
import { canvasOf, decodeFrom } from './canvas';
import { gridKey, requireArcGrid, rowsOf, type ArcGrid } from './grid';
import { parseArcName, type ArcTransform } from './transform';

/** Answers that a task may be given (the competition's rule). */
const N_ATTEMPTS = 2;

/** Predictions of a model for rows of a test split. */
export interface ArcPredictions {
  /** [n, canvas^2] */
  readonly inputs: Int32Array;
  /** [n, canvas^2], the best token of each cell */
  readonly tokens: Int32Array;
  /** [n] */
  readonly puzzleIdentifiers: Int32Array;
  /** [n], logits */
  readonly qHalt: Float32Array;
}

/** A grid that rows of a test input predicted, in the colours and the position of the original task. */
export interface ArcCandidate {
  readonly grid: ArcGrid;
  readonly votes: number;
  /** Mean sigmoid(qHalt) of its votes. */
  readonly confidence: number;
}

/** One test input of a task. */
export interface ArcTestResult {
  readonly input: ArcGrid;
  /** Null where it is not published. */
  readonly output: ArcGrid | null;
  /** Rows that voted. */
  readonly votes: number;
  /** The best two, best first; fewer when there are not as many. */
  readonly candidates: readonly ArcCandidate[];
  /** Place of the right answer among all that were predicted, from 1; null when it was not. */
  readonly rank: number | null;
}

export interface ArcTaskResult {
  readonly name: string;
  readonly tests: readonly ArcTestResult[];
}

export interface ArcResult {
  readonly tasks: readonly ArcTaskResult[];
  /** Tasks whose outputs are all known: pass1 and pass2 are shares of them. */
  readonly scored: number;
  /** Share of tasks all of whose test inputs have the right answer first, or among the first two. NaN of no tasks. */
  readonly pass1: number;
  readonly pass2: number;
  /** Rows that voted. */
  readonly votes: number;
}

interface Tally {
  readonly grid: ArcGrid;
  votes: number;
  confidence: number;
}

interface TestInput {
  readonly input: ArcGrid;
  readonly output: ArcGrid | null;
  readonly tallies: Map<string, Tally>;
}

/**
 * Votes over the augmentations of the test tasks (HRM section 6): each row's prediction is cropped, its colours and its
 * dihedral are undone, and it is a vote for that grid as the answer to the row's input, un-augmented likewise. Grids are
 * ranked by votes, then by mean sigmoid(qHalt), then by which came first.
 */
export class ArcVotes {
  readonly #canvas: number;
  readonly #names: readonly string[];
  readonly #tasks = new Map<string, TestInput[]>();

  /**
   * @param test split whose rows will be predicted; the inputs and answers of its tasks are those of their originals
   * @param names of the identifiers, from identifiers.json
   * @throws ArgumentError, FormatError when they are not those of an ARC folder
   */
  constructor(test: PuzzleDataset, names: readonly string[]) {
    const op = 'ArcVotes';
    const { metadata, sets } = requireDataset(op, test);
    const { seqLen } = metadata;
    const canvas = canvasOf(seqLen);
    if (canvas === undefined) throw new ArgumentError(`${op}: test must have a square canvas, got ${seqLen} tokens`);
    this.#canvas = canvas;
    this.#names = readArray(op, 'names', names, 'a list of names').map((name, id) => {
      if (typeof name === 'string') return name;
      throw new ArgumentError(`${op}: names[${id}] must be a name, got ${describe(name)}`);
    });
    for (const { inputs, labels, puzzleIdentifiers, puzzleIndices } of sets) {
      for (const [puzzle, id] of puzzleIdentifiers.entries()) {
        const { task, transform } = this.#parse(id);
        if (transform !== null) continue;
        const tests: TestInput[] = [];
        for (let row = puzzleIndices[puzzle]!; row < puzzleIndices[puzzle + 1]!; row++) {
          const known = labels.subarray(row * seqLen, (row + 1) * seqLen).some((label) => label !== IGNORE_LABEL);
          const output = known ? this.#decode(labels, row) : null;
          tests.push({ input: this.#decode(inputs, row), output, tallies: new Map() });
        }
        this.#tasks.set(task, tests);
      }
    }
  }

  #parse(id: number): { task: string; transform: ArcTransform | null } {
    const name = this.#names[id];
    if (name !== undefined) return parseArcName(name);
    throw new FormatError(`ArcVotes: identifier ${id} must have a name, got ${this.#names.length} names`);
  }

  #decode(tokens: ArrayLike<number>, row: number): ArcGrid {
    const canvas = this.#canvas;
    return decodeFrom(tokens, { canvas, row: 0, col: 0 }, row * canvas * canvas);
  }

  /** Counts the votes of rows. @throws ArgumentError, FormatError for a row that belongs to no task */
  add(predictions: ArcPredictions): void {
    const op = 'ArcVotes.add';
    const fields = ['inputs', 'tokens', 'puzzleIdentifiers', 'qHalt'] as const;
    const { inputs, tokens, puzzleIdentifiers, qHalt } = readFields(op, 'predictions', predictions, fields);
    if (!types.isInt32Array(puzzleIdentifiers) || !types.isFloat32Array(qHalt)) {
      throw new ArgumentError(`${op}: puzzleIdentifiers must be an Int32Array and qHalt a Float32Array`);
    }
    const nRows = puzzleIdentifiers.length;
    requireInteger(op, 'qHalt.length', qHalt.length, nRows, nRows);
    for (const [name, rows] of Object.entries({ inputs, tokens })) {
      if (types.isInt32Array(rows) && rows.length === nRows * this.#canvas ** 2) continue;
      throw new ArgumentError(`${op}: ${name} must be an Int32Array of ${nRows} canvases, got ${describe(rows)}`);
    }
    for (let row = 0; row < nRows; row++) {
      const { task, transform } = this.#parse(puzzleIdentifiers[row]!);
      const undo = (grid: ArcGrid): ArcGrid => (transform === null ? grid : transform.undo(grid));
      const key = gridKey(undo(this.#decode(inputs, row)));
      const asked = this.#tasks.get(task)?.filter(({ input }) => gridKey(input) === key) ?? [];
      if (asked.length === 0) {
        throw new FormatError(
          `${op}: row ${row} (${this.#names[puzzleIdentifiers[row]!]}) must be an augmented test input of ${task}, got another`,
        );
      }
      const grid = undo(this.#decode(tokens, row));
      const confidence = 1 / (1 + Math.exp(-qHalt[row]!));
      for (const { tallies } of asked) {
        const tally = tallies.get(gridKey(grid)) ?? { grid, votes: 0, confidence: 0 };
        tally.votes++;
        tally.confidence += confidence;
        tallies.set(gridKey(grid), tally);
      }
    }
  }

  /** The answers, and how many are right where that is known. */
  result(): ArcResult {
    const tasks = [...this.#tasks].map(([name, tests]) => ({ name, tests: tests.map(testResult) }));
    const scored = tasks.filter(({ tests }) => tests.every(({ output }) => output !== null));
    const share = (attempts: number): number =>
      scored.filter(({ tests }) => tests.every(({ rank }) => rank !== null && rank <= attempts)).length / scored.length;
    const votes = tasks.flatMap(({ tests }) => tests).reduce((total, test) => total + test.votes, 0);
    return { tasks, scored: scored.length, pass1: share(1), pass2: share(N_ATTEMPTS), votes };
  }
}

function testResult({ input, output, tallies }: TestInput): ArcTestResult {
  const ranked = [...tallies.values()]
    .map(({ grid, votes, confidence }) => ({ grid, votes, confidence: confidence / votes }))
    // The sort is stable: what came first stays first.
    .sort((a, b) => b.votes - a.votes || b.confidence - a.confidence);
  const answer = output === null ? undefined : gridKey(output);
  const place = ranked.findIndex(({ grid }) => gridKey(grid) === answer);
  return {
    input,
    output,
    votes: ranked.reduce((total, { votes }) => total + votes, 0),
    candidates: ranked.slice(0, N_ATTEMPTS),
    rank: place < 0 ? null : place + 1,
  };
}

/**
 * The competition's submission: `{task: [{attempt_1: grid, attempt_2: grid}, ...]}`, an entry a test input in the task's
 * order. Where there is one candidate it is both attempts; where a prediction is no grid at all, `[[0]]`.
 */
export function arcSubmission(result: ArcResult): string {
  const { tasks } = readFields('arcSubmission', 'result', result, ['tasks']);
  const entries = readArray('arcSubmission', 'result.tasks', tasks, 'a list of tasks').map((task, i) => {
    const { name, tests } = readFields('arcSubmission', `tasks[${i}]`, task as ArcTaskResult, ['name', 'tests']);
    if (typeof name !== 'string') throw new ArgumentError(`arcSubmission: tasks[${i}].name must be a text`);
    const answers = readArray('arcSubmission', `tasks[${i}].tests`, tests, 'a list of tests').map((test) => {
      const { candidates } = readFields('arcSubmission', `tests of ${name}`, test as ArcTestResult, ['candidates']);
      const given = readArray('arcSubmission', 'candidates', candidates, 'a list of candidates').map((candidate) =>
        attemptOf(readFields('arcSubmission', 'candidate', candidate as ArcCandidate, ['grid']).grid),
      );
      const first = given[0] ?? [[0]];
      return { attempt_1: first, attempt_2: given[1] ?? first };
    });
    return [name, answers] as const;
  });
  return `${JSON.stringify(Object.fromEntries(entries))}\n`;
}

function attemptOf(grid: ArcGrid): number[][] {
  const rows = rowsOf(requireArcGrid('arcSubmission', grid));
  return rows.length === 0 ? [[0]] : rows;
}
