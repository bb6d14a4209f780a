import { type Split, splitsOf } from '../dataset';
import type { ExampleSet } from '../sampler';
import { openDataset, type StoredDataset } from '../stored';
import type { BadRow } from '../csv';
import type { OverlapReport, SplitReport, VerifyReport } from '../sudoku/verify';
import { finishInTurns } from '../turns';
import { canvasOf, decodeFrom, encodeInto, findCorner, PAD, type ArcPlace } from './canvas';
import { arcNames } from './folder';
import { gridKey, pairKey, type ArcGrid, type ArcPair } from './grid';
import { imageOf, parseArcName, type ArcTransform } from './transform';

const MAX_REPORTED = 20;

/** How {@link verifyArcFolder} is watched. */
export interface ArcVerifyOptions {
  readonly onProgress?: ((split: string, rows: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Checks an ARC folder in the official layout, row by row from the disk: every canvas is a grid with its end tokens, input and
 * output lie at the same place, test rows and one row of each training puzzle in the corner; an augmented puzzle is its
 * group's first under what its identifier says; test identifiers are trained; and which test pairs are trained on.
 *
 * @returns undefined when the directory is not that of an ARC data set
 * @throws FileError, FormatError where the structure is broken; the signal's reason when it is aborted
 */
export async function verifyArcFolder(
  directory: string,
  { onProgress, signal }: ArcVerifyOptions = {},
): Promise<VerifyReport | undefined> {
  const names = splitsOf('verifyArcFolder', directory);
  if (names.length === 0) return undefined;
  const reports: SplitReport[] = [];
  const originals: (readonly ArcPair[])[] = [];
  let trained: Set<number> | undefined;
  for (const split of names) {
    const dataset = openDataset(directory, split);
    const identifiers = arcNames(directory, dataset.metadata);
    if (identifiers === undefined) return undefined;
    const check = new SplitCheck(split, dataset, identifiers, trained);
    await finishInTurns(check.rows(), { signal, onProgress: (rows) => onProgress?.(split, rows) });
    reports.push(check.report);
    originals.push(check.originals);
    trained = check.identifiers;
  }
  const [train, test] = originals;
  const overlap = train && test ? compare(train, test) : null;
  const ok = reports.every(({ nBad }) => nBad === 0) && (overlap === null || overlap.solutions === 0);
  return { path: directory, kind: 'arc', ok, splits: reports, overlap };
}

/** Test pairs of original tasks: whose input, and whose input with its output, is also a training pair. */
function compare(train: readonly ArcPair[], test: readonly ArcPair[]): OverlapReport {
  const inputs = new Set(train.map(({ input }) => gridKey(input)));
  const pairs = new Set(train.map(pairKey));
  return {
    puzzles: test.filter(({ input }) => inputs.has(gridKey(input))).length,
    solutions: test.filter((pair) => pairs.has(pairKey(pair))).length,
    equivalent: null,
    undecided: 0,
  };
}

/** One split, read once. */
class SplitCheck {
  readonly identifiers = new Set<number>();
  /** The pairs of the original tasks. */
  readonly originals: ArcPair[] = [];
  readonly #canvas: number;
  readonly #inputs: Int32Array;
  readonly #labels: Int32Array;
  readonly #canvasTokens: Uint8Array;
  readonly #bad: BadRow[] = [];
  readonly #outputs = new Set<string>();
  #nBad = 0;
  #nRows = 0;
  #duplicates = 0;

  constructor(
    readonly split: Split,
    readonly dataset: StoredDataset,
    readonly names: readonly string[],
    /** Identifiers of the training split; undefined while that is checked. */
    readonly trained: ReadonlySet<number> | undefined,
  ) {
    const { seqLen } = dataset.metadata;
    this.#canvas = canvasOf(seqLen)!;
    this.#inputs = new Int32Array(seqLen);
    this.#labels = new Int32Array(seqLen);
    this.#canvasTokens = new Uint8Array(seqLen);
  }

  get report(): SplitReport {
    return {
      split: this.split,
      rows: this.#nRows,
      groups: this.dataset.metadata.totalGroups,
      nBad: this.#nBad,
      bad: this.#bad,
      duplicates: this.#duplicates,
      distinctSolutions: this.#outputs.size,
      blanks: new Map(),
      guesses: null,
    };
  }

  /** Yields the number of rows read. */
  *rows(): Generator<number, void> {
    for (const set of this.dataset.sets) {
      for (let group = 0; group + 1 < set.groupIndices.length; group++) yield* this.#group(set, group);
    }
  }

  *#group(set: ExampleSet, group: number): Generator<number, void> {
    let original: { task: string; pairs: ArcPair[] } | undefined;
    const seen = new Set<string>();
    for (let puzzle = set.groupIndices[group]!; puzzle < set.groupIndices[group + 1]!; puzzle++) {
      const id = set.puzzleIdentifiers[puzzle]!;
      const { task, transform } = parseArcName(this.names[id]!);
      this.identifiers.add(id);
      const first = this.#nRows + 1;
      if (this.trained !== undefined && !this.trained.has(id)) this.#note(first, `${this.names[id]} is not trained`);
      const pairs: ArcPair[] = [];
      let inCorner = 0;
      for (let example = set.puzzleIndices[puzzle]!; example < set.puzzleIndices[puzzle + 1]!; example++) {
        set.read(example, this.#inputs, this.#labels, 0);
        const row = this.#pair();
        if (typeof row === 'string') this.#note(this.#nRows + 1, row);
        else {
          pairs.push(row.pair);
          if (row.place.row === 0 && row.place.col === 0) inCorner++;
          else if (this.split === 'test') this.#note(this.#nRows + 1, 'a test grid must lie in the corner');
        }
        yield ++this.#nRows;
      }
      if (inCorner === 0) this.#note(first, 'one example of each puzzle must lie in the corner');
      const content = pairs.map(pairKey).sort().join('|');
      if (seen.has(content)) this.#duplicates++;
      seen.add(content);
      if (original === undefined) {
        original = { task, pairs };
        this.originals.push(...pairs);
        for (const { output } of pairs) if (output !== null) this.#outputs.add(gridKey(output));
        if (transform !== null) this.#note(first, `a group must start with its original task, got ${this.names[id]}`);
      } else if (transform === null || task !== original.task || !isImage(original.pairs, pairs, transform)) {
        this.#note(first, `${this.names[id]} must be ${original.task} with its colours and dihedral changed`);
      }
    }
  }

  #note(line: number, reason: string): void {
    if (this.#nBad++ < MAX_REPORTED) this.#bad.push({ line, reason });
  }

  /** The grids of the row that was read and where they lie, or what is wrong with it. */
  #pair(): { pair: ArcPair; place: ArcPlace } | string {
    const place = findCorner(this.#inputs, this.#canvas, 0);
    if (place === null) return 'the input is empty';
    const input = this.#grid(this.#inputs, place);
    if (input === null) return 'the input must be one grid with its end tokens';
    if (this.#labels.every((label) => label < 0)) {
      return this.split === 'test' ? { pair: { input, output: null }, place } : 'the output is missing';
    }
    const output = this.#grid(this.#labels, place);
    if (output === null) return 'the output must be one grid with its end tokens, at the place of the input';
    return { pair: { input, output }, place };
  }

  /** The grid at a place when the canvas holds exactly it. */
  #grid(tokens: Int32Array, place: ArcPlace): ArcGrid | null {
    const grid = decodeFrom(tokens, place, 0);
    if (grid.rows === 0) return null;
    encodeInto(grid, place, this.#canvasTokens, 0);
    return tokens.every((token, i) => Math.max(token, PAD) === this.#canvasTokens[i]) ? grid : null;
  }
}

function isImage(original: readonly ArcPair[], pairs: readonly ArcPair[], transform: ArcTransform): boolean {
  if (original.length !== pairs.length) return false;
  return original.every(({ input, output }, i) => {
    const pair = pairs[i]!;
    const same = (a: ArcGrid | null, b: ArcGrid | null): boolean =>
      a === null || b === null ? a === b : gridKey(imageOf(a, transform)) === gridKey(b);
    return same(input, pair.input) && same(output, pair.output);
  });
}
