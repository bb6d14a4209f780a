/** `hrm data`: makes and checks datasets. */
import { buildSudokuDataset, type BuildReport, type SplitSummary, type SudokuOrigin } from '../data/sudoku/build';
import { geometryOf, type Geometry } from '../data/sudoku/geometry';
import { verifyData, type SplitReport, type VerifyReport } from '../data/sudoku/verify';
import { ConfigError } from '../error';
import { isMazeData, verifyMazeData } from '../data/maze/verify';
import { defineCommand, defineGroup, EXIT_FAILURE, EXIT_OK, interruptible, PROGRAM } from './command';
import { withCounter } from './counter';
import { arc, arcLeaks } from './data_arc';
import { maze, mazeVerifyText } from './data_maze';

/** `3x3` as box rows and columns. @throws ConfigError */
function parseBox(text: string): Geometry {
  const [, rows, cols] = /^(\d{1,2})x(\d{1,2})$/.exec(text) ?? [];
  if (rows === undefined) throw new ConfigError(`--box: must be rows x columns such as 3x3, got "${text}"`);
  return geometryOf(Number(rows), Number(cols));
}

/** `8-12`, `10` or `minimal`. @throws ConfigError */
function parseBlanks(text: string): { min: number; max: number } | 'minimal' {
  if (text === 'minimal') return text;
  const [, min, max] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(text) ?? [];
  if (min === undefined) throw new ConfigError(`--blanks: must be a range such as 8-12 or minimal, got "${text}"`);
  return { min: Number(min), max: Number(max ?? min) };
}

/** `8: 102, 9: 97` */
export function blanksText(blanks: ReadonlyMap<number, number>): string {
  return [...blanks].map(([count, puzzles]) => `${count}: ${puzzles}`).join(', ');
}

function summaryText(name: string, { puzzles, examples, blanks, meanRating }: SplitSummary): string {
  return `${name}: ${puzzles} puzzles, ${examples} rows, rating ${meanRating.toFixed(2)}; by blanks ${blanksText(blanks)}`;
}

function buildText(out: string, report: BuildReport): string {
  const lines = [summaryText('train', report.train), summaryText('test', report.test)];
  if (report.droppedTrain > 0) lines.push(`left out ${report.droppedTrain} training puzzles with a test solution`);
  const { train, test } = report.bad;
  if (train + test > 0) lines.push(`left out bad rows: ${train} of training, ${test} of test`);
  return `${lines.join('\n')}\nwritten to ${out}; ${PROGRAM} data verify ${out} checks it\n`;
}

const sudoku = defineCommand({
  command: 'sudoku',
  describe: 'Make a Sudoku dataset in the official layout: generated, or imported from csv',
  examples: [
    ['$0 data sudoku --out data/small --box 2x2 --train 1000 --test 500', 'generated 4x4 puzzles'],
    [
      '$0 data sudoku --out data/extreme --train-csv train.csv.gz --test-csv test.csv.gz --train 1000 --augmentations 1000',
      'Sudoku-Extreme 1k as the official code makes it',
    ],
  ],
  options: (parser) =>
    parser
      .option('out', { type: 'string', demandOption: true, requiresArg: true, describe: 'Directory to make' })
      .option('box', { type: 'string', default: '3x3', describe: 'Shape of a box, rows x columns' })
      .option('train', { type: 'number', describe: 'Training puzzles [default: 1000, or all of the csv]' })
      .option('test', { type: 'number', default: 500, describe: 'Test puzzles, when generated' })
      .option('blanks', {
        type: 'string',
        describe: 'Blank cells, 8-12 or minimal [default: half to 3/4 of the cells]',
      })
      .option('augmentations', { type: 'number', default: 0, describe: 'Augmented versions of a training puzzle' })
      .option('seed', { type: 'number', default: 0, describe: 'Decides every draw' })
      .option('train-csv', {
        type: 'string',
        requiresArg: true,
        describe: 'Import: columns source,q,a,rating; may be .gz',
      })
      .option('test-csv', {
        type: 'string',
        requiresArg: true,
        describe: 'Without it a tenth of the grids is set aside',
      })
      .option('skip-bad', { type: 'boolean', default: false, describe: 'Leave bad rows out instead of stopping' }),
  run: async (args) => {
    const { out, box, train, test, blanks, augmentations, seed } = args;
    const geometry = parseBox(box);
    const trainCsv = args['train-csv'];
    const testCsv = args['test-csv'];
    if (trainCsv === undefined && testCsv !== undefined) throw new ConfigError('--test-csv: needs --train-csv too');
    const half = Math.ceil(geometry.cells / 2);
    const origin: SudokuOrigin =
      trainCsv === undefined
        ? {
            kind: 'generate',
            trainPuzzles: train ?? 1000,
            testPuzzles: test,
            blanks: blanks === undefined ? { min: half, max: Math.floor(half * 1.25) } : parseBlanks(blanks),
          }
        : {
            kind: 'csv',
            train: trainCsv,
            ...(testCsv === undefined ? {} : { test: testCsv }),
            ...(train === undefined ? {} : { trainPuzzles: train }),
            badRows: args['skip-bad'] ? 'skip' : 'throw',
          };
    return await interruptible(async (signal) => {
      const report = await withCounter((onProgress) =>
        buildSudokuDataset({ out, geometry, seed, augmentations, origin, onProgress, signal }),
      );
      process.stdout.write(buildText(out, report));
      return EXIT_OK;
    });
  },
});

function splitText(report: SplitReport): string {
  const { split, rows, groups, nBad, bad, duplicates, distinctSolutions, blanks, guesses } = report;
  const lines = [`${split}: ${rows} rows in ${groups} groups, ${duplicates} duplicates, ${nBad} bad`];
  if (blanks.size > 0) lines.push(`  ${distinctSolutions} distinct solutions; by blanks ${blanksText(blanks)}`);
  if (guesses)
    lines.push(`  solver guesses: mean ${guesses.mean.toFixed(2)}, most ${guesses.max}, none for ${guesses.zero}`);
  for (const { line, reason } of bad) lines.push(`  row ${line}: ${reason}`);
  if (nBad > bad.length) lines.push(`  and ${nBad - bad.length} more`);
  return lines.join('\n');
}

function verifyText({ path, kind, ok, splits, overlap }: VerifyReport): string {
  const lines = splits.map(splitText);
  if (overlap && kind === 'arc') {
    const { puzzles, solutions } = overlap;
    lines.push(`test pairs of which training has the input: ${puzzles}, the input with its output: ${solutions}`);
  } else if (overlap) {
    const { puzzles, solutions, equivalent, undecided } = overlap;
    lines.push(`train and test share ${puzzles} puzzles and ${solutions} solutions`);
    if (equivalent !== null)
      lines.push(`test puzzles that symmetry makes a training puzzle: ${equivalent} (${undecided} undecided)`);
  }
  const structure = kind === 'other' ? ' (neither Sudoku nor ARC: only the structure was checked)' : '';
  lines.push(ok ? `${path} is good${structure}` : `${path} is not good`);
  return `${lines.join('\n')}\n`;
}

const verify = defineCommand({
  command: 'verify <path>',
  describe: 'Check a dataset directory or csv of Sudokus or mazes: rules, duplicates, what training and test share',
  examples: [
    ['$0 data verify data/small', 'exit code 1 when something is wrong'],
    [
      '$0 data verify test.csv.gz',
      'every Sudoku is solved to prove that it has one solution, every maze for its shortest path',
    ],
  ],
  options: (parser) =>
    parser
      .positional('path', { type: 'string', demandOption: true, describe: 'Dataset directory or csv file' })
      .option('box', { type: 'string', describe: 'Shape of a box of Sudokus [default: the most nearly square]' })
      .option('unique', {
        choices: ['all', 'groups', 'none'] as const,
        default: 'groups' as const,
        describe: 'Which Sudokus are proved unique: all, the first of each group, none',
      })
      .option('symmetry', { type: 'boolean', default: true, describe: 'Also look for equivalent Sudokus' })
      .option('json', { type: 'boolean', default: false, describe: 'Print JSON' }),
  run: async ({ path, box, unique, symmetry, json }) => {
    return await interruptible(async (signal) => {
      const geometry = box === undefined ? {} : { geometry: parseBox(box) };
      const isMaze = box === undefined && (await isMazeData(path));
      const { report, text } = await withCounter(async (onProgress) => {
        if (isMaze) {
          const found = await verifyMazeData(path, { onProgress, signal });
          return { report: found, text: mazeVerifyText(found) };
        }
        const found = await verifyData(path, { unique, symmetry, ...geometry, onProgress, signal });
        return { report: found, text: verifyText(found) };
      });
      const asPlain = (_key: string, value: unknown): unknown =>
        value instanceof Map ? Object.fromEntries(value) : value;
      process.stdout.write(json ? `${JSON.stringify(report, asPlain)}\n` : text);
      return report.ok ? EXIT_OK : EXIT_FAILURE;
    });
  },
});

export const data = defineGroup('data', 'Make and check datasets', [sudoku, maze, arc, arcLeaks, verify]);
