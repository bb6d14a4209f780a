import { ArgumentError, FormatError } from '../../error';
import { describe } from '../../io/arguments';
import { isJsonObject, type JsonObject, type JsonValue } from '../../io/strict_json';
import { readArray, readFields } from '../../tensor/arguments';
import { MAX_SIDE, N_COLOURS, requireArcGrid, type ArcGrid, type ArcPair } from './grid';
import { parseArcName } from './transform';

/** Tasks of an `evaluation` folder keep their test pairs for the test; all pairs of the others are trained on. */
export type ArcRole = 'training' | 'evaluation';

export interface ArcTask {
  readonly name: string;
  readonly role: ArcRole;
  /** The file it is from. */
  readonly file: string;
  /** Demonstration pairs; their outputs are known. */
  readonly train: readonly ArcPair[];
  readonly test: readonly ArcPair[];
}

/** Checks a task that a caller may have put together. @throws ArgumentError */
export function requireArcTask(op: string, what: string, value: unknown): ArcTask {
  const { name, role, file, train, test } = readFields(op, what, value as ArcTask, [
    'name',
    'role',
    'file',
    'train',
    'test',
  ]);
  if (typeof name !== 'string' || typeof file !== 'string' || (role !== 'training' && role !== 'evaluation')) {
    const got = `${describe(name)}, ${describe(file)} and ${describe(role)}`;
    throw new ArgumentError(`${op}: ${what} must have a name, a file and the role training or evaluation, got ${got}`);
  }
  const pairs = (part: unknown): ArcPair[] =>
    readArray(op, what, part, 'tasks with lists of pairs').map((pair) => {
      const { input, output } = readFields(op, what, pair as ArcPair, ['input', 'output']);
      return { input: requireArcGrid(op, input), output: output === null ? null : requireArcGrid(op, output) };
    });
  return { name, role, file, train: pairs(train), test: pairs(test) };
}

/** More than any task has; each becomes rows of the data set. */
const MAX_PAIRS = 100;
const MAX_NAME = 200;
const TASK_KEYS = ['train', 'test', 'name'];
const PAIR_KEYS = ['input', 'output'];

/** What {@link parseTask} is told about a task. */
export interface TaskOrigin {
  readonly file: string;
  /** Name of the task; one inside must be the same. */
  readonly name: string;
  readonly role: ArcRole;
  /** Outputs of the test pairs, where they are in a file of their own. */
  readonly solutions?: JsonValue | undefined;
  readonly solutionsFile?: string | undefined;
}

/**
 * A task from its JSON: `{"train": [{"input": grid, "output": grid}, ...], "test": [...]}`. Grids have 1 to 30 rows and
 * columns of colours 0 to 9. Test outputs of evaluation tasks may be missing, as in the competition's files.
 * @throws FormatError naming file, task and what is wrong
 */
export function parseTask(json: JsonValue, origin: TaskOrigin): ArcTask {
  const { file, role, solutions } = origin;
  if (!isJsonObject(json)) throw refusal(origin, '', `must be an object with train and test, got ${describe(json)}`);
  for (const key of Object.keys(json)) {
    if (!TASK_KEYS.includes(key)) throw refusal(origin, '', `keys are ${TASK_KEYS.join(', ')}, got ${describe(key)}`);
  }
  const { name } = origin;
  if (json['name'] !== undefined && json['name'] !== name) {
    throw refusal(origin, '', `the name must be ${describe(name)} as outside, got ${describe(json['name'])}`);
  }
  if (name === '' || name.length > MAX_NAME || name === '<blank>' || parseArcName(name).transform !== null) {
    throw refusal(origin, '', `the name must be a plain one of 1 to ${MAX_NAME} characters, not an augmented task's`);
  }
  const train = pairsOf(json, 'train', origin);
  const test = pairsOf(json, 'test', origin);
  const answered = solutions === undefined ? test : withSolutions(test, solutions, origin);
  const open = train.some(({ output }) => output === null) ? 'train' : 'test';
  if (open === 'train' || (role === 'training' && answered.some(({ output }) => output === null))) {
    throw refusal(origin, open, 'every pair must have an output to be trained on');
  }
  return { name, role, file, train, test: answered };
}

function refusal({ file, name }: TaskOrigin, where: string, message: string): FormatError {
  return new FormatError(`readArcTasks: ${file}: task ${name}: ${where}${where === '' ? '' : ': '}${message}`);
}

function pairsOf(task: JsonObject, part: 'train' | 'test', origin: TaskOrigin): ArcPair[] {
  const pairs = task[part];
  if (!Array.isArray(pairs) || pairs.length === 0 || pairs.length > MAX_PAIRS) {
    throw refusal(origin, part, `must be a list of 1 to ${MAX_PAIRS} pairs, got ${describe(pairs)}`);
  }
  return pairs.map((pair: JsonValue, i) => {
    const where = `${part}[${i}]`;
    if (!isJsonObject(pair)) throw refusal(origin, where, `must be {input, output}, got ${describe(pair)}`);
    for (const key of Object.keys(pair)) {
      if (!PAIR_KEYS.includes(key)) throw refusal(origin, where, `keys are input and output, got ${describe(key)}`);
    }
    const { input, output } = pair;
    return {
      input: gridOf(input, `${where}.input`, origin),
      output: output === undefined ? null : gridOf(output, `${where}.output`, origin),
    };
  });
}

function withSolutions(test: readonly ArcPair[], solutions: JsonValue, origin: TaskOrigin): ArcPair[] {
  const place = { ...origin, file: origin.solutionsFile ?? origin.file };
  if (!Array.isArray(solutions) || solutions.length !== test.length) {
    throw refusal(place, '', `must have one output for each of ${test.length} test inputs, got ${describe(solutions)}`);
  }
  return test.map(({ input, output }, i) => {
    if (output !== null) throw refusal(origin, `test[${i}]`, `the output must be in ${place.file} alone`);
    return { input, output: gridOf(solutions[i] as JsonValue, `output ${i}`, place) };
  });
}

function gridOf(json: JsonValue | undefined, where: string, origin: TaskOrigin): ArcGrid {
  const refuse = (message: string): FormatError => refusal(origin, where, message);
  if (!Array.isArray(json) || json.length === 0 || json.length > MAX_SIDE) {
    const got = Array.isArray(json) ? json.length : describe(json);
    throw refuse(`must be a list of 1 to ${MAX_SIDE} rows, got ${got}`);
  }
  const rows = json.length;
  const cols = Array.isArray(json[0]) ? json[0].length : 0;
  const cells = new Uint8Array(rows * cols);
  json.forEach((row: JsonValue, i) => {
    if (!Array.isArray(row) || row.length === 0 || row.length > MAX_SIDE) {
      const got = Array.isArray(row) ? row.length : describe(row);
      throw refuse(`row ${i} must be a list of 1 to ${MAX_SIDE} colours, got ${got}`);
    }
    if (row.length !== cols) throw refuse(`row ${i} must have ${cols} colours as row 0, got ${row.length}`);
    row.forEach((colour: JsonValue, j) => {
      if (typeof colour !== 'number' || !Number.isInteger(colour) || colour < 0 || colour >= N_COLOURS) {
        throw refuse(`row ${i}, column ${j} must be a colour from 0 to 9, got ${describe(colour)}`);
      }
      cells[i * cols + j] = colour;
    });
  });
  return { rows, cols, cells };
}
