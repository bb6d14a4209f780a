/** `hrm demo`: from nothing to a model that solves Sudokus it has never seen, in minutes on two cores. */
import { existsSync } from 'node:fs';
import type { SudokuSet } from '../data/sudoku/set';
import { ConfigError } from '../error';
import { countParameters } from '../hrm/config';
import { renderCurve, sparkline } from '../train/curve';
import { evaluate, type Evaluation } from '../train/evaluate';
import { formatDuration } from '../train/progress';
import type { RunData } from '../train/run_data';
import { solve } from '../train/solve';
import { train, type RunStart, type TrainResult } from '../train/train';
import { defineCommand, EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_OK, interruptible, PROGRAM } from './command';
import { dataText, evaluationText, percent, runProgress, sharesPuzzles } from './run_report';
import { solutionText } from './solution_text';

const PRESET = 'demo-4x4';
/** Share of the unseen puzzles that must be exactly right. */
const GOAL = 0.95;
const N_SOLVED = 3;
const MAX_TERMINAL = 100;

const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** Steps to try the machine's speed with, and how many of the first and last of them do not count. */
const TRIAL_STEPS = 32;
const TRIAL_WARMUP = 8;
const MIN_STEPS = 3000;
const MAX_STEPS = 4000;
/** Share of the time that the steps may take; the rest is for evaluations. */
const STEP_SHARE = 0.9;
const MAX_MINUTES = 24 * 60;

function requireMinutes(minutes: number): void {
  if (minutes > 0 && minutes <= MAX_MINUTES) return;
  throw new ConfigError(`--minutes: must be a number in (0, ${MAX_MINUTES}], got ${minutes}`);
}

/**
 * How many steps fit into the time, so that the learning rate has come down when it is over. The same on every machine
 * that is fast enough.
 */
async function stepsFor(minutes: number, signal: AbortSignal): Promise<number> {
  const times: number[] = [];
  await train({
    preset: PRESET,
    config: {
      data: { trainPuzzles: 500, validPuzzles: 10, testPuzzles: 10 },
      train: { steps: TRIAL_STEPS, stopAtExactAccuracy: null },
      eval: { everySteps: null, finalPuzzles: 0 },
    },
    signal,
    onStep: () => times.push(performance.now()),
  });
  // The reports of the last steps come all at once, after the end.
  const timed = times.slice(TRIAL_WARMUP, TRIAL_STEPS - TRIAL_WARMUP);
  const stepMs = (timed.at(-1)! - timed[0]!) / (timed.length - 1);
  return Math.round(Math.min(MAX_STEPS, Math.max(MIN_STEPS, (minutes * 60_000 * STEP_SHARE) / stepMs)));
}

/** The first of runs/demo, runs/demo-2, ... that is free: nothing of an earlier demo is touched. */
function freeDirectory(): string {
  for (let i = 1; ; i++) {
    const dir = i === 1 ? 'runs/demo' : `runs/demo-${i}`;
    if (!existsSync(dir)) return dir;
  }
}

function describeModel({ model, config, totalSteps }: RunStart): void {
  const { hidden, hLayers, lLayers, hCycles, lCycles, haltMaxSteps } = model.config;
  print(
    `An HRM with ${countParameters(model.config).toLocaleString('en')} weights: hidden ${hidden}, ${hLayers}+${lLayers} layers, ` +
      `${hCycles}x${lCycles} cycles, at most ${haltMaxSteps} segments;\none-step gradient, batch ${config.train.batchSize}, ` +
      `at most ${totalSteps} steps, stopping early by the validation puzzles.\n`,
  );
}

/** Solves some test puzzles, spread over the set, and prints every segment. */
function solveSome({ model, data }: TrainResult, test: SudokuSet): void {
  const columns = Math.min(process.stdout.columns ?? MAX_TERMINAL, MAX_TERMINAL);
  for (let i = 0; i < N_SOLVED; i++) {
    const index = Math.floor(((i + 0.5) * test.length) / N_SOLVED);
    const solution = solve(model, test.puzzle(index), { geometry: data.sudoku!.geometry });
    print(`\nUnseen puzzle ${i + 1}\n${solutionText(solution, columns)}`.trimEnd());
  }
}

function describeOverlap({ guard }: RunData): boolean {
  const { nRows, nOverlaps } = guard!.seen;
  print(
    `Of ${nRows.toLocaleString('en')} training rows, augmented ones included, ${nOverlaps} were held-out puzzles or grids.`,
  );
  return nOverlaps === 0;
}

function verdict(result: Evaluation): string {
  const share = percent(result.exactAccuracy);
  return result.exactAccuracy >= GOAL
    ? `Goal of ${percent(GOAL)} reached: ${share}.`
    : `Goal of ${percent(GOAL)} missed: ${share}. A slower machine may need --minutes 5.`;
}

export const demo = defineCommand({
  command: 'demo',
  describe: 'Train a small model on generated 4x4 Sudokus and watch it solve unseen ones; minutes on two cores',
  examples: [
    ['$0 demo', 'the whole story, in at most 3 minutes'],
    ['$0 demo --seed 1', 'other puzzles, other weights'],
  ],
  options: (parser) =>
    parser
      .option('seed', { type: 'number', default: 0, describe: 'Decides puzzles, weights and order' })
      .option('minutes', { type: 'number', default: 2.6, describe: 'Longest time to train' })
      .option('out', { type: 'string', requiresArg: true, describe: 'Directory of the run [default: runs/demo]' }),
  run: ({ seed, minutes, out }) =>
    interruptible(async (interrupted) => {
      requireMinutes(minutes);
      const started = performance.now();
      const dir = out ?? freeDirectory();
      const progress = runProgress(process.stderr);
      const shares: number[] = [];
      let isClean = true;
      const steps = await stepsFor(minutes, interrupted);
      if (interrupted.aborted) return EXIT_INTERRUPTED;
      const timeIsUp = new AbortController();
      let timer: NodeJS.Timeout | undefined;
      let trainingFrom = 0;
      const result = await train({
        preset: PRESET,
        config: { data: { seed }, train: { seed, steps } },
        out: dir,
        signal: AbortSignal.any([interrupted, timeIsUp.signal]),
        ...progress.events,
        onStart: (start) => {
          print(`${dataText(start.data)}\n`);
          isClean = !sharesPuzzles(start.data);
          describeModel(start);
          progress.events.onStart(start);
          // From here on an abort ends the training and leaves a model; before, it would be an error.
          trainingFrom = performance.now();
          timer = setTimeout(() => timeIsUp.abort(), Math.round(minutes * 60_000));
        },
        onEvaluation: (evaluation) => {
          shares.push(evaluation.result.exactAccuracy);
          progress.events.onEvaluation(evaluation);
          progress.note(`  ${sparkline(shares)}`);
        },
      }).finally(() => {
        clearTimeout(timer);
        progress.end();
      });
      const trainedSeconds = (performance.now() - trainingFrom) / 1000;
      if (interrupted.aborted) return EXIT_INTERRUPTED;

      const points = result.evaluations.map(({ step, result: { exactAccuracy: value } }) => ({ step, value }));
      print(`\n${renderCurve(points, { title: 'validation puzzles exactly right, by step' })}\n`);
      const why = { finished: 'all steps done', stopped: 'early stop', interrupted: 'time is up' }[result.status];
      print(`Trained ${result.step} steps in ${formatDuration(trainedSeconds)} (${why}).`);
      isClean = describeOverlap(result.data) && isClean;

      const { test } = result.data.sudoku!;
      const score = await evaluate(result.model, result.data.test!);
      print(`Test: ${evaluationText(score)}.`);
      print(`Exactly right after each segment: ${score.exactBySegment.map(percent).join(', ')}.`);
      solveSome(result, test);
      print(
        `\n${verdict(score)} The model is in ${dir}: ${PROGRAM} solve ${dir} PUZZLE, ${PROGRAM} eval ${dir} --adaptive.`,
      );
      print(`Whole demo: ${formatDuration((performance.now() - started) / 1000)}.`);
      return isClean && score.exactAccuracy >= GOAL ? EXIT_OK : EXIT_FAILURE;
    }, 'finishing this step'),
});
