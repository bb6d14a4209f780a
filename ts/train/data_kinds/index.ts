/** Every kind of data, by the name that `data.kind` has. */
import { z } from 'zod';
import type { RunData } from '../run_data';
import type { TaskName } from '../tasks';
import { type OpenContext } from './kind';
import { mazeCsv, mazeGenerated } from './maze';
import { npy } from './npy';
import { sudokuCsv, sudokuGenerated } from './sudoku';

const dataKinds = { npy, sudokuCsv, sudokuGenerated, mazeCsv, mazeGenerated };

type Kinds = (typeof dataKinds)[keyof typeof dataKinds];
type Schema = Kinds['schema'];

/** The schemas of all kinds. */
export const dataSchemas: readonly Schema[] = Object.values(dataKinds).map(({ schema }) => schema);

/** The `data` group of a configuration. */
export const dataSchema = z.discriminatedUnion('kind', dataSchemas as [Schema, ...Schema[]]);

export type DataConfig = z.infer<typeof dataSchema>;

/** A kind as it is used: with settings of its own. */
interface OpenableKind {
  readonly task: TaskName | undefined;
  readonly seqLen: (data: DataConfig) => number | undefined;
  readonly check: (data: DataConfig) => void;
  readonly open: (data: DataConfig, context: OpenContext) => RunData | Promise<RunData>;
}

/** The kind that settings belong to. Types cannot say that a kind found by `data.kind` takes just these settings. */
export function kindOf(data: DataConfig): OpenableKind {
  return dataKinds[data.kind] as unknown as OpenableKind;
}
