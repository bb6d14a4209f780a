/** `hrm train`: trains a model from a preset, a configuration file and single settings. */
import { ConfigError } from '../error';
import { configFileLayer } from '../train/config_file';
import { overridesLayer } from '../train/overrides';
import { presetList } from '../train/presets';
import { settingsText } from '../train/settings';
import { train as runTraining } from '../train/train';
import { defineCommand, EXIT_INTERRUPTED, EXIT_OK, interruptible, PROGRAM } from './command';
import { dataText, runProgress } from './run_report';

const presetLines = presetList.map(({ name, about }) => `  ${name}: ${about}`).join('\n');

export const train = defineCommand({
  command: 'train',
  describe: 'Train a model; Ctrl-C once finishes the step, saves and exits with 130',
  examples: [
    ['$0 train --preset demo-4x4 --out runs/small', 'a small model on generated 4x4 Sudokus'],
    ['$0 train --preset sudoku-mid --set train.steps=2000 --set optim.lr=3e-4', 'single settings over a preset'],
    ['$0 train --resume runs/small', 'go on from the newest checkpoint'],
  ],
  options: (parser) =>
    parser
      .option('preset', { type: 'string', requiresArg: true, describe: 'Where to start from; listed below' })
      .option('config', { type: 'string', requiresArg: true, describe: 'JSON file with settings over the preset' })
      .option('set', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: 'One setting, group.key=value; may be repeated',
      })
      .option('out', { type: 'string', requiresArg: true, describe: 'Directory of the run [default: runs/<preset>]' })
      .option('resume', { type: 'string', describe: 'Go on with the run in this directory, or in --out' })
      .epilogue(
        `Presets:\n${presetLines}\n\nSettings and their defaults, some of which a preset changes (docs/training.md):\n${settingsText()}`,
      ),
  run: async ({ preset, config, set, out, resume }) => {
    const resumes = resume !== undefined;
    if (resume !== undefined && resume !== '' && out !== undefined && resume !== out) {
      throw new ConfigError(`--resume ${resume}: must be the same directory as --out ${out}`);
    }
    if (!resumes && preset === undefined && config === undefined) {
      throw new ConfigError(`train: --preset or --config must be given, or --resume; see ${PROGRAM} train --help`);
    }
    const dir = (resume === '' ? undefined : resume) ?? out ?? `runs/${preset ?? 'run'}`;
    const layers = [
      ...(config === undefined ? [] : [configFileLayer(config)]),
      ...(set.length === 0 ? [] : [overridesLayer(set)]),
    ];
    return await interruptible(async (signal) => {
      const progress = runProgress(process.stderr);
      const { status, step } = await runTraining({
        ...(preset === undefined ? {} : { preset }),
        layers,
        out: dir,
        resume: resumes,
        signal,
        ...progress.events,
        onStart: (start) => {
          process.stderr.write(dataText(start.data));
          progress.events.onStart(start);
        },
      }).finally(() => {
        progress.end();
      });
      if (status === 'interrupted') {
        process.stderr.write(`saved step ${step} in ${dir}; ${PROGRAM} train --resume ${dir} goes on\n`);
        return EXIT_INTERRUPTED;
      }
      const how = status === 'stopped' ? 'stopped early: the validation puzzles are solved' : 'finished';
      process.stdout.write(
        `${how} after step ${step}; ${PROGRAM} eval ${dir} and ${PROGRAM} solve ${dir} use the model\n`,
      );
      return EXIT_OK;
    }, 'finishing this step');
  },
});
