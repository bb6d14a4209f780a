import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ConfigError } from '../../ts/error';
import { configKeys, type ConfigLayer, modelConfigFor, parseConfig, serializeConfig } from '../../ts/train/config';
import { settingsText } from '../../ts/train/settings';
import { configFileLayer, deserializeConfig } from '../../ts/train/config_file';
import { runLength } from '../../ts/train/length';
import { overridesLayer } from '../../ts/train/overrides';
import { presetLayer, presetList } from '../../ts/train/presets';
import { checkResumable, describeChange } from '../../ts/train/resume';

const dir = mkdtempSync(path.join(tmpdir(), 'hrm-config-'));
afterAll(() => rmSync(dir, { recursive: true }));

const preset = (name: string, ...sets: string[]) => parseConfig([presetLayer(name), overridesLayer(sets)]);
const layer = (values: unknown): ConfigLayer => ({ source: 'test', values: values as ConfigLayer['values'] });
const thousand = { totalGroups: 1000, meanPuzzleExamples: 1 };

describe('presets', () => {
  it.each(presetList)('$name is valid and survives a round trip', ({ name }) => {
    const config = preset(name);
    expect(deserializeConfig(serializeConfig(config), 'round trip')).toEqual(config);
  });

  it('are the official recipes', () => {
    expect(preset('sudoku-extreme-1gpu').optim).toMatchObject({ lr: 7e-5, puzzleEmbLr: 7e-5, weightDecay: 1 });
    expect(preset('arc').optim).toMatchObject({ lr: 1e-4, puzzleEmbLr: 1e-2, weightDecay: 0.1 });
    expect(preset('sudoku-full').model).toMatchObject({ lCycles: 8, haltMaxSteps: 8, lossType: 'softmax' });
    expect(preset('trm-arc').model).toMatchObject({ sharedLevels: true, lCycles: 4, gradSteps: 4, puzzleEmbLen: 16 });
    const maze = modelConfigFor(preset('maze'), { seqLen: 900, vocabSize: 6, numPuzzleIdentifiers: 1 });
    expect(maze).toMatchObject({ hidden: 512, nHeads: 8, hLayers: 4, lLayers: 4, hCycles: 2, lCycles: 2 });
    expect(maze).toMatchObject({ haltMaxSteps: 16, haltExplorationProb: 0.1, puzzleEmbNdim: 512, puzzleEmbLen: 1 });
  });

  // HRM section 5: what the schedule spans, and what official runs really do.
  it.each([
    ['sudoku-extreme', 26_041, 26_040],
    ['sudoku-extreme-1gpu', 52_083, 52_080],
    ['maze', 26_041, 26_040],
  ])('%s has the official length', (name, scheduleSteps, expectedSteps) => {
    const length = runLength(preset(name), thousand);
    expect(length).toEqual({ scheduleSteps, expectedSteps, intervals: 10, maxSteps: null });
  });

  it('end with the schedule where the last interval is longer than the epochs left', () => {
    const short = runLength(preset('sudoku-extreme', 'train.epochs=100'), thousand);
    expect(short).toEqual({ scheduleSteps: 130, expectedSteps: 130, intervals: 1, maxSteps: 130 });
    const whole = runLength(preset('maze', 'train.intervalEpochs=none'), thousand);
    expect(whole).toEqual({ scheduleSteps: 26_041, expectedSteps: 26_041, intervals: null, maxSteps: 26_041 });
  });

  it('count the batches that intervals drop before the schedule ends', () => {
    const sets = ['train.epochs=3.5', 'train.intervalEpochs=1', 'train.batchSize=6'];
    const length = runLength(preset('sudoku-extreme', ...sets), { totalGroups: 11, meanPuzzleExamples: 1 });
    expect(length).toEqual({ scheduleSteps: 6, expectedSteps: 4, intervals: 4, maxSteps: 6 });
  });

  it('suggest the nearest name', () => {
    expect(() => presetLayer('sudoku-extrem')).toThrow(/unknown preset "sudoku-extrem"; did you mean "sudoku-extreme"/);
    expect(() => presetLayer('__proto__')).toThrow(ConfigError);
  });
});

describe('layers', () => {
  it('go preset < file < set', () => {
    const file = path.join(dir, 'run.json');
    writeFileSync(file, '{"model": {"hidden": 96, "hLayers": 3}, "optim": {"lr": 0.003}}');
    const config = parseConfig([presetLayer('demo-4x4'), configFileLayer(file), overridesLayer(['model.hLayers=2'])]);
    expect(config.model).toMatchObject({ hidden: 96, hLayers: 2, lLayers: 1, posEncodings: 'learned' });
    expect(config.optim.lr).toBe(0.003);
  });

  it('replace one measure of length by the other', () => {
    expect(preset('maze', 'train.steps=10').train).toMatchObject({ steps: 10, epochs: null });
    expect(preset('demo-4x4', 'train.epochs=2').train).toMatchObject({ steps: null, epochs: 2 });
    expect(() => preset('maze', 'train.steps=10', 'train.epochs=1')).toThrow(/exactly one of/);
    expect(() => preset('maze', 'train.epochs=null')).toThrow(/exactly one of/);
  });

  it('drop the keys of another kind of data', () => {
    expect(preset('demo-4x4', 'train.stopAtExactAccuracy=none', 'data.kind=npy', 'data.dir=x').data).toEqual({
      kind: 'npy',
      dir: 'x',
    });
    expect(() => preset('maze', 'data.boxRows=2')).toThrow(/unknown key "data.boxRows" for data.kind "npy"/);
  });

  it('are listed with their defaults', () => {
    const words = new Set(
      settingsText()
        .split(/\s+/)
        .map((word) => word.replace(/=.*/, '')),
    );
    expect(configKeys.filter((name) => !words.has(name.split('.')[1]!))).toEqual([]);
    expect(settingsText()).toMatch(/^ {2}model\. hidden=512 .*\n(.*\n)* {2}train\. epochs=none .* device=cpu /);
  });

  it('are named in errors', () => {
    expect(() => preset('maze', 'model.hiden=128')).toThrow(
      '--set model.hiden=128: unknown key "model.hiden"; did you mean "model.hidden"?',
    );
    expect(() => preset('maze', 'lr=1')).toThrow(/did you mean "optim.lr"/);
    expect(() => preset('maze', 'train.lr=1')).toThrow(/did you mean "optim.lr"/);
    // Nothing of another group that happens to be near.
    expect(() => preset('maze', 'train.nope=1')).toThrow(
      /unknown key "train.nope"; known: train.epochs, train.steps, /,
    );
    expect(() => preset('maze', 'model.hidden=abc')).toThrow(
      '--set model.hidden=abc: model.hidden must be a number, got "abc"',
    );
    expect(() => preset('maze', 'model.hidden=-3')).toThrow(/model.hidden must be at least 1, got -3/);
    expect(() => preset('maze', 'optim.lr')).toThrow(/--set must have the form key=value, got "optim.lr"/);
    expect(() => preset('maze', '=1')).toThrow(/must have the form key=value/);
    expect(() => preset('maze', 'model.hidden=0x10')).toThrow(/must be a number, got "0x10"/);
    expect(() => preset('maze', '__proto__.a=1')).toThrow(/unknown key "__proto__.a"/);
    expect(() => preset('maze', 'model.constructor=1')).toThrow(/unknown key/);
    expect(() => preset('maze', 'model.hidden.x=1')).toThrow(/unknown key/);
    expect(() => parseConfig([layer({ modle: {} })])).toThrow(/test: unknown key "modle"; did you mean "model"/);
    expect(() => parseConfig([layer({ model: 3 })])).toThrow(/test: model must be an object, got 3/);
    expect(() => parseConfig([layer({ version: 2 })])).toThrow(/version must be 1, got 2/);
  });

  it('ask for less memory on the CPU alone', () => {
    expect(preset('maze', 'train.lowMemory=true').train.lowMemory).toBe(true);
    expect(preset('maze').train.lowMemory).toBe(false);
    expect(() => preset('maze', 'train.lowMemory=true', 'train.device=cuda')).toThrow(
      'config: train.lowMemory is for the CPU, got train.device "cuda"',
    );
    expect(() => preset('maze', 'train.lowMemory=true', 'model.forwardDtype=bfloat16')).toThrow(
      /train.lowMemory is for model.forwardDtype "float32" or "float64", got "bfloat16"/,
    );
  });

  it('read files strictly', () => {
    const file = path.join(dir, 'bad.json');
    writeFileSync(file, '{"model": ');
    expect(() => configFileLayer(file)).toThrow(ConfigError);
    writeFileSync(file, '{"model": {"__proto__": {"hidden": 3}}}');
    expect(() => configFileLayer(file)).toThrow(/unknown key "model.__proto__"/);
    writeFileSync(file, '{"model": {"hidden": 64, "hidden": 128}}');
    expect(() => configFileLayer(file)).toThrow(/--config .*bad.json.*"hidden"/);
    expect(() => configFileLayer(path.join(dir, 'none.json'))).toThrow(
      /cannot open \(ENOENT: no such file or directory\)/,
    );
  });

  it('parse values by the type of the key', () => {
    const config = preset('maze', 'model.gradSteps=full', 'train.tensorboard=false', 'optim.ema=0.99', 'data.dir=123');
    expect(config).toMatchObject({
      model: { gradSteps: 'full' },
      train: { tensorboard: false },
      optim: { ema: 0.99 },
      data: { dir: '123' },
    });
    expect(preset('maze', 'model.gradSteps=2', 'optim.lr=1e-3').model.gradSteps).toBe(2);
    expect(preset('trm-maze', 'optim.ema=none').optim.ema).toBeNull();
  });

  it('give a configuration or a ConfigError for any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom(...configKeys), fc.string()), fc.string(), (key, text) => {
        try {
          preset('maze', `${key}=${text}`);
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('checks between fields', () => {
  it.each([
    ['model.nHeads=3', /hidden must be a multiple of nHeads/],
    ['model.gradSteps=7', /gradSteps must be at most/],
    ['data.minBlanks=13', /data.minBlanks <= data.maxBlanks/],
    ['data.maxBlanks=16', /< 16 cells/],
    ['optim.seqLrRatio=0.5', /optim.seqLrRatio is for the SwiGLU over the sequence of model.mlpT, which is false/],
    ['eval.everySteps=null', /stopAtExactAccuracy needs eval.everySteps/],
  ])('refuse %s', (set, message) => expect(() => preset('demo-4x4', set)).toThrow(message));

  it('refuse a grid of the data that the mixer is too small for, before there is data', () => {
    expect(() => preset('maze-mid', 'data.size=11')).toThrow(/needs 561 inner units .* 11 x 11 grid, got 512/);
  });

  it.each(['sudokuCsv', 'npy'])('refuse early stopping by the test puzzles with data.kind %s', (kind) => {
    const values = { data: { kind }, train: { steps: 10, stopAtExactAccuracy: 0.9 } };
    expect(() => parseConfig([layer(values)])).toThrow(
      new RegExp(
        `train.stopAtExactAccuracy needs a validation split, which data.kind "${kind}" has not; set .* to null`,
      ),
    );
    expect(() => parseConfig([layer({ ...values, data: { kind: 'sudokuGenerated' } })])).not.toThrow();
  });

  it('refuse an epoch count that gives no step', () => {
    expect(() => runLength(preset('maze', 'train.epochs=0.1'), thousand)).toThrow(/must give at least one step/);
  });
});

describe('checkResumable', () => {
  const saved = preset('demo-4x4');

  it('allows what no number depends on, and says what the rest does', () => {
    expect(checkResumable(saved, preset('demo-4x4'))).toEqual([]);
    const changes = checkResumable(saved, preset('demo-4x4', 'train.threads=2', 'train.steps=9', 'eval.segments=3'));
    expect(changes.map(describeChange)).toEqual([
      'train.steps 4000 -> 9: the run has another length, and so has the cosine of the learning rate from here on',
      'train.threads null -> 2',
      'eval.segments null -> 3: evaluations are not those of the steps before',
    ]);
  });

  it('names every setting once: those that may change, with what it does, are known', () => {
    const free = configKeys.filter((key) => {
      const [group, name] = key.split('.') as ['model', string];
      const other = { ...saved, [group]: { ...saved[group], [name]: 'another' } };
      try {
        checkResumable(saved, other);
        return true;
      } catch {
        return false;
      }
    });
    expect(free.filter((key) => !/^(eval|train)\./.test(key))).toEqual(['data.unique']);
    expect(free).not.toContain('train.seed');
    expect(free).toContain('train.stopAtExactAccuracy');
  });

  it.each(['model.hidden=96', 'optim.lr=0.1', 'data.seed=4', 'train.seed=1', 'train.batchSize=8'])(
    'refuses %s, naming it',
    (set) => {
      const name = set.slice(0, set.indexOf('='));
      expect(() => checkResumable(saved, preset('demo-4x4', set))).toThrow(`resume: ${name} must be`);
    },
  );

  it('refuses another kind of data', () => {
    expect(() => checkResumable(saved, preset('demo-4x4', 'data.kind=npy', 'train.stopAtExactAccuracy=none'))).toThrow(
      /resume: data.kind/,
    );
  });
});
