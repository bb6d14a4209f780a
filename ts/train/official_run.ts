/** Makes a run of ours from an official checkpoint: a checkpoint of weights alone, after step 0. */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { FileError } from '../error';
import { type Checkpoint, CheckpointStore } from '../io/checkpoint_store';
import { onFile } from '../io/files';
import { weightFiles } from './checkpoint';
import { type ConfigLayer, mergeLayers, parseConfig, type RunConfig } from './config';
import { kindOf } from './data_kinds';
import { CHECKPOINTS_DIR } from './load_model';
import { loadOfficial, type OfficialModel, type PuzzleEmb } from './official';

export interface ImportedRun extends OfficialModel {
  readonly config: RunConfig;
  readonly checkpoint: Checkpoint;
}

/** A run has a length; this one ends soon where nobody says another. */
const LENGTH: ConfigLayer = { source: 'convert', values: { train: { steps: 1000 } } };

/**
 * Writes a run that `hrm eval`, `hrm solve` and `hrm train --resume` use. Optimizer state starts anew: official checkpoints
 * have none.
 * @param out its directory, which must not exist or be empty
 * @param layers preset, file and single settings: data, and what the weights do not show
 * @throws FileError, FormatError, ConfigError
 */
export function importOfficial(
  file: string,
  out: string,
  layers: readonly ConfigLayer[],
  puzzleEmb: PuzzleEmb = 'keep',
): ImportedRun {
  requireVacant(out);
  const isNew = !existsSync(out);
  const { data } = parseConfig([LENGTH, ...layers]);
  const given = mergeLayers(layers);
  // Data that nobody named says nothing about this model.
  const dataSeqLen = given.data === undefined ? undefined : kindOf(data).seqLen(data);
  const loaded = loadOfficial(file, { settings: given.model ?? {}, puzzleEmb, dataSeqLen });
  try {
    const found: ConfigLayer = { source: `the checkpoint ${file}`, values: { model: { ...loaded.model.config } } };
    const config = parseConfig([LENGTH, ...layers, found]);
    const store = new CheckpointStore(path.join(out, CHECKPOINTS_DIR));
    return { ...loaded, config, checkpoint: store.save(0, weightFiles(config, loaded.model)) };
  } catch (error) {
    // What was begun would be in the way of another try.
    if (isNew) rmSync(out, { recursive: true, force: true });
    loaded.model.dispose();
    throw error;
  }
}

/** @throws FileError where something is at `out` */
export function requireVacant(out: string): void {
  const stat = onFile('convert', out, 'look at', () => statSync(out, { throwIfNoEntry: false }));
  if (stat === undefined) return;
  if (stat.isDirectory() && onFile('convert', out, 'list', () => readdirSync(out)).length === 0) return;
  throw new FileError(
    `convert: ${out} must not exist yet, got ${stat.isDirectory() ? 'a directory with files' : 'a file'}; nothing is overwritten`,
  );
}
