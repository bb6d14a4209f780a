/** Builds files as `torch.save` writes them, byte by byte, and as nobody should: PyTorch is not needed for either. */
import { crc32 } from 'node:zlib';
import { fields, zip, type ZipEnd, type ZipPart } from './zip_files';

export const concat = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
export const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);
const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/** Pickle opcodes by their mnemonics, with their arguments. */
export const op = {
  proto: (version = 2) => bytes(0x80, version),
  frame: (length: number) => concat(bytes(0x95), fields([8, length])),
  stop: ascii('.'),
  mark: ascii('('),
  none: ascii('N'),
  newTrue: bytes(0x88),
  newFalse: bytes(0x89),
  text: (text: string) => concat(ascii('X'), fields([4, Buffer.byteLength(text)]), Buffer.from(text)),
  shortText: (text: string) => concat(bytes(0x8c, Buffer.byteLength(text)), Buffer.from(text)),
  int: (value: number) => {
    const out = Buffer.alloc(5, 'J');
    out.writeInt32LE(value, 1);
    return Uint8Array.from(out);
  },
  long: (value: bigint) => {
    const out = Buffer.alloc(8);
    out.writeBigInt64LE(value);
    return concat(bytes(0x8a, 8), out);
  },
  emptyTuple: ascii(')'),
  tuple: ascii('t'),
  tuple1: bytes(0x85),
  tuple2: bytes(0x86),
  emptyList: ascii(']'),
  append: ascii('a'),
  appends: ascii('e'),
  emptyDict: ascii('}'),
  setItem: ascii('s'),
  setItems: ascii('u'),
  put: (index: number) => concat(ascii('r'), fields([4, index])),
  get: (index: number) => concat(ascii('j'), fields([4, index])),
  memoize: bytes(0x94),
  global: (module: string, name: string) => ascii(`c${module}\n${name}\n`),
  stackGlobal: bytes(0x93),
  reduce: ascii('R'),
  build: ascii('b'),
  persistentId: ascii('Q'),
} as const;

export const tupleOf = (...items: readonly Uint8Array[]): Uint8Array => concat(op.mark, ...items, op.tuple);
export const ints = (...values: readonly number[]): Uint8Array => tupleOf(...values.map(op.int));
export const dictOf = (entries: Readonly<Record<string, Uint8Array>>): Uint8Array =>
  concat(op.emptyDict, op.mark, ...Object.entries(entries).flatMap(([k, v]) => [op.text(k), v]), op.setItems);
const orderedDict = concat(op.global('collections', 'OrderedDict'), op.emptyTuple, op.reduce);

export interface TensorCode {
  key?: Uint8Array;
  /** Code of the storage's type. */
  type?: Uint8Array;
  location?: Uint8Array;
  count?: Uint8Array;
  offset?: Uint8Array;
  size?: Uint8Array;
  stride?: Uint8Array;
  /** Replaces the persistent id. */
  id?: Uint8Array;
  rebuild?: string;
  /** Arguments after the hooks. */
  more?: readonly Uint8Array[];
}

/** The code of one tensor: by default float32 [4] in storage 0. */
export function tensor(code: TensorCode = {}): Uint8Array {
  const id =
    code.id ??
    tupleOf(
      op.text('storage'),
      code.type ?? op.global('torch', 'FloatStorage'),
      code.key ?? op.text('0'),
      code.location ?? op.text('cpu'),
      code.count ?? op.int(4),
    );
  const args = tupleOf(
    concat(id, op.persistentId),
    code.offset ?? op.int(0),
    code.size ?? ints(4),
    code.stride ?? ints(1),
    op.newFalse,
    orderedDict,
    ...(code.more ?? []),
  );
  return concat(op.global('torch._utils', code.rebuild ?? '_rebuild_tensor_v2'), args, op.reduce);
}

/** Sixteen bytes: the storage of the default tensor. */
export const floats = Uint8Array.from(Buffer.from(Float32Array.of(1, 2, 3, 4).buffer));

/** A complete pickle of protocol 2. */
export const pickle = (...code: readonly Uint8Array[]): Uint8Array => concat(op.proto(), ...code, op.stop);
/** One of a dictionary with one tensor. */
export const one = (code: TensorCode = {}): Uint8Array => pickle(dictOf({ w: tensor(code) }));

export interface Archive {
  pickle?: Uint8Array;
  storages?: Readonly<Record<string, Uint8Array>>;
  /** Entries by their name in the folder; null leaves one out. */
  notes?: Readonly<Record<string, string | null>>;
  folder?: string;
  /** Changes to the parts, by name in the folder. */
  change?: (part: ZipPart, name: string) => ZipPart;
  /** Further entries. */
  more?: readonly ZipPart[];
  /** Without the 64-bit end record, which PyTorch always writes. */
  narrow?: boolean;
  /** Bytes of the 64-bit end record and its locator. */
  changeEnd?: (end: Buffer) => Uint8Array;
  end?: ZipEnd;
}

/** An archive as PyTorch lays it out: aligned to 64 bytes by padding in extra fields, sizes in descriptors, zip64 end. */
export function archive(options: Archive = {}): Uint8Array {
  const { folder = 'archive', notes = {}, storages = { 0: floats } } = options;
  const contents = new Map<string, Uint8Array>([['data.pkl', options.pickle ?? one()]]);
  for (const [key, data] of Object.entries(storages)) contents.set(`data/${key}`, data);
  for (const [name, text] of Object.entries({ version: '3\n', ...notes })) {
    if (text !== null) contents.set(name, ascii(text));
  }
  let at = 0;
  const parts = [...contents].map(([name, data]): ZipPart => {
    const fullName = folder === '' ? name : `${folder}/${name}`;
    const padding = (128 - ((at + 30 + fullName.length + 4) % 64)) % 64;
    const part: ZipPart = {
      name: fullName,
      data,
      flags: data.length > 0 ? 0x808 : 0x800,
      version: 0,
      local: { crc: 0, nBytes: 0, storedBytes: 0 },
      localExtra: concat(ascii('FB'), fields([2, padding]), new Uint8Array(padding).fill(0x5a)),
      after: data.length > 0 ? fields([4, 0x08074b50], [4, crc32(data)], [4, data.length], [4, data.length]) : bytes(),
    };
    at += 30 + fullName.length + 4 + padding + data.length + part.after!.length;
    return options.change?.(part, name) ?? part;
  });
  const all = [...parts, ...(options.more ?? [])];
  if (options.narrow === true) return zip(all, options.end);
  const bare = zip(all);
  const [directoryBytes, start] = [
    Buffer.from(bare).readUInt32LE(bare.length - 10),
    Buffer.from(bare).readUInt32LE(bare.length - 6),
  ];
  const end = Buffer.concat([
    fields([4, 0x06064b50], [8, 44], [2, 0x031e], [2, 45], [4, 0], [4, 0], [8, all.length], [8, all.length]),
    fields([8, directoryBytes], [8, start]),
    fields([4, 0x07064b50], [4, 0], [8, start + directoryBytes], [4, 1]),
  ]);
  return zip(all, { directoryBytes, beforeEnd: options.changeEnd?.(end) ?? end, ...options.end });
}
