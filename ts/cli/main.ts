/** The `hrm` command line. */
import { setFlagsFromString } from 'node:v8';
import { type Argv } from 'yargs';
import { ConfigError, HrmError } from '../error';
import { nearest } from '../hrm/config_error';
import { analyze } from './analyze';
import { EXIT_FAILURE, EXIT_OK, EXIT_USAGE, PROGRAM, type Command } from './command';
import { convert } from './convert';
import { data } from './data';
import { demo } from './demo';
import { doctor } from './doctor';
import { evalCommand } from './eval';
import { parityCommand } from './parity';
import { packageInfo } from './package_info';
import { solve } from './solve';
import { train } from './train';
import { view } from './view';

const commands: readonly Command[] = [
  ...[demo, train, evalCommand, solve, view, analyze],
  ...[data, convert, doctor, parityCommand],
];

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';

/** Prints an error as one message; the stack only on request or for what is a defect of ours. @returns exit code */
export function reportError(error: unknown, write: (text: string) => void): number {
  const debug = process.env.HRM_DEBUG === '1';
  const message = error instanceof Error ? error.message : String(error);
  const expected = error instanceof HrmError || isSystemError(error);
  const kind = expected ? '' : 'internal error: ';
  write(`hrm: ${kind}${message}\n`);
  if (debug && error instanceof Error) write(`${error.stack ?? ''}\n`);
  else if (!expected) write('HRM_DEBUG=1 prints where; please report it\n');
  return error instanceof ConfigError ? EXIT_USAGE : EXIT_FAILURE;
}

// yargs lists unknown flags; a misspelt one deserves the right name, and a command the list.
function usageError(message: string | null, parser: Argv): ConfigError {
  const unknown = /^Unknown arguments?: ([^,]+)/.exec(message ?? '')?.[1];
  if (unknown !== undefined) {
    const { key } = (parser as unknown as { getOptions: () => { key: Record<string, unknown> } }).getOptions();
    const near = nearest(unknown, Object.keys(key));
    const hint =
      near === undefined
        ? `${PROGRAM} --help and ${PROGRAM} <command> --help list what there is`
        : `did you mean --${near}?`;
    return new ConfigError(`unknown argument "${unknown}"; ${hint}`);
  }
  const missing = /^Missing required arguments?: (.+)$/.exec(message ?? '')?.[1];
  if (missing !== undefined) {
    const flags = missing.split(', ').map((name) => `--${name}`);
    return new ConfigError(`${flags.join(', ')}: must be given, got nothing; the command with --help shows examples`);
  }
  const few = /^Not enough non-option arguments: got (\d+), need at least (\d+)$/.exec(message ?? '');
  if (few !== null)
    return new ConfigError(`the command needs ${few[2]} arguments, got ${few[1]}; with --help it says which`);
  const bare = /^Not enough arguments following: (.+)$/.exec(message ?? '')?.[1];
  if (bare !== undefined) return new ConfigError(`--${bare}: a value must follow, got none`);
  const meant = /^Did you mean (.+)\?$/.exec(message ?? '')?.[1];
  if (meant !== undefined) return new ConfigError(`unknown command; did you mean "${meant}"?`);
  return new ConfigError(message ?? `the command line is not understood; see ${PROGRAM} --help`);
}

/** Runs one command line. @returns the exit code: 0 ok, 1 failure, 2 usage, 130 interrupted */
export async function main(argv: readonly string[]): Promise<number> {
  // Node 20's V8 ends the process ("Check failed: marking_done_") when a report of external memory, which every tensor
  // makes, tries to finish an incremental marking that has not ended. Collections are short here anyway.
  setFlagsFromString('--no-incremental-marking');
  // A reader that went away (`hrm ... | head`) is no failure of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT_OK);
    process.stderr.write(`hrm: standard output cannot be written: ${error.message}\n`);
    process.exit(EXIT_FAILURE);
  });
  try {
    // yargs is ESM only, and this package is CommonJS.
    const { default: yargs } = await import('yargs');
    const parser = yargs([...argv]);
    let exitCode = EXIT_OK;
    parser
      .scriptName(PROGRAM)
      .usage('$0 <command> [options]\n\nTrains, evaluates and uses Hierarchical Reasoning Models.')
      .parserConfiguration({ 'dot-notation': false })
      .detectLocale(false)
      .strict()
      .recommendCommands()
      .demandCommand(1, `a command must be given; ${PROGRAM} --help lists them`)
      .version(packageInfo().version)
      .alias('help', 'h')
      .epilogue('Exit codes: 0 ok, 1 failure, 2 usage, 130 interrupted. HRM_DEBUG=1 prints stacks of errors.')
      .wrap(Math.min(110, parser.terminalWidth()))
      .exitProcess(false)
      .fail((message: string | null, error: Error | undefined) => {
        // yargs throws what it finds while it reads the line, such as an option without its value.
        if (error === undefined || error.name === 'YError') throw usageError(message ?? error!.message, parser);
        throw error;
      });
    for (const command of commands) command.register(parser, (code) => (exitCode = code));
    await parser.parseAsync();
    return exitCode;
  } catch (error) {
    return reportError(error, (text) => process.stderr.write(text));
  }
}
