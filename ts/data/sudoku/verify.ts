import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { ArgumentError, FormatError } from '../../error';
import { describe, requirePath } from '../../io/arguments';
import { requireSignal } from '../../tensor/arguments';
import { verifyArcFolder } from '../arc/verify';
import { readOptions, requireCallback } from '../check';
import type { BadRow } from '../csv';
import { loadDataset, type PuzzleDataset, type Split, splitsOf } from '../dataset';
import { examineRow, importSudokuCsv, type ImportResult } from './csv';
import { findEquivalence, symmetryInvariant } from './equivalence';
import { blanksOf } from './generate';
import { geometryOfCells, requireGeometry, type Geometry, type Grid } from './geometry';
import { readTokens, sudokuMetadata } from './source';
import { formatGrid } from './text';

const MAX_REPORTED = 20;
/** Rows between two turns of the event loop. */
const ROWS_PER_TURN = 500;

export interface VerifyOptions {
  /** Box shape; default: the most nearly square one for the number of cells (csv: 9x9). */
  readonly geometry?: Geometry;
  /** Which puzzles are proven unique: all, the first of each group (its augmentations are equivalent), or none. */
  readonly unique?: 'all' | 'groups' | 'none';
  /** Looks for test puzzles that are training puzzles up to symmetry; default true. */
  readonly symmetry?: boolean;
  /** Called now and then with the rows examined of a split. */
  readonly onProgress?: (split: string, rows: number) => void;
  /** Ends the work early. */
  readonly signal?: AbortSignal;
}

/** What {@link verifyData} found in one split or file. */
export interface SplitReport {
  readonly split: string;
  readonly rows: number;
  readonly groups: number;
  /** All bad rows; the first 20 are described (npy: `line` counts examples from 1). */
  readonly nBad: number;
  readonly bad: readonly BadRow[];
  /** Rows whose puzzle already occurred. */
  readonly duplicates: number;
  readonly distinctSolutions: number;
  /** Puzzles by number of blanks, ascending. */
  readonly blanks: ReadonlyMap<number, number>;
  /** Solver guesses of the puzzles that were proven unique; null when none was. */
  readonly guesses: { readonly mean: number; readonly max: number; readonly zero: number } | null;
}

export interface OverlapReport {
  /** Test rows whose puzzle, or whose solution grid, is in training. */
  readonly puzzles: number;
  readonly solutions: number;
  /** Test puzzles that some training puzzle becomes under a symmetry; null when not looked at. */
  readonly equivalent: number | null;
  /** Test puzzles for which that could not be decided. */
  readonly undecided: number;
}

export interface VerifyReport {
  readonly path: string;
  /** 'other': a consistent dataset of neither, so only its structure was checked. */
  readonly kind: 'sudoku' | 'arc' | 'other';
  /** True when no row is bad and training and test share no puzzle and no solution (ARC: no pair of input and output). */
  readonly ok: boolean;
  readonly splits: readonly SplitReport[];
  readonly overlap: OverlapReport | null;
}

/** Rows of one split as grids, with the group that each belongs to. */
interface Rows {
  readonly split: string;
  readonly geometry: Geometry;
  readonly nRows: number;
  readonly nGroups: number;
  /** Why row i is no puzzle at all, before any rule is looked at. */
  readonly unreadable: (i: number) => string | undefined;
  readonly puzzle: (i: number) => Grid;
  readonly solution: (i: number) => Grid;
  readonly startsGroup: (i: number) => boolean;
  /** Rows that were refused while reading a csv. */
  readonly refused: ImportResult | undefined;
}

/**
 * Checks a dataset directory in the official layout, a csv file, or a directory with `train` and `test` csv files
 * (`.csv` or `.csv.gz`): every row's rules, uniqueness, duplicates, what training and test share, and statistics.
 *
 * @throws FileError, FormatError when there is nothing to check or its structure is broken; bad rows are reported instead;
 *   the signal's reason when it is aborted
 */
export async function verifyData(target: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  const place = requirePath('verifyData', 'target', target);
  const given = readOptions('verifyData', options, ['geometry', 'unique', 'symmetry', 'onProgress', 'signal']);
  const { unique = 'all', symmetry = true, onProgress, signal } = given;
  const onTurn = (split: string, rows: number): void => {
    onProgress?.(split, rows);
    signal?.throwIfAborted();
  };
  if (given.geometry !== undefined) requireGeometry('verifyData', given.geometry);
  requireCallback('verifyData', 'onProgress', onProgress);
  requireSignal('verifyData', signal);
  if (!['all', 'groups', 'none'].includes(unique)) {
    throw new ArgumentError(`verifyData: unique must be 'all', 'groups' or 'none', got ${describe(unique)}`);
  }
  const arc = await verifyArcFolder(place, { onProgress, signal });
  if (arc !== undefined) return arc;
  const datasets = loadSplits(place);
  if (datasets.some(({ dataset }) => geometryFor(dataset, given) === undefined)) {
    const splits = datasets.map(({ split, dataset }) => structureReport(split, dataset));
    return { path: place, kind: 'other', ok: true, splits, overlap: null };
  }
  const sources =
    datasets.length > 0
      ? datasets.map(({ split, dataset }) => datasetRows(split, dataset, geometryFor(dataset, given)!))
      : await csvRows(place, given, onTurn);
  const splits: SplitReport[] = [];
  const seen: Seen[] = [];
  for (const rows of sources) {
    const result = await examine(rows, unique, symmetry && sources.length > 1, onTurn);
    splits.push(result.report);
    seen.push(result.seen);
  }
  const [train, test] = seen;
  const overlap = train === undefined || test === undefined ? null : compare(train, test, symmetry);
  const clean = splits.every(({ nBad }) => nBad === 0);
  const ok = clean && (overlap === null || overlap.puzzles + overlap.solutions === 0);
  return { path: place, kind: 'sudoku', ok, splits, overlap };
}

function loadSplits(place: string): { split: Split; dataset: PuzzleDataset }[] {
  return splitsOf('verifyData', place).map((split) => ({ split, dataset: loadDataset(place, split) }));
}

/** The geometry of a dataset that has the shape of ours for Sudoku; undefined for anything else. */
function geometryFor({ metadata }: PuzzleDataset, options: VerifyOptions): Geometry | undefined {
  const geometry = options.geometry ?? geometryOfCells(metadata.seqLen);
  if (geometry?.cells !== metadata.seqLen) return undefined;
  return sudokuMetadata(geometry, 1).vocabSize === metadata.vocabSize ? geometry : undefined;
}

function structureReport(split: string, { sets }: PuzzleDataset): SplitReport {
  const sum = (of: (set: PuzzleDataset['sets'][number]) => number): number =>
    sets.reduce((total, set) => total + of(set), 0);
  return {
    split,
    rows: sum((set) => set.nExamples),
    groups: sum((set) => set.groupIndices.length - 1),
    nBad: 0,
    bad: [],
    duplicates: 0,
    distinctSolutions: 0,
    blanks: new Map(),
    guesses: null,
  };
}

function datasetRows(split: string, { metadata, sets }: PuzzleDataset, geometry: Geometry): Rows {
  const starts = new Set<number>();
  const rowSets: { first: number; set: PuzzleDataset['sets'][number] }[] = [];
  let nRows = 0;
  for (const set of sets) {
    for (const puzzle of set.groupIndices.subarray(0, -1)) starts.add(nRows + set.puzzleIndices[puzzle]!);
    rowSets.push({ first: nRows, set });
    nRows += set.nExamples;
  }
  const find = (i: number) => rowSets.findLast(({ first }) => first <= i)!;
  const outside = (tokens: ArrayLike<number>, offset: number, lowest: number): boolean => {
    for (let cell = 0; cell < geometry.cells; cell++) if (tokens[offset + cell]! < lowest) return true;
    return false;
  };
  const grid = (i: number, field: 'inputs' | 'labels'): Grid => {
    const { first, set } = find(i);
    return readTokens(set[field], (i - first) * metadata.seqLen, geometry);
  };
  return {
    split,
    geometry,
    nRows,
    nGroups: metadata.totalGroups,
    unreadable: (i) => {
      const { first, set } = find(i);
      const offset = (i - first) * metadata.seqLen;
      if (outside(set.inputs, offset, 1)) return 'the puzzle has padding tokens';
      return outside(set.labels, offset, 2) ? 'the answer has blank, padding or ignored tokens' : undefined;
    },
    puzzle: (i) => grid(i, 'inputs'),
    solution: (i) => grid(i, 'labels'),
    startsGroup: (i) => starts.has(i),
    refused: undefined,
  };
}

async function csvRows(
  place: string,
  options: VerifyOptions,
  onTurn: (split: string, rows: number) => void,
): Promise<Rows[]> {
  const files = statSync(place, { throwIfNoEntry: false })?.isDirectory() === true ? csvFilesIn(place) : [place];
  const rows: Rows[] = [];
  for (const file of files) {
    const refused = await importSudokuCsv(file, {
      badRows: 'skip',
      unique: false,
      onProgress: (count) => {
        onTurn(path.basename(file), count);
      },
      ...(options.geometry === undefined ? {} : { geometry: options.geometry }),
    });
    const { set } = refused;
    rows.push({
      split: path.basename(file),
      geometry: set.geometry,
      nRows: set.length,
      nGroups: set.length,
      unreadable: () => undefined,
      puzzle: (i) => set.puzzle(i),
      solution: (i) => set.solution(i),
      startsGroup: () => true,
      refused,
    });
  }
  return rows;
}

function csvFilesIn(directory: string): string[] {
  const files = (['train', 'test'] as const).flatMap((split) => {
    const names = [`${split}.csv`, `${split}.csv.gz`].filter((name) => existsSync(path.join(directory, name)));
    if (names.length > 1) throw new FormatError(`verifyData: ${directory}: must have one of ${names.join(' and ')}`);
    return names.map((name) => path.join(directory, name));
  });
  if (files.length > 0) return files;
  throw new FormatError(
    `verifyData: ${directory}: must hold train/dataset.json, test/dataset.json or train and test csv files, got none`,
  );
}

/** What later splits are compared with. */
interface Seen {
  readonly geometry: Geometry;
  readonly puzzles: ReadonlySet<string>;
  readonly solutions: ReadonlySet<string>;
  /** The first puzzle of each group, by symmetry invariant; empty when symmetry is not looked at. */
  readonly invariants: ReadonlyMap<number, Grid[]>;
}

async function examine(
  rows: Rows,
  unique: 'all' | 'groups' | 'none',
  symmetry: boolean,
  onTurn: (split: string, rows: number) => void,
): Promise<{ report: SplitReport; seen: Seen }> {
  const { geometry, refused } = rows;
  const bad: BadRow[] = [...(refused?.bad ?? [])];
  let nBad = refused?.nBad ?? 0;
  const puzzles = new Set<string>();
  const solutions = new Set<string>();
  const invariants = new Map<number, Grid[]>();
  const blanks = new Map<number, number>();
  let [nGuessed, sum, max, zero] = [0, 0, 0, 0];
  for (let i = 0; i < rows.nRows; i++) {
    if (i % ROWS_PER_TURN === 0) {
      await setImmediate();
      onTurn(rows.split, i);
    }
    const puzzle = rows.puzzle(i);
    const solution = rows.solution(i);
    const prove = unique === 'all' || (unique === 'groups' && rows.startsGroup(i));
    const unreadable = rows.unreadable(i);
    const finding =
      unreadable === undefined
        ? examineRow(puzzle, solution, geometry, prove)
        : { problem: unreadable, guesses: undefined };
    if (finding.problem !== undefined && nBad++ < MAX_REPORTED) bad.push({ line: i + 1, reason: finding.problem });
    if (finding.problem === undefined && finding.guesses !== undefined) {
      nGuessed++;
      sum += finding.guesses;
      max = Math.max(max, finding.guesses);
      if (finding.guesses === 0) zero++;
    }
    puzzles.add(formatGrid(puzzle));
    solutions.add(formatGrid(solution));
    const count = blanksOf(puzzle);
    blanks.set(count, (blanks.get(count) ?? 0) + 1);
    if (symmetry && rows.startsGroup(i)) {
      const key = symmetryInvariant(puzzle, geometry);
      const same = invariants.get(key);
      if (same === undefined) invariants.set(key, [puzzle]);
      else same.push(puzzle);
    }
  }
  const report: SplitReport = {
    split: rows.split,
    rows: rows.nRows + (refused?.nBad ?? 0),
    groups: rows.nGroups,
    nBad,
    bad,
    duplicates: rows.nRows - puzzles.size,
    distinctSolutions: solutions.size,
    blanks: new Map([...blanks].sort(([a], [b]) => a - b)),
    guesses: nGuessed === 0 ? null : { mean: sum / nGuessed, max, zero },
  };
  return { report, seen: { geometry, puzzles, solutions, invariants } };
}

function compare(train: Seen, test: Seen, symmetry: boolean): OverlapReport {
  const shared = (a: ReadonlySet<string>, b: ReadonlySet<string>): number =>
    [...b].filter((text) => a.has(text)).length;
  let equivalent = 0;
  let undecided = 0;
  for (const [key, puzzles] of test.invariants) {
    const candidates = train.invariants.get(key);
    if (candidates === undefined) continue;
    for (const puzzle of puzzles) {
      const answers = candidates.map((candidate) => findEquivalence(candidate, puzzle, test.geometry));
      if (answers.some((answer) => answer !== null && answer !== undefined)) equivalent++;
      else if (answers.includes(undefined)) undecided++;
    }
  }
  return {
    puzzles: shared(train.puzzles, test.puzzles),
    solutions: shared(train.solutions, test.solutions),
    equivalent: symmetry ? equivalent : null,
    undecided,
  };
}
