/** What the viewer's server and its page say to each other: JSON, types alone. */

/** What the tokens of a model mean, where the viewer knows. */
export type Task =
  | { readonly kind: 'sudoku'; readonly boxRows: number; readonly boxCols: number }
  | { readonly kind: 'maze'; readonly rows: number; readonly cols: number }
  | { readonly kind: 'arc'; readonly side: number }
  | { readonly kind: 'tokens'; readonly seqLen: number; readonly vocabSize: number };

export interface Failure {
  /** Stable: an error class of the engine, or one of the server's. */
  readonly code: string;
  readonly message: string;
  /** What a person can do about it. */
  readonly hint?: string;
}

export interface ModelInfo {
  readonly step: number;
  /** Whether the weights are the averaged ones. */
  readonly isAveraged: boolean;
  readonly checkpoint: string;
  readonly task: Task;
  readonly seqLen: number;
  readonly vocabSize: number;
  readonly numPuzzleIdentifiers: number;
  /** Segments of training; the default of a solution. */
  readonly haltMaxSteps: number;
  /** Without the puzzle embedding. */
  readonly nParameters: number;
  readonly hidden: number;
  readonly layers: readonly [number, number];
  readonly cycles: readonly [number, number];
  readonly dataKind: string;
  /** Steps that the run is to have; null: it counts epochs. */
  readonly totalSteps: number | null;
}

export type ModelState =
  { readonly ok: true; readonly model: ModelInfo } | { readonly ok: false; readonly error: Failure };

/** GET /api/run, POST /api/reload */
export interface RunInfo {
  /** Last part of the path. */
  readonly name: string;
  readonly path: string;
  readonly state: ModelState;
}

/** One line of metrics.jsonl. */
export interface MetricsLine {
  readonly step: number;
  readonly kind: string;
  readonly split?: string;
  readonly values: Readonly<Record<string, number | null>>;
}

/** GET /api/metrics?from=&generation= */
export interface MetricsReply {
  /** Changes when the file was cut or replaced: what was read before is void, and `from` counts as 0. */
  readonly generation: number;
  /** Index of the first line in `lines`. */
  readonly from: number;
  readonly lines: readonly MetricsLine[];
  /** Lines read so far; more than from + lines.length: ask again. */
  readonly total: number;
  /** Lines that are no metrics. */
  readonly nBad: number;
  /** Newest checkpoint on the disk, by name. */
  readonly newestStep: number | null;
}

/** GET /api/puzzle?index= */
export interface PuzzleReply {
  readonly index: number;
  /** Puzzles of the test split. */
  readonly count: number;
  readonly tokens: readonly number[];
  /** -100 where not scored. */
  readonly labels: readonly number[];
  readonly puzzleIdentifier: number;
  /** Name of the identifier, where the data set has names. */
  readonly name: string | null;
}

/** POST /api/solve */
export interface SolveRequest {
  readonly tokens: readonly number[];
  readonly puzzleIdentifier: number;
  readonly segments: number;
}

/** A rule that an answer, or a puzzle, breaks. */
export interface Problem {
  readonly text: string;
  readonly cells: readonly number[];
}

export interface SegmentEvent {
  readonly type: 'segment';
  readonly tokens: readonly number[];
  /** Probability of each token, four decimals. */
  readonly confidence: readonly number[];
  /** Cells whose token is another one than before; before the first segment: than in the puzzle. */
  readonly changed: readonly number[];
  readonly qHalt: number;
  readonly qContinue: number;
  readonly halts: boolean;
  readonly problems: readonly Problem[];
}

/** The lines of the answer to POST /api/solve, in this order; `failed` may come at any point and is the last. */
export type SolveEvent =
  | { readonly type: 'waiting'; readonly ahead: number }
  | { readonly type: 'start'; readonly step: number; readonly problems: readonly Problem[] }
  | SegmentEvent
  | { readonly type: 'end'; readonly seconds: number }
  | { readonly type: 'failed'; readonly error: Failure };
