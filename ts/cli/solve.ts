/** `hrm solve`: lets a trained model solve puzzles and shows each segment. */
import { readFileSync } from 'node:fs';
import { ConfigError } from '../error';
import { readWholeFile } from '../io/files';
import type { TaskSolution } from '../train/solve_task';
import { defineCommand, EXIT_FAILURE, EXIT_OK, interruptible, takeTurn } from './command';
import { openModel } from './open_model';
import { solveViews } from './solve_view';

export const solve = defineCommand({
  command: 'solve <checkpoint> [puzzle]',
  describe: 'Solve a Sudoku or a maze with a trained model, segment by segment',
  examples: [
    ['$0 solve runs/small 1...|..2.|.3..|...4', 'digits row by row; . or 0 for a blank, layout is skipped'],
    ["$0 solve runs/maze 'S..|##.|G..'", 'a maze: # wall, space or . free, S start, G goal; | ends a row'],
    ['$0 solve runs/small --file puzzles.txt', 'one drawn puzzle, or one a line; - reads standard input'],
  ],
  options: (parser) =>
    parser
      .positional('checkpoint', {
        type: 'string',
        demandOption: true,
        describe: 'Directory of a run (its newest checkpoint) or of a checkpoint',
      })
      .positional('puzzle', { type: 'string', describe: 'The puzzle as text' })
      .option('file', { type: 'string', requiresArg: true, describe: 'File with puzzles' })
      .option('segments', { type: 'number', describe: 'Segments to run [default: as in training]' })
      .option('raw', { type: 'boolean', default: false, describe: 'The trained weights instead of the averaged' })
      .option('json', { type: 'boolean', default: false, describe: 'Print JSON, one line a puzzle' }),
  run: ({ checkpoint, puzzle, file, segments, raw, json }) => {
    if ((puzzle === undefined) === (file === undefined)) {
      throw new ConfigError('solve: a puzzle or --file must be given, and not both');
    }
    const text =
      puzzle ?? (file === '-' ? readFileSync(0, 'utf8') : Buffer.from(readWholeFile('solve', file!)).toString('utf8'));
    return interruptible(async (signal) => {
      const loaded = openModel(checkpoint, { averaged: !raw });
      const view = solveViews[loaded.task ?? 'sudoku'];
      let nWrong = 0;
      for (const given of view.puzzles(loaded, text, puzzle === undefined ? `--file ${file}` : 'solve')) {
        await takeTurn(signal);
        const solved = view.solve(loaded, given, segments === undefined ? {} : { segments });
        if (solved.solution.violations.length > 0) nWrong++;
        const columns = process.stdout.columns ?? 100;
        process.stdout.write(`${json ? solutionJson(solved.solution) : solved.text(columns)}\n`);
      }
      return nWrong === 0 ? EXIT_OK : EXIT_FAILURE;
    });
  },
});

function solutionJson({ puzzle, answer, segments, haltingSegment, violations }: TaskSolution): string {
  const steps = segments.map((segment) => ({ ...segment, grid: Array.from(segment.grid) }));
  return JSON.stringify({
    puzzle: Array.from(puzzle),
    answer: Array.from(answer),
    haltingSegment,
    violations,
    segments: steps,
  });
}
