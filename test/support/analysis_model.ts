import { generateSudoku, geometryOf, type Hrm, type ModelSettings, sudokuDataset } from '../../ts';
import { tinyModel } from './tiny_model';

/** Nine 4x4 puzzles. */
export const puzzles = sudokuDataset(
  generateSudoku({ geometry: geometryOf(2, 2), count: 9, seed: 5, blanks: { min: 4, max: 6 } }),
);

/** A model with inner cycles and three segments in float64: what two ways of computing it give agrees to rounding. */
export function cyclingModel(changes: Partial<ModelSettings> = {}): Hrm {
  return tinyModel({ hCycles: 2, lCycles: 2, haltMaxSteps: 3, forwardDtype: 'float64', ...changes });
}

/** The rows of a dataset's first set as a batch. */
export function rowsOf(dataset: typeof puzzles): {
  inputs: Int32Array;
  labels: Int32Array;
  puzzleIdentifiers: Int32Array;
} {
  const [set] = dataset.sets;
  return {
    inputs: Int32Array.from(set!.inputs),
    labels: Int32Array.from(set!.labels),
    puzzleIdentifiers: new Int32Array(set!.nExamples),
  };
}
