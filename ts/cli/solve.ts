/** `hrm solve`: lets a trained model solve Sudokus and shows each segment. */
import { readFileSync } from 'node:fs';
import { parseGrid } from '../data/sudoku/text';
import type { Geometry, Grid } from '../data/sudoku/geometry';
import { geometryOfCells } from '../data/sudoku/geometry';
import { ConfigError, FormatError } from '../error';
import { loadModel } from '../train/load_model';
import { solve as solvePuzzle } from '../train/solve';
import { defineCommand, EXIT_FAILURE, EXIT_OK, interruptible, takeTurn } from './command';
import { solutionText } from './run_report';

/** The puzzles of a text: one drawn over several lines, or one a line. */
export function readPuzzles(text: string, geometry: Geometry | undefined, what: string): Grid[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const isGridLine = (line: string): boolean => {
    try {
      parseGrid(line, geometry, what);
      return true;
    } catch (error) {
      if (error instanceof FormatError) return false;
      throw error;
    }
  };
  // A line of a drawing holds one row, which is no grid: only if all of them are, there are several puzzles.
  if (lines.length > 1 && lines.some(isGridLine)) return lines.map((line) => parseGrid(line, geometry, what).grid);
  return [parseGrid(text, geometry, what).grid];
}

export const solve = defineCommand({
  command: 'solve <checkpoint> [puzzle]',
  describe: 'Solve a Sudoku with a trained model, segment by segment',
  examples: [
    ['$0 solve runs/small 1...|..2.|.3..|...4', 'digits row by row; . or 0 for a blank, layout is skipped'],
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
    const text = puzzle ?? readFileSync(file === '-' ? 0 : file!, 'utf8');
    return interruptible(async (signal) => {
      const loaded = loadModel(checkpoint, { averaged: !raw });
      const geometry = loaded.geometry ?? geometryOfCells(loaded.model.config.seqLen);
      const puzzles = readPuzzles(text, geometry, puzzle === undefined ? `--file ${file}` : 'solve');
      let nWrong = 0;
      for (const grid of puzzles) {
        await takeTurn(signal);
        const solution = solvePuzzle(loaded.model, grid, {
          ...(geometry ? { geometry } : {}),
          ...(segments === undefined ? {} : { segments }),
        });
        if (solution.violations.length > 0) nWrong++;
        const columns = process.stdout.columns ?? 100;
        process.stdout.write(json ? `${solutionJson(solution)}\n` : `${solutionText(solution, columns)}\n`);
      }
      return nWrong === 0 ? EXIT_OK : EXIT_FAILURE;
    });
  },
});

function solutionJson({
  puzzle,
  answer,
  segments,
  haltingSegment,
  violations,
}: ReturnType<typeof solvePuzzle>): string {
  const steps = segments.map((segment) => ({ ...segment, grid: Array.from(segment.grid) }));
  return JSON.stringify({
    puzzle: Array.from(puzzle),
    answer: Array.from(answer),
    haltingSegment,
    violations,
    segments: steps,
  });
}
