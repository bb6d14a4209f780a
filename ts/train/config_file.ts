/** Configuration files: JSON with the groups and keys of `RunConfig`, all optional. */
import { readFileSync } from 'node:fs';
import { ConfigError, FormatError } from '../error';
import { checkLayer, parseConfig, type ConfigLayer, type RunConfig } from './config';

/** The one place where configuration text becomes a value. @throws FormatError naming the file */
export function parseConfigText(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`${where}: a configuration must be JSON; ${(cause as Error).message}`, { cause });
  }
}

/**
 * The layer of a `--config` file.
 * @throws ConfigError if it cannot be read or holds unknown keys or wrong values, FormatError if it is not JSON
 */
export function configFileLayer(file: string): ConfigLayer {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ConfigError(`--config ${file}: the file must be readable, got ${code ?? 'an error'}`, { cause });
  }
  return checkLayer(`--config ${file}`, parseConfigText(text, `--config ${file}`));
}

/** Reads what `serializeConfig` wrote, for example from a checkpoint. @throws FormatError, ConfigError */
export function deserializeConfig(text: string, where: string): RunConfig {
  return parseConfig([checkLayer(where, parseConfigText(text, where))]);
}
