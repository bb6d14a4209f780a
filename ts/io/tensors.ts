/** Tensors in files: safetensors, npy, npz and PyTorch's. The formats themselves are in files of their own. */
import { types } from 'node:util';
import { ArgumentError, FormatError } from '../error';
import { tensor } from '../tensor/create';
import { tidy } from '../tensor/scope';
import { Tensor } from '../tensor/tensor';
import { describe, readArgument, requireMap, requirePath } from './arguments';
import { writeFileAtomic } from './atomic_file';
import { readWholeFile } from './files';
import { encodeNpy, parseNpy } from './npy';
import { encodeNpz, parseNpz } from './npz';
import { PyTorchFile } from './pytorch/pytorch_file';
import { shapeText, type RawArray } from './raw_array';
import { SafetensorsFile, writeSafetensors } from './safetensors';

/** Tensors by name. */
export type NamedTensors = ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>;

const MAX_RANK = 8;

/** The elements of a tensor as files hold them, copied from the device. */
export function toRawArray(source: Tensor): RawArray {
  const { dtype, shape } = source;
  const data = source.dataSync();
  if (dtype !== 'bfloat16') return { dtype, shape, data } as RawArray;
  // They come as float32, which holds every bfloat16 in its upper half.
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  return { dtype, shape, data: Uint16Array.from(bits, (word) => word >>> 16) };
}

/** A tensor with the elements of an array. @throws FormatError where it has more dimensions than a tensor can have */
export function fromRawArray({ dtype, shape, data }: RawArray, what: string): Tensor {
  if (shape.length > MAX_RANK)
    throw new FormatError(`${what}: a tensor has at most ${MAX_RANK} dimensions, got shape ${shapeText(shape)}`);
  return tensor(data, { dtype, shape });
}

function requireTensors(op: string, value: unknown): Map<string, RawArray> {
  const isPlain =
    typeof value === 'object' &&
    value !== null &&
    !Tensor.isTensor(value) &&
    !readArgument(op, 'tensors', () => Array.isArray(value));
  if (!isPlain)
    throw new ArgumentError(`${op}: tensors must be a Map or an object of tensors by name, got ${describe(value)}`);
  const entries = types.isMap(value)
    ? [...requireMap(op, 'tensors', value)]
    : readArgument(op, 'tensors', () => Object.entries(value));
  return new Map(
    entries.map(([name, item]) => {
      Tensor.handleOf(item, op, `tensor ${describe(name)}`);
      return [name as string, toRawArray(item as Tensor)];
    }),
  );
}

function requireTensor(op: string, value: unknown): RawArray {
  Tensor.handleOf(value, op, 'tensor');
  return toRawArray(value as Tensor);
}

/**
 * Writes tensors as a safetensors file, atomically. Names keep their order.
 * @throws ArgumentError; FileError where the system refuses
 */
export function saveSafetensors(file: string, tensors: NamedTensors, metadata?: ReadonlyMap<string, string>): void {
  const op = 'saveSafetensors';
  writeSafetensors(requirePath(op, 'file', file), requireTensors(op, tensors), metadata);
}

/**
 * Reads every tensor of a safetensors file, in its order. F16 loads as float32, other integers as int32 with a range check.
 * @throws FileError where the file cannot be read, FormatError where it is malformed
 */
export function loadSafetensors(file: string): Map<string, Tensor> {
  const op = 'loadSafetensors';
  using input = new SafetensorsFile(requirePath(op, 'file', file));
  return tidy(
    () =>
      new Map(
        [...input.entries.keys()].map((name) => [
          name,
          fromRawArray(input.read(name), `${op}: ${file}: tensor ${describe(name)}`),
        ]),
      ),
  );
}

/**
 * Reads every tensor of a checkpoint that `torch.save` wrote (PyTorch 1.6 and later), under its keys joined with dots, in the
 * order of the file; other values of its dictionaries are passed over. Nothing of the file is run: its pickle is parsed as
 * data, and whatever is not needed to hold tensors is refused. float16 loads as float32, other integers as int32 with a
 * range check.
 * @throws FileError where the file cannot be read, FormatError where it is malformed or would run code
 */
export function readPyTorchCheckpoint(file: string): Map<string, Tensor> {
  const op = 'readPyTorchCheckpoint';
  using input = new PyTorchFile(requirePath(op, 'file', file));
  return tidy(() => {
    const tensors = new Map<string, Tensor>();
    for (const [name, array] of input.readAll())
      tensors.set(name, fromRawArray(array, `${op}: ${file}: tensor ${describe(name)}`));
    return new Map([...input.entries.keys()].map((name) => [name, tensors.get(name)!]));
  });
}

/** Writes a tensor as a numpy .npy file, atomically. @throws DTypeError for bfloat16, which numpy does not have */
export function saveNpy(file: string, source: Tensor): void {
  const op = 'saveNpy';
  writeFileAtomic(requirePath(op, 'file', file), encodeNpy(requireTensor(op, source)));
}

/** Reads a numpy .npy file; float16 loads as float32, other integers as int32 with a range check. */
export function loadNpy(file: string): Tensor {
  const op = 'loadNpy';
  const name = requirePath(op, 'file', file);
  return fromRawArray(parseNpy(readWholeFile(op, name), name), `${op}: ${name}`);
}

/** Writes tensors as a numpy .npz archive, atomically. @throws DTypeError for bfloat16, which numpy does not have */
export function saveNpz(file: string, tensors: NamedTensors, options?: { readonly compress?: boolean }): void {
  const op = 'saveNpz';
  writeFileAtomic(requirePath(op, 'file', file), encodeNpz(requireTensors(op, tensors), options));
}

/** Reads the arrays of a numpy .npz archive. @param options.maxBytes largest sum of inflated sizes, 4 GiB by default */
export function loadNpz(file: string, options?: { readonly maxBytes?: number }): Map<string, Tensor> {
  const op = 'loadNpz';
  const name = requirePath(op, 'file', file);
  const arrays = parseNpz(readWholeFile(op, name), name, options);
  return tidy(
    () =>
      new Map([...arrays].map(([key, array]) => [key, fromRawArray(array, `${op}: ${name}: array ${describe(key)}`)])),
  );
}
