/** `train`: a run from a preset and a few changes, in one call. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { requireCallback } from '../data/check';
import { ConfigError, FileError, FormatError } from '../error';
import type { Hrm } from '../hrm/model';
import { type Checkpoint, CheckpointStore } from '../io/checkpoint_store';
import { requirePath } from '../io/arguments';
import { writeFileAtomic } from '../io/atomic_file';
import { makeDirectories, onFile } from '../io/files';
import { readArgument, readArray, readOptions, requireSignal } from '../tensor/arguments';
import { checkpointConfig } from './checkpoint';
import { checkLayer, type ConfigLayer, type ConfigValues, parseConfig, serializeConfig } from './config';
import type { RunConfig } from './config';
import { deserializeConfig } from './config_file';
import { CHECKPOINTS_DIR } from './load_model';
import { METRICS_FILE } from './metrics';
import { presetLayer } from './presets';
import { checkResumable, type ConfigChange } from './resume';
import { openRunData, type RunData } from './run_data';
import { requireNewRun, type RunEvaluation, type RunEvents, type RunStatus, Trainer } from './trainer';

export interface TrainOptions extends RunEvents {
  /** Name of a preset: `demo-4x4`, `sudoku-mid`, `sudoku-extreme`, ... */
  readonly preset?: string;
  /** Changes to it, by group: `{ train: { steps: 200 }, model: { hidden: 64 } }`. */
  readonly config?: ConfigValues;
  /** Further layers, after `config`. */
  readonly layers?: readonly ConfigLayer[];
  /** Directory for metrics, TensorBoard events and checkpoints; without it nothing is written. */
  readonly out?: string;
  /** Go on from the newest checkpoint in `out`; its configuration is the base when no preset is named. A run
   * that stopped early goes on when `train.stopAtExactAccuracy` is raised, or `train.steps` or `train.epochs` changed. */
  readonly resume?: boolean;
  /** When aborted, the run finishes its step, saves, and ends with status 'interrupted'. */
  readonly signal?: AbortSignal;
  /** Called once, before the first step. */
  readonly onStart?: (start: RunStart) => void;
}

export interface RunStart {
  readonly config: RunConfig;
  readonly data: RunData;
  readonly model: Hrm;
  /** Steps of the whole run; a mean where it is given in epochs and puzzles have several examples. */
  readonly totalSteps: number;
  /** Steps that were done before: more than 0 when resumed. */
  readonly step: number;
  /** A resumed run with nothing left to train: it is evaluated again, and ends. */
  readonly isOver: boolean;
  /** What a resumed run has changed since its checkpoint. */
  readonly changes: readonly ConfigChange[];
  /** Checkpoints that were passed over because they are damaged. */
  readonly rejected: readonly { readonly path: string; readonly reason: string }[];
}

export interface TrainResult {
  readonly status: RunStatus;
  /** Steps done. */
  readonly step: number;
  /** With the averaged weights, where the run keeps them. */
  readonly model: Hrm;
  readonly config: RunConfig;
  readonly data: RunData;
  /** Evaluations of this call, oldest first. */
  readonly evaluations: readonly RunEvaluation[];
}

const OPTIONS = [
  ...(['preset', 'config', 'layers', 'out', 'resume', 'signal'] as const),
  ...(['onStart', 'onStep', 'onEvaluation', 'onCheckpoint'] as const),
] satisfies readonly (keyof TrainOptions)[];

const RUN_CONFIG_FILE = 'config.json';

/**
 * Trains a model and evaluates it at the end.
 *
 * @throws ConfigError for unknown keys or values, or a resume under another experiment's configuration; NonFiniteError
 *   when the loss diverges, with the checkpoints as they were; FileError, FormatError for data and checkpoints; the
 *   signal's reason when it is aborted before the data is ready, so that there is no run yet
 */
export async function train(options: TrainOptions = {}): Promise<TrainResult> {
  const given = readOptions('train', options, OPTIONS);
  const { out, signal, onStart, onStep, onEvaluation, onCheckpoint } = given;
  if (out !== undefined) requirePath('train', 'out', out);
  requireSignal('train', signal);
  for (const [name, callback] of Object.entries({ onStart, onStep, onEvaluation, onCheckpoint }))
    requireCallback('train', name, callback);
  const { config, resume, rejected, changes } = resolveRun(given);
  const data = await openRunData(config, { signal });
  const trainer = new Trainer(config, data, { onStep, onEvaluation, onCheckpoint, out, resume });
  try {
    if (out !== undefined)
      writeFileAtomic(path.join(out, RUN_CONFIG_FILE), Buffer.from(`${serializeConfig(config)}\n`));
    const { model, step, isOver } = trainer;
    onStart?.({ config, data, model, totalSteps: trainer.length.expectedSteps, step, isOver, changes, rejected });
    const status = await trainer.run(signal);
    return { status, step: trainer.step, model, config, data, evaluations: trainer.evaluations };
  } finally {
    trainer.dispose();
  }
}

interface ResolvedRun {
  config: RunConfig;
  resume: { from: Checkpoint | null } | undefined;
  rejected: RunStart['rejected'];
  changes: RunStart['changes'];
}

function resolveRun(options: TrainOptions): ResolvedRun {
  const { preset, config: values, layers = [], out, resume = false } = options;
  const given = [
    ...(preset === undefined ? [] : [presetLayer(preset)]),
    ...(values === undefined ? [] : [readArgument('train', 'config', () => checkLayer('config', values))]),
    ...readArray('train', 'layers', layers, 'an array of layers'),
  ] as ConfigLayer[];
  if (!resume) {
    if (out !== undefined) {
      onFile('train', out, 'make the directory of the run', () => makeDirectories(out));
      requireNewRun(out);
    }
    return { config: parseConfig(given), resume: undefined, rejected: [], changes: [] };
  }
  if (out === undefined) throw new ConfigError('train: resume needs out, the directory of the run');
  const { checkpoint, rejected } = new CheckpointStore(path.join(out, CHECKPOINTS_DIR)).latest();
  if (checkpoint === null && rejected.length > 0) {
    // Beginning anew would write over the run that these checkpoints are of.
    throw new FormatError(`resume: ${out} has no good checkpoint; ${rejected.map(({ reason }) => reason).join('; ')}`);
  }
  const saved = checkpoint === null ? startedConfig(out) : checkpointConfig(checkpoint);
  if (checkpoint === null) requireNoLostCheckpoint(out, saved);
  const base = preset === undefined ? [checkLayer('the saved run', JSON.parse(serializeConfig(saved)))] : [];
  const config = parseConfig([...base, ...given]);
  return { config, resume: { from: checkpoint }, rejected, changes: checkResumable(saved, config) };
}

/** Beginning anew writes over the metrics; those of steps that had a checkpoint are worth more than that. */
function requireNoLostCheckpoint(out: string, { train: { checkpointEverySteps } }: RunConfig): void {
  const file = path.join(out, METRICS_FILE);
  const last = existsSync(file) ? /"step":(\d+)[^\n]*\n[^\n]*$/.exec(readFileSync(file, 'utf8'))?.[1] : undefined;
  if (last === undefined || checkpointEverySteps === null || Number(last) <= checkpointEverySteps) return;
  throw new FileError(
    `resume: ${out} must have a checkpoint, since ${METRICS_FILE} goes to step ${last}, got none; ` +
      'bring its checkpoints back, or train anew in another directory',
  );
}

/** The configuration of a run that was killed before its first checkpoint. */
function startedConfig(out: string): RunConfig {
  const file = path.join(out, RUN_CONFIG_FILE);
  if (!existsSync(file)) throw new ConfigError(`resume: ${out} must hold a run, got no checkpoint and no ${file}`);
  return deserializeConfig(readFileSync(file, 'utf8'), file);
}
