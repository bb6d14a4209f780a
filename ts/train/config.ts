/**
 * The configuration of a run: model, optimizer, data, training and evaluation, every hyperparameter of HRM sections 1
 * to 5. It is assembled from layers (preset, then `--config` file, then `--set`), each checked by itself so that an
 * error names where it came from, then checked as a whole.
 */
import { z } from 'zod';
import { ConfigError } from '../error';
import { expectation, parseStrict, show, suggestion } from '../hrm/config_error';
import type { Device } from '../native/device';
import { readArgument, readArray, readFields } from '../tensor/arguments';
import { checkModelSettings, modelSettingsSchema, resolveModel, type DataShape, type ModelConfig } from '../hrm/config';
import { type DataConfig, dataSchema, dataSchemas, kindOf } from './data_kinds';
import { puzzles, seed } from './data_kinds/kind';
import { MAX_BATCH_SIZE, MAX_SEGMENTS } from './limits';

const steps = z
  .int()
  .min(1)
  .max(2 ** 40);
const rate = z.number().min(0).max(100);

const optimSchema = z.strictObject({
  lr: rate.default(1e-4),
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.95),
  weightDecay: rate.default(0.1),
  /** Learning rate of the SwiGLU over the sequence (model.mlpT) over lr; its decay goes with it. An algorithm change. */
  seqLrRatio: rate.default(1),
  puzzleEmbLr: rate.default(1e-2),
  puzzleEmbWeightDecay: rate.default(0.1),
  /** Learning rate at the end of the cosine over the base rate; 1 = constant after the warm-up. */
  lrMinRatio: z.number().min(0).max(1).default(1),
  lrWarmupSteps: z
    .int()
    .min(0)
    .max(2 ** 40)
    .default(2000),
  /** Decay of an exponential moving average of the weights, used for evaluation; null = none. */
  ema: z.number().gt(0).lt(1).nullable().default(null),
});

const trainSchema = z.strictObject({
  /** Length of the run: in epochs over groups, or in steps. One of the two is null. */
  epochs: z.number().positive().max(1e9).nullable().default(null),
  steps: steps.nullable().default(null),
  batchSize: z.int().min(1).max(MAX_BATCH_SIZE).default(32),
  /** Seeds initial weights, data order, augmentation and exploration, each from a stream of its own. */
  seed: seed.default(0),
  /** cpu, cuda or cuda:<index>. */
  device: z
    .custom<Device>(
      (value) => typeof value === 'string' && /^(cpu|(cuda|simt)(:\d{1,2})?)$/.test(value),
      'must be cpu, cuda or cuda:<index>',
    )
    .default('cpu'),
  /** Whether steps and segments on an accelerator run as captured graphs. Results do not depend on it. */
  graph: z.boolean().default(true),
  /**
   * Whether steps and the run's evaluations hold less memory (about 0.7 of it with hidden 512) and take more time, on the CPU:
   * weights are packed block by block, activations computed again in backward, parameters updated in it. Results do not depend on it.
   */
  lowMemory: z.boolean().default(false),
  /** Threads of the CPU pool; null = physical cores. Results do not depend on it. */
  threads: z.int().min(1).max(1024).nullable().default(null),
  /** Epochs whose order is drawn together; only the last incomplete batch of each such interval is dropped. */
  intervalEpochs: z
    .int()
    .min(1)
    .max(2 ** 31 - 1)
    .nullable()
    .default(null),
  logEverySteps: steps.default(10),
  checkpointEverySteps: steps.nullable().default(500),
  keepCheckpoints: z.int().min(1).max(1000).default(2),
  tensorboard: z.boolean().default(true),
  /** Stop once an evaluation on the validation split reaches this share of exactly solved puzzles. */
  stopAtExactAccuracy: z.number().gt(0).max(1).nullable().default(null),
});

const evalSchema = z.strictObject({
  /** Steps between evaluations; null = only at the end. */
  everySteps: steps.nullable().default(500),
  /** A fixed subset of this many puzzles, drawn once from the seed; null = all. */
  puzzles: puzzles.nullable().default(null),
  batchSize: z.int().min(1).max(MAX_BATCH_SIZE).nullable().default(null),
  /** Segments to run; null = haltMaxSteps. */
  segments: z.int().min(1).max(MAX_SEGMENTS).nullable().default(null),
  /** The same for the evaluation at the end of the run; 0 puzzles = none. */
  finalPuzzles: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .nullable()
    .default(null),
  finalSegments: z.int().min(1).max(MAX_SEGMENTS).nullable().default(null),
});

const configSchema = z.strictObject({
  version: z.literal(1).default(1),
  model: modelSettingsSchema.prefault({}),
  optim: optimSchema.prefault({}),
  data: dataSchema.prefault({ kind: 'npy' }),
  train: trainSchema.prefault({}),
  eval: evalSchema.prefault({}),
});

export type RunConfig = z.infer<typeof configSchema>;

/** The parts of a configuration that say where the data comes from, and the seed of its order, checked. @throws ConfigError */
export function requireDataConfig(op: string, value: unknown): { data: DataConfig; seed: number } {
  const { data, train } = readFields(op, 'config', value as Pick<RunConfig, 'data' | 'train'>, ['data', 'train']);
  const { seed: given } = readFields(op, 'train', train, ['seed']);
  return {
    data: parseStrict(dataSchema, data, `${op}: data`, configKeys),
    seed: parseStrict(trainSchema.shape.seed, given, `${op}: train.seed`, []),
  };
}

/** Values of one layer: groups of keys, all optional, unchecked. */
export type ConfigValues = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
/** One layer with the words that name it in errors: `preset maze`, `--config run.json`, `--set`. */
export interface ConfigLayer {
  source: string;
  values: ConfigValues;
}

/** The schemas of each group; the data group has one a kind. */
export const settingGroups: Readonly<Record<string, readonly z.ZodObject[]>> = {
  model: [modelSettingsSchema],
  optim: [optimSchema],
  data: dataSchemas,
  train: [trainSchema],
  eval: [evalSchema],
};

/** Every key a configuration can have, dotted: `model.hidden`, `optim.lr`, ... */
export const configKeys: readonly string[] = Object.entries(settingGroups).flatMap(([group, schemas]) => [
  ...new Set(schemas.flatMap((schema) => Object.keys(schema.shape).map((key) => `${group}.${key}`))),
]);

/** Schema of the value at a dotted key. @throws ConfigError naming the nearest valid key */
export function schemaOf(dotted: string, where: string): z.ZodType {
  const [group, key, ...rest] = dotted.split('.');
  const schemas = group !== undefined && Object.hasOwn(settingGroups, group) ? settingGroups[group]! : [];
  const leaves = schemas
    .filter((schema) => key !== undefined && Object.hasOwn(schema.shape, key))
    .map((schema) => schema.shape[key!] as z.ZodType);
  if (leaves.length === 0 || rest.length > 0) {
    // The key in another group, else what is near in its own.
    const same = configKeys.filter((name) => name.endsWith(`.${key ?? group}`));
    const own = configKeys.filter((name) => name.startsWith(`${group}.`));
    const candidates = [same, own, configKeys].find((names) => names.length > 0)!;
    throw new ConfigError(`${where}: unknown key "${dotted}"${suggestion(dotted, candidates)}`);
  }
  return leaves.length === 1 ? leaves[0]! : z.union(leaves as [z.ZodType, z.ZodType]);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Checks one value against the key's type. @throws ConfigError `<where>: <key> must be ..., got ...` */
export function checkValue(dotted: string, value: unknown, where: string): void {
  const result = schemaOf(dotted, where).safeParse(value);
  if (result.success) return;
  throw new ConfigError(`${where}: ${dotted} ${expectation(result.error.issues[0]!)}, got ${show(value)}`);
}

/** Checks that a layer is groups of known keys with values of the right type. @throws ConfigError */
export function checkLayer(source: string, values: unknown): ConfigLayer {
  if (!isRecord(values)) throw new ConfigError(`${source}: a configuration must be an object, got ${show(values)}`);
  for (const [group, entries] of Object.entries(values)) {
    if (group === 'version') continue;
    if (!Object.hasOwn(settingGroups, group)) {
      throw new ConfigError(
        `${source}: unknown key "${group}"${suggestion(group, [...Object.keys(settingGroups), ...configKeys])}`,
      );
    }
    if (!isRecord(entries)) throw new ConfigError(`${source}: ${group} must be an object, got ${show(entries)}`);
    for (const [key, value] of Object.entries(entries)) checkValue(`${group}.${key}`, value, source);
  }
  if (values.version !== undefined && values.version !== 1) {
    throw new ConfigError(`${source}: version must be 1, got ${show(values.version)}; made by another release`);
  }
  const { version: _version, ...rest } = values;
  return { source, values: rest as ConfigValues };
}

/** Merges layers, later over earlier. A new kind of data and a new measure of length replace the old one entirely. */
export function mergeLayers(layers: readonly ConfigLayer[]): ConfigValues {
  const merged: Record<string, Record<string, unknown>> = {};
  for (const { values } of layers) {
    for (const [group, entries] of Object.entries(values)) {
      let base: Record<string, unknown> = merged[group] ?? {};
      if (group === 'data' && entries.kind !== undefined && entries.kind !== base.kind) base = {};
      if (group === 'train' && entries.steps != null && entries.epochs === undefined) base = { ...base, epochs: null };
      if (group === 'train' && entries.epochs != null && entries.steps === undefined) base = { ...base, steps: null };
      merged[group] = { ...base, ...entries };
    }
  }
  return merged;
}

/** The model with the length of the data's puzzles where its start on the grid depends on it: sooner than with the data. */
function withGrid(model: RunConfig['model'], data: DataConfig): RunConfig['model'] {
  if (model.mixerInit !== 'grid') return model;
  return { ...model, seqLen: model.seqLen ?? kindOf(data).seqLen(data) ?? null };
}

function checkAcross(config: RunConfig): void {
  const { train, data } = config;
  kindOf(data).check(data);
  checkModelSettings(withGrid(config.model, data));
  if (config.optim.seqLrRatio !== 1 && !config.model.mlpT) {
    throw new ConfigError('config: optim.seqLrRatio is for the SwiGLU over the sequence of model.mlpT, which is false');
  }
  if ((train.epochs === null) === (train.steps === null)) {
    throw new ConfigError(
      `config: exactly one of train.epochs and train.steps must be given, got ${train.epochs} and ${train.steps}`,
    );
  }
  if (train.lowMemory && train.device !== 'cpu') {
    throw new ConfigError(`config: train.lowMemory is for the CPU, got train.device ${JSON.stringify(train.device)}`);
  }
  // Which the CPU stores and does not compute in: blocks that run one by one would round in between.
  if (train.lowMemory && config.model.forwardDtype === 'bfloat16') {
    throw new ConfigError('config: train.lowMemory is for model.forwardDtype "float32" or "float64", got "bfloat16"');
  }
  if (train.stopAtExactAccuracy !== null) {
    if (config.eval.everySteps === null) {
      throw new ConfigError('config: train.stopAtExactAccuracy needs eval.everySteps, got null');
    }
    // Stopping by the test puzzles would choose the model by what it is judged on.
    if (!('validPuzzles' in data)) {
      throw new ConfigError(
        `config: train.stopAtExactAccuracy needs a validation split, which data.kind "${data.kind}" has not; ` +
          'set train.stopAtExactAccuracy to null and the length by train.steps or train.epochs',
      );
    }
  }
  if (train.device !== 'cpu' && config.model.forwardDtype === 'float64') {
    throw new ConfigError(
      'config: model.forwardDtype "float64" lives on the CPU, got train.device ' + JSON.stringify(train.device),
    );
  }
}

/**
 * A run's configuration from its layers, lowest first. Missing keys take the official defaults.
 * @throws ConfigError that names the layer and the nearest valid key or the range
 */
export function parseConfig(layers: readonly ConfigLayer[]): RunConfig {
  const checked = readArray('parseConfig', 'layers', layers, 'an array of layers').map((layer, i) => {
    const { source, values } = readFields('parseConfig', `layers[${i}]`, layer as ConfigLayer, ['source', 'values']);
    if (typeof source !== 'string')
      throw new ConfigError(`parseConfig: the source of a layer must be text, got ${show(source)}`);
    return readArgument('parseConfig', source, () => checkLayer(source, values));
  });
  const merged = mergeLayers(checked);
  const result = configSchema.safeParse({
    ...merged,
    ...(merged.data && merged.data.kind === undefined ? { data: { kind: 'npy', ...merged.data } } : {}),
  });
  if (!result.success) {
    const issue = result.error.issues[0]!;
    const path = issue.path.map(String).join('.');
    if (issue.code === 'unrecognized_keys') {
      const key = `${path}.${issue.keys[0]!}`;
      throw new ConfigError(
        `config: unknown key "${key}" for data.kind ${show(merged.data?.kind ?? 'npy')}; set data.kind to the one it belongs to`,
      );
    }
    throw new ConfigError(`config: ${path} ${expectation(issue)}`);
  }
  checkAcross(result.data);
  return result.data;
}

/** The configuration as JSON with keys in the schema's order: equal configurations give equal bytes. */
export function serializeConfig(config: RunConfig): string {
  return JSON.stringify(configSchema.parse(config));
}

/** The model's configuration once the data is known. @throws ConfigError if both name a size and disagree */
export function modelConfigFor(config: RunConfig, data: DataShape): ModelConfig {
  return resolveModel(config.model, data);
}
