/** A directory in the official layout (HRM section 6), of any task. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { isArcMetadata } from '../../data/arc/folder';
import { loadDataset } from '../../data/dataset';
import { parseMetadata } from '../../data/metadata';
import { openDataset, storedSampler } from '../../data/stored';
import { readWholeFile } from '../../io/files';
import { defineDataKind, unchecked } from './kind';

export const npy = defineDataKind({
  schema: z.strictObject({ kind: z.literal('npy'), dir: z.string().min(1).default('data') }),
  task: undefined,
  seqLen: ({ dir }) => {
    const file = ['train', 'test']
      .map((split) => path.join(dir, split, 'dataset.json'))
      .find((name) => existsSync(name));
    return file === undefined ? undefined : parseMetadata(readWholeFile('data', file), file).seqLen;
  },
  check: unchecked,
  open: ({ dir }) => {
    const dataset = openDataset(dir, 'train');
    return {
      metadata: dataset.metadata,
      sampler: (options) => storedSampler(dataset, options),
      targets: undefined,
      valid: undefined,
      test: loadDataset(dir, 'test'),
      sudoku: undefined,
      maze: undefined,
      arc: isArcMetadata(dataset.metadata) ? { directory: dir } : undefined,
      overlap: undefined,
      guard: undefined,
    };
  },
});
