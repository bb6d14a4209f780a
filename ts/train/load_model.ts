/** A trained model from a run's directory, a checkpoint or a directory of weights. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { geometryOf, type Geometry } from '../data/sudoku/geometry';
import { FileError, FormatError } from '../error';
import { modelConfig, type ModelConfig, type ModelSettings } from '../hrm/config';
import { Hrm } from '../hrm/model';
import { type Device, deviceCode } from '../native/device';
import { type Checkpoint, CheckpointStore, verifyCheckpoint } from '../io/checkpoint_store';
import { parseJson } from '../io/strict_json';
import { Generator } from '../ops/random';
import { requirePath } from '../io/arguments';
import { readOptions } from '../tensor/arguments';
import { tidy } from '../tensor/scope';
import { checkpointConfig, EMA_FILE, MODEL_FILE, readCheckpointFile, WEIGHTS_FILE, WEIGHTS_PREFIX } from './checkpoint';
import type { RunConfig } from './config';
import { kindOf } from './data_kinds';
import { decodeTensors, withPrefix } from './state_tensors';
import { type TaskName, taskOfShape } from './tasks';

/** Name of the directory of checkpoints in a run's directory. */
export const CHECKPOINTS_DIR = 'checkpoints';

export interface LoadedModel {
  readonly model: Hrm;
  /** Of the run that trained it. */
  readonly config: RunConfig;
  readonly step: number;
  /** The checkpoint's directory. */
  readonly path: string;
  /** Newer checkpoints that were passed over because they are damaged. */
  readonly rejected: readonly { readonly path: string; readonly reason: string }[];
  /** Whether the weights are the averaged ones. */
  readonly isAveraged: boolean;
  /** What it was trained on, as far as the engine knows the task. */
  readonly task: TaskName | undefined;
  /** Of the Sudokus it was trained on, where it was. */
  readonly geometry: Geometry | undefined;
}

/**
 * The checkpoint that a path means: a checkpoint directory itself, or the newest good one of a run's directory or of its
 * `checkpoints`.
 * @throws FileError where there is none, FormatError where it is damaged
 */
function findCheckpoint(directory: string): { checkpoint: Checkpoint; rejected: LoadedModel['rejected'] } {
  if (existsSync(path.join(directory, 'manifest.json')))
    return { checkpoint: verifyCheckpoint(directory), rejected: [] };
  for (const root of [path.join(directory, CHECKPOINTS_DIR), directory]) {
    const { checkpoint, rejected } = new CheckpointStore(root).latest();
    if (checkpoint !== null) return { checkpoint, rejected };
    if (rejected.length > 0) throw new FormatError(`loadModel: ${root} has no good checkpoint; ${rejected[0]!.reason}`);
  }
  if (!existsSync(directory)) throw new FileError(`loadModel: ${directory}: no such directory; hrm train makes a run`);
  throw new FileError(
    `loadModel: ${directory} must be a checkpoint or the directory of a run with one, got neither; hrm train makes it`,
  );
}

/**
 * Loads a trained model, with its averaged weights where the run kept them.
 * @param directory a run's directory (its newest checkpoint) or a checkpoint
 * @param options averaged: default true; device: where its weights are to be, default 'cpu', whatever it was trained on
 * @throws FileError, FormatError; DeviceError where there is no such device
 */
export function loadModel(
  directory: string,
  options: { readonly averaged?: boolean; readonly device?: Device } = {},
): LoadedModel {
  const { averaged, device = 'cpu' } = readOptions('loadModel', options, ['averaged', 'device']);
  deviceCode(device, 'loadModel');
  const { checkpoint, rejected } = findCheckpoint(requirePath('loadModel', 'directory', directory));
  const config = checkpointConfig(checkpoint);
  const model = new Hrm(modelConfigOf(checkpoint), new Generator(0));
  const isAveraged = averaged !== false && checkpoint.files.has(EMA_FILE);
  tidy(() => {
    const read = (name: string) =>
      withPrefix(decodeTensors(readCheckpointFile(checkpoint, name), checkpoint.path), WEIGHTS_PREFIX);
    const weights = read(WEIGHTS_FILE);
    if (isAveraged) for (const [name, weight] of read(EMA_FILE)) weights.set(name, weight);
    model.loadStateDict(weights);
  });
  model.to(device);
  const { data } = config;
  const task = kindOf(data).task ?? taskOfShape(model.config);
  const geometry = 'boxRows' in data ? geometryOf(data.boxRows, data.boxCols) : undefined;
  return { model, config, step: checkpoint.step, path: checkpoint.path, rejected, isAveraged, task, geometry };
}

function modelConfigOf(checkpoint: Checkpoint): ModelConfig {
  const where = `${checkpoint.path}/${MODEL_FILE}`;
  const fields = parseJson(readCheckpointFile(checkpoint, MODEL_FILE), where);
  // modelConfig checks every field.
  return modelConfig(fields as Partial<ModelSettings>);
}
