/**
 * The configuration of a model: every hyperparameter of HRM sections 1 to 3, in the reference's words.
 *
 * `ModelSettings` is what a person writes: everything has a default, and null means "derive it" or "the data says so".
 * `ModelConfig` is what the model is built from: complete, checked across fields.
 */
import { z } from 'zod';
import { ConfigError } from '../error';
import { parseStrict } from './config_error';

const size = z.int().min(1).max(65536);
const count = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

/** What trains the Q head, see the settings. */
export const HALT_LOSSES = ['official', 'halt', 'none'] as const;

export const modelSettingsSchema = z.strictObject({
  /** D: width of every token state. */
  hidden: size.default(512),
  nHeads: size.default(8),
  /** SwiGLU inner size over hidden, before the 2/3 and the rounding up to a multiple of 256. */
  expansion: z.number().positive().max(64).default(4),
  /** The same over the sequence, of mlpT; null = expansion. */
  seqExpansion: z.number().positive().max(64).nullable().default(null),
  hLayers: z.int().min(1).max(256).default(4),
  lLayers: z.int().min(1).max(256).default(4),
  /** N and T: H updates a segment, and L updates a H update. */
  hCycles: z.int().min(1).max(1024).default(2),
  lCycles: z.int().min(1).max(1024).default(2),
  /** How many of the last L updates carry gradient (with the H updates between): 1 is HRM, 'full' is BPTT. */
  gradSteps: z.union([z.int().min(1), z.literal('full')]).default(1),
  posEncodings: z.enum(['rope', 'learned', 'none']).default('rope'),
  /** TRM: attention replaced by a SwiGLU over the sequence axis. */
  mlpT: z.boolean().default(false),
  /** TRM: one network serves as L and H; only `L_level.*` exists. */
  sharedLevels: z.boolean().default(false),
  ropeTheta: z.number().positive().default(10000),
  rmsNormEps: z.number().positive().max(1).default(1e-5),
  /** Width of a puzzle embedding; null = hidden, 0 = none. */
  puzzleEmbNdim: count.nullable().default(null),
  /** Tokens it takes; null = ceil(puzzleEmbNdim / hidden). */
  puzzleEmbLen: count.max(65536).nullable().default(null),
  /** Rows of the puzzle embedding; null = the data says. */
  numPuzzleIdentifiers: size
    .max(2 ** 31 - 1)
    .nullable()
    .default(null),
  /** V; null = the data says. */
  vocabSize: size.nullable().default(null),
  /** Tokens of a puzzle, without the puzzle embedding's; null = the data says. */
  seqLen: size.nullable().default(null),
  /** M: the most segments a row runs in training. */
  haltMaxSteps: z.int().min(1).max(65536).default(16),
  haltExplorationProb: z.number().min(0).max(1).default(0.1),
  /**
   * 'official': Q-learning with the second pass; 'halt': TRM's, qHalt alone; 'none': the Q head is not trained and every row
   * runs M segments. The others are algorithm changes, never the default.
   */
  haltLoss: z.enum(HALT_LOSSES).default('official'),
  /** H_init and L_init: truncated normal, or zeros, so that the first update sees the input alone. */
  stateInit: z.enum(['normal', 'zero']).default('normal'),
  /**
   * How mlpT starts: drawn as all weights are, or on the square grid that the puzzle is, each cell hearing from its
   * neighbours (startOnGrid). An algorithm change, for small models on little data.
   */
  mixerInit: z.enum(['normal', 'grid']).default('normal'),
  lossType: z.enum(['stablemax', 'softmax']).default('stablemax'),
  /** Dtype of activations; weights and optimizer state are always float32. */
  forwardDtype: z.enum(['float32', 'bfloat16', 'float64']).default('float32'),
});

export type ModelSettings = z.infer<typeof modelSettingsSchema>;

/** A complete model configuration: no field is left to derive. */
export interface ModelConfig extends ModelSettings {
  puzzleEmbNdim: number;
  puzzleEmbLen: number;
  numPuzzleIdentifiers: number;
  vocabSize: number;
  seqLen: number;
}

/** What the data decides about a model: the fields of `dataset.json` that a model is built from. */
export interface DataShape {
  seqLen: number;
  vocabSize: number;
  numPuzzleIdentifiers: number;
}

export const modelKeys: readonly string[] = Object.keys(modelSettingsSchema.shape);

function fail(message: string): never {
  throw new ConfigError(`model config: ${message}`);
}

/** The checks between fields that need no data. @throws ConfigError */
export function checkModelSettings(model: ModelSettings): void {
  const { hidden, nHeads, hCycles, lCycles, gradSteps } = model;
  if (hidden % nHeads !== 0) fail(`hidden must be a multiple of nHeads, got hidden ${hidden} and nHeads ${nHeads}`);
  if (model.posEncodings === 'rope' && (hidden / nHeads) % 2 !== 0) {
    fail(`hidden / nHeads must be even with posEncodings "rope", got ${hidden} / ${nHeads} = ${hidden / nHeads}`);
  }
  if (model.posEncodings === 'rope' && model.mlpT) {
    fail('posEncodings "rope" rotates q and k, which mlpT does not have; use "none" or "learned"');
  }
  if (model.seqExpansion !== null && !model.mlpT) {
    fail(`seqExpansion is for mlpT, the SwiGLU over the sequence, got ${model.seqExpansion} and mlpT false`);
  }
  requireInnerUnits(hidden, model.expansion, 'expansion');
  const overSequence = model.mlpT && model.seqLen !== null ? seqInnerUnits(model, model.seqLen) : undefined;
  if (model.mixerInit === 'grid') checkGridMixer(model, overSequence);
  if (gradSteps !== 'full' && gradSteps > hCycles * lCycles) {
    fail(`gradSteps must be at most hCycles * lCycles = ${hCycles * lCycles}, got ${gradSteps}`);
  }
  if (model.sharedLevels && model.hLayers !== model.lLayers) {
    fail(`hLayers must equal lLayers with sharedLevels, got ${model.hLayers} and ${model.lLayers}`);
  }
  const { ndim, length } = puzzleEmbSize(model);
  if (length * hidden < ndim) {
    fail(`puzzleEmbLen must be at least ceil(puzzleEmbNdim / hidden) = ${Math.ceil(ndim / hidden)}, got ${length}`);
  }
  if (ndim === 0 && length > 0) fail(`puzzleEmbLen must be 0 when puzzleEmbNdim is 0, got ${length}`);
}

type ExpansionKey = 'expansion' | 'seqExpansion';

function requireInnerUnits(width: number, expansion: number, key: ExpansionKey): number {
  const inner = swigluInnerSize(width, expansion);
  return inner > 0
    ? inner
    : fail(`${key} must give at least one inner unit over an axis of ${width}, got ${expansion}`);
}

/** F of the SwiGLU over the sequence, and the setting that decides it. */
function seqInnerUnits(model: ModelSettings, seqLen: number): { inner: number; key: ExpansionKey } {
  const key = model.seqExpansion === null ? 'expansion' : 'seqExpansion';
  return { inner: requireInnerUnits(seqLen + puzzleEmbSize(model).length, seqExpansionOf(model), key), key };
}

function checkGridMixer(
  { mlpT, seqLen }: ModelSettings,
  overSequence: ReturnType<typeof seqInnerUnits> | undefined,
): void {
  if (!mlpT) fail(`mixerInit "grid" is for mlpT, the SwiGLU over the sequence, got mlpT false`);
  if (seqLen === null || overSequence === undefined) return;
  const side = Math.sqrt(seqLen);
  if (!Number.isInteger(side)) fail(`mixerInit "grid" is for puzzles that are square grids, got seqLen ${seqLen}`);
  const { inner, key } = overSequence;
  // One for each cell, and for each pair of neighbours both ways.
  const units = side * side + 4 * side * (side - 1);
  if (inner >= units) return;
  fail(
    `mixerInit "grid" needs ${units} inner units over the sequence for a ${side} x ${side} grid, got ${inner}; raise ${key}`,
  );
}

function puzzleEmbSize(model: ModelSettings): { ndim: number; length: number } {
  const ndim = model.puzzleEmbNdim ?? model.hidden;
  return { ndim, length: model.puzzleEmbLen ?? Math.ceil(ndim / model.hidden) };
}

/**
 * Completes settings with what the data says. A size that was given must be at least the data's (equal for seqLen):
 * a larger vocabulary or embedding table is harmless, a smaller one would be indexed out of bounds.
 * @throws ConfigError
 */
export function resolveModel(model: ModelSettings, data: Partial<DataShape> = {}): ModelConfig {
  const pick = (key: keyof DataShape, exact: boolean, fallback?: number): number => {
    const given = model[key];
    const fromData = data[key];
    if (given === null) return fromData ?? fallback ?? fail(`${key} must be given when no data decides it`);
    if (fromData !== undefined && (exact ? given !== fromData : given < fromData)) {
      fail(`${key} must be ${exact ? '' : 'at least '}${fromData} for this data, got ${given}`);
    }
    return given;
  };
  const { ndim, length } = puzzleEmbSize(model);
  const resolved = {
    ...model,
    puzzleEmbNdim: ndim,
    puzzleEmbLen: length,
    numPuzzleIdentifiers: pick('numPuzzleIdentifiers', false, 1),
    vocabSize: pick('vocabSize', false),
    seqLen: pick('seqLen', true),
  };
  checkModelSettings(resolved);
  return resolved;
}

/**
 * A model configuration from the few fields one cares about; the rest is official HRM.
 * `modelConfig({ hidden: 64, nHeads: 4, seqLen: 16, vocabSize: 6 })`
 * @throws ConfigError on unknown keys, wrong types, values out of range or fields that contradict each other
 */
export function modelConfig(fields: Partial<ModelSettings>): ModelConfig {
  return resolveModel(parseStrict(modelSettingsSchema, fields, 'model config', modelKeys));
}

/** A complete configuration that a caller gives, checked. @throws ConfigError */
export function requireModelConfig(op: string, value: unknown): ModelConfig {
  return resolveModel(parseStrict(modelSettingsSchema, value, `${op}: model config`, modelKeys));
}

/** S: tokens the network sees, puzzle embedding included. */
export const totalSeqLen = (config: ModelConfig): number => config.puzzleEmbLen + config.seqLen;

/** d: width of a head. */
export const headDim = (config: ModelConfig): number => config.hidden / config.nHeads;

/** L updates that carry gradient, 'full' resolved. */
export const gradLSteps = (config: ModelConfig): number =>
  config.gradSteps === 'full' ? config.hCycles * config.lCycles : config.gradSteps;

/** F of a SwiGLU over an axis of `width`: round(expansion * width * 2/3), rounded up to a multiple of 256. */
export function swigluInnerSize(width: number, expansion: number): number {
  return Math.ceil(Math.round((expansion * width * 2) / 3) / 256) * 256;
}

/** The expansion of the SwiGLU over the sequence. */
export const seqExpansionOf = ({ seqExpansion, expansion }: ModelSettings): number => seqExpansion ?? expansion;

/** Trainable parameters without the puzzle embedding (H_init and L_init are buffers). */
export function countParameters(model: ModelConfig): number {
  const config = requireModelConfig('countParameters', model);
  const { hidden, vocabSize, expansion } = config;
  const tokens = totalSeqLen(config);
  const mixer = config.mlpT ? 3 * swigluInnerSize(tokens, seqExpansionOf(config)) * tokens : 4 * hidden * hidden;
  const block = mixer + 3 * swigluInnerSize(hidden, expansion) * hidden;
  const nBlocks = config.sharedLevels ? config.lLayers : config.hLayers + config.lLayers;
  const positions = config.posEncodings === 'learned' ? tokens * hidden : 0;
  return 2 * vocabSize * hidden + positions + nBlocks * block + 2 * hidden + 2;
}

// The reference's configuration keys, where ours differ from them.
const referenceNames: Record<string, keyof ModelSettings> = {
  hidden_size: 'hidden',
  num_heads: 'nHeads',
  expansion: 'expansion',
  H_layers: 'hLayers',
  L_layers: 'lLayers',
  H_cycles: 'hCycles',
  L_cycles: 'lCycles',
  pos_encodings: 'posEncodings',
  mlp_t: 'mlpT',
  rope_theta: 'ropeTheta',
  rms_norm_eps: 'rmsNormEps',
  puzzle_emb_ndim: 'puzzleEmbNdim',
  puzzle_emb_len: 'puzzleEmbLen',
  num_puzzle_identifiers: 'numPuzzleIdentifiers',
  vocab_size: 'vocabSize',
  seq_len: 'seqLen',
  halt_max_steps: 'haltMaxSteps',
  halt_exploration_prob: 'haltExplorationProb',
  forward_dtype: 'forwardDtype',
};

/**
 * A model configuration from the reference code's keys (`hidden_size`, `H_cycles`, ...; `batch_size` is not the
 * model's and is passed over) and its loss name (`stablemax_cross_entropy` or `softmax_cross_entropy`).
 * @throws ConfigError
 */
export function modelConfigFromReference(record: Readonly<Record<string, unknown>>, lossName?: string): ModelConfig {
  const fields: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(record)) {
    if (key === 'batch_size') continue;
    const ours = Object.hasOwn(referenceNames, key) ? referenceNames[key] : undefined;
    if (ours === undefined) fail(`unknown key "${key}" in a reference configuration`);
    fields[ours] = value;
  }
  if (lossName !== undefined) fields.lossType = lossName.replace(/_cross_entropy$/, '');
  return resolveModel(parseStrict(modelSettingsSchema, fields, 'reference config', modelKeys));
}
