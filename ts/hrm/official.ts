/** What the official checkpoints of HRM and TRM say about a model: names of weights, and sizes from their shapes. */
import { ConfigError, FormatError } from '../error';
import { show } from './config_error';
import { type ModelConfig, modelConfig, type ModelSettings, swigluInnerSize } from './config';

/** Where the weights are in official state dicts. */
export const OFFICIAL_PREFIX = 'model.inner.';
/** Parts of names that torch.compile and data-parallel wrappers put in. */
const WRAPPERS: ReadonlySet<string> = new Set(['_orig_mod', 'module']);
/** Every model has it, once. */
const ANCHOR = 'lm_head.weight';

export interface OfficialNames {
  /** Name in the file by the model's own name. */
  readonly names: ReadonlyMap<string, string>;
  /** What the file holds beside the model, such as optimizer state. */
  readonly others: readonly string[];
}

/**
 * Finds a model's weights among the names of a file: whatever is in front of them (`model.inner.`, `_orig_mod.`, the key of a
 * dictionary around it) is taken off.
 * @param where names the file in messages
 * @throws FormatError where there is no model, more than one, or a weight comes twice
 */
export function officialNames(where: string, fileNames: Iterable<string>): OfficialNames {
  const plain = [...fileNames].map((name) => [withoutWrappers(name), name] as const);
  const anchors = plain.filter(([name]) => name === ANCHOR || name.endsWith(`.${ANCHOR}`));
  if (anchors.length !== 1) {
    const some = (anchors.length > 0 ? anchors : plain).slice(0, 3).map(([, name]) => show(name));
    throw new FormatError(
      `${where}: must hold one model, whose head is ${OFFICIAL_PREFIX}${ANCHOR}, got ` +
        (anchors.length > 0 ? `${anchors.length}: ${some.join(', ')}` : `${plain.length} tensors: ${some.join(', ')}`),
    );
  }
  const prefix = anchors[0]![0].slice(0, -ANCHOR.length);
  const names = new Map<string, string>();
  const others: string[] = [];
  for (const [name, fileName] of plain) {
    if (!name.startsWith(prefix)) {
      others.push(fileName);
      continue;
    }
    const own = name.slice(prefix.length);
    const before = names.get(own);
    if (before !== undefined) {
      throw new FormatError(`${where}: ${own} must come once, got ${show(before)} and ${show(fileName)}`);
    }
    names.set(own, fileName);
  }
  return { names, others };
}

function withoutWrappers(name: string): string {
  return name
    .split('.')
    .filter((part) => !WRAPPERS.has(part))
    .join('.');
}

/** What is known about a model beside its weights. */
export interface KnownSettings {
  /** What the user says; it must fit the weights. */
  readonly given: Partial<ModelSettings>;
  /** Tokens of a puzzle according to the data. */
  readonly dataSeqLen?: number;
}

export interface InferredModel {
  readonly config: ModelConfig;
  /** Settings that no shape shows and nobody gave: the official defaults were taken. */
  readonly assumed: readonly (keyof ModelSettings)[];
}

/** Settings that change what a model computes or when it stops, and leave no trace in its weights. */
const INVISIBLE = ['nHeads', 'hCycles', 'lCycles', 'haltMaxSteps', 'lossType'] as const;

/**
 * The configuration of a model from the shapes of its weights, with what they do not show from `known` or the official
 * defaults.
 * @param shapes by the model's own names
 * @throws FormatError where weights that every model has are missing; ConfigError where a setting contradicts them, or the
 *   length of a puzzle follows from nothing
 */
export function inferModel(
  where: string,
  shapes: ReadonlyMap<string, readonly number[]>,
  known: KnownSettings,
): InferredModel {
  const { given } = known;
  const matrix = (name: string): readonly [number, number] => {
    const [rows, columns, ...more] = shapes.get(name) ?? [];
    if (rows === undefined || columns === undefined || more.length > 0) {
      const got = shapes.get(name);
      throw new FormatError(
        `${where}: ${name} must be a matrix, got ${got === undefined ? 'none' : `shape [${got.join(', ')}]`}`,
      );
    }
    return [rows, columns];
  };
  const found: Partial<ModelSettings> = {};
  [found.vocabSize, found.hidden] = matrix('embed_tokens.embedding_weight');
  const { hidden } = found;
  found.lLayers = countLayers(shapes, 'L_level');
  const hLayers = countLayers(shapes, 'H_level');
  found.sharedLevels = hLayers === 0;
  found.hLayers = found.sharedLevels ? found.lLayers : hLayers;
  const first = 'L_level.layers.0';
  found.mlpT = shapes.has(`${first}.mlp_t.gate_up_proj.weight`);
  const inner = matrix(`${first}.mlp.gate_up_proj.weight`)[0] / 2;
  found.expansion = expansionOf(inner, hidden, given.expansion ?? 4);
  if (found.mlpT) {
    const [rows, tokens] = matrix(`${first}.mlp_t.gate_up_proj.weight`);
    const overSequence = expansionOf(rows / 2, tokens, given.seqExpansion ?? found.expansion);
    if (given.seqExpansion != null || overSequence !== found.expansion) found.seqExpansion = overSequence;
  }
  [found.numPuzzleIdentifiers, found.puzzleEmbNdim] = shapes.has('puzzle_emb.weights')
    ? matrix('puzzle_emb.weights')
    : [1, 0];
  // More rows than the file has are the caller's to make.
  found.numPuzzleIdentifiers = given.numPuzzleIdentifiers ?? found.numPuzzleIdentifiers;
  if (shapes.has('embed_pos.embedding_weight')) found.posEncodings = 'learned';
  else found.posEncodings = given.posEncodings ?? (found.mlpT ? 'none' : 'rope');

  const tokens = tokensOf(found, matrix, first);
  const shortest = Math.ceil(found.puzzleEmbNdim / hidden);
  const { dataSeqLen } = known;
  const seqLen = given.seqLen ?? dataSeqLen;
  found.puzzleEmbLen = given.puzzleEmbLen ?? (tokens !== undefined && seqLen != null ? tokens - seqLen : shortest);
  found.seqLen = tokens === undefined ? seqLen : tokens - found.puzzleEmbLen;
  if (found.seqLen == null) {
    throw new ConfigError(
      `${where}: model.seqLen must be given, because rotary positions leave no trace of it in the weights, got none; ` +
        'Sudoku has 81, mazes and ARC 900',
    );
  }
  for (const key of Object.keys(found) as (keyof ModelSettings)[]) {
    if (given[key] != null && given[key] !== found[key]) {
      throw new ConfigError(
        `${where}: model.${key} must be ${show(found[key])}, as the weights show, got ${show(given[key])}`,
      );
    }
  }
  const assumed: (keyof ModelSettings)[] = INVISIBLE.filter((key) => given[key] === undefined);
  const isAssumed = (key: keyof ModelSettings, isHidden: boolean): void => {
    if (isHidden && given[key] === undefined) assumed.push(key);
  };
  isAssumed('posEncodings', found.posEncodings !== 'learned');
  // TRM pads its puzzle embedding to 16 tokens.
  isAssumed('puzzleEmbLen', found.puzzleEmbNdim > 0 && (tokens === undefined || seqLen === undefined));
  isAssumed('haltLoss', found.sharedLevels);
  return { config: modelConfig({ ...given, ...found }), assumed };
}

/**
 * A factor that gives a SwiGLU over an axis of `width` this inner size. Rounding up to a multiple of 256 hides the exact one:
 * the likely one if it fits, or else the smallest. No factor gives another size than a multiple: that is left to be refused
 * as a shape.
 */
function expansionOf(inner: number, width: number, likely: number): number {
  if (swigluInnerSize(width, likely) === inner) return likely;
  return (1.5 * (inner % 256 === 0 ? inner - 255 : inner)) / width;
}

/** Layers 0, 1, ... of a level; the model itself refuses gaps, as names it does not know. */
function countLayers(shapes: ReadonlyMap<string, readonly number[]>, level: string): number {
  const indices = [...shapes.keys()].map((name) =>
    Number(new RegExp(`^${level}\\.layers\\.([0-9]{1,3})\\.`).exec(name)?.[1] ?? -1),
  );
  return Math.max(-1, ...indices) + 1;
}

/** S, the tokens with those of the puzzle embedding, where a weight has that size. */
function tokensOf(
  { posEncodings, mlpT }: Partial<ModelSettings>,
  matrix: (name: string) => readonly [number, number],
  layer: string,
): number | undefined {
  if (posEncodings === 'learned') return matrix('embed_pos.embedding_weight')[0];
  return mlpT === true ? matrix(`${layer}.mlp_t.gate_up_proj.weight`)[1] : undefined;
}
