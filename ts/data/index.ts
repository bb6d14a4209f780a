export { Philox, philox4x32, type PhiloxState } from './philox';
export type { DatasetMetadata } from './metadata';
export {
  IGNORE_LABEL,
  loadDataset,
  loadIdentifiers,
  writeDataset,
  type PuzzleDataset,
  type PuzzleIndices,
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
  buildMazeDataset,
  type MazeBuildOptions,
  type MazeBuildReport,
  type MazeOrigin,
  type MazeSplitSummary,
} from './maze/build';
export { importMazeCsv, type MazeImportOptions, type MazeImportResult } from './maze/csv';
export { dihedralImage, dihedralInverse } from './maze/dihedral';
export { generateMazes, type MazeOptions, type WallPercent } from './maze/generate';
export type { MazeGrid } from './maze/grid';
export { judgeMaze, mazeViolations, type MazeFinding } from './maze/rules';
export { shortestPath } from './maze/search';
export { MazeSet } from './maze/set';
export { isMazeDataset, mazeDataset, mazeSampler, type MazeAugmentOptions } from './maze/source';
export {
  generateMazeSplits,
  mazeOverlapOf,
  splitByLayout,
  type MazeOverlap,
  type MazeSplitOptions,
  type MazeSplits,
} from './maze/split';
export type { Spread } from './maze/spread';
export { formatMaze, parseMaze, prettyMaze } from './maze/text';
export {
  isMazeData,
  verifyMazeData,
  type MazeSplitReport,
  type MazeVerifyOptions,
  type MazeVerifyReport,
} from './maze/verify';
export {
  buildSudokuDataset,
  type BuildOptions,
  type BuildReport,
  type SplitSummary,
  type SudokuOrigin,
} from './sudoku/build';
export type { BadRow } from './csv';
export { importSudokuCsv, type ImportOptions, type ImportResult } from './sudoku/csv';
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
