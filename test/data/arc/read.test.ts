import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findArcLeaks } from '../../../ts/data/arc/leaks';
import { readArcTasks } from '../../../ts/data/arc/read';
import { rowsOf } from '../../../ts/data/arc/grid';
import { FileError, FormatError } from '../../../ts/error';
import { writeTask } from '../../support/arc_tasks';

const root = mkdtempSync(path.join(tmpdir(), 'hrm-arc-read-'));
let dir: string;
let next = 0;
beforeEach(() => {
  dir = path.join(root, `t${next++}`);
  mkdirSync(dir);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const good = { train: [{ input: [[1, 2]], output: [[3]] }], test: [{ input: [[4]], output: [[5], [6]] }] };
const wide = [Array.from({ length: 31 }, () => 1)];
const write = (name: string, value: unknown): string => {
  const file = path.join(dir, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value));
  return file;
};

describe('readArcTasks', () => {
  it('reads folders in the order of their names; evaluation is the one that is tested', () => {
    for (const [folder, name] of [
      ['training', 'b'],
      ['training', 'a'],
      ['evaluation', 'c'],
      ['Copy', 'd'],
    ] as const)
      writeTask(path.join(dir, folder), name, good);
    write('training.txt', 'a list');
    write('evaluation/.DS_Store', 'junk');
    const tasks = readArcTasks(dir);
    expect(tasks.map(({ name, role }) => [name, role])).toEqual([
      ['d', 'training'],
      ['c', 'evaluation'],
      ['a', 'training'],
      ['b', 'training'],
    ]);
    expect(tasks[0]!.file).toBe(path.join(dir, 'Copy', 'd.json'));
    expect(rowsOf(tasks[0]!.test[0]!.output!)).toEqual([[5], [6]]);
    expect(readArcTasks(path.join(dir, 'evaluation')).map(({ role }) => role)).toEqual(['evaluation']);
  });

  it("reads the competition's files; answers that are not published stay unknown", () => {
    const asked = { ...good, test: [{ input: [[4]] }, { input: [[7]] }] };
    write('x_evaluation_challenges.json', { b: asked, ['__proto__x']: asked });
    write('x_evaluation_solutions.json', { ['__proto__x']: [[[1]], [[2]]], b: [[[3]], [[4]]] });
    write('x_test_challenges.json', { c: asked });
    write('x_training_challenges.json', '{"__proto__": ' + JSON.stringify(asked) + '}');
    write('x_training_solutions.json', '{"__proto__": [[[8]], [[9]]]}');
    write('sample_submission.json', {});
    const tasks = readArcTasks(dir);
    expect(tasks.map(({ name, role }) => [name, role])).toEqual([
      ['b', 'evaluation'],
      ['__proto__x', 'evaluation'],
      ['c', 'evaluation'],
      ['__proto__', 'training'],
    ]);
    expect(tasks.map(({ test }) => test.map(({ output }) => output && rowsOf(output)[0]![0]))).toEqual([
      [3, 4],
      [1, 2],
      [null, null],
      [8, 9],
    ]);
  });

  it.each<[string, unknown, string]>([
    ['no JSON', '{"train": [', 'expected, got the end of the text'],
    ['a key twice', '{"train": [], "train": []}', 'a key must appear once'],
    ['no object', [1], 'task x: must be an object with train and test, got an array'],
    ['an unknown key', { ...good, extra: 1 }, 'task x: keys are train, test, name, got "extra"'],
    [
      'a prototype key',
      '{"train": [], "test": [], "__proto__": {"train": 1}}',
      'keys are train, test, name, got "__proto__"',
    ],
    ['another name', { ...good, name: 'y' }, 'task x: the name must be "x" as outside, got "y"'],
    ['no test', { train: good.train }, 'task x: test: must be a list of 1 to 100 pairs, got undefined'],
    ['no pairs', { ...good, train: [] }, 'task x: train: must be a list of 1 to 100 pairs'],
    ['a pair that is none', { ...good, train: [3] }, 'task x: train[0]: must be {input, output}, got 3'],
    [
      'a pair with more',
      { ...good, train: [{ ...good.train[0], a: 1 }] },
      'train[0]: keys are input and output, got "a"',
    ],
    [
      'no input',
      { ...good, test: [{ output: [[1]] }] },
      'test[0].input: must be a list of 1 to 30 rows, got undefined',
    ],
    ['no output to train on', { ...good, train: [{ input: [[1]] }] }, 'train: every pair must have an output'],
    ['no test output to train on', { ...good, test: [{ input: [[1]] }] }, 'test: every pair must have an output'],
    [
      'an empty grid',
      { ...good, test: [{ input: [], output: [[1]] }] },
      'test[0].input: must be a list of 1 to 30 rows, got 0',
    ],
    [
      'an empty row',
      { ...good, test: [{ input: [[]], output: [[1]] }] },
      'row 0 must be a list of 1 to 30 colours, got 0',
    ],
    [
      '31 columns',
      { ...good, test: [{ input: wide, output: [[1]] }] },
      'row 0 must be a list of 1 to 30 colours, got 31',
    ],
    ['31 rows', { ...good, test: [{ input: wide[0]!.map(() => [1]), output: [[1]] }] }, 'list of 1 to 30 rows, got 31'],
    [
      'a ragged grid',
      { ...good, train: [{ input: [[1, 2], [3]], output: [[1]] }] },
      'train[0].input: row 1 must have 2 colours as row 0, got 1',
    ],
    [
      'colour 10',
      { ...good, train: [{ input: [[1, 10]], output: [[1]] }] },
      'row 0, column 1 must be a colour from 0 to 9, got 10',
    ],
    ['half a colour', { ...good, train: [{ input: [[0.5]], output: [[1]] }] }, 'must be a colour from 0 to 9, got 0.5'],
    [
      'a text as colour',
      { ...good, train: [{ input: [['1']], output: [[1]] }] },
      'must be a colour from 0 to 9, got "1"',
    ],
    [
      'a text as row',
      { ...good, train: [{ input: ['12'], output: [[1]] }] },
      'row 0 must be a list of 1 to 30 colours, got "12"',
    ],
  ])('refuses %s', (_what, json, message) => {
    const file = write('training/x.json', json);
    expect(() => readArcTasks(dir)).toThrow(FormatError);
    expect(() => readArcTasks(dir)).toThrow(file);
    expect(() => readArcTasks(dir)).toThrow(message);
  });

  it('refuses names of augmentations and padding', () => {
    for (const name of ['x_t0_0123456789', '<blank>']) {
      const file = write(`training/${name}.json`, good);
      expect(() => readArcTasks(dir)).toThrow('the name must be a plain one');
      rmSync(file);
    }
  });

  it('refuses directories and solutions that do not fit', () => {
    expect(() => readArcTasks(dir)).toThrow(
      'must hold task files (.json), folders of them or a file *_challenges.json, got none',
    );
    expect(() => readArcTasks(path.join(dir, 'none'))).toThrow(FileError);
    write('corpus/Copy/x.json', good);
    expect(() => readArcTasks(dir)).toThrow(
      `must hold task files, got folders; read ${path.join(dir, 'corpus')} itself`,
    );
    rmSync(path.join(dir, 'corpus'), { recursive: true });
    const solutions = write('a_solutions.json', { x: [[[1]]] });
    write('b_challenges.json', { x: good });
    expect(() => readArcTasks(dir)).toThrow(`${solutions}: must have a_challenges.json beside it`);
    rmSync(solutions);
    write('b_solutions.json', { x: [[[1]]] });
    expect(() => readArcTasks(dir)).toThrow('task x: test[0]: the output must be in');
    write('b_challenges.json', { x: { ...good, test: [{ input: [[1]] }, { input: [[2]] }] } });
    expect(() => readArcTasks(dir)).toThrow('task x: must have one output for each of 2 test inputs');
    write('b_solutions.json', { y: [[[1]]] });
    expect(() => readArcTasks(dir)).toThrow('task y: must be in');
    write('b_solutions.json', {});
    expect(() => readArcTasks(dir)).toThrow('must be an object of tasks by name');
  });
});

describe('findArcLeaks', () => {
  it('finds evaluation tasks by name and by a test pair', () => {
    const other = { train: [{ input: [[9]], output: [[8]] }], test: [{ input: [[7]], output: [[6]] }] };
    write('one/evaluation/a.json', good);
    write('one/evaluation/b.json', other);
    write('one/training/c.json', good);
    write('two/training/a.json', { ...good, train: other.train });
    write('two/training/d.json', { train: [...good.train, ...other.test], test: good.train });
    const [one, two] = [readArcTasks(path.join(dir, 'one')), readArcTasks(path.join(dir, 'two'))];
    const found = (leaks: ReturnType<typeof findArcLeaks>): string[] =>
      leaks.map(({ task, other: there, by }) => `${task.name} ${there.name} ${by}`);
    expect(found(findArcLeaks(one, two))).toEqual(['a a name', 'b d test']);
    expect(found(findArcLeaks(two, one))).toEqual([]);
    // A task is no leak of itself, but c has the pairs of a.
    expect(found(findArcLeaks(one, one))).toEqual(['a c test']);
  });
});

// The real tasks are not part of the repository: HRM_SHARED names the folder that holds data/arc/*.tar.gz.
const shared = process.env['HRM_SHARED'];
if (shared === undefined) console.warn('skipped: real ARC tasks, HRM_SHARED is not set');

(shared === undefined ? describe.skip : describe)('the real collections', () => {
  it('have the published sizes and share the known tasks, in both directions', () => {
    for (const name of ['arc-agi-1', 'arc-agi-2', 'concept-arc'])
      execFileSync('tar', ['xzf', path.join(shared!, 'data', 'arc', `${name}.tar.gz`), '-C', dir]);
    const one = readArcTasks(path.join(dir, 'arc-agi-1/data'));
    const two = readArcTasks(path.join(dir, 'arc-agi-2/data'));
    const concept = readArcTasks(path.join(dir, 'concept-arc/corpus'));
    const sizes = [one, two, concept].map((tasks) => [
      tasks.length,
      tasks.filter(({ role }) => role === 'evaluation').length,
    ]);
    expect(sizes).toEqual([
      [800, 400],
      [1120, 120],
      [160, 0],
    ]);
    const names = (leaks: ReturnType<typeof findArcLeaks>, by: 'name' | 'test'): number =>
      new Set(leaks.filter((leak) => leak.by === by).map(({ task }) => task.name)).size;
    const training = two.filter(({ role }) => role === 'training');
    expect(names(findArcLeaks(one, training), 'name')).toBe(376);
    expect(names(findArcLeaks(two, one), 'name')).toBe(6);
    expect(findArcLeaks([...one, ...two], concept)).toEqual([]);
    // The folder with the tasks that are no part of the corpus is not read by accident.
    expect(() => readArcTasks(path.join(dir, 'concept-arc'))).toThrow('corpus: must hold task files, got folders');
  });
});
