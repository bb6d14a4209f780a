import { loadModel, type LoadedModel } from '../train/load_model';

/** `loadModel`, saying on the error stream which damaged checkpoints were passed over. */
export function openModel(directory: string, options: { readonly averaged: boolean }): LoadedModel {
  const loaded = loadModel(directory, options);
  for (const { path, reason } of loaded.rejected) process.stderr.write(`passed over ${path}: ${reason}\n`);
  return loaded;
}
