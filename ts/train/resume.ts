/** What may differ between a checkpoint and the run that goes on from it. */
import { ConfigError } from '../error';
import { show } from '../hrm/config_error';
import { configKeys, type RunConfig } from './config';

/** What a setting that may change does to a resumed run; undefined: no number of the run depends on it. */
const effects = new Map<string, string | undefined>([
  ['train.threads', undefined],
  ['train.graph', undefined],
  ['train.lowMemory', undefined],
  ['train.checkpointEverySteps', undefined],
  ['train.keepCheckpoints', undefined],
  ['train.tensorboard', undefined],
  ['data.unique', undefined],
  ['train.epochs', 'the run has another length, and so has the cosine of the learning rate from here on'],
  ['train.steps', 'the run has another length, and so has the cosine of the learning rate from here on'],
  ['train.device', 'another device rounds differently'],
  ['train.logEverySteps', 'lines of metrics.jsonl span other steps'],
  ['train.stopAtExactAccuracy', 'the run stops at another time'],
  ...configKeys
    .filter((key) => key.startsWith('eval.'))
    .map((key) => [key, 'evaluations are not those of the steps before'] as const),
]);

/** A setting that a resumed run has changed. */
export interface ConfigChange {
  readonly key: string;
  readonly before: unknown;
  readonly after: unknown;
  /** Why the run is not the one that an unchanged configuration gives; undefined when it is. */
  readonly effect: string | undefined;
}

/** `train.steps 4 -> 6: ...` */
export function describeChange({ key, before, after, effect }: ConfigChange): string {
  return `${key} ${show(before)} -> ${show(after)}${effect === undefined ? '' : `: ${effect}`}`;
}

function flatten(config: RunConfig): Map<string, unknown> {
  const flat = new Map<string, unknown>();
  for (const [group, entries] of Object.entries(config)) {
    if (typeof entries !== 'object') continue;
    for (const [key, value] of Object.entries(entries)) flat.set(`${group}.${key}`, value);
  }
  return flat;
}

/**
 * Refuses to resume a checkpoint under a configuration that would make it another experiment: model, optimizer, data, batch
 * and seed must be those of the checkpoint. Length, early stopping, evaluation and what the host does may change.
 *
 * @returns the settings that differ and may
 * @throws ConfigError naming the first field that differs and may not, with both values
 */
export function checkResumable(saved: RunConfig, current: RunConfig): ConfigChange[] {
  const before = flatten(saved);
  const after = flatten(current);
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (key) => !Object.is(before.get(key), after.get(key)),
  );
  const refused = changed.find((key) => !effects.has(key));
  if (refused !== undefined) {
    throw new ConfigError(
      `resume: ${refused} must be ${show(before.get(refused))} as in the checkpoint, got ${show(after.get(refused))}; ` +
        'start a new run to change it',
    );
  }
  return changed.map((key) => ({ key, before: before.get(key), after: after.get(key), effect: effects.get(key) }));
}
