import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { FormatError } from '../../error';
import { requirePath } from '../../io/arguments';
import { onFile, readWholeFile } from '../../io/files';
import { requireSignal } from '../../tensor/arguments';
import { readOptions, requireCallback } from '../check';
import { readCsv, type BadRow } from '../csv';
import { loadDataset, type PuzzleDataset, type PuzzleSet, type Split, splitsOf } from '../dataset';
import { parseMetadata } from '../metadata';
import { examineMaze, importMazeCsv } from './csv';
import { countOf, MAZE_VOCAB_SIZE, mazeSizeOf, PATH, WALL, type MazeGrid } from './grid';
import { layoutClass, layoutOf } from './layout';
import { isMazeDataset } from './source';
import type { MazeOverlap } from './split';
import { spreadOf, type Spread } from './spread';

const MAX_REPORTED = 20;
/** Rows between two turns of the event loop. */
const ROWS_PER_TURN = 500;
const SPLITS = ['train', 'test'] as const;

export interface MazeVerifyOptions {
  /** Called now and then with the rows examined of a split. */
  readonly onProgress?: (split: string, rows: number) => void;
  /** Ends the work early. */
  readonly signal?: AbortSignal;
}

/** What {@link verifyMazeData} found in one split or file. */
export interface MazeSplitReport {
  readonly split: string;
  readonly rows: number;
  /** A maze with its images is one. */
  readonly groups: number;
  /** All bad rows; the first 20 are described (npy: `line` counts examples from 1). */
  readonly nBad: number;
  readonly bad: readonly BadRow[];
  /** Groups whose layout another group has, up to symmetry: there is one task a layout. */
  readonly duplicates: number;
  /** Moves of the labels' paths; null when no row is good. */
  readonly moves: Spread | null;
  /** Walls in percent of the cells; null when no row is good. */
  readonly wallPercent: Spread | null;
}

export interface MazeVerifyReport {
  readonly path: string;
  readonly kind: 'maze';
  /** True when no row is bad, no layout occurs twice in a split, and training and test share none. */
  readonly ok: boolean;
  readonly size: number;
  readonly splits: readonly MazeSplitReport[];
  /** Distinct layouts of the test mazes that training mazes have, literally and up to symmetry; null for a single split. */
  readonly overlap: MazeOverlap | null;
}

/** Rows of one split as grids. */
interface Rows {
  readonly split: string;
  readonly size: number;
  readonly nRows: number;
  readonly maze: (i: number) => MazeGrid;
  readonly answer: (i: number) => MazeGrid;
  readonly startsGroup: (i: number) => boolean;
  /** Rows that were refused while reading a csv. */
  readonly refused: { readonly bad: readonly BadRow[]; readonly nBad: number };
}

/**
 * Whether what is at a path holds mazes: a dataset directory in the official layout, a csv file, or a directory with `train`
 * and `test` csv files. Only the start of the data is looked at.
 *
 * @throws FileError, FormatError where it cannot be read
 */
export async function isMazeData(target: string): Promise<boolean> {
  const place = requirePath('isMazeData', 'target', target);
  const [split] = splitsOf('isMazeData', place);
  if (split !== undefined) {
    const file = path.join(place, split, 'dataset.json');
    const metadata = parseMetadata(readWholeFile('isMazeData', file), file);
    return metadata.vocabSize === MAZE_VOCAB_SIZE && isMazeDataset(loadDataset(place, split));
  }
  const [file] = csvFilesAt(place);
  return file !== undefined && /[# ]/.test((await firstPuzzle(file)) ?? '');
}

/** The q column of the first row of a csv that has its fields. */
async function firstPuzzle(file: string): Promise<string | undefined> {
  for await (const lines of readCsv(file, { columns: ['source', 'q', 'a', 'rating'] })) {
    const row = lines.find(({ fields }) => fields !== undefined);
    if (row !== undefined) return row.fields![1];
  }
  return undefined;
}

/** The csv file at a path, or those in the directory there: `train` and `test`, `.csv` or `.csv.gz`. */
function csvFilesAt(place: string): string[] {
  const info = onFile('verifyMazeData', place, 'read', () => statSync(place, { throwIfNoEntry: false }));
  if (info?.isDirectory() !== true) return [place];
  return SPLITS.flatMap((split) => {
    const names = [`${split}.csv`, `${split}.csv.gz`].filter((name) => existsSync(path.join(place, name)));
    if (names.length > 1) throw new FormatError(`verifyMazeData: ${place}: must have one of ${names.join(' and ')}`);
    return names.map((name) => path.join(place, name));
  });
}

/**
 * Checks mazes in a dataset directory in the official layout, a csv file, or a directory with `train` and `test` csv files:
 * that every maze has a path and every label is a shortest one, that no layout occurs twice and none is in both splits, and
 * statistics.
 *
 * @throws FileError, FormatError when there are no mazes to check or their structure is broken; bad rows are reported instead;
 *   the signal's reason when it is aborted
 */
export async function verifyMazeData(target: string, options: MazeVerifyOptions = {}): Promise<MazeVerifyReport> {
  const op = 'verifyMazeData';
  const place = requirePath(op, 'target', target);
  const { onProgress, signal } = readOptions(op, options, ['onProgress', 'signal']);
  requireCallback(op, 'onProgress', onProgress);
  requireSignal(op, signal);
  const onTurn = (split: string, rows: number): void => {
    onProgress?.(split, rows);
    signal?.throwIfAborted();
  };
  const splits = splitsOf(op, place);
  const sources = splits.length > 0 ? splits.map((split) => datasetRows(place, split)) : await csvRows(place, onTurn);
  const [first] = sources;
  if (first === undefined) {
    throw new FormatError(`${op}: ${place}: must hold train/dataset.json, test/dataset.json or csv files, got none`);
  }
  const reports: MazeSplitReport[] = [];
  const seen: Layouts[] = [];
  for (const rows of sources) {
    if (rows.size !== first.size) {
      throw new FormatError(`${op}: ${place}: mazes must have one size, got ${first.size} and ${rows.size}`);
    }
    const { report, layouts } = await examine(rows, onTurn);
    reports.push(report);
    seen.push(layouts);
  }
  const [train, test] = seen;
  const overlap = train === undefined || test === undefined ? null : compare(train, test);
  const clean = reports.every(({ nBad, duplicates }) => nBad === 0 && duplicates === 0);
  const ok = clean && (overlap === null || overlap.symmetric === 0);
  return { path: place, kind: 'maze', ok, size: first.size, splits: reports, overlap };
}

function datasetRows(place: string, split: Split): Rows {
  const dataset = loadDataset(place, split);
  const { metadata } = dataset;
  const size = mazeSizeOf(metadata.seqLen);
  if (size === undefined || metadata.vocabSize !== MAZE_VOCAB_SIZE) {
    throw new FormatError(
      `verifyMazeData: ${place}: ${split} must have square mazes of ${MAZE_VOCAB_SIZE} tokens, ` +
        `got seq_len ${metadata.seqLen} and vocab_size ${metadata.vocabSize}`,
    );
  }
  const { nRows, find, starts } = rowsOf(dataset);
  const grid = (i: number, field: 'inputs' | 'labels'): MazeGrid => {
    const { set, row } = find(i);
    const tokens = set[field].subarray(row * metadata.seqLen, (row + 1) * metadata.seqLen);
    // Labels that are not scored (-100) are no cells of an answer.
    return Uint8Array.from(tokens, (token) => Math.max(token, 0));
  };
  return {
    split,
    size,
    nRows,
    maze: (i) => grid(i, 'inputs'),
    answer: (i) => grid(i, 'labels'),
    startsGroup: (i) => starts.has(i),
    refused: { bad: [], nBad: 0 },
  };
}

/** The examples of all sets in one row of numbers. */
function rowsOf({ sets }: PuzzleDataset): {
  nRows: number;
  find: (i: number) => { set: PuzzleSet; row: number };
  starts: ReadonlySet<number>;
} {
  const starts = new Set<number>();
  const firsts: { first: number; set: PuzzleSet }[] = [];
  let nRows = 0;
  for (const set of sets) {
    for (const puzzle of set.groupIndices.subarray(0, -1)) starts.add(nRows + set.puzzleIndices[puzzle]!);
    firsts.push({ first: nRows, set });
    nRows += set.nExamples;
  }
  const find = (i: number): { set: PuzzleSet; row: number } => {
    const { first, set } = firsts.findLast((entry) => entry.first <= i)!;
    return { set, row: i - first };
  };
  return { nRows, find, starts };
}

async function csvRows(place: string, onTurn: (split: string, rows: number) => void): Promise<Rows[]> {
  const rows: Rows[] = [];
  for (const file of csvFilesAt(place)) {
    const split = path.basename(file);
    const refused = await importMazeCsv(file, {
      badRows: 'skip',
      onProgress: (count) => {
        onTurn(split, count);
      },
      ...(rows[0] === undefined ? {} : { size: rows[0].size }),
    });
    const { set } = refused;
    rows.push({
      split,
      size: set.size,
      nRows: set.length,
      maze: (i) => set.maze(i),
      answer: (i) => set.answer(i),
      startsGroup: () => true,
      refused,
    });
  }
  return rows;
}

/** Layouts of the first maze of each group. */
interface Layouts {
  readonly literal: Set<string>;
  readonly upToSymmetry: Set<string>;
}

async function examine(
  rows: Rows,
  onTurn: (split: string, rows: number) => void,
): Promise<{ report: MazeSplitReport; layouts: Layouts }> {
  const { size, refused } = rows;
  const bad: BadRow[] = [...refused.bad];
  let nBad = refused.nBad;
  let groups = 0;
  const literal = new Set<string>();
  const upToSymmetry = new Set<string>();
  const moves: number[] = [];
  const walls: number[] = [];
  for (let i = 0; i < rows.nRows; i++) {
    if (i % ROWS_PER_TURN === 0) {
      await setImmediate();
      onTurn(rows.split, i);
    }
    const maze = rows.maze(i);
    const answer = rows.answer(i);
    literal.add(layoutOf(maze, size));
    if (rows.startsGroup(i)) {
      groups++;
      upToSymmetry.add(layoutClass(maze, size));
    }
    const problem = examineMaze(maze, answer);
    if (problem !== undefined) {
      if (nBad++ < MAX_REPORTED) bad.push({ line: i + 1, reason: problem });
      continue;
    }
    moves.push(countOf(answer, PATH) + 1);
    walls.push((100 * countOf(maze, WALL)) / maze.length);
  }
  const report: MazeSplitReport = {
    split: rows.split,
    rows: rows.nRows + refused.nBad,
    groups,
    nBad,
    bad,
    duplicates: groups - upToSymmetry.size,
    moves: spreadOf(moves),
    wallPercent: spreadOf(walls),
  };
  return { report, layouts: { literal, upToSymmetry } };
}

function compare(train: Layouts, test: Layouts): MazeOverlap {
  const shared = (a: ReadonlySet<string>, b: ReadonlySet<string>): number =>
    [...b].filter((layout) => a.has(layout)).length;
  return {
    layouts: shared(train.literal, test.literal),
    symmetric: shared(train.upToSymmetry, test.upToSymmetry),
  };
}
