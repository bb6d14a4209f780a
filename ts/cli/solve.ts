/** `hrm solve`: lets a trained model solve puzzles and shows each segment. */
import { readFileSync } from 'node:fs';
import { ArgumentError, ConfigError } from '../error';
import { onFile, readWholeFile } from '../io/files';
import type { TaskSolution } from '../train/solve_task';
import { defineCommand, EXIT_FAILURE, EXIT_OK, interruptible, PROGRAM, takeTurn } from './command';
import { deviceOption, openModel, warnOfUntrainedHalting } from './open_model';
import { rateText } from './run_report';
import { solveViews } from './solve_view';

export const solve = defineCommand({
  command: 'solve <checkpoint> [puzzle]',
  describe: 'Solve Sudokus or mazes with a trained model, segment by segment',
  examples: [
    ['$0 solve runs/small 1...|..2.|.3..|...4', 'digits row by row; . or 0 for a blank, layout is skipped'],
    ["$0 solve runs/maze 'S..|##.|G..'", 'a maze: # wall, space or . free, S start, G goal; | ends a row'],
    ['$0 solve runs/small --file puzzles.txt', 'one a line, or drawn, an empty line between; - reads standard input'],
    ['$0 solve runs/small --file puzzles.txt --adaptive', 'each stops where the model would; fast for many'],
  ],
  options: (parser) =>
    deviceOption(parser)
      .positional('checkpoint', {
        type: 'string',
        demandOption: true,
        describe: 'Directory of a run (its newest checkpoint) or of a checkpoint',
      })
      .positional('puzzle', { type: 'string', describe: 'The puzzle as text' })
      .option('file', { type: 'string', requiresArg: true, describe: 'File with puzzles' })
      .option('segments', { type: 'number', describe: 'Segments to run [default: as in training]' })
      .option('adaptive', { type: 'boolean', default: false, describe: 'Stop each puzzle where the model would' })
      .option('states', { type: 'number', default: 1, describe: 'Initial states that vote' })
      .option('states-seed', { type: 'number', default: 0, describe: 'Draws the initial states' })
      .option('batch', { type: 'number', default: 256, describe: 'Puzzles at a time' })
      .option('raw', { type: 'boolean', default: false, describe: 'The trained weights instead of the averaged' })
      .option('json', { type: 'boolean', default: false, describe: 'Print JSON, one line a puzzle' }),
  run: ({ checkpoint, puzzle, file, segments, adaptive, states, statesSeed, batch, raw, device, json }) => {
    if ((puzzle === undefined) === (file === undefined)) {
      throw new ConfigError(
        `solve: a puzzle or --file must be given, and not both, as in ${PROGRAM} solve ${checkpoint} --file puzzles.txt`,
      );
    }
    if (!Number.isSafeInteger(batch) || batch < 1) {
      throw new ConfigError(`--batch: must be a positive integer, got ${batch}`);
    }
    const text =
      puzzle ??
      (file === '-'
        ? onFile('solve', 'standard input', 'read', () => readFileSync(0, 'utf8'))
        : Buffer.from(readWholeFile('solve', file!)).toString('utf8'));
    return interruptible(async (signal) => {
      const loaded = openModel(checkpoint, { averaged: !raw, device });
      if (adaptive) warnOfUntrainedHalting(loaded);
      const view = solveViews[loaded.task ?? 'sudoku'];
      const options = { adaptive, initialStates: states, statesSeed, ...(segments === undefined ? {} : { segments }) };
      const puzzles = view.puzzles(loaded, text, puzzle === undefined ? `--file ${file}` : 'solve');
      const columns = process.stdout.columns ?? 100;
      let [nRight, nSegments, seconds] = [0, 0, 0];
      for (let first = 0; first < puzzles.length; first += batch) {
        await takeTurn(signal);
        const start = performance.now();
        const solved = numbered(first, () => view.solve(loaded, puzzles.slice(first, first + batch), options));
        seconds += (performance.now() - start) / 1000;
        for (const { solution, text: draw } of solved) {
          if (solution.violations.length === 0) nRight++;
          nSegments += segmentsRun(solution);
          process.stdout.write(`${json ? solutionJson(solution) : draw(columns)}\n`);
        }
      }
      const { length } = puzzles;
      if (length > 1) {
        process.stderr.write(
          `${nRight} of ${length} right, ${(nSegments / length).toFixed(2)} segments each, ${rateText(length / seconds)}\n`,
        );
      }
      return nRight === length ? EXIT_OK : EXIT_FAILURE;
    });
  },
});

/** Errors count the puzzles of a batch: says with which it begins. */
function numbered<R>(first: number, fn: () => R): R {
  try {
    return fn();
  } catch (error) {
    if (first === 0 || !(error instanceof ArgumentError)) throw error;
    throw new ArgumentError(`after ${first} puzzles: ${error.message}`, { cause: error });
  }
}

/** Of all initial states together. */
function segmentsRun({ segments, vote }: TaskSolution): number {
  return vote?.states.reduce((total, state) => total + state.segments, 0) ?? segments.length;
}

function solutionJson({ puzzle, answer, segments, haltingSegment, violations, vote }: TaskSolution): string {
  const steps = segments.map((segment) => ({ ...segment, grid: Array.from(segment.grid) }));
  return JSON.stringify({
    puzzle: Array.from(puzzle),
    answer: Array.from(answer),
    haltingSegment,
    violations,
    segments: steps,
    ...(vote
      ? { vote: { ...vote, states: vote.states.map((state) => ({ ...state, answer: Array.from(state.answer) })) } }
      : {}),
  });
}
