/** npm run bench: runs the subjects and prints their rows, at the end all of them as tables. */
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { ArgumentError, HrmError } from '../ts/error';
import { getNumThreads } from '../ts/native/runtime';
import { activationMemory } from './activation_memory';
import { fused } from './fused';
import type { BenchOptions, Report, Row, Subject } from './harness';
import { describeMachine } from './machine';
import { memory } from './memory';
import { overhead } from './overhead';
import {
  formatComparison,
  formatFigure,
  formatMachine,
  formatMarkdown,
  formatTable,
  readSavedRows,
  type Results,
} from './report';
import { sgemm } from './sgemm';
import { step } from './step';

// Those that want an undisturbed heap come first.
export const subjects: readonly Subject[] = [overhead, activationMemory, memory, sgemm, fused, step];

const USAGE = `npm run bench -- [options]
  --only A,B       these subjects alone: ${subjects.map(({ name }) => name).join(', ')}
  --json FILE      write every row
  --markdown FILE  write the tables
  --compare FILE   print the rows beside those of a file that --json wrote
  --threads N      of both sides (default: physical cores)
  --quick          small sizes, few rounds: shows that everything runs
  --no-peers       measure ours alone`;

interface Arguments {
  options: BenchOptions;
  chosen: readonly Subject[];
  json?: string | undefined;
  markdown?: string | undefined;
  compare?: string | undefined;
  help: boolean;
}

function parse(argv: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string' },
      json: { type: 'string' },
      markdown: { type: 'string' },
      compare: { type: 'string' },
      threads: { type: 'string' },
      quick: { type: 'boolean', default: false },
      'no-peers': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const names = values.only?.split(',') ?? subjects.map(({ name }) => name);
  const unknown = names.filter((name) => !subjects.some((subject) => subject.name === name));
  if (unknown.length > 0) throw new ArgumentError(`bench: unknown subject ${unknown.join(', ')}; see --help`);
  const threads = values.threads === undefined ? getNumThreads() : Number(values.threads);
  if (!Number.isSafeInteger(threads) || threads < 1)
    throw new ArgumentError(`bench: --threads must be a positive integer, got ${values.threads ?? ''}`);
  const { json, markdown, compare, help } = values;
  const options = { threads, quick: values.quick, peers: !values['no-peers'] };
  return { options, chosen: subjects.filter(({ name }) => names.includes(name)), json, markdown, compare, help };
}

function progress(row: Row): string {
  const figure = `${formatFigure(row.ours)} ${row.unit}`;
  const ratio = row.ratio === null ? '' : `, ${formatFigure(row.ratio)} x ${row.peer ?? ''}`;
  return `  ${row.subject}: ${row.case}: ${figure}${ratio}`;
}

/** @returns the exit code: 1 when a subject failed, 2 on wrong arguments; a missed bound is printed and is no failure */
export async function main(argv: readonly string[]): Promise<number> {
  // As the command line does, and why: see ts/cli/main.ts.
  setFlagsFromString('--no-incremental-marking');
  let args: Arguments;
  try {
    args = parse(argv);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 2;
  }
  if (args.help) {
    console.log(USAGE);
    return 0;
  }
  const { options, chosen } = args;
  const started = new Date();
  const loadAtStart = os.loadavg()[0]!;
  const before = args.compare === undefined ? undefined : readSavedRows(args.compare);
  const rows: Row[] = [];
  const notes = new Set<string>();
  const versions: Record<string, string> = {};
  const report: Report = {
    row: (row) => {
      rows.push(row);
      console.log(progress(row));
    },
    note: (text) => {
      if (!notes.has(text)) console.log(`  note: ${text}`);
      notes.add(text);
    },
    version: (name, version) => {
      versions[name] = version;
    },
  };
  let failed = false;
  for (const subject of chosen) {
    console.log(`${subject.name}: ${subject.title}`);
    try {
      await subject.run(options, report);
    } catch (error) {
      if (!(error instanceof HrmError)) throw error;
      // The others may still have something to say; the exit code tells.
      failed = true;
      report.note(`${subject.name} failed: ${error.message}`);
    }
  }
  const machine = describeMachine(options.threads, versions, loadAtStart, started);
  const command = ['npm run bench --', ...argv].join(' ');
  const results: Results = { format: 1, command, machine, notes: [...notes], rows };
  const titles = new Map(subjects.map(({ name, title }) => [name, title]));
  console.log(['', formatTable(rows, titles), '', ...formatMachine(machine), ...results.notes].join('\n'));
  if (before) console.log(`\n${formatComparison(rows, before)}`);
  if (args.json !== undefined) writeFileSync(args.json, `${JSON.stringify(results, null, 1)}\n`);
  if (args.markdown !== undefined) writeFileSync(args.markdown, formatMarkdown(results, titles));
  return failed ? 1 : 0;
}

if (require.main === module) {
  void main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
}
