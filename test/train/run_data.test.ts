import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { writeTokens } from '../../ts/data/sudoku/source';
import { formatGrid } from '../../ts/data/sudoku/text';
import { parseConfig, type ConfigValues } from '../../ts/train/config';
import { dataLength, dataShape, openRunData, type RunData } from '../../ts/train/run_data';
import { tinyRun, withDirectory } from '../support/tiny_run';

const open = (data: ConfigValues['data'] = {}): Promise<RunData> =>
  openRunData(
    parseConfig([
      { source: 'tiny', values: tinyRun },
      { source: 'test', values: { data } },
    ]),
  );

describe('openRunData', () => {
  it('splits generated puzzles by solution grid, augmented rows included', async () => {
    const data = await open({ augmentations: 50, trainPuzzles: 200, validPuzzles: 40, testPuzzles: 60 });
    expect(dataShape(data)).toEqual({ seqLen: 16, vocabSize: 6, numPuzzleIdentifiers: 1 });
    expect(dataLength(data)).toEqual({ totalGroups: 200, meanPuzzleExamples: 1 });
    const { train, valid, test } = data.sudoku!;
    const grids = [train, valid!, test].map(
      (set) => new Set(Array.from({ length: set.length }, (_, i) => formatGrid(set.solution(i)))),
    );
    const union = new Set(grids.flatMap((set) => [...set]));
    expect(union.size).toBe(grids[0]!.size + grids[1]!.size + grids[2]!.size);
    const sampler = data.sampler({ batchSize: 50, seed: 3, epochsPerInterval: 10 });
    for (let i = 0; i < 20; i++) data.guard!.check(sampler.next()!);
    expect(data.guard!.seen).toEqual({ nRows: 1000, nOverlaps: 0 });
  });

  it('notices a held-out row in a training batch', async () => {
    const data = await open();
    const batch = data.sampler({ batchSize: 4, seed: 3, epochsPerInterval: 10 }).next()!;
    const test = data.sudoku!.test;
    writeTokens(test.solution(2), batch.labels, 16);
    expect(() => {
      data.guard!.check(batch);
    }).toThrow('train: no training row must be held out, got 1 of 4');
    expect(data.guard!.seen).toEqual({ nRows: 4, nOverlaps: 1 });
  });

  it('reads csv files, augmenting as it goes', async () => {
    await withDirectory(async (dir) => {
      const solution = '1234341221434321';
      const file = path.join(dir, 'some.csv');
      writeFileSync(file, `source,q,a,rating\nx,.${solution.slice(1)},${solution},0\n`);
      const data = await open({ kind: 'sudokuCsv', train: file, test: file, boxRows: 2, boxCols: 2, augmentations: 5 });
      expect(data).toMatchObject({ valid: undefined, guard: undefined, metadata: { seqLen: 16, totalGroups: 1 } });
      const batch = data.sampler({ batchSize: 6, seed: 3, epochsPerInterval: 6 }).next()!;
      expect(
        new Set(Array.from({ length: 6 }, (_, i) => batch.labels.subarray(i * 16, i * 16 + 16).join())).size,
      ).toBeGreaterThan(1);
    });
  });

  it('notices ambiguous csv puzzles, and what training and test share', async () => {
    await withDirectory(async (dir) => {
      const [first, second] = ['1234341221434321', '1243432121343412'];
      const write = (name: string, ...rows: string[]): string => {
        const file = path.join(dir, name);
        writeFileSync(file, `source,q,a,rating\n${rows.join('\n')}\n`);
        return file;
      };
      const row = (answer: string, blanks: number): string =>
        `x,${'.'.repeat(blanks)}${answer.slice(blanks)},${answer},0`;
      const box = { kind: 'sudokuCsv', boxRows: 2, boxCols: 2 };
      const train = write('train.csv', row(first, 1), row(first, 2));
      const ambiguous = write('ambiguous.csv', row(second, 1), row(second, 16));
      await expect(open({ ...box, train, test: ambiguous })).rejects.toThrow(
        /ambiguous\.csv: line 3: the puzzle is ambiguous/,
      );
      const unproved = await open({ ...box, train, test: ambiguous, unique: false });
      expect(unproved.overlap).toEqual({ puzzles: 0, solutions: 0 });
      const shared = write('shared.csv', row(second, 1), row(first, 2), row(first, 3));
      expect((await open({ ...box, train, test: shared })).overlap).toEqual({ puzzles: 1, solutions: 1 });
    });
  });
});
