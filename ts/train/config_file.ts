/** Configuration files: JSON with the groups and keys of `RunConfig`, all optional. */
import { readFileSync } from 'node:fs';
import { ConfigError } from '../error';
import { parseJson } from '../io/strict_json';
import { checkLayer, parseConfig, type ConfigLayer, type RunConfig } from './config';

/**
 * The layer of a `--config` file.
 * @throws ConfigError if it cannot be read or holds unknown keys or wrong values, FormatError if it is not JSON
 */
export function configFileLayer(file: string): ConfigLayer {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ConfigError(`--config ${file}: the file must be readable, got ${code ?? 'an error'}`, { cause });
  }
  return checkLayer(`--config ${file}`, parseJson(bytes, `--config ${file}`));
}

/** Reads what `serializeConfig` wrote, for example from a checkpoint. @throws FormatError, ConfigError */
export function deserializeConfig(text: string, where: string): RunConfig {
  return parseConfig([checkLayer(where, parseJson(text, where))]);
}
