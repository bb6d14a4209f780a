import { type z } from 'zod';
import { ConfigError } from '../error';
import { readArgument } from '../tensor/arguments';

/** Number of single-character edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(replace, previous[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, beforePrevious[j - 2]! + 1);
      }
      row.push(best);
    }
    beforePrevious = previous;
    previous = row;
  }
  return previous[b.length]!;
}

// `H_cycles`, `h-cycles` and `hCycles` are the same name to a person who knows the reference code.
const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9.]/g, '');

/**
 * The candidate that `name` most probably meant, or undefined when none is near. For dotted candidates the last part
 * alone counts too, so that `hidden` finds `model.hidden`.
 */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  const wanted = plain(name);
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const full = plain(candidate);
    const last = full.slice(full.lastIndexOf('.') + 1);
    const wantedLast = wanted.slice(wanted.lastIndexOf('.') + 1);
    // A match in the wrong group is worth a little less than one in the right group.
    const distance = Math.min(editDistance(wanted, full), editDistance(wantedLast, last) + 0.5);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `; did you mean "x"?`, or a list of what exists when nothing is near. */
export function suggestion(name: string, candidates: readonly string[]): string {
  const near = nearest(name, candidates);
  if (near !== undefined) return `; did you mean "${near}"?`;
  return candidates.length > 0 && candidates.length <= 40 ? `; known: ${candidates.join(', ')}` : '';
}

/** A value as it reads in an error message: short, and never an exception. */
export function show(value: unknown): string {
  if (typeof value === 'function' || typeof value === 'symbol' || value === undefined) return typeof value;
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  try {
    const text = JSON.stringify(value);
    return text.length > 60 ? `${text.slice(0, 57)}...` : text;
  } catch {
    return typeof value;
  }
}

/** The value at a path, or undefined where the path leaves the value. */
function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (node, key) =>
      typeof node === 'object' && node !== null && Object.hasOwn(node, key)
        ? (node as Record<PropertyKey, unknown>)[key]
        : undefined,
    value,
  );
}

/** What an issue expects, in words. */
export function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${issue.expected === 'int' ? 'an integer' : `a ${issue.expected}`}`;
    case 'too_small':
      return `must be ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`;
    case 'too_big':
      return `must be ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}`;
    case 'invalid_value':
      return `must be ${issue.values.map((value) => show(value)).join(' or ')}`;
    case 'invalid_union': {
      const options = issue.errors.flatMap((errors) => errors.slice(0, 1).map(expectation));
      return [...new Set(options)].join(' or ').replace(/ or must be /g, ' or ');
    }
    default:
      return issue.message;
  }
}

/**
 * Parses `value` with a zod schema, turning the first issue into one line: `<where>: <path> must be ..., got ...`.
 * Unknown keys are refused with the nearest known one.
 * @throws ConfigError
 */
export function parseStrict<T>(schema: z.ZodType<T>, value: unknown, where: string, known: readonly string[]): T {
  // The error looks at the value too, when it is first asked for.
  const result = readArgument(where, 'the value', () => {
    const { success, data, error } = schema.safeParse(value);
    return success ? { data } : { issue: error.issues[0]! };
  });
  if (result.issue === undefined) return result.data;
  const { issue } = result;
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const key = [...issue.path.map(String), issue.keys[0]!].join('.');
    throw new ConfigError(`${where}: unknown key "${key}"${suggestion(key, known)}`);
  }
  if (issue.code === 'custom') throw new ConfigError(`${where}: ${issue.message}`);
  const subject = path === '' ? '' : `${path} `;
  throw new ConfigError(
    `${where}: ${subject}${expectation(issue)}, got ${readArgument(where, path, () => show(valueAt(value, issue.path)))}`,
  );
}
