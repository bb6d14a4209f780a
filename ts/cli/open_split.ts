/** The model of a run and puzzles to look at it with. */
import type { PuzzleDataset } from '../data/dataset';
import { ConfigError } from '../error';
import type { Device } from '../native/device';
import { parseJson } from '../io/strict_json';
import { checkLayer, parseConfig, type RunConfig, serializeConfig } from '../train/config';
import type { LoadedModel } from '../train/load_model';
import { overridesLayer, parseOverride } from '../train/overrides';
import { openRunData, type RunData } from '../train/run_data';
import { openModel } from './open_model';

export interface SplitChoice {
  /** Directory of a run or a checkpoint. */
  readonly checkpoint: string;
  readonly split: 'test' | 'valid';
  /** The trained weights instead of the averaged. */
  readonly raw: boolean;
  /** Where the model is to work. */
  readonly device: Device;
  /** `data.key=value` */
  readonly set: readonly string[];
}

/** Other settings than the data's would be read and change nothing. @throws ConfigError */
function requireDataOnly(assignments: readonly string[]): void {
  for (const assignment of assignments) {
    const { group, key } = parseOverride('--set', assignment);
    if (group !== 'data') throw new ConfigError(`--set ${assignment}: must set a key of data, got ${group}.${key}`);
  }
}

/** The configuration of the run with other data settings. */
function withData(config: RunConfig, assignments: readonly string[]): RunConfig {
  if (assignments.length === 0) return config;
  const saved = checkLayer('the saved run', parseJson(serializeConfig(config), 'the saved run'));
  return parseConfig([saved, overridesLayer(assignments)]);
}

/**
 * Loads a run's model and one split of its data, with other data settings where they are given.
 * @param command names the command in errors
 */
export async function openSplit(
  command: string,
  { checkpoint, split, raw, device, set }: SplitChoice,
  signal: AbortSignal,
): Promise<{ loaded: LoadedModel; data: RunData; dataset: PuzzleDataset }> {
  requireDataOnly(set);
  const loaded = openModel(checkpoint, { averaged: !raw, device });
  const data = await openRunData(withData(loaded.config, set), {
    // The puzzles that it was trained with were proved then.
    ...(set.length === 0 ? { unique: false } : {}),
    signal,
  });
  const dataset = data[split];
  if (dataset === undefined) throw new ConfigError(`${command}: --split ${split}: the run's data has no such split`);
  return { loaded, data, dataset };
}
