/** Modules, the model, its losses and optimisers, configuration, training and evaluation. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as api from '../../ts';
import { tinyModel } from '../support/tiny_model';
import { tinyRun } from '../support/tiny_run';
import { bounded, call, construct, method, none, rare, type Subjects } from './subject';
import {
  about,
  type Arb,
  asyncCallback,
  build,
  callback,
  either,
  int,
  list,
  made,
  maybe,
  object,
  value,
} from './values';

const SEQ_LEN = 16;
const VOCAB = 6;
/** HRM D and S of the tiny model: the puzzle embedding takes one token. */
const [HIDDEN, TOKENS] = [16, 17];

let shared: api.Hrm | undefined;
/** One model for all calls: its weights may change, its shapes do not. */
const model = (): api.Hrm => (shared ??= tinyModel());
const modelArb: Arb = value(0).map(() => model);
const generator: Arb = value(0).map(() => () => new api.Generator(3));

const settings: Arb = object(
  { seqLen: value(16), vocabSize: value(6), hidden: value(16), nHeads: value(2), hLayers: value(1), lLayers: value(1) },
  {
    posEncodings: value('rope', 'learned', 'none'),
    lossType: value('stablemax', 'softmax'),
    gradSteps: value(1, 'full'),
  },
);
const config: Arb = settings.map((make) => () => api.modelConfig(make() as object));

const tokens: Arb = about([2, SEQ_LEN], 'int32', VOCAB);
const identifiers: Arb = about([2], 'int32', 1);
const batch: Arb = object({ inputs: tokens, labels: tokens, puzzleIdentifiers: identifiers });
const stateOfModel: Arb = about([2, TOKENS, HIDDEN]);
const states: Arb = object({ zH: stateOfModel, zL: stateOfModel });
const carry: Arb = object({
  ...{ zH: stateOfModel, zL: stateOfModel, steps: about([2], 'int32', 2), halted: about([2], 'bool') },
  current: batch,
});
const perRow: Arb = about([2]);
const outputs: Arb = object({
  logits: about([2, SEQ_LEN, VOCAB]),
  ...{ qHalt: perRow, qContinue: perRow, targetQContinue: maybe(perRow), puzzleRows: maybe(about([2, HIDDEN])) },
});

const parameter: Arb = value(0).map(() => () => {
  const weight = build([2, 3], 'float32');
  weight.requiresGrad = true;
  weight.grad = build([2, 3], 'float32');
  return weight;
});
const named: Arb = list(
  parameter.map((make) => () => ['w', make()]),
  1,
  2,
);
const namedNow = (): [string, api.Tensor][] => {
  const weight = build([2, 3], 'float32');
  weight.requiresGrad = true;
  weight.grad = build([2, 3], 'float32');
  return [['w', weight]];
};
const scalar: Arb = about([]);
const finite: Arb = about([], 'bool');
const stateDict: Arb = about([2, 3]).map((make) => () => new Map([['w', make()]]));
const adamState: Arb = about([2, 3]).map((make) => () => {
  const step = made(api.zeros([], { dtype: 'int32' }));
  return new Map([['step', step], ...['m.w', 'v.w'].map((name) => [name, make()] as const)] as [string, unknown][]);
});
const adam = (): api.AdamATan2 => new api.AdamATan2(namedNow());
const ema = (): api.Ema => new api.Ema(namedNow(), { decay: 0.9 });

const modules: Subjects = {
  Module: construct(api.Module, none),
  'Module.parameter': method(() => new api.Module(), 'parameter', value('w'), about([2, 3])),
  'Module.buffer': method(() => new api.Module(), 'buffer', value('b'), about([2, 3])),
  'Module.child': method(
    () => new api.Module(),
    'child',
    value('c'),
    value(0).map(() => () => new api.Module()),
  ),
  Linear: construct(api.Linear, int(1, 4), int(0, 4), maybe(object({}, { bias: value(true, false), generator }))),
  'Linear.forward': method(() => new api.Linear(3, 2), 'forward', about([2, 3])),
  Embedding: construct(api.Embedding, int(1, 4), int(1, 4), maybe(object({}, { generator }))),
  'Embedding.forward': method(() => new api.Embedding(3, 2), 'forward', about([2, 3], 'int32', 3)),
  SparseEmbedding: construct(api.SparseEmbedding, int(0, 4), int(0, 4)),
  'SparseEmbedding.rows': method(() => new api.SparseEmbedding(3, 2), 'rows', about([2], 'int32', 3)),
  ...Object.fromEntries(
    ['namedParameters', 'namedBuffers', 'parameters', 'stateDict', 'zeroGrad', 'dispose'].map((name) => [
      `Module.${name}`,
      method(() => new api.Linear(3, 2), name, none),
    ]),
  ),
  'Module.to': method(() => new api.Linear(3, 2), 'to', value('cpu', 'cuda', 'simt')),
  'Module.movable': method(() => new api.Linear(3, 2), 'movable', none),
  'Module.loadStateDict': method(
    () => new api.Linear(3, 2),
    'loadStateDict',
    about([2, 3]).map((make) => () => new Map([['weight', make()]])),
  ),
};

const optimisers: Subjects = {
  AdamATan2: construct(
    api.AdamATan2,
    named,
    maybe(
      object(
        {},
        {
          beta1: value(0.9, 0),
          beta2: value(0.95),
          weightDecay: value(0, 0.1),
          lrRatios: value(new Map(), new Map([['w', 0.5]])),
        },
      ),
    ),
  ),
  'AdamATan2.step': method(adam, 'step', scalar, finite),
  'AdamATan2.begin': method(adam, 'begin', finite),
  'AdamATan2.update': {
    args: [either(value('its own'), about([2, 3])), scalar, finite, value(true, false)],
    call: (parameter, lr, isFinite, begun) => {
      const own = namedNow();
      const optimizer = new api.AdamATan2(own);
      if (begun === true) optimizer.begin(made(api.tensor(true)));
      const of = parameter === 'its own' ? own[0]![1] : (parameter as api.Tensor);
      optimizer.update(of, lr as api.Tensor, isFinite as api.Tensor);
    },
  },
  'AdamATan2.stateDict': method(adam, 'stateDict', none),
  'AdamATan2.loadStateDict': method(adam, 'loadStateDict', adamState),
  'AdamATan2.dispose': method(adam, 'dispose', none),
  SparseSignSGD: construct(api.SparseSignSGD, about([2, 3]), maybe(object({}, { weightDecay: value(0, 0.1) }))),
  'SparseSignSGD.step': method(
    () => new api.SparseSignSGD(build([2, 3], 'float32')),
    'step',
    ...[about([2], 'int32', 2), about([2, 3]), scalar, finite],
  ),
  Ema: construct(api.Ema, named, object({ decay: value(0.9, 0, 1) })),
  'Ema.update': method(ema, 'update', finite),
  'Ema.apply': method(ema, 'apply', none),
  'Ema.swapped': method(ema, 'swapped', asyncCallback),
  'Ema.stateDict': method(ema, 'stateDict', none),
  'Ema.loadStateDict': method(ema, 'loadStateDict', stateDict),
  'Ema.dispose': method(ema, 'dispose', none),
  learningRate: call(
    api.learningRate,
    about([], 'int32'),
    object({ base: value(1e-3), warmupSteps: int(0, 3), totalSteps: int(4, 9) }, { minRatio: value(0, 0.1) }),
  ),
};

const hrm: Subjects = {
  modelConfig: bounded(call(api.modelConfig, settings)),
  countParameters: call(api.countParameters, config),
  Hrm: bounded(construct(api.Hrm, config, generator)),
  'Hrm.ropeTables': { args: [none], call: () => model().ropeTables && undefined },
  'Hrm.roundedCopies': { args: [none], call: () => model().roundedCopies && undefined },
  'Hrm.refreshCopies': method(model, 'refreshCopies', none),
  'Hrm.releasePacked': method(model, 'releasePacked', none),
  'Hrm.device': { args: [none], call: () => model().device },
  'Hrm.movable': { args: [none], call: () => void (model() as unknown as { movable: () => unknown }).movable() },
  'Hrm.initialStates': bounded(method(model, 'initialStates', int(0, 3))),
  'Hrm.inputEmbedding': method(model, 'inputEmbedding', tokens, maybe(about([2, HIDDEN]))),
  'Hrm.recur': method(model, 'recur', states, stateOfModel),
  'Hrm.recurNoGrad': method(model, 'recurNoGrad', states, stateOfModel),
  'Hrm.logits': method(model, 'logits', stateOfModel),
  'Hrm.qValues': method(model, 'qValues', stateOfModel),
  'Hrm.heads': method(model, 'heads', stateOfModel),
  'Hrm.dispose': method(() => tinyModel(), 'dispose', none),
  initialCarry: call(api.initialCarry, modelArb, batch),
  actStep: call(api.actStep, modelArb, carry, batch, object({ training: value(true, false), generator })),
  actLoss: call(api.actLoss, config, carry, outputs),
  batchTensors: call(
    api.batchTensors,
    object({
      inputs: value(0).map(() => () => new Int32Array(8)),
      labels: value(0).map(() => () => new Int32Array(8)),
      puzzleIdentifiers: value(0).map(() => () => new Int32Array(2)),
    }),
  ),
};

const geometry = api.geometryOf(2, 2);
const puzzles = api.generateSudoku({ geometry, count: 3, seed: 1, blanks: { min: 4, max: 6 } });
const mazes = api.generateMazes({ size: 4, count: 3, seed: 1, minPath: 3 });
const dataset: Arb = value(api.sudokuDataset(puzzles), api.mazeDataset(mazes));
const posedArb: Arb = value('1...' + '.'.repeat(12), puzzles.puzzle(0), mazes.maze(0));
const oneStep = { ...tinyRun, train: { ...tinyRun.train, steps: 1 }, eval: { everySteps: null, finalPuzzles: 4 } };
const runConfig = api.parseConfig([{ source: 'fuzz', values: oneStep }]);
const layer: Arb = object({ source: value('fuzz', '--set'), values: value(tinyRun, {}, { model: { hidden: 8 } }) });

const directory = path.join(mkdtempSync(path.join(tmpdir(), 'hrm-fuzz-model-')), 'run');

let savedFile: string | undefined;
/** The tiny model under the official names. */
function officialFile(): string {
  if (savedFile === undefined) {
    savedFile = path.join(path.dirname(directory), 'official');
    api.saveOfficial(model(), savedFile);
  }
  return savedFile;
}

const runs: Subjects = {
  parseConfig: bounded(call(api.parseConfig, list(layer, 0, 2))),
  openRunData: bounded(
    call(
      api.openRunData,
      either(value(runConfig), object({ data: value(runConfig.data), train: value(runConfig.train) })),
    ),
  ),
  loadModel: call(
    api.loadModel,
    value(directory, '/nonexistent', '.'),
    maybe(object({}, { averaged: value(true, false) })),
  ),
  loadOfficial: bounded(
    call(
      api.loadOfficial,
      value(0).map(() => officialFile),
      object(
        {},
        {
          settings: object(
            {},
            { nHeads: int(1, 4), numPuzzleIdentifiers: int(1, 3), seqLen: value(16), hidden: value(16, 8) },
          ),
          puzzleEmb: value('keep', 'mean', 'zeros'),
          dataSeqLen: value(16),
        },
      ),
    ),
  ),
  saveOfficial: call(
    api.saveOfficial,
    modelArb,
    value(0).map(() => () => path.join(mkdtempSync(path.join(path.dirname(directory), 'official-')), 'x')),
    maybe(object({}, { dtype: value('float32', 'bfloat16'), prefix: value('', '_orig_mod.') })),
  ),
  evaluate: bounded(
    call(
      api.evaluate,
      ...[modelArb, dataset],
      object(
        { segments: int(1, 2) },
        {
          batchSize: int(1, 4),
          puzzles: int(1, 3),
          adaptive: value(true, false),
          initialStates: int(1, 3),
          statesSeed: int(0, 9),
        },
      ),
    ),
  ),
  solve: bounded(
    call(
      api.solve,
      modelArb,
      either(posedArb, list(posedArb, 0, 3)),
      object(
        { segments: int(1, 2) },
        {
          geometry: value(geometry),
          task: value('sudoku', 'maze'),
          adaptive: value(true, false),
          initialStates: int(1, 3),
          statesSeed: int(0, 9),
          batchSize: int(1, 3),
        },
      ),
    ),
  ),
  train: rare(
    call(
      api.train,
      object(
        { config: value(oneStep) },
        {
          layers: list(layer, 0, 1),
          resume: value(false, true),
          out: value(directory),
          onStep: value(() => undefined),
        },
      ),
    ),
  ),
};

const analysed = [modelArb, dataset] as const;
const analysis = { batchSize: int(1, 4), puzzles: int(1, 3), subsetSeed: int(0, 9) };
const analyses: Subjects = {
  'Hrm.updateL': method(model, 'updateL', stateOfModel, stateOfModel, stateOfModel),
  'Hrm.updateH': method(model, 'updateH', stateOfModel, stateOfModel),
  walkSegment: bounded(call(api.walkSegment, modelArb, states, stateOfModel, callback)),
  participationRatio: call(api.participationRatio, about([2, 3, 4])),
  forwardResiduals: bounded(call(api.forwardResiduals, ...analysed, object({ segments: int(1, 2) }, analysis))),
  stateDimensions: bounded(
    call(api.stateDimensions, ...analysed, object({ segments: int(1, 2) }, { ...analysis, untrainedSeed: int(0, 9) })),
  ),
  intermediateAnswers: bounded(
    call(api.intermediateAnswers, ...analysed, object({ segments: int(1, 2) }, { ...analysis, example: int(0, 2) })),
  ),
  accuracyBySegments: bounded(call(api.accuracyBySegments, ...analysed, object({ segments: int(1, 2) }, analysis))),
  stateTrajectories: bounded(call(api.stateTrajectories, ...analysed, object({ segments: int(1, 2) }, analysis))),
  compareHalting: rare(
    call(api.compareHalting, ...analysed, object({ limits: list(int(1, 2), 1, 2), rounds: int(1, 2) }, analysis)),
  ),
  compareGradients: rare(
    call(
      api.compareGradients,
      ...analysed,
      object(
        { cycles: value([[1, 2]]), rounds: int(1, 2) },
        { puzzles: int(1, 3), gradSteps: list(either(int(1, 2), value('full')), 0, 2), segment: int(1, 2) },
      ),
    ),
  ),
};

export function modelSubjects(): Subjects {
  return { ...modules, ...optimisers, ...hrm, ...runs, ...analyses };
}
