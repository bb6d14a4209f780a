/** `hrm eval`: metrics of a trained model on its test puzzles. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { arcSubmission, type ArcResult } from '../data/arc/vote';
import { ConfigError } from '../error';
import type { ModelConfig } from '../hrm/config';
import { writeFileAtomic } from '../io/atomic_file';
import { arcNamesOf, evaluateArc, requireTrainedPuzzles } from '../train/arc';
import { evaluate, type EvaluateOptions, type Evaluation } from '../train/evaluate';
import { defineCommand, EXIT_OK, interruptible } from './command';
import { requireInitialStates } from '../train/vote';
import { deviceOption, warnOfUntrainedHalting } from './open_model';
import { openSplit } from './open_split';
import { evaluationText, fallbackText, percent, rateText } from './run_report';

/** One way to run the puzzles: with or without halting, with or without a vote. */
interface Way {
  readonly name: string;
  readonly options: Pick<EvaluateOptions, 'adaptive' | 'initialStates'>;
}

/** What a way gave; `puzzlesPerSecond` is of this one run. */
interface Measured extends Way {
  readonly result: Evaluation;
  readonly puzzlesPerSecond: number;
}

function waysOf(adaptive: boolean, initialStates: number): Way[] {
  const vote = { name: `vote of ${initialStates} initial states`, options: { initialStates } };
  const alone: Way[] = [
    { name: 'fixed', options: {} },
    ...(adaptive ? [{ name: 'adaptive halting', options: { adaptive } }] : []),
  ];
  if (initialStates === 1) return alone;
  const withVote = alone.map(({ name, options }) => ({
    name: options.adaptive ? `${name}, ${vote.name}` : vote.name,
    options: { ...options, ...vote.options },
  }));
  return [...alone, ...withVote];
}

function wayText(way: Measured, fixed: Measured | undefined, haltLoss: ModelConfig['haltLoss']): string {
  const { name, options, result, puzzlesPerSecond } = way;
  const lines = [
    `${way === fixed ? `${result.segments} segments each` : name}: ${evaluationText(result)}, ${rateText(puzzlesPerSecond)}`,
  ];
  if (result.exactBySegment.length > 0) {
    const qHalt = `qHalt says right or wrong rightly for ${percent(result.qHaltAccuracy)}; `;
    lines.push(
      `exactly right by segment: ${result.exactBySegment.map(percent).join(' ')}`,
      `${haltLoss === 'none' ? '' : qHalt}lm loss ${result.lmLoss.toFixed(4)}`,
    );
  }
  const { vote } = result;
  if (vote) {
    const [own, ...others] = vote.exactByState;
    lines.push(
      `the vote gains ${signedPercent(vote.gain)} ± ${percent(vote.gainStandardError)} over the trained state's ${percent(own!)}; ` +
        `the others alone: ${others.map(percent).join(' ')}`,
    );
  }
  if (options.adaptive && !vote && fixed) {
    const cost = fixed.result.exactAccuracy - result.exactAccuracy;
    lines.push(
      `halting costs ${percent(cost)} exactly right, saves ${percent(1 - result.steps / fixed.result.steps)} of the segments ` +
        `and makes it ${(puzzlesPerSecond / fixed.puzzlesPerSecond).toFixed(2)}x as fast`,
    );
  }
  return `${lines.join('\n')}\n`;
}

const signedPercent = (share: number): string => `${share < 0 ? '' : '+'}${percent(share)}`;

/** Where a submission goes is looked at before the work, not after it. */
function requireSubmission(file: string): void {
  if (file !== '' && existsSync(path.dirname(file))) return;
  throw new ConfigError(`--submission: must be a file in a directory that exists, got "${file}"`);
}

/** What of the votes goes into JSON: the answers themselves are the submission's. */
function arcSummary({ tasks, scored, pass1, pass2, votes }: ArcResult) {
  return { tasks: tasks.length, scored, pass1, pass2, votes };
}

/** `pass@1 12.5%, pass@2 25.0% of 8 tasks; 160 rows voted` */
function arcText({ tasks, scored, pass1, pass2, votes }: ArcResult): string {
  const open = tasks.length - scored;
  const shares = scored === 0 ? '' : `pass@1 ${percent(pass1)}, pass@2 ${percent(pass2)} of ${scored} tasks; `;
  return `${shares}${open === 0 ? '' : `${open} tasks without published answers; `}${votes} rows voted\n`;
}

export const evalCommand = defineCommand({
  command: 'eval <checkpoint>',
  describe: 'Evaluate a model on the puzzles it was not trained on',
  examples: [
    ['$0 eval runs/small', 'all test puzzles of the run'],
    ['$0 eval runs/small --adaptive', 'let puzzles halt, and show what that costs'],
    ['$0 eval runs/small --states 8', 'with and without a vote of 8 initial states'],
    ['$0 eval runs/small --segments 16 --puzzles 500', 'more segments than in training, a fixed subset'],
    ['$0 eval runs/arc --submission submission.json', 'ARC: votes over the augmentations, answers to a file'],
  ],
  options: (parser) =>
    deviceOption(parser)
      .positional('checkpoint', {
        type: 'string',
        demandOption: true,
        describe: 'Directory of a run (its newest checkpoint) or of a checkpoint',
      })
      .option('split', { choices: ['test', 'valid'] as const, default: 'test' as const, describe: 'Which puzzles' })
      .option('puzzles', { type: 'number', describe: 'A fixed subset of so many' })
      .option('segments', { type: 'number', describe: 'Segments a puzzle [default: as in training]' })
      .option('batch', { type: 'number', default: 256, describe: 'Puzzles at a time' })
      .option('adaptive', { type: 'boolean', default: false, describe: 'Also with halting, the cost beside it' })
      .option('states', {
        type: 'number',
        default: 1,
        describe: 'Also with so many initial states that vote, the gain beside it',
      })
      .option('states-seed', { type: 'number', default: 0, describe: 'Draws the initial states' })
      .option('raw', { type: 'boolean', default: false, describe: 'The trained weights instead of the averaged' })
      .option('set', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: 'Other data, data.key=value; may be repeated',
      })
      .option('submission', {
        type: 'string',
        requiresArg: true,
        describe: "ARC: file for the tasks' two best answers",
      })
      .option('json', { type: 'boolean', default: false, describe: 'Print JSON' }),
  run: async (given) => {
    const {
      checkpoint,
      split,
      puzzles,
      segments,
      batch,
      adaptive,
      states,
      statesSeed,
      raw,
      device,
      set,
      submission,
      json,
    } = given;
    if (submission !== undefined) requireSubmission(submission);
    requireInitialStates('--states', states);
    return await interruptible(async (signal) => {
      const { loaded, data, dataset } = await openSplit('eval', { checkpoint, split, raw, device, set }, signal);
      const { model } = loaded;
      requireInitialStates('--states', states, model);
      const options = {
        batchSize: batch,
        puzzles: puzzles ?? null,
        ...(segments === undefined ? {} : { segments }),
        statesSeed,
        signal,
      };
      const names = split === 'test' ? arcNamesOf(data) : undefined;
      if (submission !== undefined && names === undefined) {
        throw new ConfigError("--submission: the run's data must be of ARC tasks, made by hrm data arc");
      }
      requireTrainedPuzzles(model, loaded.config.data, data);
      if (adaptive) warnOfUntrainedHalting(loaded);
      const ways = waysOf(adaptive, states);
      // Rates are compared only where there are several ways: the first would pay for packing weights and filling pools.
      if (ways.length > 1) await evaluate(model, dataset, { ...options, segments: 1, puzzles: 1 });
      const measured: Measured[] = [];
      let arc: ArcResult | undefined;
      for (const way of ways) {
        const start = performance.now();
        const chosen = { ...options, ...way.options };
        const voted = names && measured.length === 0 ? await evaluateArc(model, dataset, names, chosen) : undefined;
        arc ??= voted?.result;
        const result = voted?.evaluation ?? (await evaluate(model, dataset, chosen));
        measured.push({ ...way, result, puzzlesPerSecond: (result.count * 1000) / (performance.now() - start) });
      }
      if (submission !== undefined) writeFileAtomic(submission, Buffer.from(arcSubmission(arc!)));
      const { path: place, step, isAveraged } = loaded;
      process.stdout.write(
        json
          ? `${JSON.stringify({ checkpoint: place, step, isAveraged, split, ...evaluations(measured), arc: arc && arcSummary(arc) })}\n`
          : `${place}, step ${step}${isAveraged ? ', averaged weights' : ''}, ${split} puzzles\n` +
              `${measured.map((way) => wayText(way, measured[0], model.config.haltLoss)).join('')}${arc ? arcText(arc) : ''}`,
      );
      process.stderr.write(fallbackText());
      return EXIT_OK;
    });
  },
});

/** The ways under their names in JSON. */
function evaluations(measured: readonly Measured[]): Record<string, Evaluation & Pick<Measured, 'puzzlesPerSecond'>> {
  return Object.fromEntries(
    measured.map(({ options, result, puzzlesPerSecond }) => {
      const name = options.adaptive ? 'adaptive' : 'fixed';
      return [result.vote ? `${name}Vote` : name, { ...result, puzzlesPerSecond }];
    }),
  );
}
