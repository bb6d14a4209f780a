import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { mazeSolutionText } from '../../ts/cli/solution_text';
import { readMazes } from '../../ts/cli/solve_view';
import { writeDataset } from '../../ts/data/dataset';
import { generateMazes } from '../../ts/data/maze/generate';
import { layoutClass } from '../../ts/data/maze/layout';
import { MazeSet } from '../../ts/data/maze/set';
import { mazeDataset, mazeSampler } from '../../ts/data/maze/source';
import { formatMaze, parseMaze } from '../../ts/data/maze/text';
import { generateSudoku } from '../../ts/data/sudoku/generate';
import { geometryOf } from '../../ts/data/sudoku/geometry';
import { sudokuDataset } from '../../ts/data/sudoku/source';
import { ConfigError } from '../../ts/error';
import { memory } from '../../ts/native/runtime';
import { Generator } from '../../ts/ops/random';
import { parseConfig, type ConfigValues } from '../../ts/train/config';
import { evaluate } from '../../ts/train/evaluate';
import { loadModel } from '../../ts/train/load_model';
import { overridesLayer } from '../../ts/train/overrides';
import { presetLayer } from '../../ts/train/presets';
import { dataShape, openRunData, type RunData } from '../../ts/train/run_data';
import { scorerFor } from '../../ts/train/scoring';
import { solve } from '../../ts/train/solve';
import type { MazeSolution } from '../../ts/train/solve_maze';
import { taskOfShape } from '../../ts/train/tasks';
import { train } from '../../ts/train/train';
import { TrainStep } from '../../ts/train/step';
import type { TargetChooser } from '../../ts/train/targets';
import { tinyModel } from '../support/tiny_model';
import { tinyRun, withDirectory } from '../support/tiny_run';

const tinyMazes = {
  ...{ kind: 'mazeGenerated', size: 5, minPath: 5 },
  ...{ trainPuzzles: 40, validPuzzles: 10, testPuzzles: 12 },
} as const;
const tinyConfig = { ...tinyRun, data: tinyMazes };
const open = (data: ConfigValues['data']): Promise<RunData> =>
  openRunData(
    parseConfig([
      { source: 'tiny', values: tinyRun },
      { source: 'test', values: { data } },
    ]),
  );

describe('targets of a run', () => {
  const stepsWith = (targets: TargetChooser | undefined): { weights: string; exact: number } => {
    const hrm = tinyModel({ seqLen: 25, haltMaxSteps: 1 });
    const { optim } = parseConfig([{ source: 'test', values: tinyRun }]);
    const step = new TrainStep(hrm, { optim, totalSteps: 9, batchSize: 4, generator: new Generator(1), targets });
    const set = generateMazes({ size: 5, count: 8, seed: 2, minPath: 5 });
    const sampler = mazeSampler(set, { dihedral: false }, { batchSize: 4, seed: 1, epochsPerInterval: 9 });
    for (let i = 1; i <= 3; i++) step.run(i, sampler.next()!);
    const exact = step.read(0).reduce((sum, { metrics }) => sum + metrics.exactAccuracy, 0);
    const values = hrm.namedParameters().map(([, weight]) => Array.from(weight.dataSync() as Float32Array));
    return { weights: JSON.stringify(values), exact };
  };

  it('are the labels that are chosen by the logits of the step', () => {
    const seen: number[] = [];
    const answers: TargetChooser = ({ labels, logits, vocabSize }) => {
      seen.push(logits.length / labels.length / vocabSize);
      return labels.map((_, i) => {
        const row = logits.subarray(i * vocabSize, (i + 1) * vocabSize);
        return row.indexOf(Math.max(...row));
      });
    };
    const given = stepsWith(undefined);
    expect(stepsWith(({ labels }) => labels)).toEqual(given);
    const chosen = stepsWith(answers);
    expect(seen).toEqual([1, 1, 1]);
    expect(chosen.weights).not.toBe(given.weights);
    expect([given.exact, chosen.exact > 0]).toEqual([0, true]);
  });

  it.each(['label', 'nearestPath'])('are those of data.targets %s', async (targets) => {
    const { targets: choose } = await open({ ...tinyMazes, targets });
    expect(typeof choose).toBe(targets === 'label' ? 'undefined' : 'function');
  });
});

describe('maze data of a run', () => {
  it('is generated, no layout in two splits, and watched for held-out ones', async () => {
    const data = await open({ ...tinyMazes, dihedral: true });
    expect(dataShape(data)).toEqual({ seqLen: 25, vocabSize: 6, numPuzzleIdentifiers: 1 });
    const { train: trained, valid, test, overlap } = data.maze!;
    expect([trained.length, valid!.length, test.length]).toEqual([40, 10, 12]);
    expect(overlap).toEqual({ layouts: 0, symmetric: 0 });
    const sampler = data.sampler({ batchSize: 20, seed: 3, epochsPerInterval: 11 });
    const layouts = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const batch = sampler.next()!;
      data.guard!.check(batch);
      for (let row = 0; row < 20; row++) layouts.add(batch.inputs.subarray(row * 25, (row + 1) * 25).join());
    }
    expect(data.guard!.seen).toEqual({ nRows: 400, nOverlaps: 0 });
    // Turned and mirrored as they come.
    expect(layouts.size).toBeGreaterThan(100);
    const batch = sampler.next()!;
    const image = test.maze(3).slice().reverse();
    batch.inputs.set(image, 25);
    expect(() => {
      data.guard!.check(batch);
    }).toThrow('train: no training row must be held out, got 1 of 420');
  });

  it('is read from csv files, and what they share is counted', async () => {
    await withDirectory(async (dir) => {
      const mazes = generateMazes({ size: 4, count: 6, seed: 1, minPath: 3 });
      const write = (name: string, rows: readonly number[]): string => {
        const file = path.join(dir, name);
        const lines = rows.map((i) => `x,${formatMaze(mazes.maze(i))},${formatMaze(mazes.answer(i))},4`);
        writeFileSync(file, ['source,q,a,rating', ...lines].join('\n'));
        return file;
      };
      const files = { train: write('train.csv', [0, 1, 2, 3]), test: write('test.csv', [3, 4]) };
      const data = await open({ kind: 'mazeCsv', ...files });
      expect(data).toMatchObject({ valid: undefined, guard: undefined, metadata: { seqLen: 16, totalGroups: 4 } });
      expect(data.maze!.overlap).toEqual({ layouts: 1, symmetric: 1 });
      expect((await open({ kind: 'mazeCsv', ...files, trainPuzzles: 2 })).maze!.train.length).toBe(2);
      writeFileSync(files.test, 'source,q,a,rating\nx,S  G,So G,2\n');
      await expect(open({ kind: 'mazeCsv', ...files })).rejects.toThrow(/test.csv: line 2: q must have 4 x 4 cells/);
      const official = parseConfig([
        presetLayer('maze'),
        overridesLayer(['data.kind=mazeCsv', `data.train=${files.train}`, 'data.dihedral=true']),
      ]);
      expect(official.data).toMatchObject({ kind: 'mazeCsv', train: files.train, dihedral: true });
    });
  });

  it.each([
    [{ minPath: 24 }, /data.minPath must be at most size \* size - 2 = 23, got 24/],
    [{ minWallPercent: 60 }, /data.minWallPercent must be at most data.maxWallPercent = 50, got 60/],
    [{ size: 1 }, /data.size must be at least 2, got 1/],
    [{ boxRows: 2 }, /unknown key "data.boxRows" for data.kind "mazeGenerated"/],
  ])('is refused with %j', (changes, message) => {
    const values = { ...tinyConfig, data: { ...tinyMazes, ...changes } };
    expect(() => parseConfig([{ source: 'test', values }])).toThrow(message);
    expect(() => parseConfig([{ source: 'test', values }])).toThrow(ConfigError);
  });
});

/** The open 2x2 maze has two shortest paths. */
const square = (path: string): MazeSet => {
  const set = new MazeSet(2);
  set.push(parseMaze('S  G'), parseMaze(path), 2);
  return set;
};

describe('lenient accuracy', () => {
  it('is the share of answers that are any shortest path, with its standard error', () => {
    const set = generateMazes({ size: 4, count: 5, seed: 1, minPath: 3 });
    const dataset = mazeDataset(set);
    const scorer = scorerFor(dataset)!;
    const inputs = Int32Array.from(dataset.sets[0]!.inputs);
    const answers = Int32Array.from(dataset.sets[0]!.labels);
    // Two of five are wrong: a wall less, and a path cell less.
    answers[answers.subarray(0, 16).indexOf(1)] = 2;
    answers[64 + answers.subarray(64).indexOf(5)] = 2;
    scorer.add({ inputs: inputs.subarray(0, 32), answers: answers.subarray(0, 32) });
    scorer.add({ inputs: inputs.subarray(32), answers: answers.subarray(32) });
    expect(scorer.figures()).toEqual({ lenientAccuracy: 0.6, lenientStandardError: Math.sqrt((0.6 * 0.4) / 5) });
  });

  it('is there for mazes only', async () => {
    const model = tinyModel();
    const mazes = await evaluate(model, mazeDataset(generateMazes({ size: 4, count: 5, seed: 1, minPath: 3 })));
    expect(mazes).toMatchObject({ count: 5, lenientAccuracy: 0, lenientStandardError: 0 });
    const blanks = { min: 4, max: 6 };
    const sudokus = sudokuDataset(generateSudoku({ geometry: geometryOf(2, 2), count: 5, seed: 5, blanks }));
    expect(Object.keys(await evaluate(model, sudokus)).filter((key) => key.startsWith('lenient'))).toEqual([]);
  });

  it('counts another shortest path than the label, in the metrics of a run on disk as well', async () => {
    await withDirectory(async (dir) => {
      const data = path.join(dir, 'data');
      const other = mazeDataset(square('S oG'));
      writeDataset(data, { train: mazeDataset(square('So G')), test: other }, ['<blank>']);
      const out = path.join(dir, 'run');
      const values = {
        ...tinyRun,
        optim: { ...tinyRun.optim, lr: 1e-2 },
        data: { kind: 'npy', dir: data },
        train: { ...tinyRun.train, batchSize: 1, steps: 150, checkpointEverySteps: null },
        eval: { everySteps: null },
      };
      const { model } = await train({ config: values, out });
      for (const adaptive of [false, true]) {
        const result = await evaluate(model, other, { adaptive });
        expect(result).toMatchObject({ count: 1, exactAccuracy: 0, lenientAccuracy: 1, lenientStandardError: 0 });
      }
      const lines = readFileSync(path.join(out, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
      expect(JSON.parse(lines.at(-1)!)).toMatchObject({ kind: 'final', exactAccuracy: 0, lenientAccuracy: 1 });
      const loaded = loadModel(out);
      expect(loaded).toMatchObject({ task: 'maze', geometry: undefined });
      const solution = solve(loaded.model, 'S.|.G', { task: 'maze' });
      expect(formatMaze(solution.answer)).toBe('So G');
      expect(solution).toMatchObject({ violations: [], path: [0, 1, 3], shortest: 2, size: 2 });
      expect(mazeSolutionText(solution, 80)).toMatch(/The answer is a shortest path: 2 moves\.\n$/);
    });
  });
});

describe('a maze run', () => {
  it('resumes as if it had not ended', async () => {
    await withDirectory(async (dir) => {
      const config = { ...tinyConfig, data: { ...tinyMazes, dihedral: true } };
      const [whole, parts] = [path.join(dir, 'whole'), path.join(dir, 'parts')];
      await train({ config, out: whole });
      const stop = new AbortController();
      const onStep = ({ step }: { step: number }): void => {
        if (step === 3) stop.abort();
      };
      const first = await train({ config, out: parts, signal: stop.signal, onStep });
      expect(first.status).toBe('interrupted');
      const second = await train({ out: parts, resume: true });
      expect(second.status).toBe('finished');
      const metrics = (out: string): string => readFileSync(path.join(out, 'metrics.jsonl'), 'utf8');
      expect(metrics(parts)).toBe(metrics(whole));
      expect(metrics(whole)).toContain('"lenientStandardError"');
    });
  });
});

describe('solve', () => {
  const model = tinyModel();
  const maze = parseMaze('S..#|.#..|..#.|#..G');

  it('takes several mazes, and gives what each gives alone', () => {
    const mazes = [maze, 'S...|....|....|...G', parseMaze('S..#|.#..|..#.|..#G'.replace('..#G', '...G'))];
    const options = { task: 'maze', adaptive: true, initialStates: 2, segments: 3 } as const;
    const together = solve(model, mazes, options);
    const alone = mazes.map((each) => solve(model, each, options));
    const shown = (each: MazeSolution) => ({
      ...each,
      segments: each.segments.map(({ grid }) => grid),
      vote: undefined,
    });
    expect(together.map(shown)).toEqual(alone.map(shown));
    expect(together.map(({ shortest }) => shortest)).toEqual([6, 6, 6]);
    const voted = (each: MazeSolution) => each.vote!.states.map(({ answer }) => answer);
    expect(together.map(voted)).toEqual(alone.map(voted));
  });

  it('shows every segment and says what is wrong', () => {
    solve(model, maze, { task: 'maze' });
    const before = memory().tensors;
    const solution = solve(model, maze, { task: 'maze', segments: 3 });
    // Fewer where the collector has freed what an earlier test left.
    expect(memory().tensors).toBeLessThanOrEqual(before);
    expect(solution).toMatchObject({ size: 4, shortest: 6, puzzle: maze });
    expect(solution.segments).toHaveLength(3);
    expect(solution.answer).toEqual(solution.segments[2]!.grid);
    expect(solution.violations.length).toBeGreaterThan(0);
    const text = mazeSolutionText(solution, 60);
    expect(text).toContain('S..#');
    expect(text).toMatch(/The model never halted\. The answer is wrong: /);
  });

  it.each([
    ['S..', /solve: a maze on one line must have 4 x 4 = 16 cells, got 3/],
    ['S..#|.#..|..#.|#...', /solve: a maze has one goal G, got 0/],
    ['S#..|##..|....|...G', /solve: the maze must have a path from S to G, got none/],
    [new Uint8Array(9), /solve: a maze must have 4 x 4 cells, got 9/],
  ])('refuses %j', (puzzle, message) => {
    expect(() => solve(model, puzzle, { task: 'maze' })).toThrow(message);
  });

  it('refuses a task that is none, or not the model’s', () => {
    expect(() => solve(model, maze, { task: 'chess' as 'maze' })).toThrow(
      /task must be one of sudoku, maze, got "?chess/,
    );
    expect(() => solve(tinyModel({ seqLen: 15 }), maze, { task: 'maze' })).toThrow(
      /must be one for mazes, got seqLen 15/,
    );
    expect(() => solve(tinyModel({ vocabSize: 7 }), maze, { task: 'maze' })).toThrow(/vocabSize 7/);
    expect(() => solve(model, maze, { task: 'maze', geometry: geometryOf(2, 2) })).toThrow(/geometry is for Sudokus/);
    expect(() => solve(tinyModel({ seqLen: 25 }), 'S'.repeat(25))).toThrow(/options.task says what else/);
  });
});

describe('readMazes', () => {
  it('reads one drawn maze or one a line', () => {
    expect(readMazes('S..\n##.\nG\n', 3, 'x').map(formatMaze)).toEqual(['S  ## G  ']);
    expect(readMazes('S  ## G  \n\nG  ## S  \n', 3, 'x').map(formatMaze)).toEqual(['S  ## G  ', 'G  ## S  ']);
    expect(readMazes('S..|##.|G', 3, 'x')).toHaveLength(1);
    expect(readMazes('S..\n##.\nG\n\n\nG..\n##.\nS\n', 3, 'x').map(formatMaze)).toEqual(['S  ## G  ', 'G  ## S  ']);
    // Editors cut off the spaces of a free row.
    expect(readMazes('S\n\nG', 3, 'x').map(formatMaze)).toEqual(['S     G  ']);
    expect(() => readMazes('S..\n##.\nG..\n\nG..\n##.', 3, 'f')).toThrow(/^f: maze 2: a maze must have 3 rows, got 2/);
    expect(() => readMazes('S  ## G  \nG  ##', 3, '--file f')).toThrow(
      /--file f: line 2: a maze on one line must have/,
    );
  });
});

describe('the task of a shape', () => {
  it.each([
    [81, 11, 'sudoku'],
    [16, 6, 'sudoku'],
    [900, 6, 'maze'],
    [100, 6, 'maze'],
    [900, 12, undefined],
    [15, 6, undefined],
  ])('of %i cells and %i tokens is %s', (seqLen, vocabSize, task) => {
    expect(taskOfShape({ seqLen, vocabSize })).toBe(task);
  });
});

it('the layouts of maze-mid are known to be different from those it is judged by', async () => {
  const sets = ['data.trainPuzzles=200', 'data.validPuzzles=20', 'data.testPuzzles=100'];
  const { maze } = await openRunData(parseConfig([presetLayer('maze-mid'), overridesLayer(sets)]));
  const { train: trained, test } = maze!;
  const classes = new Set(Array.from({ length: trained.length }, (_, i) => layoutClass(trained.maze(i), 10)));
  for (let i = 0; i < test.length; i++) {
    expect(classes.has(layoutClass(test.maze(i), 10))).toBe(false);
    expect(test.rating(i)).toBeGreaterThanOrEqual(12);
    const walls = test.maze(i).filter((token) => token === 1).length;
    expect(walls).toBeGreaterThanOrEqual(30);
    expect(walls).toBeLessThanOrEqual(45);
  }
});
