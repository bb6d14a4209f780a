/** `hrm data arc` and `hrm data arc-leaks`: ARC datasets from task files. */
import path from 'node:path';
import { buildArcDataset, type ArcBuildReport } from '../data/arc/build';
import { findArcLeaks, type ArcLeak } from '../data/arc/leaks';
import { readArcTasks } from '../data/arc/read';
import type { ArcCounts } from '../data/arc/rows';
import { ConfigError } from '../error';
import { defineCommand, EXIT_FAILURE, EXIT_OK, interruptible, PROGRAM, takeTurn } from './command';
import { withCounter } from './counter';

/** Tasks that a report names. */
const MAX_NAMED = 10;

function namesText(names: readonly string[]): string {
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : '';
  return `${names.slice(0, MAX_NAMED).join(' ')}${more}`;
}

const distinct = (leaks: readonly ArcLeak[]): string[] => [...new Set(leaks.map(({ task }) => task.name))];

/** `376 evaluation tasks (376 by name, 0 by a test pair under another name)` */
function leaksText(leaks: readonly ArcLeak[]): string {
  const byName = new Set(distinct(leaks.filter(({ by }) => by === 'name')));
  const byTest = distinct(leaks).filter((name) => !byName.has(name));
  return `${byName.size + byTest.length} (${byName.size} by name, ${byTest.length} by a test pair under another name)`;
}

function countsText(name: string, { groups, puzzles, examples }: ArcCounts): string {
  return `${name}: ${groups} tasks, ${puzzles} puzzles with their augmentations, ${examples} rows`;
}

function buildText(out: string, report: ArcBuildReport, augmentations: number): string {
  const { leaks, excluded, repeated, tooLarge, shortGroups, identifiers } = report;
  const lines = [countsText('train', report.train), countsText('test', report.test)];
  lines.push(`${identifiers} puzzle identifiers, padding included`);
  if (tooLarge > 0) lines.push(`left out ${tooLarge} tasks with a grid larger than the canvas`);
  if (repeated > 0) lines.push(`left out ${repeated} tasks that came twice`);
  if (shortGroups > 0) lines.push(`${shortGroups} tasks have fewer than ${augmentations} distinct augmentations`);
  if (leaks.length > 0) {
    lines.push(`evaluation tasks that are also training tasks: ${leaksText(leaks)}: ${namesText(distinct(leaks))}`);
    lines.push(
      excluded > 0
        ? `  left out of training: ${excluded} tasks`
        : '  warning: their answers are trained on; --exclude-leaks leaves them out of training',
    );
  }
  return `${lines.join('\n')}\nwritten to ${out}; ${PROGRAM} data verify ${out} checks it\n`;
}

export const arc = defineCommand({
  command: 'arc',
  describe: 'Make an ARC dataset in the official layout from task files',
  examples: [
    [
      '$0 data arc --input ARC-AGI/data --input ConceptARC/corpus --augmentations 1000 --out data/arc-aug-1000',
      'ARC-AGI-1 as the official code makes it: 960 tasks',
    ],
    [
      '$0 data arc --input ARC-AGI-2/data --train-on ARC-AGI/data --exclude-leaks --out data/crossed',
      'crossed cleanly',
    ],
    ['$0 data arc --input ARC-AGI/data --canvas 12 --tasks 50 --augmentations 20 --out data/small', 'for a CPU'],
  ],
  options: (parser) =>
    parser
      .option('input', {
        type: 'string',
        array: true,
        nargs: 1,
        demandOption: true,
        describe: 'Folder with training and evaluation tasks, folders of tasks, or *_challenges.json; may be repeated',
      })
      .option('train-on', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: 'The same, all of it to train on, evaluation folders too',
      })
      .option('out', { type: 'string', demandOption: true, requiresArg: true, describe: 'Directory to make' })
      .option('augmentations', { type: 'number', default: 1000, describe: 'Augmented versions of a task' })
      .option('seed', { type: 'number', default: 0, describe: 'Decides every draw' })
      .option('exclude-leaks', {
        type: 'boolean',
        default: false,
        describe: 'Leave training tasks out that are evaluation tasks too',
      })
      .option('canvas', { type: 'number', default: 30, describe: 'Side of the canvas; larger tasks are left out' })
      .option('tasks', { type: 'number', describe: 'At most so many training and as many evaluation tasks' }),
  run: async ({ input, out, augmentations, seed, canvas, tasks, ...more }) => {
    return await interruptible(async (signal) => {
      const report = await withCounter((onProgress) =>
        buildArcDataset({
          out,
          inputs: input,
          trainOn: more['train-on'],
          augmentations,
          seed,
          canvas,
          ...(tasks === undefined ? {} : { tasks }),
          excludeLeaks: more['exclude-leaks'],
          onProgress,
          signal,
        }),
      );
      process.stdout.write(buildText(out, report, augmentations));
      return EXIT_OK;
    });
  },
});

export const arcLeaks = defineCommand({
  command: 'arc-leaks',
  describe: 'Report evaluation tasks of one ARC collection that are in another, in both directions',
  examples: [['$0 data arc-leaks --input ARC-AGI/data --input ARC-AGI-2/data', 'exit code 1 when there are any']],
  options: (parser) =>
    parser
      .option('input', {
        type: 'string',
        array: true,
        nargs: 1,
        demandOption: true,
        describe: 'Folder of tasks as for hrm data arc; twice or more',
      })
      .option('json', { type: 'boolean', default: false, describe: 'Print JSON' }),
  run: async ({ input, json }) => {
    if (input.length < 2) throw new ConfigError(`--input: must be given at least twice, got ${input.join(' ')}`);
    return await interruptible(async (signal) => {
      const collections: { place: string; tasks: ReturnType<typeof readArcTasks> }[] = [];
      for (const place of input) {
        await takeTurn(signal);
        collections.push({ place, tasks: readArcTasks(place) });
      }
      const reports = collections.flatMap((from) =>
        collections
          .filter((to) => to !== from)
          .map((to) => ({ from: from.place, to: to.place, ...comparison(from.tasks, to.tasks) })),
      );
      for (const report of reports) if (!json) process.stdout.write(comparisonText(report));
      if (json) process.stdout.write(`${JSON.stringify(reports.map(({ leaks: _leaks, ...rest }) => rest))}\n`);
      return reports.every(({ leaks }) => leaks.length === 0) ? EXIT_OK : EXIT_FAILURE;
    });
  },
});

interface Comparison {
  readonly evaluationTasks: number;
  readonly leaks: readonly ArcLeak[];
  /** Names of evaluation tasks that are there, by the folder that has them. */
  readonly inFolders: Readonly<Record<string, readonly string[]>>;
}

function comparison(tasks: ReturnType<typeof readArcTasks>, others: ReturnType<typeof readArcTasks>): Comparison {
  const leaks = findArcLeaks(tasks, others);
  const folders = [...new Set(leaks.map(({ other }) => path.dirname(other.file)))].sort();
  const inFolders = folders.map(
    (folder) => [folder, distinct(leaks.filter(({ other }) => path.dirname(other.file) === folder))] as const,
  );
  return {
    evaluationTasks: tasks.filter(({ role }) => role === 'evaluation').length,
    leaks,
    inFolders: Object.fromEntries(inFolders),
  };
}

function comparisonText({
  from,
  to,
  evaluationTasks,
  leaks,
  inFolders,
}: Comparison & { from: string; to: string }): string {
  const lines = [`evaluation tasks of ${from} that are in ${to}: ${leaksText(leaks)} of ${evaluationTasks}`];
  for (const [folder, names] of Object.entries(inFolders)) {
    lines.push(`  in ${folder}: ${names.length}: ${namesText(names)}`);
  }
  return `${lines.join('\n')}\n`;
}
