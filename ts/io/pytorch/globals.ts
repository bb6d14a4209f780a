/**
 * The names that a pickle of tensors may mention, and what calling them means. This table is all there is: nothing is looked
 * up anywhere else, and a name is data until a rule below reads its arguments.
 */
import { type SourceType, sourceBytes } from '../decode';
import { elementsOfShape, MAX_DIMS, shapeText } from '../raw_array';
import {
  Callable,
  ElementType,
  type Fail,
  PickleDict,
  PickleTuple,
  type PickleValue,
  show,
  StorageRef,
  TensorRef,
} from './pickle_values';

type Rule = (args: readonly PickleValue[], fail: Fail) => PickleValue;

/** PyTorch's name of a dtype, that of its typed storage, and ours. */
const ELEMENTS: readonly (readonly [dtype: string, storage: string | null, source: SourceType])[] = [
  ['float32', 'FloatStorage', 'f4'],
  ['float64', 'DoubleStorage', 'f8'],
  ['float16', 'HalfStorage', 'f2'],
  ['bfloat16', 'BFloat16Storage', 'bf2'],
  ['int64', 'LongStorage', 'i8'],
  ['int32', 'IntStorage', 'i4'],
  ['int16', 'ShortStorage', 'i2'],
  ['int8', 'CharStorage', 'i1'],
  ['uint8', 'ByteStorage', 'u1'],
  ['bool', 'BoolStorage', 'b1'],
  // Newer ones, which have no storage of their own.
  ['uint16', null, 'u2'],
  ['uint32', null, 'u4'],
  ['uint64', null, 'u8'],
];

const rules: Readonly<Record<string, Rule>> = {
  'collections.OrderedDict': (args, fail) => {
    if (args.length !== 0) fail(`collections.OrderedDict must have no arguments, got ${args.length}`);
    return new PickleDict();
  },
  'torch.Size': (args, fail) => {
    const [sizes] = args;
    return args.length === 1 && sizes instanceof PickleTuple
      ? sizes
      : fail(`torch.Size must have one tuple, got ${args.map(show).join(', ')}`);
  },
  'torch.device': (args, fail) => {
    const [type, index] = args;
    if (typeof type === 'string' && args.length === 1) return type;
    if (typeof type === 'string' && args.length === 2 && typeof index === 'number') return `${type}:${index}`;
    return fail(`torch.device must have a name and an index, got ${args.map(show).join(', ')}`);
  },
  'torch._utils._rebuild_tensor_v2': (args, fail) => {
    const name = '_rebuild_tensor_v2';
    requireCount(name, args, 6, 7, fail);
    const [storage, offset, size, stride, , , metadata] = args;
    requirePlain(name, metadata, fail);
    return viewOfStorage(name, storage, offset, size, stride, undefined, fail);
  },
  'torch._utils._rebuild_tensor_v3': (args, fail) => {
    const name = '_rebuild_tensor_v3';
    requireCount(name, args, 7, 8, fail);
    const [storage, offset, size, stride, , , dtype, metadata] = args;
    requirePlain(name, metadata, fail);
    if (!(dtype instanceof ElementType)) return fail(`${name}: dtype must be one of torch, got ${show(dtype)}`);
    return viewOfStorage(name, storage, offset, size, stride, dtype, fail);
  },
  'torch._utils._rebuild_parameter': (args, fail) => {
    const [data] = args;
    if (args.length !== 3 || !(data instanceof TensorRef)) {
      return fail(`_rebuild_parameter must have a tensor and two more, got ${args.map(show).join(', ')}`);
    }
    return data;
  },
};

const types = new Map<string, ElementType>([
  ...ELEMENTS.flatMap(([dtype, storage, source]) =>
    [dtype, storage].flatMap((name) =>
      name === null ? [] : [[`torch.${name}`, new ElementType(`torch.${name}`, source)] as const],
    ),
  ),
  ...['torch.storage.UntypedStorage', 'torch.UntypedStorage'].map(
    (name) => [name, new ElementType(name, undefined)] as const,
  ),
]);

/** What a global means, or undefined: it is not of the table. */
export function globalNamed(name: string): PickleValue | undefined {
  return types.get(name) ?? (Object.hasOwn(rules, name) ? new Callable(name) : undefined);
}

/** The result of a call of the table. */
export function reduce(callable: PickleValue, args: PickleValue, fail: Fail): PickleValue {
  if (!(callable instanceof Callable)) return fail(`REDUCE must have a function of the table, got ${show(callable)}`);
  if (!(args instanceof PickleTuple))
    return fail(`the arguments of ${callable.name} must be a tuple, got ${show(args)}`);
  return rules[callable.name]!(args.items, fail);
}

const STORAGE_KEY = /^[0-9]{1,12}$/;
const LOCATION = /^[a-z_]{1,20}(:[0-9]{1,4})?$/;

/** The storage that a persistent id `('storage', type, key, location, count)` means. */
export function storageOf(id: PickleValue, fail: Fail): StorageRef {
  if (!(id instanceof PickleTuple)) return fail(`a persistent id must be a tuple, got ${show(id)}`);
  if (id.items.length !== 5) return fail(`a persistent id must have 5 items, got ${id.items.length}`);
  const [kind, type, key, location, count] = id.items;
  if (kind !== 'storage') return fail(`a persistent id must be that of a "storage", got ${show(kind)}`);
  if (!(type instanceof ElementType)) return fail(`the type of a storage must be one of torch, got ${show(type)}`);
  if (typeof key !== 'string' || !STORAGE_KEY.test(key))
    return fail(`the key of a storage must be digits, got ${show(key)}`);
  if (typeof location !== 'string' || !LOCATION.test(location)) {
    return fail(`the location of a storage must be a device such as cpu or cuda:0, got ${show(location)}`);
  }
  if (!isCount(count)) return fail(`the size of a storage must be an integer in [0, 2^53), got ${show(count)}`);
  return new StorageRef(key, type, count);
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0);
}

function requireCount(name: string, args: readonly PickleValue[], min: number, max: number, fail: Fail): void {
  if (args.length < min || args.length > max) fail(`${name} must have ${min} or ${max} arguments, got ${args.length}`);
}

/** Conjugated and negated views are told apart from plain ones only here. */
function requirePlain(name: string, metadata: PickleValue | undefined, fail: Fail): void {
  if (metadata === undefined || metadata === null) return;
  if (!(metadata instanceof PickleDict) || metadata.entries.size > 0) {
    fail(`${name}: metadata must be empty, got ${show(metadata)}`);
  }
}

function integers(name: string, field: string, value: PickleValue | undefined, fail: Fail): number[] {
  if (!(value instanceof PickleTuple)) return fail(`${name}: ${field} must be a tuple, got ${show(value)}`);
  if (value.items.length > MAX_DIMS) {
    fail(`${name}: ${field} must have at most ${MAX_DIMS} dimensions, got ${value.items.length}`);
  }
  return value.items.map((item, i) =>
    isCount(item) ? item : fail(`${name}: ${field}[${i}] must be an integer in [0, 2^53), got ${show(item)}`),
  );
}

function viewOfStorage(
  name: string,
  storage: PickleValue | undefined,
  offset: PickleValue | undefined,
  size: PickleValue | undefined,
  stride: PickleValue | undefined,
  dtype: ElementType | undefined,
  fail: Fail,
): TensorRef {
  if (!(storage instanceof StorageRef))
    return fail(`${name}: the first argument must be a storage, got ${show(storage)}`);
  const source = dtype?.source ?? storage.type.source;
  if (source === undefined) return fail(`${name}: the elements must have a dtype, got ${storage.type.name}`);
  if (dtype !== undefined && storage.type.source !== undefined && storage.type.source !== source) {
    fail(`${name}: dtype must be that of ${storage.type.name}, got ${dtype.name}`);
  }
  if (!isCount(offset)) return fail(`${name}: offset must be an integer in [0, 2^53), got ${show(offset)}`);
  const shape = integers(name, 'size', size, fail);
  const strides = integers(name, 'stride', stride, fail);
  if (strides.length !== shape.length)
    fail(`${name}: stride must have ${shape.length} dimensions as size, got ${strides.length}`);
  const elements = elementsOfShape(shape);
  if (elements === undefined) return fail(`${name}: the size of shape ${shapeText(shape)} overflows`);
  // The elements of untyped storages are bytes.
  const count = storage.type.source === undefined ? Math.floor(storage.count / sourceBytes(source)) : storage.count;
  const span = spanOf(shape, strides);
  if (offset + span > count) {
    fail(
      `${name}: shape ${shapeText(shape)} with strides ${shapeText(strides)} from ${offset} must stay within the ${count} ` +
        `elements of storage ${storage.key}, reaches ${offset + span}`,
    );
  }
  if (elements > span) {
    fail(
      `${name}: the ${elements} elements of shape ${shapeText(shape)} with strides ${shapeText(strides)} must be distinct, ` +
        `they share ${span}; call contiguous() before saving`,
    );
  }
  return new TensorRef(storage, source, offset, shape, strides);
}

/** Elements from the first that a view reaches to its last; 0 where it has none. Sums beyond 2^53 stay beyond any storage. */
export function spanOf(shape: readonly number[], strides: readonly number[]): number {
  return shape.includes(0) ? 0 : shape.reduce((span, size, d) => span + (size - 1) * strides[d]!, 1);
}
