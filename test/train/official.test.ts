import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ModelSettings, swigluInnerSize, totalSeqLen } from '../../ts/hrm/config';
import type { Hrm } from '../../ts/hrm/model';
import { parseSafetensors } from '../../ts/io/safetensors';
import { toRawArray } from '../../ts/io/tensors';
import { noGrad } from '../../ts/autograd/no_grad';
import { cast, copy_ } from '../../ts/ops/cast';
import '../../ts/ops/methods';
import { Generator, randn } from '../../ts/ops/random';
import { tidy } from '../../ts/tensor/scope';
import { loadModel } from '../../ts/train/load_model';
import { loadOfficial, type LoadOfficialOptions, saveOfficial } from '../../ts/train/official';
import { train } from '../../ts/train/train';
import { archive, dictOf, ints, op, pickle, tensor } from '../io/pytorch_files';
import { runCli } from '../support/run_cli';
import { tinyModel } from '../support/tiny_model';

let directory: string;
let next = 0;
const fresh = (name = 'file'): string => path.join(directory, `${name}${next++}`);
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'hrm-official-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

type Weights = Map<string, { shape: readonly number[]; data: Uint8Array; type?: string }>;

function weightsOf(model: Hrm, prefix = 'model.inner.'): Weights {
  return new Map(
    [...model.stateDict()].map(([name, weight]) => {
      const { shape, data } = toRawArray(weight);
      return [prefix + name, { shape, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) }];
    }),
  );
}

/** A checkpoint file of these weights, as torch.save writes it. */
function officialFile(weights: Weights): string {
  const code: Record<string, Uint8Array> = {};
  const storages: Record<string, Uint8Array> = {};
  [...weights].forEach(([name, { shape, data, type = 'FloatStorage' }], i) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const stride = shape.map((_, d) => shape.slice(d + 1).reduce((product, size) => product * size, 1));
    storages[String(i)] = data;
    code[name] = tensor({
      key: op.text(String(i)),
      type: op.global('torch', type),
      count: op.int(count),
      size: ints(...shape),
      stride: ints(...stride),
    });
  });
  const file = fresh('step_');
  writeFileSync(file, archive({ pickle: pickle(dictOf(code)), storages }));
  return file;
}

function expectSameWeights(actual: Hrm, expected: Hrm): void {
  const own = actual.stateDict();
  expect([...own.keys()].sort()).toEqual([...expected.stateDict().keys()].sort());
  for (const [name, weight] of expected.stateDict())
    expect([name, own.get(name)!.dataSync()]).toEqual([name, weight.dataSync()]);
}

/** Random where a new model is zero. */
function distinctive(changes: Partial<ModelSettings> = {}): Hrm {
  const model = tinyModel({ numPuzzleIdentifiers: 3, puzzleEmbNdim: 16, ...changes });
  const rows = model.puzzleEmb?.weights;
  if (rows !== undefined) tidy(() => noGrad(() => copy_(rows, randn(rows.shape, { generator: new Generator(7) }))));
  return model;
}

const invisible = {
  nHeads: 2,
  hCycles: 1,
  lCycles: 2,
  haltMaxSteps: 2,
  lossType: 'stablemax',
  haltExplorationProb: 0.5,
} as const;

describe('loadOfficial', () => {
  it.each<[string, Partial<ModelSettings>, Partial<ModelSettings>, string[]]>([
    ['learned positions', {}, {}, ['puzzleEmbLen']],
    ['rotary positions', { posEncodings: 'rope' }, { seqLen: 16 }, ['posEncodings', 'puzzleEmbLen']],
    ['a wide puzzle embedding', { puzzleEmbNdim: 40 }, {}, ['puzzleEmbLen']],
    ['no puzzle embedding', { puzzleEmbNdim: 0, numPuzzleIdentifiers: 1 }, {}, []],
    ['several layers', { hLayers: 3, lLayers: 2 }, {}, ['puzzleEmbLen']],
    ['another expansion', { expansion: 60 }, {}, ['puzzleEmbLen']],
    [
      'the shared network of TRM',
      { sharedLevels: true, hLayers: 2, lLayers: 2, puzzleEmbLen: 3 },
      { puzzleEmbLen: 3 },
      ['haltLoss'],
    ],
    [
      'another expansion over the sequence',
      { mlpT: true, seqExpansion: 60, posEncodings: 'none', puzzleEmbLen: 3 },
      { seqLen: 16, seqExpansion: 60 },
      ['posEncodings'],
    ],
    ['the mixing of TRM', { mlpT: true, posEncodings: 'none', puzzleEmbLen: 3 }, { seqLen: 16 }, ['posEncodings']],
  ])('infers %s, and says what it cannot', (_name, settings, given, assumed) => {
    const model = distinctive(settings);
    const file = officialFile(weightsOf(model, '_orig_mod.model.inner.'));
    const loaded = loadOfficial(file, { settings: { ...invisible, ...given } });
    // Another factor that rounds to the same size.
    expect({ ...loaded.model.config, expansion: 0 }).toEqual({ ...model.config, expansion: 0 });
    expectSameWeights(loaded.model, model);
    expect(loaded.assumed.filter((key) => key !== 'puzzleEmbLen' || assumed.includes(key))).toEqual(assumed);
    expect(loaded.others).toEqual([]);
  });

  it('infers an expansion over the sequence that nobody gives', () => {
    // 19 tokens: the middle of the factors that give these 1024 units is more than the largest allowed.
    const model = distinctive({ mlpT: true, seqExpansion: 62, posEncodings: 'none', puzzleEmbLen: 3 });
    const loaded = loadOfficial(officialFile(weightsOf(model)), { settings: { ...invisible, seqLen: 16 } });
    const { seqExpansion } = loaded.model.config;
    expect(swigluInnerSize(totalSeqLen(model.config), seqExpansion!)).toBe(1024);
    expectSameWeights(loaded.model, model);
  });

  it('takes official defaults for what nobody says', () => {
    const { assumed, model } = loadOfficial(officialFile(weightsOf(distinctive())));
    expect(assumed).toEqual(['nHeads', 'hCycles', 'lCycles', 'haltMaxSteps', 'lossType', 'puzzleEmbLen']);
    expect(model.config).toMatchObject({ nHeads: 8, hCycles: 2, lCycles: 2, haltMaxSteps: 16, seqLen: 16 });
  });

  it('takes prefixes off wherever they are, and passes over what is beside the model', () => {
    const model = distinctive();
    const parts = [...weightsOf(model, '')].map(
      ([name, weight]) => [`state._orig_mod.module.model._orig_mod.inner.${name}`, weight] as const,
    );
    const momentum = { shape: [1], data: new Uint8Array(4) };
    const loaded = loadOfficial(officialFile(new Map([...parts, ['optimizer.0.exp_avg', momentum]])), {
      settings: invisible,
    });
    expectSameWeights(loaded.model, model);
    expect(loaded.others).toEqual(['optimizer.0.exp_avg']);
    expectSameWeights(loadOfficial(officialFile(weightsOf(model, '')), { settings: invisible }).model, model);
  });

  it('gives a puzzle embedding of another size only on request', () => {
    const model = distinctive();
    const file = officialFile(weightsOf(model));
    const settings = { ...invisible, numPuzzleIdentifiers: 5 };
    expect(() => loadOfficial(file, { settings })).toThrow(
      'model.numPuzzleIdentifiers must be 3, the rows of the puzzle embedding, got 5; puzzleEmb "mean" gives',
    );
    const rows = (options: LoadOfficialOptions) =>
      loadOfficial(file, { settings, ...options }).model.puzzleEmb!.weights;
    const mean = model.puzzleEmb!.weights.mean(0, { keepdim: true }).expand([5, 16]);
    expect(rows({ puzzleEmb: 'mean' }).sub(mean).abs().max().item()).toBeLessThan(1e-7);
    expect(rows({ puzzleEmb: 'zeros' }).dataSync()).toEqual(new Float32Array(5 * 16));
  });

  const change = (
    name: string,
    edit: (weights: Weights, name: string) => void,
    changes: Partial<ModelSettings> = {},
  ): string => {
    const weights = weightsOf(distinctive(changes));
    edit(weights, `model.inner.${name}`);
    return officialFile(weights);
  };
  const head = { shape: [6, 16], data: new Uint8Array(4 * 96) };
  it.each<[string, () => string, LoadOfficialOptions, string]>([
    [
      'no model',
      () => officialFile(new Map([['w', head]])),
      {},
      'must hold one model, whose head is model.inner.lm_head.weight, got 1 tensors: "w"',
    ],
    [
      'two models',
      () => change('', (w) => w.set('ema.lm_head.weight', head)),
      {},
      'got 2: "model.inner.lm_head.weight", "ema.lm_head.weight"',
    ],
    [
      'a weight twice',
      () => change('q_head.bias', (w, n) => w.set(`_orig_mod.${n}`, w.get(n)!)),
      {},
      'q_head.bias must come once',
    ],
    ['a missing weight', () => change('q_head.bias', (w, n) => w.delete(n)), {}, 'missing: q_head.bias; unknown: none'],
    [
      'no embedding',
      () => change('embed_tokens.embedding_weight', (w, n) => w.delete(n)),
      {},
      'embed_tokens.embedding_weight must be a matrix, got none',
    ],
    [
      'an unknown weight',
      () => change('', (w) => w.set('model.inner.rotary.cos', head)),
      {},
      'missing: none; unknown: rotary.cos',
    ],
    [
      'a gap in the layers',
      () => change('H_level.layers.2.mlp.down_proj.weight', (w, n) => w.set(n, head)),
      {},
      'missing: H_level.layers.1.',
    ],
    [
      'another shape',
      () => change('H_init', (w, n) => w.set(n, { shape: [1, 16], data: new Uint8Array(64) })),
      {},
      'H_init must have shape [16], got [1, 16]',
    ],
    [
      'integers',
      () => change('H_init', (w, n) => w.set(n, { ...w.get(n)!, type: 'IntStorage' })),
      {},
      'H_init: a weight must be of a floating-point dtype, got int32',
    ],
    [
      'NaN',
      () => change('H_init', (w, n) => w.set(n, { shape: [16], data: new Uint8Array(64).fill(255) })),
      {},
      'H_init: a weight must be finite',
    ],
    [
      'a length that nothing says',
      () => change('', () => undefined, { posEncodings: 'rope' }),
      {},
      'model.seqLen must be given',
    ],
    [
      'another hidden size',
      () => change('', () => undefined),
      { settings: { hidden: 32 } },
      'model.hidden must be 16, as the weights show, got 32',
    ],
    [
      'another number of layers',
      () => change('', () => undefined),
      { settings: { hLayers: 4 } },
      'model.hLayers must be 1, as the weights show, got 4',
    ],
    [
      'heads that do not divide',
      () => change('', () => undefined),
      { settings: { nHeads: 3 } },
      'hidden must be a multiple of nHeads',
    ],
    [
      'an unknown setting',
      () => change('', () => undefined),
      { settings: { heads: 3 } as object },
      'unknown key "heads"',
    ],
    [
      'an unknown way',
      () => change('', () => undefined),
      { puzzleEmb: 'median' as 'mean' },
      'puzzleEmb must be one of keep, mean, zeros',
    ],
  ])('refuses %s', (_name, make, options, message) => {
    const file = make();
    expect(() => loadOfficial(file, options)).toThrow(message);
  });
});

describe('saveOfficial', () => {
  it('writes what loads without settings, in float32 exactly, under any prefix, over nothing', () => {
    const model = distinctive({ posEncodings: 'rope' });
    const file = fresh();
    saveOfficial(model, file, { prefix: '_orig_mod.' });
    const { tensors } = parseSafetensors(readFileSync(file), file);
    expect([...tensors.keys()].every((name) => name.startsWith('_orig_mod.model.inner.'))).toBe(true);
    const { model: again, assumed } = loadOfficial(file);
    expect(again.config).toEqual(model.config);
    expect(assumed).toEqual([]);
    expectSameWeights(again, model);
    const before = readFileSync(file);
    expect(() => saveOfficial(distinctive(), file)).toThrow('nothing is overwritten');
    expect(readFileSync(file)).toEqual(before);
    expect(() => saveOfficial(model, fresh(), { prefix: 'x' })).toThrow('prefix must be names that end in dots');
    expect(() => saveOfficial(model, fresh(), { dtype: 'float64' as 'float32' })).toThrow(
      'dtype must be one of float32, bfloat16',
    );
    expect(() => saveOfficial({} as never, fresh())).toThrow('model must be an Hrm');
  });

  it('rounds to bfloat16', () => {
    const model = distinctive();
    const file = fresh();
    saveOfficial(model, file, { dtype: 'bfloat16' });
    const { model: again } = loadOfficial(file);
    for (const [name, weight] of model.stateDict()) {
      const rounded = cast(cast(weight, 'bfloat16'), 'float32').dataSync();
      expect([name, again.stateDict().get(name)!.dataSync()]).toEqual([name, rounded]);
    }
  });
});

const data4x4 = [
  ...['kind=sudokuGenerated', 'trainPuzzles=48', 'validPuzzles=12', 'testPuzzles=12', 'minBlanks=4', 'maxBlanks=6'],
].flatMap((setting) => ['--set', `data.${setting}`]);
const settings = Object.entries(invisible).flatMap(([key, value]) => ['--set', `model.${key}=${value}`]);

describe('hrm convert', () => {
  it('makes a run that eval, solve and train use, and a file for PyTorch again', async () => {
    const model = distinctive({ posEncodings: 'rope' });
    const source = officialFile(weightsOf(model, '_orig_mod.model.inner.'));
    const out = fresh('run');
    const training = ['optim.lr=0', 'optim.puzzleEmbLr=0', 'optim.ema=0.9', 'train.steps=2', 'train.batchSize=4'];
    const sets = [...training, 'train.threads=1', 'eval.finalPuzzles=0', 'model.puzzleEmbLen=1'].flatMap((setting) => [
      '--set',
      setting,
    ]);
    const converted = await runCli(['convert', source, ...data4x4, ...settings, ...sets, '--out', out]);
    expect(converted).toMatchObject({ exitCode: 0, stderr: '' });
    expect(converted.stdout).toContain('positions rope, vocabulary 6, 1 + 16 tokens, 3 puzzle identifiers');
    expect(converted.stdout).toContain(
      'not in the weights, so taken from the official defaults: posEncodings "rope"; --set',
    );
    const loaded = loadModel(out);
    expectSameWeights(loaded.model, model);
    expect(loaded.step).toBe(0);
    const judged = await runCli(['eval', out, '--json']);
    expect(JSON.parse(judged.stdout)).toMatchObject({ step: 0, isAveraged: false, fixed: { count: 12, segments: 2 } });
    expect((await runCli(['solve', out, '1...|..2.|.3..|...4'])).stdout).toContain('segment 2');

    // With a learning rate of 0 the weights stay those of the file, and their averages but for rounding.
    const result = await train({ out, resume: true });
    expect(result.step).toBe(2);
    expect(loadModel(out)).toMatchObject({ step: 2, isAveraged: true });
    expectSameWeights(loadModel(out, { averaged: false }).model, model);
    const averages = loadModel(out).model.stateDict();
    for (const [name, weight] of model.stateDict())
      expect([name, Number(averages.get(name)!.sub(weight).abs().max().item())]).toEqual([name, expect.closeTo(0, 6)]);

    const file = fresh('out');
    const back = await runCli([
      'convert',
      out,
      '--to',
      'safetensors',
      '--dtype',
      'bfloat16',
      '--prefix',
      '_orig_mod.',
      '--out',
      file,
    ]);
    expect(back.stdout).toMatch(/wrote .*: .*step-00000002, step 2, averaged weights; /);
    expect(
      [...parseSafetensors(readFileSync(file), file).tensors.values()].every(({ dtype }) => dtype === 'bfloat16'),
    ).toBe(true);
    const names = readdirSync(directory);
    const again = await runCli(['convert', out, '--to', 'safetensors', '--out', file]);
    expect(again).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('nothing is overwritten') as unknown });
    const direct = fresh('direct');
    const straight = await runCli([
      'convert',
      source,
      '--to',
      'safetensors',
      ...settings,
      '--set',
      'model.seqLen=16',
      '--out',
      direct,
    ]);
    expect(straight.stdout).toContain('wrote');
    expectSameWeights(loadOfficial(direct).model, model);
    expect(readdirSync(directory).filter((name) => !names.includes(name))).toEqual([path.basename(direct)]);
  });

  it('refuses what cannot be, and leaves nothing behind', async () => {
    const source = officialFile(weightsOf(distinctive()));
    const out = fresh('never');
    const cases: readonly (readonly [readonly string[], number, string])[] = [
      [['/nowhere/at/all', '--out', out], 1, 'must be a checkpoint file or the directory of a run, got nothing'],
      [[directory, '--out', out], 2, 'is a run already; --to safetensors makes a file for PyTorch'],
      [[directory, '--to', 'safetensors', '--out', out], 1, 'must be a checkpoint or the directory of a run'],
      [[source, '--out', directory], 1, 'must not exist yet, got a directory with files; nothing is overwritten'],
      [[source, '--out', source], 1, 'must not exist yet, got a file'],
      [[source, '--dtype', 'bfloat16', '--out', out], 2, '--dtype and --prefix are for --to safetensors'],
      [[source, '--raw', '--out', out], 2, '--raw is for runs'],
      [[source, '--preset', 'sudoku-extreme', '--set', 'model.hidden=512', '--out', out], 2, 'model.hidden must be 16'],
      [[path.join(__dirname, 'official.test.js'), '--out', out], 1, 'must be a zip archive as torch.save writes'],
    ];
    const results: Awaited<ReturnType<typeof runCli>>[] = [];
    for (const [args] of cases) results.push(await runCli(['convert', ...args]));
    cases.forEach(([, exitCode, message], i) => {
      expect(results[i]).toMatchObject({ exitCode, stderr: expect.stringContaining(message) as unknown });
    });
    expect(existsSync(out)).toBe(false);
  });
});
