import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  countParameters,
  gradLSteps,
  headDim,
  modelConfig,
  modelConfigFromReference,
  modelKeys,
  resolveModel,
  swigluInnerSize,
  totalSeqLen,
} from '../../ts/hrm/config';
import { editDistance, nearest } from '../../ts/hrm/config_error';
import { ConfigError } from '../../ts/error';
import { Generator, Hrm } from '../../ts/index';

const sizes = { seqLen: 81, vocabSize: 11 };

describe('modelConfig', () => {
  it.each([
    ['Sudoku', { seqLen: 81, vocabSize: 11 }, 27_275_266],
    ['Maze', { seqLen: 900, vocabSize: 6 }, 27_270_146],
    ['ARC', { seqLen: 900, vocabSize: 12 }, 27_276_290],
    ['Sudoku-full', { seqLen: 81, vocabSize: 11, posEncodings: 'learned' as const }, 27_317_250],
  ])('has the published number of parameters for %s', (_name, fields, expected) => {
    expect(countParameters(modelConfig(fields))).toBe(expected);
  });

  it('refuses what throws when an error is to say what it is', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const hostile = { ...modelConfig(sizes), hCycles: proxy as number };
    expect(() => countParameters(hostile)).toThrow(/countParameters: model config: the value must be readable/);
  });

  it('counts what a model of the official size has', () => {
    const config = modelConfig(sizes);
    const model = new Hrm(config, new Generator(0));
    const size = model.parameters().reduce((total, parameter) => total + parameter.size, 0);
    expect(size).toBe(27_275_266);
    model.dispose();
  });

  it('counts what a model with an expansion of its own over the sequence has', () => {
    const fields = { ...sizes, hidden: 32, nHeads: 2, hLayers: 1, lLayers: 1, expansion: 13 } as const;
    const config = modelConfig({ ...fields, mlpT: true, posEncodings: 'none', seqExpansion: 4 });
    const model = new Hrm(config, new Generator(0));
    // Both inner sizes are 512 or less: 13 * 32 * 2/3 = 277 and 4 * 82 * 2/3 = 219.
    expect(model.parameters().find(({ shape }) => shape[1] === 32 && shape[0]! > 32)!.shape).toEqual([1024, 32]);
    const size = model.parameters().reduce((total, parameter) => total + parameter.size, 0);
    expect(size).toBe(countParameters(config));
    expect(countParameters(modelConfig({ ...config, seqExpansion: null }))).toBeGreaterThan(size);
    model.dispose();
  });

  it('derives the puzzle embedding from hidden', () => {
    expect(modelConfig({ ...sizes, hidden: 128 })).toMatchObject({ puzzleEmbNdim: 128, puzzleEmbLen: 1 });
    expect(modelConfig({ ...sizes, hidden: 128, puzzleEmbNdim: 129 }).puzzleEmbLen).toBe(2);
    expect(modelConfig({ ...sizes, puzzleEmbNdim: 0 }).puzzleEmbLen).toBe(0);
    expect(totalSeqLen(modelConfig({ ...sizes, puzzleEmbLen: 16 }))).toBe(97);
  });

  it('resolves derived sizes', () => {
    const config = modelConfig({ ...sizes, gradSteps: 'full', hCycles: 3, lCycles: 5 });
    expect(gradLSteps(config)).toBe(15);
    expect(headDim(config)).toBe(64);
    expect(swigluInnerSize(512, 4)).toBe(1536);
    expect(swigluInnerSize(97, 4)).toBe(512);
  });

  it.each([
    [{ hidden: 100, nHeads: 8 }, /hidden must be a multiple of nHeads, got hidden 100 and nHeads 8/],
    [{ hidden: 12, nHeads: 4 }, /must be even with posEncodings "rope", got 12 \/ 4 = 3/],
    [{ gradSteps: 5 }, /gradSteps must be at most hCycles \* lCycles = 4, got 5/],
    [{ gradSteps: 0 }, /gradSteps must be at least 1, got 0/],
    [{ puzzleEmbNdim: 1024, puzzleEmbLen: 1 }, /puzzleEmbLen must be at least .* = 2, got 1/],
    [{ puzzleEmbNdim: 0, puzzleEmbLen: 1 }, /puzzleEmbLen must be 0/],
    [{ sharedLevels: true, hLayers: 1 }, /hLayers must equal lLayers/],
    [{ mlpT: true }, /posEncodings "rope" rotates/],
    [{ posEncodings: 'alibi' }, /posEncodings must be "rope" or "learned" or "none", got "alibi"/],
    [{ hidden: '512' }, /hidden must be a number, got "512"/],
    [{ hidden: 1.5 }, /hidden must be an integer, got 1.5/],
    [{ hidden: NaN }, /hidden must be a number, got NaN/],
    [{ haltExplorationProb: 1.5 }, /haltExplorationProb must be at most 1, got 1.5/],
    [{ H_cycles: 2 }, /unknown key "H_cycles"; did you mean "hCycles"\?/],
    [{ hiddn: 2 }, /did you mean "hidden"\?/],
  ])('refuses %j', (fields, message) => {
    expect(() => modelConfig({ ...sizes, ...(fields as object) })).toThrow(message);
    expect(() => modelConfig({ ...sizes, ...(fields as object) })).toThrow(ConfigError);
  });

  it('asks for what no data decides', () => {
    expect(() => modelConfig({ vocabSize: 11 })).toThrow(/seqLen must be given when no data decides it/);
  });

  it('takes sizes from the data and refuses to contradict it', () => {
    const settings = { ...modelConfig({ seqLen: 81, vocabSize: 11 }) };
    const data = { seqLen: 81, vocabSize: 11, numPuzzleIdentifiers: 3 };
    const open = { ...settings, seqLen: null, vocabSize: null, numPuzzleIdentifiers: null };
    expect(resolveModel(open, data)).toMatchObject(data);
    expect(resolveModel({ ...open, vocabSize: 20 }, data).vocabSize).toBe(20);
    expect(() => resolveModel({ ...open, vocabSize: 10 }, data)).toThrow(/vocabSize must be at least 11/);
    expect(() => resolveModel({ ...open, seqLen: 82 }, data)).toThrow(/seqLen must be 81 for this data, got 82/);
  });

  it('gives a configuration or a ConfigError for any value', () => {
    fc.assert(
      fc.property(fc.constantFrom(...modelKeys, '__proto__', 'constructor'), fc.anything(), (key, value) => {
        const fields = Object.fromEntries([...Object.entries(sizes), [key, value]]);
        try {
          modelConfig(fields);
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('modelConfigFromReference', () => {
  const reference = {
    batch_size: 3,
    seq_len: 16,
    puzzle_emb_ndim: 64,
    num_puzzle_identifiers: 6,
    vocab_size: 11,
    H_cycles: 2,
    L_cycles: 3,
    H_layers: 2,
    L_layers: 1,
    hidden_size: 64,
    expansion: 4,
    num_heads: 2,
    pos_encodings: 'learned',
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    halt_max_steps: 3,
    halt_exploration_prob: 0,
    forward_dtype: 'float32',
  };

  it('translates the reference keys', () => {
    expect(modelConfigFromReference(reference, 'softmax_cross_entropy')).toMatchObject({
      seqLen: 16,
      hidden: 64,
      nHeads: 2,
      hCycles: 2,
      lCycles: 3,
      hLayers: 2,
      lLayers: 1,
      posEncodings: 'learned',
      numPuzzleIdentifiers: 6,
      haltMaxSteps: 3,
      lossType: 'softmax',
    });
  });

  it('refuses keys and losses it does not know', () => {
    expect(() => modelConfigFromReference({ ...reference, no_such: 1 })).toThrow(/unknown key "no_such"/);
    expect(() => modelConfigFromReference(reference, 'hinge')).toThrow(/lossType must be "stablemax" or "softmax"/);
  });
});

describe('nearest', () => {
  it('measures edits', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('ab', 'ba')).toBe(1);
    fc.assert(
      fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b) === 0).toBe(a === b);
      }),
    );
  });

  it('finds names in another convention or group, and nothing when nothing is near', () => {
    expect(nearest('hidden', ['model.hidden', 'optim.lr'])).toBe('model.hidden');
    expect(nearest('model.lr', ['model.hidden', 'optim.lr'])).toBe('optim.lr');
    expect(nearest('arch.H_cycles', ['model.hCycles', 'model.lCycles'])).toBe('model.hCycles');
    expect(nearest('zzzzzz', ['model.hidden'])).toBeUndefined();
  });
});
