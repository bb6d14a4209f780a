import { afterAll, expect, it } from '@jest/globals';
import { FormatError } from '../../ts/error';
import { mutations } from './raw_arrays';

/** What is wrong, the file, and a part of the message it must be refused with. */
export type MalformedRow = readonly [name: string, file: Uint8Array, message: string];

/** Every file is refused with a FormatError that starts with `op: bad: ` (`parseJson: bad: ` for JSON inside) and that no other row gives. */
export function refusesEach(
  op: string,
  parse: (file: Uint8Array, what: string) => unknown,
  rows: readonly MalformedRow[],
) {
  const messages = new Map<string, string>();
  afterAll(() => {
    process.stdout.write(`${op}: ${messages.size} malformed files refused, each with an error of its own\n`);
  });
  it.each(rows)('refuses %s', (name, file, expected) => {
    const message = refusal(() => parse(file, 'bad'));
    expect(message).toContain(expected);
    expect(message).toMatch(new RegExp(`^(${op}|parseJson): bad: `));
    expect(messages.get(message)).toBeUndefined();
    messages.set(message, name);
  });
}

function refusal(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return (error as FormatError).message;
  }
  throw new Error('the file was accepted');
}

/** Damages valid files at random from a fixed seed: each either parses or is refused with a FormatError. */
export function survivesDamage(
  parse: (file: Uint8Array) => unknown,
  files: readonly Uint8Array[],
  count: number,
): void {
  let refused = 0;
  for (const [i, file] of files.entries()) {
    parse(file);
    for (const damaged of mutations(file, count, 40 + i)) {
      try {
        parse(damaged);
      } catch (error) {
        if (!(error instanceof FormatError)) {
          throw new Error(`untyped error for ${Buffer.from(damaged).toString('hex')}`, { cause: error });
        }
        refused++;
      }
    }
  }
  expect(refused).toBeGreaterThan((files.length * count) / 10);
}
