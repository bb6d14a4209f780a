import { modelConfig, type ModelSettings } from '../../ts/hrm/config';
import { Hrm } from '../../ts/hrm/model';
import { Generator } from '../../ts/ops/random';
import { tinyRun } from './tiny_run';

/** A model for 4x4 Sudokus with random weights. */
export function tinyModel(changes: Partial<ModelSettings> = {}, seed = 1): Hrm {
  return new Hrm(modelConfig({ ...tinyRun.model, seqLen: 16, vocabSize: 6, ...changes }), new Generator(seed));
}
