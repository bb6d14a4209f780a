/** Rows as a table for a terminal, as Markdown, as JSON, and beside earlier rows. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { FileError, FormatError } from '../ts/error';
import { type Bound, type Row, timesBetter } from './harness';
import type { Machine } from './machine';

export interface Results {
  format: 1;
  /** The command that makes such a file. */
  command: string;
  machine: Machine;
  notes: string[];
  rows: Row[];
}

const SIGNIFICANT = 4;

/** Four significant digits, without exponent for the figures that occur. */
export function formatFigure(value: number): string {
  if (value === 0) return '0';
  const digits = Math.max(0, SIGNIFICANT - 1 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 6));
}

const percent = (share: number): string => `±${(share * 100).toFixed(share < 0.1 ? 1 : 0)}%`;

function formatBound(bound: Bound, met: boolean | null): string {
  const limits = [
    bound.atLeast === undefined ? [] : [`>= ${formatFigure(bound.atLeast)}`],
    bound.atMost === undefined ? [] : [`<= ${formatFigure(bound.atMost)}`],
  ].flat();
  const verdict = met === null ? 'no peer' : met ? 'met' : 'MISSED';
  return `${bound.of} ${limits.join(', ')}: ${verdict}`;
}

const COLUMNS = ['case', 'unit', 'ours', 'spread', 'peer', "peer's", 'spread', 'ratio', 'n', 'bound', 'details'];

function cells(row: Row): string[] {
  const details = Object.entries(row.details).map(([name, value]) => `${name} ${formatFigure(value)}`);
  return [
    row.case,
    row.unit,
    formatFigure(row.ours),
    percent(row.spread),
    row.peer ?? '',
    row.peerFigure === null ? '' : formatFigure(row.peerFigure),
    row.peerSpread === null ? '' : percent(row.peerSpread),
    row.ratio === null ? '' : formatFigure(row.ratio),
    String(row.n),
    row.bound === null ? '' : formatBound(row.bound, row.met),
    details.join(', '),
  ];
}

function bySubject(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) groups.set(row.subject, [...(groups.get(row.subject) ?? []), row]);
  return groups;
}

/** Lines of cells with columns of one width; columns that are empty in every line are left out. */
function align(head: readonly string[], lines: readonly string[][]): { head: string[]; lines: string[][] } {
  const kept = head.map((_, i) => i).filter((i) => lines.some((line) => line[i] !== ''));
  const widths = kept.map((i) => Math.max(head[i]!.length, ...lines.map((line) => line[i]!.length)));
  const padded = (line: readonly string[]): string[] => kept.map((i, at) => line[i]!.padEnd(widths[at]!));
  return { head: padded(head), lines: lines.map(padded) };
}

/** One table a subject. @param titles of the subjects, by name */
export function formatTable(rows: readonly Row[], titles: ReadonlyMap<string, string> = new Map()): string {
  return [...bySubject(rows)]
    .map(([subject, group]) => {
      const { head, lines } = align(COLUMNS, group.map(cells));
      const title = titles.get(subject);
      const rule = head.map((cell) => '-'.repeat(cell.length));
      return [
        title === undefined ? subject : `${subject}: ${title}`,
        ...[head, rule, ...lines].map((line) => `  ${line.join('  ').trimEnd()}`),
      ].join('\n');
    })
    .join('\n\n');
}

export function formatMachine(machine: Machine): string[] {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.isa}; ${machine.threads} threads used; ` +
      `${(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB; ${machine.os}`,
    `${versions.join(', ')}; compiled by ${machine.compiler}`,
    `commit ${machine.commit}, ${machine.date}; load average ${machine.loadAtStart.toFixed(1)} at the start, ` +
      `${machine.loadAtEnd.toFixed(1)} at the end`,
  ];
}

/** The same tables for a page of the repository. */
export function formatMarkdown(results: Results, titles: ReadonlyMap<string, string> = new Map()): string {
  const escape = (cell: string): string => cell.replaceAll('|', '\\|');
  const tables = [...bySubject(results.rows)].map(([subject, group]) => {
    const { head, lines } = align(COLUMNS, group.map(cells));
    const table = [head, head.map((cell) => '-'.repeat(cell.length)), ...lines];
    const title = titles.get(subject);
    return [
      `## ${subject}`,
      ...(title === undefined ? [] : [`${title[0]!.toUpperCase()}${title.slice(1)}.`]),
      table.map((line) => `| ${line.map(escape).join(' | ')} |`).join('\n'),
    ].join('\n\n');
  });
  return [
    '# Bench results',
    `\`${results.command}\``,
    formatMachine(results.machine)
      .map((line) => `- ${line}`)
      .join('\n'),
    'Medians; spread is half the distance between the quartiles; a ratio over 1 is in our favour, whatever the unit.',
    ...(results.notes.length > 0 ? [results.notes.map((note) => `- ${note}`).join('\n')] : []),
    ...tables,
    '',
  ].join('\n\n');
}

const savedRow = z.looseObject({
  subject: z.string(),
  case: z.string(),
  unit: z.string(),
  ours: z.number(),
  spread: z.number(),
  ratio: z.number().nullable(),
});
const savedResults = z.looseObject({ format: z.literal(1), rows: z.array(savedRow) });
export type SavedRow = z.infer<typeof savedRow>;

/** The rows of a file that `--json` wrote. @throws FileError, FormatError */
export function readSavedRows(file: string): SavedRow[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new FileError(`bench: ${file} cannot be read; --compare takes a file that --json wrote`, { cause });
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`bench: ${file} must be JSON; --compare takes a file that --json wrote`, { cause });
  }
  const parsed = savedResults.safeParse(content);
  if (!parsed.success)
    throw new FormatError(`bench: ${file} must hold bench results of format 1: ${z.prettifyError(parsed.error)}`);
  return parsed.data.rows;
}

/** Rows that occur in both, before and now. A change within the spread of both says nothing and is marked as such. */
export function formatComparison(rows: readonly Row[], before: readonly SavedRow[]): string {
  const key = (row: Pick<SavedRow, 'subject' | 'case' | 'unit'>): string =>
    [row.subject, row.case, row.unit].join('\n');
  const saved = new Map(before.map((row) => [key(row), row]));
  const lines = rows.flatMap((row) => {
    const old = saved.get(key(row));
    if (!old) return [];
    const times = timesBetter(row.better, row.ours, old.ours);
    const isNoise = Math.abs(times - 1) <= row.spread + old.spread;
    const verdict = isNoise ? 'within the spread' : times > 1 ? 'better' : 'WORSE';
    const ratios = [old.ratio, row.ratio].map((ratio) => (ratio === null ? '' : formatFigure(ratio)));
    const figures = [formatFigure(old.ours), formatFigure(row.ours), formatFigure(times)];
    return [[`${row.subject}: ${row.case}`, row.unit, ...figures, verdict, ...ratios]];
  });
  if (lines.length === 0) return 'No row occurs in both.';
  const titles = ['row', 'unit', 'before', 'now', 'times better', '', 'ratio before', 'ratio now'];
  const { head, lines: fitted } = align(titles, lines);
  return [head, ...fitted].map((line) => line.join('  ').trimEnd()).join('\n');
}
