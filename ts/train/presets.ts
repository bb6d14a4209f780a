/** The official recipes (HRM section 5), TRM's and direct prediction as configurations of the same engine, and small ones for a CPU. */
import { ConfigError } from '../error';
import { show, suggestion } from '../hrm/config_error';
import { type ConfigLayer, type ConfigValues } from './config';

interface Preset {
  about: string;
  values: ConfigValues;
}

const sudokuExtreme = {
  optim: { lr: 1e-4, puzzleEmbLr: 1e-4, weightDecay: 1, puzzleEmbWeightDecay: 1 },
  data: { kind: 'npy', dir: 'data/sudoku-extreme-1k-aug-1000' },
  train: { epochs: 20000, batchSize: 768, intervalEpochs: 2000 },
};

const maze = {
  ...sudokuExtreme,
  data: { kind: 'npy', dir: 'data/maze-30x30-hard-1k' },
};

const arc = {
  optim: { lr: 1e-4, puzzleEmbLr: 1e-2, weightDecay: 0.1, puzzleEmbWeightDecay: 0.1 },
  data: { kind: 'npy', dir: 'data/arc-aug-1000' },
  train: { epochs: 100000, batchSize: 768, intervalEpochs: 10000 },
  // The test split has every augmentation, 420,000 rows: all of them vote in hrm eval.
  eval: { everySteps: 10000, puzzles: 4096, finalPuzzles: 4096 },
};

const trmModel = {
  hLayers: 2,
  lLayers: 2,
  sharedLevels: true,
  hCycles: 3,
  lCycles: 6,
  gradSteps: 6,
  haltLoss: 'halt',
  puzzleEmbLen: 16,
};
const trmModelShort = { ...trmModel, lCycles: 4, gradSteps: 4 };
const trmTrain = { epochs: 50000, intervalEpochs: 5000 };

const sudoku4x4 = {
  model: {
    hidden: 64,
    nHeads: 4,
    hLayers: 1,
    lLayers: 1,
    posEncodings: 'learned',
    lossType: 'softmax',
    haltMaxSteps: 4,
  },
  optim: {
    lr: 2e-3,
    puzzleEmbLr: 2e-3,
    weightDecay: 0.1,
    puzzleEmbWeightDecay: 0.1,
    lrMinRatio: 0.05,
    lrWarmupSteps: 50,
    ema: 0.98,
  },
  // Many puzzles of few grids; their augmentations, too, stay clear of the grids held out.
  data: { kind: 'sudokuGenerated', trainPuzzles: 15000, validPuzzles: 300, testPuzzles: 600, augmentations: 3 },
  train: {
    steps: 4000,
    batchSize: 64,
    logEverySteps: 50,
    checkpointEverySteps: 1000,
    stopAtExactAccuracy: 0.995,
  },
  eval: { everySteps: 200, batchSize: 300 },
};

/**
 * The paper's direct prediction: L and then H, once each, from zero states are one transformer of lLayers + hLayers layers; the
 * gradient goes through all of them, every step is a fresh batch, and there is no halting to learn.
 */
const directModel = { hCycles: 1, lCycles: 1, haltMaxSteps: 1, stateInit: 'zero', haltLoss: 'none' };

const presets: Record<string, Preset> = {
  'sudoku-extreme': { about: 'official HRM on Sudoku-Extreme 1k, batch 768', values: sudokuExtreme },
  'sudoku-extreme-1gpu': {
    about: 'the same on one GPU: batch 384, learning rate 7e-5',
    values: {
      ...sudokuExtreme,
      optim: { ...sudokuExtreme.optim, lr: 7e-5, puzzleEmbLr: 7e-5 },
      train: { ...sudokuExtreme.train, batchSize: 384 },
    },
  },
  'sudoku-full': {
    about: 'official HRM on all of Sudoku-Extreme',
    values: {
      model: { lCycles: 8, haltMaxSteps: 8, posEncodings: 'learned', lossType: 'softmax' },
      optim: { lr: 3e-4, puzzleEmbLr: 3e-4, weightDecay: 0.1, puzzleEmbWeightDecay: 0.1, lrMinRatio: 0.1 },
      data: { kind: 'npy', dir: 'data/sudoku-extreme-full' },
      train: { epochs: 100, batchSize: 2304, intervalEpochs: 10 },
    },
  },
  maze: { about: 'official HRM on Maze-30x30-Hard 1k', values: maze },
  arc: { about: 'official HRM on ARC-AGI', values: arc },
  'trm-sudoku': {
    about: 'TRM (shared network, halting by qHalt alone) on Sudoku-Extreme 1k, attention',
    values: {
      ...sudokuExtreme,
      model: trmModel,
      optim: { ...sudokuExtreme.optim, ema: 0.999 },
      train: { ...sudokuExtreme.train, ...trmTrain },
    },
  },
  'trm-sudoku-mlp': {
    about: 'the same with a SwiGLU over the sequence instead of attention',
    values: {
      ...sudokuExtreme,
      model: { ...trmModel, mlpT: true, posEncodings: 'none' },
      optim: { ...sudokuExtreme.optim, ema: 0.999 },
      train: { ...sudokuExtreme.train, ...trmTrain },
    },
  },
  'trm-maze': {
    about: 'TRM on Maze-30x30-Hard 1k',
    values: {
      ...maze,
      model: trmModelShort,
      optim: { ...maze.optim, ema: 0.999 },
      train: { ...maze.train, ...trmTrain },
    },
  },
  'trm-arc': {
    about: 'TRM on ARC-AGI',
    values: { ...arc, model: trmModelShort, optim: { ...arc.optim, ema: 0.999 } },
  },
  'sudoku-mid': {
    about: 'a mid-size HRM on Sudoku-Extreme 1k for a CPU: hidden 128, 2+2 layers, a SwiGLU over the sequence',
    values: {
      // With attention a model of this size still guesses after an hour; mixing tokens by a SwiGLU learns within minutes.
      model: {
        hidden: 128,
        nHeads: 4,
        hLayers: 2,
        lLayers: 2,
        mlpT: true,
        posEncodings: 'none',
        lossType: 'softmax',
        haltMaxSteps: 4,
      },
      optim: {
        lr: 1e-3,
        puzzleEmbLr: 1e-3,
        weightDecay: 0.1,
        puzzleEmbWeightDecay: 0.1,
        lrMinRatio: 0.1,
        lrWarmupSteps: 100,
        ema: 0.99,
      },
      data: { kind: 'sudokuCsv' },
      train: { steps: 6000, batchSize: 32 },
      eval: { everySteps: 250, puzzles: 500, finalPuzzles: null },
    },
  },
  'maze-mid': {
    about:
      'a small HRM on generated 10x10 mazes for a CPU: hidden 32, a SwiGLU over the sequence that starts on the grid',
    values: {
      model: {
        hidden: 32,
        nHeads: 2,
        hLayers: 1,
        lLayers: 1,
        mlpT: true,
        mixerInit: 'grid',
        // 512 inner units each way.
        expansion: 13,
        seqExpansion: 4,
        posEncodings: 'none',
        gradSteps: 'full',
        lossType: 'softmax',
        haltMaxSteps: 4,
        // Rows that left once they were right would not be trained to stay right.
        haltLoss: 'none',
      },
      optim: {
        lr: 2e-3,
        puzzleEmbLr: 2e-3,
        weightDecay: 0.1,
        // A mixer has weights for every pair of cells: at the full rate what those of distant cells gather drowns the messages.
        seqLrRatio: 0.15,
        puzzleEmbWeightDecay: 0.1,
        lrMinRatio: 0.02,
        lrWarmupSteps: 100,
        ema: 0.999,
      },
      // Nine of ten such mazes have several shortest paths: any is right. No dihedral: any number of mazes is generated in
      // seconds. Paths of more than 11 moves are at least 12 long.
      data: {
        kind: 'mazeGenerated',
        size: 10,
        minPath: 11,
        minWallPercent: 30,
        maxWallPercent: 45,
        trainPuzzles: 60000,
        validPuzzles: 500,
        testPuzzles: 1000,
        targets: 'nearestPath',
      },
      train: { steps: 15000, batchSize: 8, logEverySteps: 500, checkpointEverySteps: 3000 },
      eval: { everySteps: 3000, batchSize: 250 },
    },
  },
  'arc-mid': {
    about: 'a small HRM on small ARC tasks for a CPU, on a folder of hrm data arc --canvas 12',
    values: {
      model: {
        hidden: 96,
        nHeads: 4,
        hLayers: 2,
        lLayers: 2,
        lossType: 'softmax',
        haltMaxSteps: 4,
      },
      optim: {
        lr: 1e-3,
        puzzleEmbLr: 1e-2,
        weightDecay: 0.1,
        puzzleEmbWeightDecay: 0.1,
        lrMinRatio: 0.1,
        lrWarmupSteps: 100,
        ema: 0.99,
      },
      data: { kind: 'npy', dir: 'data/arc-mid' },
      train: { steps: 2000, batchSize: 32 },
      eval: { everySteps: 500, puzzles: 200, finalPuzzles: 200 },
    },
  },
  'demo-4x4': { about: 'a small HRM on generated 4x4 Sudokus: minutes on two cores', values: sudoku4x4 },
  'direct-sudoku': {
    about: 'direct prediction, no recurrence: 8 layers once, on Sudoku-Extreme 1k, batch 768',
    values: { ...sudokuExtreme, model: directModel },
  },
  'trm-4x4': {
    about: 'TRM (two shared layers) on generated 4x4 Sudokus: a CPU will do',
    values: {
      ...sudoku4x4,
      model: {
        ...sudoku4x4.model,
        ...{ hLayers: 2, lLayers: 2, sharedLevels: true, gradSteps: 2, haltLoss: 'halt', puzzleEmbLen: 2 },
      },
    },
  },
  'direct-4x4': {
    about: 'direct prediction with 8 layers on generated 4x4 Sudokus',
    values: {
      ...sudoku4x4,
      model: { ...sudoku4x4.model, ...directModel, hLayers: 4, lLayers: 4 },
    },
  },
};

/** Names and one line about each, for `--help`. */
export const presetList: readonly { name: string; about: string }[] = Object.entries(presets).map(
  ([name, { about }]) => ({ name, about }),
);

/** The layer of a preset. @throws ConfigError naming the nearest preset */
export function presetLayer(name: string): ConfigLayer {
  if (typeof name !== 'string' || !Object.hasOwn(presets, name)) {
    throw new ConfigError(`preset: unknown preset ${show(name)}${suggestion(show(name), Object.keys(presets))}`);
  }
  return { source: `preset ${name}`, values: presets[name]!.values };
}
