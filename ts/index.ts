import './ops/methods';

export * from './error';
export {
  memory,
  resetPeakMemory,
  synchronize,
  trimMemory,
  setMemoryLimit,
  setNumThreads,
  getNumThreads,
} from './native/runtime';
export type { MemoryInfo } from './native/runtime';
export { setLeakMode, liveTensors, type LiveTensor } from './tensor/lifetime';
export type { DataArray, DType } from './tensor/dtype';
export type { Device } from './native/device';
export { withoutHostReads } from './tensor/host_reads';
export { tensor, full, zeros, ones, type NestedArray, type TensorData, type TensorOptions } from './tensor/create';
export { Tensor } from './tensor/tensor';
export type { OpMethod, OpMethods } from './ops/methods';
export type { OpName, OpSchemas } from './native/schema.gen';
export { tidy, tidyAsync, keep } from './tensor/scope';
export { capture, type Captured, type CaptureOptions } from './tensor/capture';
export { backward, grad, valueAndGrad, vjp, type BackwardOptions } from './autograd/tape';
export { remat } from './autograd/remat';
export { noGrad, enableGrad, isGradEnabled } from './autograd/no_grad';
export { add, add_, div, div_, mul, mul_, neg, neg_, sub, sub_, type Operand } from './ops/arithmetic';
export { cast, clone, contiguous, copy_, detach, fill_, zero_ } from './ops/cast';
export { eq, ge, gt, isFinite, le, logicalAnd, logicalNot, logicalOr, logicalXor, lt, ne } from './ops/compare';
export { matmul } from './ops/matmul';
export { maximum, minimum, pow, pow_, square } from './ops/power';
export {
  all,
  any,
  max,
  mean,
  min,
  std,
  sum,
  variance,
  type ReduceDims,
  type ReduceOptions,
  type VarOptions,
} from './ops/reduce';
export { broadcastTo, expand, flatten, permute, reshape, squeeze, transpose, unsqueeze } from './ops/reshape';
export { narrow, select, slice, type Range } from './ops/slice';
export { concat, pad, split, stack, unbind } from './ops/concat';
export { arange, eye, fullLike, linspace, onesLike, zerosLike, type CreateOptions } from './ops/arange';
export { embedding, gather, indexSelect, oneHot, scatterAdd } from './ops/indexing';
export { Generator, getDefaultGenerator, manualSeed, rand, randint, randn, randperm, truncNormal } from './ops/random';
export type { GeneratorState, NormalOptions, RandomFloatOptions, RandomOptions } from './ops/random';
export {
  loadNpy,
  loadNpz,
  loadSafetensors,
  readPyTorchCheckpoint,
  saveNpy,
  saveNpz,
  saveSafetensors,
  type NamedTensors,
} from './io/tensors';
export { linear } from './ops/linear';
export { rmsNorm } from './ops/rms_norm';
export { rope, ropeTables } from './ops/rope';
export { swiglu } from './ops/swiglu';
export { attention, type AttentionOptions } from './ops/attention';
export { argmax, argmin, logSoftmax, logsumexp, softmax } from './ops/softmax';
export {
  abs,
  clamp,
  clamp_,
  type ClampOptions,
  cos,
  exp,
  exp_,
  floor,
  gelu,
  type GeluOptions,
  log,
  reciprocal,
  relu,
  round,
  rsqrt,
  sigmoid,
  sign,
  silu,
  sin,
  sqrt,
  sqrt_,
  tanh,
} from './ops/unary';
export { where } from './ops/where';
export * from './data';
export { crossEntropy, logStablemax, type CrossEntropyOptions, type Reduction } from './ops/cross_entropy';
export { bceWithLogits } from './ops/bce_with_logits';
export { level, composedLevel, type BlockOptions, type BlockWeights } from './ops/level';
export type { AttentionWeights, SequenceMlpWeights } from './ops/block';
export { lLoop, composedLLoop, type LoopOptions, type States } from './ops/l_loop';
export { demandFused, fallbackCounts, resetFallbackCounts } from './ops/fused';
export type { RoundedCopy } from './autograd/rounded_copy';
export { AdamATan2, type AdamOptions } from './optim/adam_atan2';
export { SparseSignSGD } from './optim/sign_sgd';
export type { NamedTensor } from './optim/state';
export { Ema } from './optim/ema';
export { learningRate, type ScheduleOptions } from './optim/schedule';
export { Module } from './nn/module';
export { Linear, type LinearOptions } from './nn/linear';
export { Embedding } from './nn/embedding';
export { SparseEmbedding } from './nn/sparse_embedding';
export { modelConfig, countParameters, type ModelConfig, type ModelSettings } from './hrm/config';
export { Hrm, type Heads } from './hrm/model';
export { actStep, initialCarry, type ActOptions, type BatchTensors, type Carry, type StepOutputs } from './hrm/act';
export { actLoss, IGNORE_LABEL, METRIC_NAMES, type LossResult, type MetricName } from './hrm/loss';
export { train, type RunStart, type TrainOptions, type TrainResult } from './train/train';
export type { ConfigChange } from './train/resume';
export { evaluate, type Answers, type EvaluateOptions, type Evaluation, type VoteFigures } from './train/evaluate';
export { evaluateArc } from './train/arc';
export { solve, type Solutions } from './train/solve';
export type { MazeSolution } from './train/solve_maze';
export type { Solution } from './train/solve_sudoku';
export type { SolveOptions, SolveSegment, SolveVote, StateAnswer, TaskSolution } from './train/solve_task';
export type { TaskFigures } from './train/scoring';
export type { TaskName } from './train/tasks';
export { loadModel, type LoadedModel } from './train/load_model';
export {
  loadOfficial,
  saveOfficial,
  type LoadOfficialOptions,
  type OfficialModel,
  type PuzzleEmb,
  type SaveOfficialOptions,
} from './train/official';
export { openRunData, type ArcRun, type OpenDataOptions, type RunData } from './train/run_data';
export type { TargetChooser } from './train/targets';
export type { MazeRunSplits } from './train/data_kinds/maze';
export type { SudokuRunSplits } from './train/data_kinds/sudoku';
export type { OverlapGuard } from './train/overlap_guard';
export type { Checkpoint, CheckpointFile } from './io/checkpoint_store';
export type { RunEvaluation, RunEvents, RunStatus } from './train/trainer';
export { batchTensors, type StepReport } from './train/step';
export { configKeys, parseConfig, type ConfigLayer, type ConfigValues, type RunConfig } from './train/config';
export { presetList } from './train/presets';
export { accuracyBySegments, type SegmentAccuracy, type SegmentOptions, type SegmentScaling } from './analyze/segments';
export {
  participationRatio,
  stateDimensions,
  type DimensionOptions,
  type Dimensions,
  type ModelRatios,
  type StateRatios,
} from './analyze/dimensions';
export {
  compareGradients,
  type GradientAgreement,
  type GradientComparison,
  type GradientOptions,
  type GradientRow,
  type GradSteps,
  type ParameterRow,
} from './analyze/gradients';
export { compareHalting, type Halting, type HaltingOptions, type HaltingRow, type HaltingRun } from './analyze/halting';
export type { AnalysisOptions } from './analyze/puzzles';
export { forwardResiduals, type Residual, type ResidualOptions, type Residuals } from './analyze/residuals';
export type { MeanEstimate } from './analyze/statistics';
export type { Accuracy } from './analyze/answers';
export {
  intermediateAnswers,
  type ExampleSteps,
  type IntermediateAnswers,
  type StepAccuracy,
  type StepOptions,
} from './analyze/steps';
export {
  stateTrajectories,
  type StateTrajectories,
  type Trajectories,
  type TrajectoryOptions,
  type TrajectoryPoint,
} from './analyze/trajectories';
export { walkSegment, type Update } from './analyze/walk';
