import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadDataset, loadIdentifiers, type PuzzleDataset, type Split, writeDataset } from '../../ts/data/dataset';
import { generateSudoku } from '../../ts/data/sudoku/generate';
import { geometryOf } from '../../ts/data/sudoku/geometry';
import { sudokuDataset } from '../../ts/data/sudoku/source';

const python = ['python3', '/usr/bin/python3'].find((name) => spawnSync(name, ['-c', 'import numpy']).status === 0);
if (python === undefined) console.warn('SKIPPED: dataset folders of numpy (no python3 with numpy)');
const withNumpy = python === undefined ? describe.skip : describe;

const script = path.resolve(__dirname, '../../../test/data/official_layout.py');
function run(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(python ?? '', [script, ...args], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

interface Row {
  inputs: number[][];
  labels: number[][];
  ids: number[];
}

/** What the Python loader makes of a folder, and what ours does: both by set. */
function bothReadings(directory: string, split: Split): [unknown, unknown] {
  const { rows } = JSON.parse(run('load', directory, split)) as { rows: Record<string, Row> };
  const { sets, metadata }: PuzzleDataset = loadDataset(directory, split);
  const table = (tokens: ArrayLike<number>): number[][] =>
    Array.from({ length: tokens.length / metadata.seqLen }, (_, i) =>
      Array.from({ length: metadata.seqLen }, (_, j) => tokens[i * metadata.seqLen + j]!),
    );
  const ours = sets.map(({ name, inputs, labels, puzzleIdentifiers, puzzleIndices }) => {
    const ids = [...puzzleIdentifiers].flatMap((id, p) =>
      Array<number>(puzzleIndices[p + 1]! - puzzleIndices[p]!).fill(id),
    );
    return [name, { inputs: table(inputs), labels: table(labels), ids }];
  });
  return [rows, Object.fromEntries(ours)];
}

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'hrm-layout-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

withNumpy('dataset folders', () => {
  it('of numpy in the official layout load here: int64 and uint8 tokens, several sets', () => {
    const folder = path.join(directory, 'theirs');
    run('write', folder);
    for (const split of ['train', 'test'] as const) {
      const [theirs, ours] = bothReadings(folder, split);
      expect(ours).toEqual(theirs);
    }
    expect(loadDataset(folder, 'train').metadata).toMatchObject({ totalGroups: 4, sets: ['all', 'extra'] });
    expect(JSON.stringify(bothReadings(folder, 'train')[0])).toContain('-100');
    expect(loadIdentifiers(folder)).toEqual(['<blank>', 'a']);
  });

  it('of ours load there', () => {
    const folder = path.join(directory, 'ours');
    const set = generateSudoku({ geometry: geometryOf(2, 2), count: 6, seed: 5, blanks: { min: 4, max: 6 } });
    const dataset = sudokuDataset(set);
    writeDataset(folder, { train: dataset, test: dataset }, ['<blank>']);
    const [theirs, ours] = bothReadings(folder, 'test');
    expect(theirs).toEqual(ours);
    expect((theirs as Record<string, Row>)['all']!.inputs).toHaveLength(6);
  });
});
