/** How a command is declared and what its exit codes mean. */
import { type ArgumentsCamelCase, type Argv } from 'yargs';
import { ConfigError } from '../error';

export const EXIT_OK = 0;
export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;
/** 128 + SIGINT, as shells report it. */
export const EXIT_INTERRUPTED = 130;

/** How this command line is called, for hints: a clone or a package of one's project has it only through npm. */
export const PROGRAM = process.env.npm_execpath === undefined ? 'hrm' : 'npx hrm';

/** Something that adds itself to a parser and reports the exit code of the command that ran. */
export interface Command {
  register: (parser: Argv, exit: (code: number) => void) => void;
}

export interface CommandSpec<T> {
  /** yargs form: `eval <checkpoint>`. */
  command: string;
  describe: string;
  /** Command line and what it does. */
  examples: readonly (readonly [string, string])[];
  options: (parser: Argv) => Argv<T>;
  /** @returns the exit code */
  run: (args: ArgumentsCamelCase<T>) => number | Promise<number>;
}

// yargs makes `--steps abc` NaN and `--seed 1 --seed 2` an array; neither is what the command declared.
function checkScalars(
  args: Readonly<Record<string, unknown>>,
  lists: ReadonlySet<string>,
  numbers: readonly string[],
): void {
  // And `--seed ""`, as an unset variable of a shell gives it, 0.
  const empty = numbers.find((name) => typeof args[name] === 'number' && givenText(name)?.trim() === '');
  if (empty !== undefined) throw new ConfigError(`--${empty}: must be a number, got "${givenText(empty)}"`);
  for (const [name, value] of Object.entries(args)) {
    if (name === '_' || lists.has(name)) continue;
    if (Array.isArray(value))
      throw new ConfigError(`--${name}: must be given once, got ${value.map(String).join(' and ')}`);
    if (Number.isNaN(value)) throw new ConfigError(`--${name}: must be a number, got "${givenText(name) ?? ''}"`);
  }
}

// yargs takes `--json=maybe` for false. (In `--json maybe` the word is another argument.)
function checkFlags(names: readonly string[]): void {
  for (const name of names) {
    const text = process.argv.includes(`--${name}`) ? undefined : givenText(name);
    if (text !== undefined && text !== 'true' && text !== 'false')
      throw new ConfigError(`--${name}: must be given alone, or as true or false, got "${text}"`);
  }
}

/** The text after a flag; yargs keeps only what it made of it. */
function givenText(name: string): string | undefined {
  const { argv } = process;
  const at = argv.findIndex((text) => text === `--${name}` || text.startsWith(`--${name}=`));
  return at < 0 ? undefined : argv[at] === `--${name}` ? (argv[at + 1] ?? '') : argv[at]!.slice(name.length + 3);
}

interface DeclaredOptions {
  getOptions: () => { array: string[]; number: string[]; boolean: string[] };
}

export function defineCommand<T>(spec: CommandSpec<T>): Command {
  return {
    register: (parser, exit) => {
      let lists: ReadonlySet<string> = new Set();
      let numbers: readonly string[] = [];
      let flags: readonly string[] = [];
      parser.command(
        spec.command,
        spec.describe,
        (base: Argv) => {
          const built = spec.options(base);
          for (const [line, about] of spec.examples) built.example(line, about);
          // yargs gives --train-on as trainOn too.
          const { array, number, boolean } = (built as unknown as DeclaredOptions).getOptions();
          numbers = number;
          flags = boolean;
          // Otherwise a number that was forgotten is as one that was not asked for.
          built.requiresArg(number);
          lists = new Set(
            array.flatMap((name) => [name, name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())]),
          );
          return built;
        },
        async (args: ArgumentsCamelCase<T>) => {
          checkScalars(args, lists, numbers);
          checkFlags(flags);
          exit(await spec.run(args));
        },
      );
    },
  };
}

/** A command that only holds others: `hrm data sudoku`. */
export function defineGroup(name: string, describe: string, commands: readonly Command[]): Command {
  return {
    register: (parser, exit) => {
      parser.command(name, describe, (base: Argv) => {
        for (const command of commands) command.register(base, exit);
        return base.demandCommand(1, `hrm ${name}: a command must be given; ${PROGRAM} ${name} --help lists them`);
      });
    },
  };
}

/**
 * Runs the body of a command with SIGINT and SIGTERM caught: the first aborts the signal, a second ends the process at
 * once. A body that ends with the signal's reason is interrupted, not failed.
 *
 * @param what is done after the first, for the message
 * @returns the exit code
 */
export async function interruptible(
  body: (interrupted: AbortSignal) => Promise<number>,
  what = 'stopping',
): Promise<number> {
  const controller = new AbortController();
  const { signal } = controller;
  const onSignal = (): void => {
    if (signal.aborted) process.exit(EXIT_INTERRUPTED);
    controller.abort();
    process.stderr.write(`\ninterrupted: ${what}; once more to stop at once\n`);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    return await body(signal);
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
    return EXIT_INTERRUPTED;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

/** Gives signals and timers a turn. @throws the signal's reason when it is aborted */
export async function takeTurn(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal.throwIfAborted();
}
