import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildArcDataset, type ArcBuildOptions } from '../../../ts/data/arc/build';
import { decodeFrom, findCorner } from '../../../ts/data/arc/canvas';
import { gridKey } from '../../../ts/data/arc/grid';
import { readArcTasks } from '../../../ts/data/arc/read';
import { parseArcName } from '../../../ts/data/arc/transform';
import { loadDataset, loadIdentifiers } from '../../../ts/data/dataset';
import { Philox } from '../../../ts/data/philox';
import { datasetSampler } from '../../../ts/data/sampler';
import { openDataset, storedSampler } from '../../../ts/data/stored';
import { verifyData } from '../../../ts/data/sudoku/verify';
import { ArgumentError, ConfigError, FileError, FormatError } from '../../../ts/error';
import { randomTask, writeTask, writeTasks } from '../../support/arc_tasks';

const root = mkdtempSync(path.join(tmpdir(), 'hrm-arc-build-'));
let next = 0;
const fresh = (): string => path.join(root, `out${next++}`);
let source: string;
let made: string;
const base = { augmentations: 6, seed: 5 } satisfies Partial<ArcBuildOptions>;
beforeAll(async () => {
  source = writeTasks(path.join(root, 'source'), new Philox(1), [3, 2], 12);
  made = fresh();
  await buildArcDataset({ ...base, out: made, inputs: [source] });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function filesOf(directory: string): Map<string, Buffer> {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
  return new Map(
    names.filter((name) => /\./.test(name)).map((name) => [name, readFileSync(path.join(directory, name))]),
  );
}

describe('buildArcDataset', () => {
  it('lays tasks, augmentations and identifiers out as the official code does', () => {
    const names = loadIdentifiers(made)!;
    expect(names.length).toBe(1 + 5 * 7);
    expect(names[0]).toBe('<blank>');
    const plain = names.filter((name) => parseArcName(name).transform === null);
    expect(plain).toEqual(['<blank>', 'e0', 'e1', 'a0', 'a1', 'a2']);
    const train = loadDataset(made, 'train');
    const test = loadDataset(made, 'test');
    // Evaluation tasks have 2 demonstrations, and their 2 tests only in the test split; the others 3 + 1, all trained on.
    expect(train.metadata).toMatchObject({
      ...{ padId: 0, ignoreLabelId: 0, blankIdentifierId: 0, vocabSize: 12, seqLen: 900, sets: ['all'] },
      ...{ numPuzzleIdentifiers: 36, totalGroups: 5, meanPuzzleExamples: (2 * 2 + 3 * 4) / 5 },
    });
    expect(test.metadata).toMatchObject({ numPuzzleIdentifiers: 36, totalGroups: 2, meanPuzzleExamples: 2 });
    const [trainSet, testSet] = [train.sets[0]!, test.sets[0]!];
    expect(trainSet.nExamples).toBe(7 * 16);
    expect(testSet.nExamples).toBe(7 * 4);
    expect([...trainSet.groupIndices]).toEqual([0, 7, 14, 21, 28, 35]);
    expect([...trainSet.puzzleIdentifiers]).toEqual(Array.from({ length: 35 }, (_, i) => i + 1));
    expect([...testSet.puzzleIdentifiers]).toEqual(Array.from({ length: 14 }, (_, i) => i + 1));
  });

  it("has every task's pairs under the augmentation that the identifier says, one of them in the corner", () => {
    const tasks = new Map(readArcTasks(source).map((task) => [task.name, task]));
    const names = loadIdentifiers(made)!;
    for (const split of ['train', 'test'] as const) {
      const set = loadDataset(made, split).sets[0]!;
      let moved = 0;
      for (const [puzzle, id] of set.puzzleIdentifiers.entries()) {
        const { task, transform } = parseArcName(names[id]!);
        const { role, train, test } = tasks.get(task)!;
        const pairs = split === 'test' ? test : role === 'training' ? [...train, ...test] : train;
        const places = pairs.map(({ input, output }, k) => {
          const at = (set.puzzleIndices[puzzle]! + k) * 900;
          const corner = findCorner(set.inputs, 30, at)!;
          const look = (tokens: ArrayLike<number>): string => {
            const grid = decodeFrom(tokens, corner, at);
            return gridKey(transform === null ? grid : transform.undo(grid));
          };
          expect(look(set.inputs)).toBe(gridKey(input));
          expect(look(set.labels)).toBe(gridKey(output!));
          return corner;
        });
        expect(set.puzzleIndices[puzzle + 1]! - set.puzzleIndices[puzzle]!).toBe(pairs.length);
        const still = places.filter(({ row, col }) => row === 0 && col === 0).length;
        expect(still).toBeGreaterThanOrEqual(split === 'test' ? pairs.length : 1);
        moved += pairs.length - still;
      }
      // Of 112 training rows 35 stay, and few of the others are drawn to the corner.
      expect(moved).toBe(split === 'test' ? 0 : Math.max(moved, 70));
    }
  });

  it('writes the same bytes for the same seed, whatever was there before, and others for another', async () => {
    const again = fresh();
    await buildArcDataset({ ...base, out: again, inputs: [source] });
    const other = fresh();
    await buildArcDataset({ ...base, out: other, inputs: [source], seed: 6 });
    const [one, two, three] = [filesOf(made), filesOf(again), filesOf(other)];
    expect([...two.keys()]).toEqual([...one.keys()]);
    expect(one.size).toBe(13);
    for (const [name, bytes] of one) expect(two.get(name)!.equals(bytes)).toBe(true);
    expect(three.get('train/all__inputs.npy')!.equals(one.get('train/all__inputs.npy')!)).toBe(false);
    expect(three.get('identifiers.json')!.equals(one.get('identifiers.json')!)).toBe(false);
  });

  it('draws no augmentation twice and gives up after five draws for each', async () => {
    const place = path.join(root, 'plain');
    // One colour: 9 colourings, and turning a square of it changes nothing.
    const square = {
      input: [
        [1, 1],
        [1, 1],
      ],
      output: [[1]],
    };
    writeTask(path.join(place, 'training'), 'square', { train: [square], test: [square] });
    writeTask(path.join(place, 'evaluation'), 'any', randomTask(new Philox(3), 5));
    const out = fresh();
    const report = await buildArcDataset({ out, inputs: [place], augmentations: 40, seed: 1 });
    expect(report).toMatchObject({ shortGroups: 1, train: { groups: 2, puzzles: 41 + 9 } });
    expect(await verifyData(out)).toMatchObject({
      kind: 'arc',
      ok: true,
      splits: [{ duplicates: 0 }, { duplicates: 0 }],
    });
  });

  it('keeps tasks with larger grids out of a smaller canvas, and chooses tasks by the seed', async () => {
    const out = fresh();
    const small = writeTasks(path.join(root, 'mixed'), new Philox(2), [9, 5], 4);
    writeTask(path.join(small, 'training'), 'large', randomTask(new Philox(9), 30, 8));
    const report = await buildArcDataset({ ...base, out, inputs: [small], canvas: 5, tasks: 4 });
    expect(report).toMatchObject({ tooLarge: 1, train: { groups: 8 }, test: { groups: 4 } });
    expect(loadDataset(out, 'train').metadata.seqLen).toBe(25);
    expect(await verifyData(out)).toMatchObject({ kind: 'arc', ok: true });
    const other = fresh();
    await buildArcDataset({ ...base, out: other, inputs: [small], canvas: 5, tasks: 4, seed: 6 });
    const tasks = (place: string): string[] => loadIdentifiers(place)!.filter((name) => !name.includes('_'));
    expect(tasks(other)).not.toEqual(tasks(out));
  });

  it('trains on no answer that is tested once leaks are excluded', async () => {
    const [from, to] = [path.join(root, 'from'), path.join(root, 'to')];
    writeTasks(from, new Philox(4), [2, 3], 5);
    writeTasks(to, new Philox(5), [2, 0], 5);
    rmSync(path.join(to, 'training', 'a0.json'));
    rmSync(path.join(to, 'training', 'a1.json'));
    cpSync(path.join(from, 'evaluation', 'e1.json'), path.join(to, 'training', 'e1.json'));
    cpSync(path.join(from, 'evaluation', 'e2.json'), path.join(to, 'training', 'other.json'));
    cpSync(path.join(from, 'training', 'a0.json'), path.join(to, 'training', 'a0.json'));
    const out = fresh();
    const options = { ...base, inputs: [from, to], canvas: 6 };
    await expect(buildArcDataset({ ...options, out })).rejects.toThrow(ConfigError);
    await expect(buildArcDataset({ ...options, out })).rejects.toThrow(
      'no task may be trained on and tested, got 1 such as e1 in',
    );
    expect(existsSync(out)).toBe(false);
    const report = await buildArcDataset({ ...options, out, excludeLeaks: true });
    expect(report.leaks.map(({ task, by }) => [task.name, by])).toEqual([
      ['e1', 'name'],
      ['e2', 'test'],
    ]);
    expect(report).toMatchObject({ excluded: 2, repeated: 1, train: { groups: 5 }, test: { groups: 3 } });
    expect(await verifyData(out)).toMatchObject({ ok: true, overlap: { puzzles: 0, solutions: 0 } });
    // In the other direction: all of `from` to train on, `to` to be tested.
    rmSync(path.join(to, 'training', 'a0.json'));
    cpSync(path.join(to, 'training'), path.join(to, 'evaluation'), { recursive: true });
    rmSync(path.join(to, 'training'), { recursive: true });
    const crossed = await buildArcDataset({
      ...base,
      out: fresh(),
      canvas: 6,
      inputs: [to],
      trainOn: [from],
      excludeLeaks: true,
    });
    expect(crossed).toMatchObject({ excluded: 2, train: { groups: 5 }, test: { groups: 2 } });
    // A pair under another name is official data (ARC-AGI-1 has one): a warning, and verify says so.
    rmSync(path.join(to, 'evaluation', 'e1.json'));
    const leaky = fresh();
    const warned = await buildArcDataset({ ...base, out: leaky, canvas: 6, inputs: [to], trainOn: [from] });
    expect(warned).toMatchObject({ excluded: 0, train: { groups: 6 } });
    expect(warned.leaks).toHaveLength(1);
    expect(await verifyData(leaky)).toMatchObject({ ok: false, overlap: { puzzles: 2, solutions: 2 } });
  });

  it('tests tasks without published answers', async () => {
    const place = path.join(root, 'open');
    writeTasks(place, new Philox(6), [1, 1], 5);
    const task = randomTask(new Philox(7), 5);
    writeTask(path.join(place, 'evaluation'), 'open', { ...task, test: [{ input: task.test[0]!.input }] });
    const out = fresh();
    await buildArcDataset({ ...base, out, inputs: [place], canvas: 8 });
    const { labels } = loadDataset(out, 'test').sets[0]!;
    expect(labels.subarray(labels.length - 7 * 64).every((label) => label === -100)).toBe(true);
    expect(await verifyData(out)).toMatchObject({ ok: true, splits: [{ nBad: 0 }, { rows: 21, nBad: 0 }] });
    const trained = buildArcDataset({ ...base, out: fresh(), inputs: [source], trainOn: [place] });
    await expect(trained).rejects.toThrow('trainOn: every pair must have an output, got none for test[0] of open');
  });

  it('streams: holds a small part of what it writes', async () => {
    const large = writeTasks(path.join(root, 'streamed'), new Philox(8), [2, 1], 30);
    const out = fresh();
    const held: number[] = [];
    const before = process.memoryUsage().arrayBuffers;
    const onProgress = (what: string): void => {
      if (what === 'write') held.push(process.memoryUsage().arrayBuffers - before);
    };
    const report = await buildArcDataset({ out, inputs: [large], augmentations: 3000, seed: 1, onProgress });
    const nBytes = 2 * 900 * (report.train.examples + report.test.examples);
    expect(nBytes).toBeGreaterThan(60 * 2 ** 20);
    expect(held.length).toBeGreaterThan(3);
    expect(Math.max(...held)).toBeLessThan(nBytes / 2);
  });

  it('refuses what it cannot do, and leaves nothing behind', async () => {
    const before = readdirSync(root).length;
    const make = (changes: object): Promise<unknown> =>
      buildArcDataset({ ...base, out: path.join(root, 'never'), inputs: [source], ...changes });
    await expect(make({ inputs: [] })).rejects.toThrow('inputs must name a directory');
    await expect(make({ inputs: [path.join(source, 'training')] })).rejects.toThrow('at least one evaluation task');
    await expect(make({ canvas: 31 })).rejects.toThrow(ArgumentError);
    await expect(make({ augmentations: -1 })).rejects.toThrow(ArgumentError);
    await expect(make({ tasks: 0 })).rejects.toThrow(ArgumentError);
    await expect(make({ seed: 0.5 })).rejects.toThrow(ArgumentError);
    await expect(make({ excludeLeaks: 1 })).rejects.toThrow(ArgumentError);
    await expect(make({ out: made })).rejects.toThrow(FileError);
    const controller = new AbortController();
    const stopped = make({
      ...{ augmentations: 2000, signal: controller.signal },
      onProgress: (what: string) => {
        if (what === 'write') controller.abort();
      },
    });
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
    expect(readdirSync(root).length).toBe(before);
  });
});

describe('a split read from its files', () => {
  const options = { batchSize: 8, seed: 3, epochsPerInterval: 4 };

  it('gives the batches that the loaded one gives', () => {
    const [stored, loaded] = [
      storedSampler(openDataset(made, 'train', 0), options),
      datasetSampler(loadDataset(made, 'train'), options),
    ];
    for (let batch = loaded.next(); batch !== null; batch = loaded.next()) expect(stored.next()).toEqual(batch);
    expect(stored.next()).toBeNull();
  });

  it('notices damage when it is opened, and a wrong token when it is read', () => {
    const damaged = fresh();
    cpSync(made, damaged, { recursive: true });
    const file = path.join(damaged, 'train', 'all__labels.npy');
    const bytes = readFileSync(file);
    bytes[128 + 900 * 5 + 17] = 12;
    writeFileSync(file, bytes);
    const { sets } = openDataset(damaged, 'train', 0);
    const row = new Int32Array(900);
    sets[0]!.read(4, row, row, 0);
    expect(() => sets[0]!.read(5, row, row, 0)).toThrow('token 17 of example 5 must be in [0, 11], got 12');
    expect(() => openDataset(damaged, 'train')).toThrow('token 17 of example 5 must be in [0, 11], got 12');
    writeFileSync(file, bytes.subarray(0, -1));
    expect(() => openDataset(damaged, 'train', 0)).toThrow(FormatError);
    expect(() => openDataset(damaged, 'train', 0)).toThrow(/needs a file of \d+ bytes, got/);
  });
});

describe('verifyData on an ARC folder', () => {
  it('finds it good, and names what was changed', async () => {
    expect(await verifyData(made)).toMatchObject({
      ...{ kind: 'arc', ok: true, overlap: { puzzles: 0, solutions: 0 } },
      splits: [
        { split: 'train', rows: 112, groups: 5, nBad: 0, duplicates: 0 },
        { split: 'test', rows: 28, groups: 2, nBad: 0 },
      ],
    });
    const changed = async (split: string, field: string, at: number, byte: number): Promise<string[]> => {
      const place = fresh();
      cpSync(made, place, { recursive: true });
      const file = path.join(place, split, `all__${field}.npy`);
      const bytes = readFileSync(file);
      bytes[128 + at] = byte;
      writeFileSync(file, bytes);
      const report = await verifyData(place);
      expect(report.ok).toBe(false);
      return report.splits.flatMap(({ bad }) => bad.map(({ line, reason }) => `${line}: ${reason}`));
    };
    const set = loadDataset(made, 'test').sets[0]!;
    const colour = set.inputs[900 * 3]!;
    expect(await changed('test', 'inputs', 900 * 3, colour === 5 ? 6 : 5)).toEqual([
      expect.stringMatching(/^3: e0_t\d_0\d{9} must be e0 with its colours and dihedral changed$/),
    ]);
    expect(await changed('test', 'inputs', 900 * 3, 0)).toEqual([expect.stringMatching(/^4: /), expect.anything()]);
    expect(await changed('test', 'labels', 900 * 3 + 899, 1)).toEqual([
      '4: the output must be one grid with its end tokens, at the place of the input',
      expect.anything(),
    ]);
    const ids = await changed('test', 'puzzle_identifiers', 4 * 2, 30);
    expect(ids).toEqual([expect.stringMatching(/^5: .* must be e0 with its colours/)]);
  });
});
