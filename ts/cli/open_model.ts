import type { Argv } from 'yargs';
import type { Device } from '../native/device';
import { loadModel, type LoadedModel } from '../train/load_model';

/** `--device`; whoever takes it refuses what is no device. */
export const deviceOption = <T>(parser: Argv<T>) =>
  parser.option('device', {
    type: 'string',
    default: 'cpu',
    requiresArg: true,
    coerce: (text: string) => text as Device,
    describe: 'Where the model works: cpu, cuda or cuda:<index>',
  });

/** `loadModel`, saying on the error stream which damaged checkpoints were passed over. */
export function openModel(
  directory: string,
  options: { readonly averaged: boolean; readonly device: Device },
): LoadedModel {
  const loaded = loadModel(directory, options);
  for (const { path, reason } of loaded.rejected) process.stderr.write(`passed over ${path}: ${reason}\n`);
  return loaded;
}

/** Says on the error stream that halting, which was asked for, means nothing where no loss trained it. */
export function warnOfUntrainedHalting({ model }: LoadedModel): void {
  if (model.config.haltLoss === 'none')
    process.stderr.write(
      'note: this model was trained with haltLoss "none": nothing trained its Q head, and it never halts\n',
    );
}
