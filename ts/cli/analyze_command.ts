/** What the commands of `hrm analyze` have in common: a run, some of its puzzles, a table, and files on request. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { type ArgumentsCamelCase, type Argv } from 'yargs';
import type { AnalysisOptions } from '../analyze/puzzles';
import type { MeanEstimate } from '../analyze/statistics';
import { type Chart, svgDocument } from '../analyze/svg';
import type { PuzzleDataset } from '../data/dataset';
import { ConfigError } from '../error';
import { writeFileAtomic } from '../io/atomic_file';
import { makeDirectory } from '../io/files';
import type { LoadedModel } from '../train/load_model';
import { type Command, defineCommand, EXIT_OK, interruptible } from './command';
import { deviceOption } from './open_model';
import { openSplit } from './open_split';
import { fallbackText, percent } from './run_report';

function commonOptions(parser: Argv) {
  return deviceOption(parser)
    .positional('run', {
      type: 'string',
      demandOption: true,
      describe: 'Directory of a run (its newest checkpoint) or of a checkpoint',
    })
    .option('split', { choices: ['test', 'valid'] as const, default: 'test' as const, describe: 'Which puzzles' })
    .option('raw', { type: 'boolean', default: false, describe: 'The trained weights instead of the averaged' })
    .option('set', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [] as string[],
      describe: 'Other data, data.key=value; may be repeated',
    })
    .option('out', {
      type: 'string',
      requiresArg: true,
      describe: 'Directory that gets the figures as JSON and a chart as SVG',
    })
    .option('json', { type: 'boolean', default: false, describe: 'Print JSON instead of the table' });
}

type CommonParser = ReturnType<typeof commonOptions>;
type ArgumentsOf<P> = P extends Argv<infer T> ? T : never;
export type CommonArguments = ArgumentsOf<CommonParser>;

/** `--puzzles`, with what is taken where it is not given. */
export const puzzlesOption = <T>(parser: Argv<T>, standard: number) =>
  parser.option('puzzles', { type: 'number', default: standard, describe: 'A fixed subset of so many puzzles' });

/** `--batch`. */
export const batchOption = <T>(parser: Argv<T>) =>
  parser.option('batch', { type: 'number', default: 64, describe: 'Puzzles at a time' });

/** `--segments`. */
export const segmentsOption = <T>(parser: Argv<T>, standard = 'as in training') =>
  parser.option('segments', { type: 'number', describe: `Segments to run [default: ${standard}]` });

/** The options of an analysis from those three flags. */
export function analysisOptions(
  args: { puzzles: number; batch: number; segments?: number | undefined },
  signal: AbortSignal,
): AnalysisOptions & { segments?: number } {
  const { puzzles, batch, segments } = args;
  return { puzzles, batchSize: batch, signal, ...(segments === undefined ? {} : { segments }) };
}

/** `12.3 ± 0.4` */
export const estimateText = ({ mean, standardError }: MeanEstimate, digits: number): string =>
  `${mean.toFixed(digits)} ± ${standardError.toFixed(digits)}`;

/** `97.2% ± 0.7%` */
export const shareText = ({ mean, standardError }: MeanEstimate): string =>
  `${percent(mean)} ± ${percent(standardError)}`;

interface Opened {
  readonly loaded: LoadedModel;
  readonly dataset: PuzzleDataset;
}

export interface AnalysisSpec<T, R> {
  /** Name of the command and of the files. */
  readonly what: string;
  readonly describe: string;
  readonly examples: readonly (readonly [string, string])[];
  readonly options: (parser: CommonParser) => Argv<T>;
  readonly analyse: (opened: Opened, args: ArgumentsCamelCase<T>, signal: AbortSignal) => Promise<R>;
  /** The table, and what it means. */
  readonly text: (result: R, opened: Opened) => string;
  readonly charts: (result: R) => readonly Chart[];
}

/** The files of an analysis; what is there already is never replaced. @throws ConfigError */
function outputFiles(out: string, what: string): { json: string; svg: string } {
  const files = { json: path.join(out, `${what}.json`), svg: path.join(out, `${what}.svg`) };
  for (const file of Object.values(files))
    if (existsSync(file)) throw new ConfigError(`--out ${out}: must not have ${what} yet, got ${file}; choose another`);
  return files;
}

/** One command of `hrm analyze`. */
export function defineAnalysis<T extends CommonArguments, R>(spec: AnalysisSpec<T, R>): Command {
  const { what, describe, examples } = spec;
  return defineCommand<T>({
    command: `${what} <run>`,
    describe,
    examples,
    options: (parser) => spec.options(commonOptions(parser)),
    run: (args) =>
      interruptible(async (signal) => {
        const { run: checkpoint, split, raw, device, set, out, json } = args as unknown as CommonArguments;
        const files = out === undefined ? undefined : outputFiles(out, what);
        const opened = await openSplit(`analyze ${what}`, { checkpoint, split, raw, device, set }, signal);
        const { path: source, step, isAveraged } = opened.loaded;
        const result = await spec.analyse(opened, args, signal);
        const report = `${JSON.stringify({ analysis: what, checkpoint: source, step, isAveraged, split, result })}\n`;
        const weights = isAveraged ? ', averaged weights' : '';
        process.stdout.write(
          json ? report : `${source}, step ${step}${weights}, ${split} puzzles\n${spec.text(result, opened)}`,
        );
        if (files !== undefined) {
          makeDirectory('analyze', out!);
          writeFileAtomic(files.json, Buffer.from(report));
          writeFileAtomic(files.svg, Buffer.from(svgDocument(spec.charts(result))));
          process.stderr.write(`wrote ${files.json} and ${files.svg}\n`);
        }
        process.stderr.write(fallbackText());
        return EXIT_OK;
      }),
  });
}
