/** `hrm convert`: official checkpoints to runs of ours, and ours to safetensors with the official names. */
import { statSync } from 'node:fs';
import { ConfigError, FileError } from '../error';
import { show } from '../hrm/config_error';
import { countParameters, type ModelConfig, type ModelSettings } from '../hrm/config';
import { configFileLayer } from '../train/config_file';
import { type ConfigLayer, mergeLayers } from '../train/config';
import { loadOfficial, PUZZLE_EMB, type PuzzleEmb, saveOfficial, SAVED_DTYPES } from '../train/official';
import { importOfficial } from '../train/official_run';
import { overridesLayer } from '../train/overrides';
import { presetLayer } from '../train/presets';
import { defineCommand, EXIT_OK, PROGRAM } from './command';
import { openModel } from './open_model';

/** Whether the path is that of a run or checkpoint of ours. @throws FileError */
function isDirectory(source: string): boolean {
  const stat = statSync(source, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new FileError(`convert: ${source} must be a checkpoint file or the directory of a run, got nothing`);
  return stat.isDirectory();
}

function modelText(config: ModelConfig): string {
  const {
    hidden,
    hLayers,
    lLayers,
    sharedLevels,
    vocabSize,
    seqLen,
    puzzleEmbLen,
    numPuzzleIdentifiers,
    posEncodings,
  } = config;
  const layers = sharedLevels ? `${lLayers} shared layers` : `${hLayers} + ${lLayers} layers`;
  const parameters = countParameters(config).toLocaleString('en-US');
  return (
    `${parameters} parameters, hidden ${hidden}, ${layers}, positions ${posEncodings}, vocabulary ${vocabSize}, ` +
    `${puzzleEmbLen} + ${seqLen} tokens, ${numPuzzleIdentifiers} puzzle identifiers`
  );
}

function noteText(config: ModelConfig, assumed: readonly (keyof ModelSettings)[], others: readonly string[]): string {
  const lines: string[] = [];
  if (assumed.length > 0) {
    const values = assumed.map((key) => `${key} ${show(config[key])}`).join(', ');
    lines.push(
      `not in the weights, so taken from the official defaults: ${values}; --set model.KEY=VALUE gives others`,
    );
  }
  if (others.length > 0)
    lines.push(`left out ${others.length} tensors beside the model: ${others.slice(0, 3).join(', ')}`);
  return lines.map((line) => `${line}\n`).join('');
}

interface Written {
  out: string;
  dtype: (typeof SAVED_DTYPES)[number] | undefined;
  prefix: string | undefined;
}

function runToFile(source: string, averaged: boolean, { out, dtype, prefix }: Written): void {
  const { model, step, isAveraged, path } = openModel(source, { averaged, device: 'cpu' });
  saveOfficial(model, out, { dtype: dtype ?? 'float32', prefix: prefix ?? '' });
  process.stdout.write(
    `wrote ${out}: ${path}, step ${step}${isAveraged ? ', averaged weights' : ''}; ${modelText(model.config)}\n`,
  );
}

function officialToFile(
  source: string,
  layers: readonly ConfigLayer[],
  puzzleEmb: PuzzleEmb,
  { out, dtype, prefix }: Written,
): void {
  const { model, assumed, others } = loadOfficial(source, { settings: mergeLayers(layers).model ?? {}, puzzleEmb });
  saveOfficial(model, out, { dtype: dtype ?? 'float32', prefix: prefix ?? '' });
  process.stdout.write(`wrote ${out}: ${modelText(model.config)}\n${noteText(model.config, assumed, others)}`);
}

function officialToRun(source: string, layers: readonly ConfigLayer[], puzzleEmb: PuzzleEmb, out: string): void {
  const { model, config, assumed, others } = importOfficial(source, out, layers, puzzleEmb);
  const data = config.data.kind === 'npy' ? `data in ${config.data.dir}` : `data ${config.data.kind}`;
  process.stdout.write(
    `wrote ${out}: ${modelText(model.config)}\n${noteText(model.config, assumed, others)}` +
      `${PROGRAM} eval ${out} (${data}; --set data.dir=DIR for others), ${PROGRAM} solve ${out} and ${PROGRAM} train --resume ${out} use it\n`,
  );
}

export const convert = defineCommand({
  command: 'convert <source>',
  describe: 'Turn an official checkpoint into a run, or a run into a file for PyTorch',
  examples: [
    [
      '$0 convert step_26040 --preset sudoku-extreme --set model.seqLen=81 --out runs/official',
      'a checkpoint of the official code',
    ],
    ['$0 convert step_100 --set model.seqLen=900 --set data.dir=data/maze --out runs/maze', 'with other data'],
    ['$0 convert runs/small --to safetensors --out small.safetensors', 'for load_state_dict in PyTorch'],
    [
      '$0 convert runs/small --to safetensors --dtype bfloat16 --prefix _orig_mod. --out small.safetensors',
      'for a compiled model',
    ],
  ],
  options: (parser) =>
    parser
      .positional('source', {
        type: 'string',
        demandOption: true,
        describe: 'File of torch.save or safetensors with the official names, or the directory of a run or checkpoint',
      })
      .option('out', {
        type: 'string',
        demandOption: true,
        requiresArg: true,
        describe: 'What to make; must not exist',
      })
      .option('to', { choices: ['run', 'safetensors'] as const, default: 'run' as const, describe: 'What to make' })
      .option('preset', {
        type: 'string',
        requiresArg: true,
        describe: 'Settings that the weights do not show; see hrm train --help',
      })
      .option('config', { type: 'string', requiresArg: true, describe: 'JSON file with settings over the preset' })
      .option('set', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: 'One setting, group.key=value, such as model.nHeads=8; may be repeated',
      })
      .option('puzzle-emb', {
        choices: PUZZLE_EMB,
        default: 'keep' as const,
        describe:
          "With another model.numPuzzleIdentifiers: rows as in the file, all their mean (as TRM's code does), or zeros",
      })
      .option('dtype', { choices: SAVED_DTYPES, describe: 'Of the weights in the file [default: float32]' })
      .option('prefix', { type: 'string', requiresArg: true, describe: 'In front of the names, such as _orig_mod.' })
      .option('raw', {
        type: 'boolean',
        default: false,
        describe: 'The trained weights of a run instead of the averaged',
      }),
  run: (args) => {
    const { source, out, to, preset, config, set, dtype, prefix, raw } = args;
    const puzzleEmb = args['puzzle-emb'];
    const layers = [
      ...(preset === undefined ? [] : [presetLayer(preset)]),
      ...(config === undefined ? [] : [configFileLayer(config)]),
      ...(set.length === 0 ? [] : [overridesLayer(set)]),
    ];
    const isRun = isDirectory(source);
    if (isRun && to === 'run')
      throw new ConfigError(`convert: ${source} is a run already; --to safetensors makes a file for PyTorch`);
    if (isRun && (layers.length > 0 || puzzleEmb !== 'keep')) {
      throw new ConfigError(
        'convert: --preset, --config, --set and --puzzle-emb are for official checkpoints; a run has its settings',
      );
    }
    if (!isRun && raw)
      throw new ConfigError('convert: --raw is for runs; an official checkpoint has one set of weights');
    if (to === 'run' && (dtype !== undefined || prefix !== undefined)) {
      throw new ConfigError('convert: --dtype and --prefix are for --to safetensors; a run holds float32');
    }
    if (isRun) runToFile(source, !raw, { out, dtype, prefix });
    else if (to === 'safetensors') officialToFile(source, layers, puzzleEmb, { out, dtype, prefix });
    else officialToRun(source, layers, puzzleEmb, out);
    return EXIT_OK;
  },
});
