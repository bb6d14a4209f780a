/** `hrm eval`: metrics of a trained model on its test puzzles. */
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

export const evalCommand = defineCommand({
  command: 'eval <checkpoint>',
  describe: 'Evaluate a model on the puzzles it was not trained on',
  examples: [
    ['$0 eval runs/small', 'all test puzzles of the run'],
    ['$0 eval runs/small --adaptive', 'let puzzles halt, and show what that costs'],
    ['$0 eval runs/small --segments 16 --puzzles 500', 'more segments than in training, a fixed subset'],
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
      .option('json', { type: 'boolean', default: false, describe: 'Print JSON' }),
  run: async ({ checkpoint, split, puzzles, segments, batch, adaptive, raw, set, json }) => {
    return await interruptible(async (signal) => {
      const { loaded, dataset } = await openSplit('eval', { checkpoint, split, raw, set }, signal);
      const options = {
        batchSize: batch,
        puzzles: puzzles ?? null,
        ...(segments === undefined ? {} : { segments }),
        signal,
      };
      const fixed = await evaluate(loaded.model, dataset, options);
      const halting = adaptive ? await evaluate(loaded.model, dataset, { ...options, adaptive }) : undefined;
      const { path, step, isAveraged } = loaded;
      process.stdout.write(
        json
          ? `${JSON.stringify({ checkpoint: path, step, isAveraged, split, fixed, adaptive: halting })}\n`
          : `${path}, step ${step}${isAveraged ? ', averaged weights' : ''}, ${split} puzzles\n${reportText(fixed, halting)}`,
      );
      process.stderr.write(fallbackText());
      return EXIT_OK;
    });
  },
});
