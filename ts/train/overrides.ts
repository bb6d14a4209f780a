/** `--set a.b=c`: text parsed by the type that the schema gives the key. */
import { ConfigError } from '../error';
import { expectation, show } from '../hrm/config_error';
import { schemaOf, type ConfigLayer } from './config';

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

// What a text may mean, most specific first; the key's schema takes the first that fits.
function readings(text: string): unknown[] {
  const values: unknown[] = [];
  if (text === 'null' || text === 'none') values.push(null);
  if (text === 'true' || text === 'false') values.push(text === 'true');
  if (NUMBER.test(text)) values.push(Number(text));
  values.push(text);
  return values;
}

/**
 * One `key=value` of the command line.
 * @throws ConfigError naming the flag, the key, the nearest valid key or what the value must be
 */
export function parseOverride(flag: string, assignment: string): { group: string; key: string; value: unknown } {
  const at = assignment.indexOf('=');
  if (at <= 0) throw new ConfigError(`${flag} must have the form key=value, got ${show(assignment)}`);
  const dotted = assignment.slice(0, at).trim();
  const text = assignment.slice(at + 1).trim();
  const where = `${flag} ${assignment}`;
  const schema = schemaOf(dotted, where);
  const values = readings(text);
  for (const value of values) {
    if (!schema.safeParse(value).success) continue;
    const [group, key] = dotted.split('.') as [string, string];
    return { group, key, value };
  }
  // The most specific reading explains best: "-3" is a number out of range rather than a text.
  const result = schema.safeParse(values[0]);
  const expected = result.success ? 'is invalid' : expectation(result.error.issues[0]!);
  throw new ConfigError(`${where}: ${dotted} ${expected}, got ${show(values[0])}`);
}

/** All `--set` of a command line as one layer; a later one wins. @throws ConfigError */
export function overridesLayer(assignments: readonly string[], flag = '--set'): ConfigLayer {
  const values: Record<string, Record<string, unknown>> = {};
  for (const assignment of assignments) {
    const { group, key, value } = parseOverride(flag, assignment);
    (values[group] ??= {})[key] = value;
  }
  return { source: flag, values };
}
