/** Models in official checkpoints: read into an Hrm, written for PyTorch. */
import { noGrad } from '../autograd/no_grad';
import { ArgumentError, ConfigError, FormatError } from '../error';
import { type ModelConfig, type ModelSettings, modelKeys, modelSettingsSchema } from '../hrm/config';
import { parseStrict } from '../hrm/config_error';
import { inferModel, OFFICIAL_PREFIX, officialNames } from '../hrm/official';
import { requireModel } from '../hrm/arguments';
import { Hrm } from '../hrm/model';
import { describe, requirePath } from '../io/arguments';
import { createFileAtomic } from '../io/atomic_file';
import { InputFile } from '../io/files';
import { PyTorchFile } from '../io/pytorch/pytorch_file';
import type { RawArray } from '../io/raw_array';
import { SafetensorsFile, safetensorsChunks } from '../io/safetensors';
import { parseJson } from '../io/strict_json';
import { fromRawArray, toRawArray } from '../io/tensors';
import { cast, copy_ } from '../ops/cast';
import { isFinite } from '../ops/compare';
import { Generator } from '../ops/random';
import { all, mean } from '../ops/reduce';
import { readArgument, readOptions } from '../tensor/arguments';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';

/** What becomes of a puzzle embedding whose number of rows is to be another. */
export const PUZZLE_EMB = ['keep', 'mean', 'zeros'] as const;
export type PuzzleEmb = (typeof PUZZLE_EMB)[number];

export interface LoadOfficialOptions {
  /** What the weights do not show (nHeads, hCycles, lCycles, haltMaxSteps, ...); what they do show must agree. */
  readonly settings?: Partial<ModelSettings>;
  /**
   * With another `settings.numPuzzleIdentifiers` than the file's: `keep` refuses, `mean` gives every row the mean of the
   * file's (as TRM's code does), `zeros` starts anew.
   */
  readonly puzzleEmb?: PuzzleEmb;
  /** Tokens of a puzzle according to the data, where neither settings nor weights say it. */
  readonly dataSeqLen?: number;
}

export interface OfficialModel {
  readonly model: Hrm;
  /** Settings that neither the file nor the caller gave: the official defaults. */
  readonly assumed: readonly (keyof ModelSettings)[];
  /** Names of tensors beside the model's, which were passed over. */
  readonly others: readonly string[];
}

const PUZZLE_EMB_NAME = 'puzzle_emb.weights';
const LOADED_DTYPES: readonly RawArray['dtype'][] = ['float32', 'bfloat16', 'float64'];
/** Where our safetensors files keep the model's configuration, so that they load without settings. */
const CONFIG_KEY = 'hrm_model';

/**
 * Loads a model from an official checkpoint: a file of `torch.save` (see `readPyTorchCheckpoint`; nothing in it is run) or
 * safetensors with the official names. Prefixes are taken off, every weight is checked, and the configuration comes from the
 * shapes (HRM section 1) and `settings`.
 * @throws FileError, FormatError naming the weight; ConfigError where settings are missing or contradict the weights
 */
export function loadOfficial(file: string, options: LoadOfficialOptions = {}): OfficialModel {
  const op = 'loadOfficial';
  const path = requirePath(op, 'file', file);
  const {
    settings = {},
    puzzleEmb = 'keep',
    dataSeqLen,
  } = readOptions(op, options, ['settings', 'puzzleEmb', 'dataSeqLen']);
  if (!PUZZLE_EMB.includes(puzzleEmb)) {
    throw new ArgumentError(`${op}: puzzleEmb must be one of ${PUZZLE_EMB.join(', ')}, got ${describe(puzzleEmb)}`);
  }
  using input = openWeights(op, path);
  const where = `${op}: ${path}`;
  const given = { ...savedSettings(input, where), ...checkedSettings(op, settings) };
  const { names, others } = officialNames(where, input.entries.keys());
  const shapes = new Map([...names].map(([own, name]) => [own, input.entries.get(name)!.shape]));
  const { config, assumed } = inferModel(where, shapes, { given, dataSeqLen });
  checkRows(where, config, shapes, puzzleEmb);
  const model = new Hrm(config, new Generator(0));
  try {
    const own = model.stateDict();
    checkNames(where, own, shapes);
    for (const [name, target] of own) {
      const fileName = names.get(name)!;
      loadWeight(`${where}: ${fileName}`, target, input.read(fileName), puzzleEmb);
    }
  } catch (error) {
    model.dispose();
    throw error;
  }
  return { model, assumed, others };
}

type WeightsFile = PyTorchFile | SafetensorsFile;

/** By content: files of PyTorch have no extension, or any. */
function openWeights(op: string, path: string): WeightsFile {
  const input = new InputFile(op, path);
  let start: Uint8Array;
  try {
    start = input.read(0, Math.min(9, input.sizeBytes));
  } finally {
    input.close();
  }
  // A safetensors file begins with the length of its header, which begins with a brace.
  return start[8] === 0x7b ? new SafetensorsFile(path) : new PyTorchFile(path);
}

function checkedSettings(op: string, settings: unknown): Partial<ModelSettings> {
  const given = readArgument(op, 'settings', () => {
    if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
      throw new ArgumentError(`${op}: settings must be an object, got ${describe(settings)}`);
    }
    return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined && value !== null));
  });
  const whole = parseStrict(modelSettingsSchema, given, `${op}: settings`, modelKeys);
  // Without the defaults that the schema fills in.
  return Object.fromEntries(Object.entries(whole).filter(([key]) => Object.hasOwn(given, key)));
}

/** The configuration that `saveOfficial` wrote beside the weights. */
function savedSettings(input: WeightsFile, where: string): Partial<ModelSettings> {
  const text = 'metadata' in input ? input.metadata.get(CONFIG_KEY) : undefined;
  if (text === undefined) return {};
  return checkedSettings(`${where}: metadata ${CONFIG_KEY}`, parseJson(text, `${where}: metadata ${CONFIG_KEY}`));
}

function checkRows(
  where: string,
  { numPuzzleIdentifiers }: ModelConfig,
  shapes: ReadonlyMap<string, readonly number[]>,
  puzzleEmb: PuzzleEmb,
): void {
  const rows = shapes.get(PUZZLE_EMB_NAME)?.[0];
  if (rows === undefined || rows === numPuzzleIdentifiers || puzzleEmb !== 'keep') return;
  throw new ConfigError(
    `${where}: model.numPuzzleIdentifiers must be ${rows}, the rows of the puzzle embedding, got ${numPuzzleIdentifiers}; ` +
      'puzzleEmb "mean" gives every row the mean of theirs, "zeros" starts them anew',
  );
}

/** @throws FormatError naming what is missing, unknown or of another shape */
function checkNames(
  where: string,
  own: ReadonlyMap<string, Tensor>,
  shapes: ReadonlyMap<string, readonly number[]>,
): void {
  const missing = [...own.keys()].filter((name) => !shapes.has(name));
  const unknown = [...shapes.keys()].filter((name) => !own.has(name));
  const listing = (names: readonly string[]): string =>
    names.length === 0
      ? 'none'
      : names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '');
  if (missing.length > 0 || unknown.length > 0) {
    throw new FormatError(
      `${where}: the weights must be those of the model; missing: ${listing(missing)}; unknown: ${listing(unknown)}`,
    );
  }
  for (const [name, { shape }] of own) {
    const got = shapes.get(name)!;
    // Its rows were checked, or will be made.
    const fits = name === PUZZLE_EMB_NAME ? got[1] === shape[1] && got.length === 2 : got.join() === shape.join();
    if (!fits)
      throw new FormatError(`${where}: ${name} must have shape [${shape.join(', ')}], got [${got.join(', ')}]`);
  }
}

function loadWeight(where: string, target: Tensor, array: RawArray, puzzleEmb: PuzzleEmb): void {
  if (!LOADED_DTYPES.includes(array.dtype)) {
    throw new FormatError(`${where}: a weight must be of a floating-point dtype, got ${array.dtype}`);
  }
  const isResized = array.shape[0] !== target.shape[0];
  if (isResized && puzzleEmb === 'zeros') return;
  tidy(() =>
    noGrad(() => {
      const weight = fromRawArray(array, where);
      if (all(isFinite(weight)).item() === false) {
        throw new FormatError(`${where}: a weight must be finite, got NaN or infinity`);
      }
      copy_(target, isResized ? mean(cast(weight, 'float32'), 0, { keepdim: true }).expand(target.shape) : weight);
    }),
  );
}

export const SAVED_DTYPES = ['float32', 'bfloat16'] as const;

export interface SaveOfficialOptions {
  /** `float32` (default) or `bfloat16`, rounded to nearest. */
  readonly dtype?: (typeof SAVED_DTYPES)[number];
  /** In front of `model.inner.`: nothing (default), or `_orig_mod.` as a compiled PyTorch model has it. */
  readonly prefix?: string;
}

/**
 * Writes a model as safetensors under the official names, `model.inner.*`, which PyTorch's code loads with
 * `load_state_dict(safetensors.torch.load_file(file))`. Appears whole or not at all and replaces nothing.
 * @throws FileError where the file exists or cannot be written
 */
export function saveOfficial(model: Hrm, file: string, options: SaveOfficialOptions = {}): void {
  const op = 'saveOfficial';
  const { config } = requireModel(op, model);
  const path = requirePath(op, 'file', file);
  const { dtype = 'float32', prefix = '' } = readOptions(op, options, ['dtype', 'prefix']);
  if (!SAVED_DTYPES.includes(dtype)) {
    throw new ArgumentError(`${op}: dtype must be one of ${SAVED_DTYPES.join(', ')}, got ${describe(dtype)}`);
  }
  if (typeof prefix !== 'string' || !/^([A-Za-z_][A-Za-z0-9_]*\.)*$/.test(prefix)) {
    throw new ArgumentError(
      `${op}: prefix must be names that end in dots such as "_orig_mod.", got ${describe(prefix)}`,
    );
  }
  const arrays = tidy(
    () =>
      new Map(
        [...model.stateDict()].map(([name, weight]) => [
          `${prefix}${OFFICIAL_PREFIX}${name}`,
          toRawArray(noGrad(() => (weight.dtype === dtype ? weight : cast(weight, dtype)))),
        ]),
      ),
  );
  const metadata = new Map([
    ['format', 'pt'],
    [CONFIG_KEY, JSON.stringify(config)],
  ]);
  createFileAtomic(path, safetensorsChunks(arrays, metadata));
}
