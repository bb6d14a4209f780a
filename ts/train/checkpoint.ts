/** What a checkpoint holds, to and from the files of a CheckpointStore directory. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { TrainSampler } from '../data/sampler';
import { FileError, FormatError } from '../error';
import type { Carry } from '../hrm/act';
import type { ModelConfig } from '../hrm/config';
import type { Hrm } from '../hrm/model';
import { OFFICIAL_PREFIX } from '../hrm/official';
import type { Checkpoint } from '../io/checkpoint_store';
import type { FileContent } from '../io/files';
import { parseJson } from '../io/strict_json';
import { noGrad } from '../autograd/no_grad';
import { copy_ } from '../ops/cast';
import type { GeneratorState } from '../ops/random';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { serializeConfig, type RunConfig } from './config';
import { deserializeConfig } from './config_file';
import { decodeTensors, encodeTensors, requireTensor, withPrefix } from './state_tensors';
import { carryTensors } from './carry';
import type { TrainStep } from './step';

/** Weights under the official names, which other tools read. */
export const WEIGHTS_PREFIX = OFFICIAL_PREFIX;
export const WEIGHTS_FILE = 'model.safetensors';
/** The averaged weights: only the dense parameters. */
export const EMA_FILE = 'ema.safetensors';
export const MODEL_FILE = 'model.json';
const CONFIG_FILE = 'config.json';
const TENSORS_FILE = 'training.safetensors';
const STATE_FILE = 'training.json';

const stateSchema = z.strictObject({
  version: z.literal(1),
  step: z.int().min(0),
  /** Length of metrics.jsonl; null when the run writes none. */
  metricsBytes: z.int().min(0).nullable(),
  /** The last step after which the model was evaluated. */
  evaluatedStep: z.int().min(0),
  /** The run was ended early by its validation. */
  stopped: z.boolean(),
  /** Sums of the steps since the last line of metrics. */
  window: z.strictObject({ steps: z.int().min(0), rows: z.int().min(0), sums: z.record(z.string(), z.number()) }),
  /** Where the sampler is. */
  cursor: z.unknown(),
  /** The generator of halting's exploration. */
  generator: z.unknown(),
});

/** The state of a run that is no tensor. */
export type RunState = z.infer<typeof stateSchema>;

/** The files of a checkpoint. */
export function checkpointFiles(
  config: RunConfig,
  training: TrainStep,
  state: RunState,
): ReadonlyMap<string, FileContent> {
  const { model, dense, ema, counter, carry } = training;
  const tensors = new Map<string, Tensor>([['step', counter]]);
  const addAll = (prefix: string, entries: Iterable<readonly [string, Tensor]>): void => {
    for (const [name, item] of entries) tensors.set(`${prefix}${name}`, item);
  };
  addAll('adam.', dense.stateDict());
  if (carry) addAll('carry.', carryTensors(carry));
  return new Map<string, FileContent>([
    ...weightFiles(config, model),
    ...(ema ? [[EMA_FILE, encodeTensors(ema.stateDict(), WEIGHTS_PREFIX)] as const] : []),
    [TENSORS_FILE, encodeTensors(tensors)],
    [STATE_FILE, json(state)],
  ]);
}

const json = (value: unknown): Uint8Array => Buffer.from(`${JSON.stringify(value)}\n`);

/** The files of a checkpoint of weights alone, from which a run starts at step 0. */
export function weightFiles(config: RunConfig, model: Hrm): ReadonlyMap<string, FileContent> {
  return new Map<string, FileContent>([
    [WEIGHTS_FILE, encodeTensors(model.stateDict(), WEIGHTS_PREFIX)],
    [MODEL_FILE, json(model.config)],
    [CONFIG_FILE, Buffer.from(`${serializeConfig(config)}\n`)],
  ]);
}

/** Whether a checkpoint holds weights alone, without optimizer state or position in the data. */
export const isWeightsOnly = (checkpoint: Checkpoint): boolean => !checkpoint.files.has(STATE_FILE);

/** Puts the weights of a checkpoint into a run that has made no step, averaged ones included. @throws FormatError */
export function restoreWeights(checkpoint: Checkpoint, { model, ema }: TrainStep): void {
  tidy(() => {
    model.loadStateDict(
      withPrefix(decodeTensors(readCheckpointFile(checkpoint, WEIGHTS_FILE), checkpoint.path), WEIGHTS_PREFIX),
    );
    ema?.loadStateDict(new Map(model.namedParameters()));
  });
}

/** Reads a file that the checkpoint must have. @throws FormatError, FileError */
export function readCheckpointFile(checkpoint: Checkpoint, name: string): Uint8Array {
  const file = checkpoint.files.get(name);
  if (file === undefined) throw new FormatError(`checkpoint: ${checkpoint.path} must hold ${name}`);
  try {
    return readFileSync(file.path);
  } catch (cause) {
    throw new FileError(`checkpoint: ${file.path} must be readable`, { cause });
  }
}

/** The configuration of the run that wrote a checkpoint. @throws FormatError, ConfigError */
export function checkpointConfig(checkpoint: Checkpoint): RunConfig {
  const text = Buffer.from(readCheckpointFile(checkpoint, CONFIG_FILE)).toString('utf8');
  return deserializeConfig(text, `checkpoint ${checkpoint.path}`);
}

/**
 * Puts a run back to the state of a checkpoint, in place.
 * @returns the part that is no tensor
 * @throws FormatError where files are missing or do not fit the model
 */
export function restoreCheckpoint(checkpoint: Checkpoint, training: TrainStep, sampler: TrainSampler): RunState {
  const where = `checkpoint ${checkpoint.path}`;
  const parsed = stateSchema.safeParse(parseJson(readCheckpointFile(checkpoint, STATE_FILE), where));
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new FormatError(`${where}: ${STATE_FILE}: ${issue.path.map(String).join('.')}: ${issue.message}`);
  }
  const state = parsed.data;
  tidy(() => {
    const decode = (name: string): Map<string, Tensor> => decodeTensors(readCheckpointFile(checkpoint, name), where);
    const { model, dense, ema, counter } = training;
    model.loadStateDict(withPrefix(decode(WEIGHTS_FILE), WEIGHTS_PREFIX));
    ema?.loadStateDict(withPrefix(decode(EMA_FILE), WEIGHTS_PREFIX));
    const tensors = decode(TENSORS_FILE);
    dense.loadStateDict(withPrefix(tensors, 'adam.'));
    noGrad(() => copy_(counter, requireTensor(tensors, 'step', where)));
    training.restoreCarry(state.step === 0 ? undefined : carryOf(withPrefix(tensors, 'carry.'), model.config, where));
  });
  // The generator checks it.
  training.options.generator.load(state.generator as GeneratorState);
  sampler.restore(state.cursor);
  return state;
}

function carryOf(tensors: ReadonlyMap<string, Tensor>, config: ModelConfig, where: string): Carry {
  const take = (name: string): Tensor => requireTensor(tensors, name, where);
  const carry: Carry = {
    zH: take('zH'),
    zL: take('zL'),
    steps: take('steps'),
    halted: take('halted'),
    current: {
      inputs: take('inputs'),
      labels: take('labels'),
      puzzleIdentifiers: take('puzzleIdentifiers'),
    },
  };
  const [, , hidden] = carry.zH.shape;
  if (hidden !== config.hidden) {
    throw new FormatError(`${where}: carry.zH must be ${config.hidden} wide, got [${carry.zH.shape.join(', ')}]`);
  }
  return carry;
}
