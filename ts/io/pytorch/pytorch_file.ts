import { ArgumentError, FormatError } from '../../error';
import { allocating, describe, requirePath, requireString } from '../arguments';
import { decodeElements, LOADS_AS, sourceBytes, stridedToC } from '../decode';
import { InputFile } from '../files';
import type { RawArray, RawDType } from '../raw_array';
import { readZip, type ZipEntry } from '../zip';
import { spanOf } from './globals';
import {
  PickleDict,
  PickleList,
  PickleTuple,
  type PickleValue,
  show,
  type StorageRef,
  TensorRef,
} from './pickle_values';
import { unpickle } from './unpickle';

/** One tensor of a checkpoint. */
export interface PyTorchEntry {
  /** What it loads as: half precision as float32, integers that we lack as int32. */
  readonly dtype: RawDType;
  readonly shape: readonly number[];
}

const OP = 'PyTorchFile';
/** 30,000 tensors take 4 MiB. */
const MAX_PICKLE_BYTES = 2 ** 25;
/** Of the small entries that describe the file. */
const MAX_NOTE_BYTES = 64;
/** Values that a nest of dictionaries may have, counted wherever they are reached from. */
const MAX_VALUES = 2 ** 20;
const MAX_DEPTH = 32;

const ZIP_MAGIC = [0x50, 0x4b, 0x03, 0x04];
const PICKLE_PROTO = 0x80;
const SAVE_AGAIN = 'load it in PyTorch and torch.save its state_dict() again';

/** What entries beside data.pkl and data/<n> must hold; undefined: anything. */
const NOTES: Readonly<Record<string, RegExp | undefined>> = {
  version: /^([1-9]|10)\n?$/,
  byteorder: /^little$/,
  '.format_version': /^1$/,
  '.storage_alignment': undefined,
  '.data/serialization_id': undefined,
};

/**
 * A checkpoint that `torch.save` wrote (PyTorch 1.6 and later): a dictionary of tensors, nested or not. Opening reads the
 * zip directory and the pickle, which is parsed as data: a fixed table of opcodes and names is known, everything else is
 * refused by name and byte, and nothing is ever run. Each tensor is read, and its CRC checked, when it is asked for. Close
 * it, or declare it `using`.
 */
export class PyTorchFile implements Disposable {
  /** What the file holds, by its keys joined with dots. */
  readonly entries: ReadonlyMap<string, PyTorchEntry>;
  private readonly tensors: ReadonlyMap<string, TensorRef>;
  private readonly storages: ReadonlyMap<string, ZipEntry>;
  private readonly input: InputFile;
  /** The storage that was read last: tensors that share one are usually neighbours. */
  private last: { readonly key: string; readonly bytes: Uint8Array } | undefined;

  /** @throws FileError where the file cannot be read, FormatError where it is malformed or not one of tensors */
  constructor(path: string) {
    const file = requirePath(OP, 'path', path);
    const input = new InputFile(OP, file);
    const fail: Fail = (message) => {
      throw new FormatError(`${OP}: ${file}: ${message}`);
    };
    try {
      requireZip(input, fail);
      const limits = { maxBytes: input.sizeBytes, zip64: true, storedOnly: true };
      const archive = sortEntries(readZip(input, limits, fail), fail);
      const root = unpickle(archive.pickle.read(), (message) => fail(`data.pkl: ${message}`));
      this.tensors = flatten(root, fail);
      this.storages = archive.storages;
      checkStorages(this.tensors.values(), this.storages, fail);
    } catch (error) {
      input.close();
      throw error;
    }
    this.entries = new Map(
      [...this.tensors].map(([name, { source, shape }]) => [name, { dtype: LOADS_AS[source], shape }]),
    );
    this.input = input;
  }

  /** Reads one tensor, in C order. @throws ArgumentError for an unknown name, FormatError for a wrong CRC or value */
  read(name: string): RawArray {
    const op = `${OP}.read`;
    const tensor = this.tensors.get(requireString(op, 'name', name));
    if (tensor === undefined) {
      throw new ArgumentError(`${op}: ${this.input.path} must hold the tensor, got the name ${describe(name)}`);
    }
    const { storage, source, offset, shape, strides } = tensor;
    const refuse = (index: number, value: string, range: string): never => {
      const what = `element ${offset + index} of storage ${storage.key}`;
      throw new FormatError(
        `${op}: ${this.input.path}: tensor ${describe(name)}: ${what} must be ${range}, got ${value}`,
      );
    };
    const size = sourceBytes(source);
    const span = spanOf(shape, strides);
    const bytes = this.storageBytes(storage).subarray(offset * size, (offset + span) * size);
    const data = allocating(op, () => {
      const elements = decodeElements(source, bytes, true, refuse);
      return isContiguous(shape, strides) ? elements : stridedToC(elements, shape, strides);
    });
    return { dtype: LOADS_AS[source], shape, data } as RawArray;
  }

  /** Reads all tensors, each storage once: in the order of the storages, not of `entries`. */
  *readAll(): Generator<readonly [name: string, array: RawArray]> {
    const order = [...this.tensors].toSorted(([, a], [, b]) => Number(a.storage.key) - Number(b.storage.key));
    for (const [name] of order) yield [name, this.read(name)];
  }

  private storageBytes({ key }: StorageRef): Uint8Array {
    if (this.last?.key === key) return this.last.bytes;
    this.last = undefined;
    const bytes = allocating(OP, () => this.storages.get(key)!.read());
    this.last = { key, bytes };
    return bytes;
  }

  close(): void {
    this.last = undefined;
    this.input.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

type Fail = (message: string) => never;

/** Says what a file is that is no archive, where that is known. */
function requireZip(input: InputFile, fail: Fail): void {
  const start = input.read(0, Math.min(ZIP_MAGIC.length, input.sizeBytes));
  if (ZIP_MAGIC.every((byte, i) => start[i] === byte)) return;
  if (start[0] === PICKLE_PROTO) {
    fail(`must be a zip archive, got a pickle: the format of PyTorch before 1.6; ${SAVE_AGAIN}`);
  }
  fail(`must be a zip archive as torch.save writes, which starts with bytes 80 75 3 4, got ${start.join(' ')}`);
}

interface Archive {
  readonly pickle: ZipEntry;
  /** By key. */
  readonly storages: ReadonlyMap<string, ZipEntry>;
}

/** The entries below the one folder that torch.save puts everything into, each known by its name. */
function sortEntries(entries: readonly ZipEntry[], fail: Fail): Archive {
  const first = entries[0] ?? fail('an archive must have entries, got none');
  const root = first.name.slice(0, first.name.indexOf('/') + 1);
  if (root === '') fail(`entries must be in a folder, got ${describe(first.name)}`);
  const storages = new Map<string, ZipEntry>();
  const notes = new Set<string>();
  let pickle: ZipEntry | undefined;
  for (const entry of entries) {
    const failEntry: Fail = (message) => fail(`entry ${describe(entry.name)}: ${message}`);
    if (!entry.name.startsWith(root)) failEntry(`must be in the folder ${describe(root)} of the first entry`);
    const name = entry.name.slice(root.length);
    const [, key] = /^data\/([0-9]{1,12})$/.exec(name) ?? [];
    if (key !== undefined) storages.set(key, entry);
    else if (name === 'data.pkl') pickle = entry;
    else if (Object.hasOwn(NOTES, name)) {
      notes.add(name);
      checkNote(name, entry, failEntry);
    } else if (name === 'constants.pkl' || name.startsWith('code/')) {
      failEntry('belongs to TorchScript, which holds a program; save its state_dict() with torch.save');
    } else failEntry('is none that torch.save writes');
  }
  if (!notes.has('version')) fail('must have the entry version, got none');
  if (pickle === undefined) return fail('must have the entry data.pkl, got none');
  if (pickle.nBytes > MAX_PICKLE_BYTES)
    fail(`data.pkl must have at most ${MAX_PICKLE_BYTES} bytes, got ${pickle.nBytes}`);
  return { pickle, storages };
}

function checkNote(name: string, entry: ZipEntry, fail: Fail): void {
  if (entry.nBytes > MAX_NOTE_BYTES) fail(`must have at most ${MAX_NOTE_BYTES} bytes, got ${entry.nBytes}`);
  const text = Buffer.from(entry.read()).toString('latin1');
  if (NOTES[name]?.test(text) === false)
    fail(`must match ${String(NOTES[name])}, got ${describe(text)}; ${SAVE_AGAIN}`);
}

/** The tensors of nested dictionaries, lists and tuples under their joined keys; other values are passed over. */
function flatten(root: PickleValue, fail: Fail): Map<string, TensorRef> {
  if (!(root instanceof PickleDict)) return fail(`data.pkl: must hold a dictionary of tensors, got ${show(root)}`);
  const tensors = new Map<string, TensorRef>();
  let nValues = 0;
  const walk = (value: PickleValue, name: string, depth: number): void => {
    // A value may be reached from many places, so that a small file would unfold into a huge tree.
    if (++nValues > MAX_VALUES) fail(`data.pkl: must unfold to at most ${MAX_VALUES} values`);
    if (depth > MAX_DEPTH)
      fail(`data.pkl: ${describe(name.slice(0, 40))}: dictionaries must nest at most ${MAX_DEPTH} deep`);
    if (value instanceof TensorRef) {
      if (tensors.has(name)) fail(`data.pkl: a tensor's name must appear once, got ${describe(name)} again`);
      tensors.set(name, value);
    }
    const items =
      value instanceof PickleDict
        ? value.entries
        : value instanceof PickleList || value instanceof PickleTuple
          ? value.items.entries()
          : [];
    for (const [key, item] of items) walk(item, name === '' ? String(key) : `${name}.${key}`, depth + 1);
  };
  walk(root, '', 0);
  return tensors;
}

/** Every storage has its entry, with the bytes that its elements take; a key means the same storage everywhere. */
function checkStorages(tensors: Iterable<TensorRef>, entries: ReadonlyMap<string, ZipEntry>, fail: Fail): void {
  const seen = new Map<string, StorageRef>();
  for (const { storage } of tensors) {
    const { key, type, count } = storage;
    const before = seen.get(key);
    if (before !== undefined && (before.type !== type || before.count !== count)) {
      fail(
        `storage ${key} must be the same everywhere, got ${before.count} of ${before.type.name} and ${count} of ${type.name}`,
      );
    }
    seen.set(key, storage);
    const nBytes = entries.get(key)?.nBytes;
    if (nBytes === undefined) return fail(`storage ${key} must have the entry data/${key}, got none`);
    const needed = count * (type.source === undefined ? 1 : sourceBytes(type.source));
    if (nBytes !== needed)
      fail(`entry data/${key} must have ${needed} bytes for ${count} of ${type.name}, got ${nBytes}`);
  }
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  if (shape.includes(0)) return true;
  let expected = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d]! > 1 && strides[d] !== expected) return false;
    expected *= shape[d]!;
  }
  return true;
}
