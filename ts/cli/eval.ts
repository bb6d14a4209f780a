/** `hrm eval`: metrics of a trained model on its test puzzles. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { arcSubmission, type ArcResult } from '../data/arc/vote';
import { ConfigError } from '../error';
import { writeFileAtomic } from '../io/atomic_file';
import { arcNamesOf, evaluateArc, requireTrainedPuzzles } from '../train/arc';
import { evaluate, type Evaluation } from '../train/evaluate';
import { defineCommand, EXIT_OK, interruptible } from './command';
import { openSplit } from './open_split';
import { evaluationText, fallbackText, percent } from './run_report';

function reportText(fixed: Evaluation | undefined, adaptive: Evaluation | undefined): string {
  const lines: string[] = [];
  if (fixed) {
    lines.push(`${fixed.segments} segments each: ${evaluationText(fixed)}`);
    lines.push(`exactly right by segment: ${fixed.exactBySegment.map(percent).join(' ')}`);
    lines.push(
      `qHalt says right or wrong rightly for ${percent(fixed.qHaltAccuracy)}; lm loss ${fixed.lmLoss.toFixed(4)}`,
    );
  }
  if (adaptive) lines.push(`adaptive halting: ${evaluationText(adaptive)}`);
  if (fixed && adaptive) {
    const cost = fixed.exactAccuracy - adaptive.exactAccuracy;
    lines.push(
      `halting costs ${percent(cost)} exactly right and saves ${percent(1 - adaptive.steps / fixed.steps)} of the segments`,
    );
  }
  return `${lines.join('\n')}\n`;
}

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
    ['$0 eval runs/small --segments 16 --puzzles 500', 'more segments than in training, a fixed subset'],
    ['$0 eval runs/arc --submission submission.json', 'ARC: votes over the augmentations, answers to a file'],
  ],
  options: (parser) =>
    parser
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
  run: async ({ checkpoint, split, puzzles, segments, batch, adaptive, raw, set, submission, json }) => {
    if (submission !== undefined) requireSubmission(submission);
    return await interruptible(async (signal) => {
      const { loaded, data, dataset } = await openSplit('eval', { checkpoint, split, raw, set }, signal);
      const options = {
        batchSize: batch,
        puzzles: puzzles ?? null,
        ...(segments === undefined ? {} : { segments }),
        signal,
      };
      const names = split === 'test' ? arcNamesOf(data) : undefined;
      if (submission !== undefined && names === undefined) {
        throw new ConfigError("--submission: the run's data must be of ARC tasks, made by hrm data arc");
      }
      requireTrainedPuzzles(loaded.model, loaded.config.data, data);
      const voted = names && (await evaluateArc(loaded.model, dataset, names, options));
      const fixed = voted ? voted.evaluation : await evaluate(loaded.model, dataset, options);
      if (submission !== undefined) writeFileAtomic(submission, Buffer.from(arcSubmission(voted!.result)));
      const halting = adaptive ? await evaluate(loaded.model, dataset, { ...options, adaptive }) : undefined;
      const { path: place, step, isAveraged } = loaded;
      const shown = voted && arcSummary(voted.result);
      process.stdout.write(
        json
          ? `${JSON.stringify({ checkpoint: place, step, isAveraged, split, fixed, adaptive: halting, arc: shown })}\n`
          : `${place}, step ${step}${isAveraged ? ', averaged weights' : ''}, ${split} puzzles\n` +
              `${reportText(fixed, halting)}${voted ? arcText(voted.result) : ''}`,
      );
      process.stderr.write(fallbackText());
      return EXIT_OK;
    });
  },
});
