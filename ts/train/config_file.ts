/** Configuration files: JSON with the groups and keys of `RunConfig`, all optional. */
import { ConfigError, FileError, FormatError } from '../error';
import { readWholeFile } from '../io/files';
import { parseJson } from '../io/strict_json';
import { checkLayer, parseConfig, type ConfigLayer, type RunConfig } from './config';

/**
 * The layer of a `--config` file.
 * @throws ConfigError if it cannot be read, is not JSON, or holds unknown keys or wrong values
 */
export function configFileLayer(file: string): ConfigLayer {
  let bytes: Uint8Array;
  try {
    bytes = readWholeFile('--config', file);
  } catch (cause) {
    if (!(cause instanceof FileError)) throw cause;
    throw new ConfigError(cause.message.replace(/^--config: /, '--config '), { cause });
  }
  let values: unknown;
  try {
    values = parseJson(bytes, `--config ${file}`);
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw new ConfigError(cause.message.replace(/^parseJson: /, ''), { cause });
  }
  return checkLayer(`--config ${file}`, values);
}

/** Reads what `serializeConfig` wrote, for example from a checkpoint. @throws FormatError, ConfigError */
export function deserializeConfig(text: string, where: string): RunConfig {
  return parseConfig([checkLayer(where, parseJson(text, where))]);
}
