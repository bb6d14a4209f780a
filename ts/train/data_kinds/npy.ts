/** A directory in the official layout (HRM section 6), of any task. */
import { z } from 'zod';
import { loadDataset } from '../../data/dataset';
import { datasetSampler } from '../../data/sampler';
import { defineDataKind, unchecked } from './kind';

export const npy = defineDataKind({
  schema: z.strictObject({ kind: z.literal('npy'), dir: z.string().min(1).default('data') }),
  task: undefined,
  check: unchecked,
  open: ({ dir }) => {
    const dataset = loadDataset(dir, 'train');
    return {
      metadata: dataset.metadata,
      sampler: (options) => datasetSampler(dataset, options),
      valid: undefined,
      test: loadDataset(dir, 'test'),
      sudoku: undefined,
      maze: undefined,
      overlap: undefined,
      guard: undefined,
    };
  },
});
