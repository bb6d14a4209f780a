import type { SourceType } from '../decode';

/** What a pickle of tensors can hold. Everything is data: no class of another program is made, no function called. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleTuple
  | PickleList
  | PickleDict
  | ElementType
  | Callable
  | StorageRef
  | TensorRef;

export type Fail = (message: string) => never;

export class PickleTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}
export class PickleList {
  readonly items: PickleValue[] = [];
}
export class PickleDict {
  readonly entries = new Map<string | number, PickleValue>();
}

/** The elements of a storage or tensor: `torch.FloatStorage` and `torch.float32` are both f4. */
export class ElementType {
  constructor(
    readonly name: string,
    /** Undefined: untyped bytes, whose tensors say what they are. */
    readonly source: SourceType | undefined,
  ) {}
}

/** A function of the fixed table, which is never more than its name. */
export class Callable {
  constructor(readonly name: string) {}
}

/** Elements in an entry of the archive. */
export class StorageRef {
  constructor(
    /** Its entry is `<root>/data/<key>`. */
    readonly key: string,
    readonly type: ElementType,
    readonly count: number,
  ) {}
}

/** A strided view of a storage; offset and strides count elements. All that it reaches is inside the storage. */
export class TensorRef {
  constructor(
    readonly storage: StorageRef,
    readonly source: SourceType,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/** A value as messages show it. */
export function show(value: PickleValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (value instanceof PickleTuple) return `a tuple of ${value.items.length}`;
  if (value instanceof PickleList) return `a list of ${value.items.length}`;
  if (value instanceof PickleDict) return `a dictionary of ${value.entries.size}`;
  if (value instanceof ElementType || value instanceof Callable) return value.name;
  if (value instanceof StorageRef) return `storage ${value.key}`;
  if (value instanceof TensorRef) return 'a tensor';
  return String(value);
}
