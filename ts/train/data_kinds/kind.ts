/** One kind of data a run can have: its keys in the configuration, and how it is opened. */
import { z } from 'zod';
import type { TaskName } from '../tasks';
import type { RunData } from '../run_data';

/** A number of puzzles. */
export const puzzles = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);
export const seed = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** What {@link DataKind.open} is given beside the settings. */
export interface OpenContext {
  /** `train.seed`, for draws whose seed the data has no key for. */
  readonly seed: number;
  /** Overrules `data.unique`, where there is such a key. */
  readonly unique: boolean | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A kind of data. Its schema is a strict object with a literal `kind`. */
export interface DataKind<S extends z.ZodObject> {
  readonly schema: S;
  /** What its puzzles are; undefined where only the data itself says. */
  readonly task: TaskName | undefined;
  /** Tokens of a puzzle; undefined where only the data itself says. @throws FileError, FormatError */
  readonly seqLen: (data: z.infer<S>) => number | undefined;
  /** Checks between keys. @throws ConfigError */
  readonly check: (data: z.infer<S>) => void;
  /** @throws FileError, FormatError, ArgumentError, ConfigError; the signal's reason when it is aborted */
  readonly open: (data: z.infer<S>, context: OpenContext) => RunData | Promise<RunData>;
}

/** States a kind with the types of its schema. */
export function defineDataKind<S extends z.ZodObject>(kind: DataKind<S>): DataKind<S> {
  return kind;
}

/** For kinds whose keys do not depend on each other. */
export const unchecked = (): void => undefined;
