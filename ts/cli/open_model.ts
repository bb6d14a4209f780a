import type { Argv } from 'yargs';
import type { Device } from '../native/device';
import { loadModel, type LoadedModel } from '../train/load_model';

/** `--device`: where a trained model is to work. */
export const deviceOption = <T>(parser: Argv<T>) =>
  parser.option('device', {
    type: 'string',
    default: 'cpu',
    requiresArg: true,
    describe: 'Where the model works: cpu, cuda or cuda:<index>',
  });

/** `loadModel`, saying on the error stream which damaged checkpoints were passed over. */
export function openModel(
  directory: string,
  { averaged, device }: { readonly averaged: boolean; readonly device: string },
): LoadedModel {
  // loadModel refuses what is none.
  const loaded = loadModel(directory, { averaged, device: device as Device });
  for (const { path, reason } of loaded.rejected) process.stderr.write(`passed over ${path}: ${reason}\n`);
  return loaded;
}
