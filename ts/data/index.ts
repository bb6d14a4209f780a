export { Philox, philox4x32, type PhiloxState } from './philox';
export type { DatasetMetadata } from './metadata';
export {
  IGNORE_LABEL,
  loadDataset,
  loadIdentifiers,
  writeDataset,
  type PuzzleDataset,
  type PuzzleSet,
  type Split,
  type TokenArray,
} from './dataset';
export {
  datasetSampler,
  fixedSubset,
  testBatches,
  TrainSampler,
  type Batch,
  type ExampleGroups,
  type SamplerCursor,
  type SamplerOptions,
} from './sampler';
export {
  buildSudokuDataset,
  type BuildOptions,
  type BuildReport,
  type SplitSummary,
  type SudokuOrigin,
} from './sudoku/build';
export { importSudokuCsv, type BadRow, type ImportOptions, type ImportResult } from './sudoku/csv';
export { blanksOf, enumerateSolutions, generateSudoku, type GenerateOptions } from './sudoku/generate';
export { geometryOf, geometryOfSize, type Geometry, type Grid } from './sudoku/geometry';
export { checkAnswer, describeViolation, findConflicts, type Violation } from './sudoku/rules';
export { SudokuSet } from './sudoku/set';
export { solveSudoku, type SudokuSolveOptions, type SolveResult } from './sudoku/solver';
export { readTokens, sudokuDataset, sudokuSampler, writeTokens, type AugmentOptions } from './sudoku/source';
export {
  assertDisjoint,
  blanksHistogram,
  generateSplits,
  overlapOf,
  splitByGrid,
  type Overlap,
  type SplitOptions,
  type SudokuSplits,
} from './sudoku/split';
export { formatGrid, parseGrid, prettyGrid, type ParsedGrid } from './sudoku/text';
export { SudokuTransform } from './sudoku/transform';
export {
  verifyData,
  type OverlapReport,
  type SplitReport,
  type VerifyOptions,
  type VerifyReport,
} from './sudoku/verify';
export { buildArcDataset, type ArcBuildOptions, type ArcBuildReport } from './arc/build';
export { decodeArcGrid, encodeArcGrid } from './arc/canvas';
export type { ArcGrid, ArcPair } from './arc/grid';
export { findArcLeaks, type ArcLeak } from './arc/leaks';
export { readArcTasks } from './arc/read';
export type { ArcCounts } from './arc/rows';
export type { ArcRole, ArcTask } from './arc/task';
export { ArcTransform, parseArcName } from './arc/transform';
export {
  arcSubmission,
  ArcVotes,
  type ArcCandidate,
  type ArcPredictions,
  type ArcResult,
  type ArcTaskResult,
  type ArcTestResult,
} from './arc/vote';
