/** Malformed and hostile checkpoints, each with a part of the message it must be refused with. */
import { deflateRawSync } from 'node:zlib';
import type { MalformedRow } from './malformed';
import {
  type Archive,
  archive,
  bytes,
  concat,
  dictOf,
  floats,
  ints,
  one,
  op,
  pickle,
  tensor,
  type TensorCode,
  tupleOf,
} from './pytorch_files';
import { fields, type ZipPart } from './zip_files';

/** Pickles that run a command in whatever loads them, when it is a real unpickler. */
export function planted(command: string): readonly (readonly [name: string, pickle: Uint8Array, message: string])[] {
  const line = op.text(command);
  const argument = concat(line, op.tuple1);
  const system = concat(op.global('os', 'system'), argument, op.reduce);
  const python = op.text(`__import__('os').system(${JSON.stringify(command)})`);
  const raw = (text: string): Uint8Array => Buffer.from(text, 'latin1');
  return [
    [
      'os.system',
      pickle(system),
      'byte 2: GLOBAL must name one of the types and functions of tensors, got "os.system"',
    ],
    [
      'posix.system',
      pickle(op.global('posix', 'system'), argument, op.reduce),
      'got "posix.system", which was not run',
    ],
    ['builtins.eval', pickle(op.global('builtins', 'eval'), python, op.tuple1, op.reduce), 'got "builtins.eval"'],
    ['builtins.exec', pickle(op.global('builtins', 'exec'), python, op.tuple1, op.reduce), 'got "builtins.exec"'],
    [
      '__builtin__.eval',
      pickle(op.global('__builtin__', 'eval'), python, op.tuple1, op.reduce),
      'got "__builtin__.eval"',
    ],
    [
      'subprocess.Popen from __reduce__',
      pickle(op.global('subprocess', 'Popen'), tupleOf(tupleOf(op.text('sh'), op.text('-c'), line)), op.reduce),
      'got "subprocess.Popen"',
    ],
    [
      'subprocess.check_call beside a tensor',
      pickle(dictOf({ w: tensor(), x: concat(op.global('subprocess', 'getoutput'), argument, op.reduce) })),
      'got "subprocess.getoutput"',
    ],
    [
      'os.system deep in a dictionary',
      pickle(dictOf({ a: dictOf({ b: concat(op.emptyList, system, op.append) }) })),
      'byte 19: GLOBAL must name',
    ],
    ['os.system in the size of a tensor', one({ size: system }), 'GLOBAL must name'],
    [
      'os.system in a persistent id',
      one({ id: tupleOf(op.text('storage'), system) }),
      'got "os.system", which was not run',
    ],
    ['os.system as a hook', one({ more: [system] }), 'which was not run'],
    ['os.system as the state of BUILD', pickle(dictOf({ w: tensor() }), system, op.build), 'got "os.system", which'],
    [
      'STACK_GLOBAL',
      concat(op.proto(4), op.shortText('os'), op.shortText('system'), op.stackGlobal, argument, op.reduce, op.stop),
      'byte 14: STACK_GLOBAL must name one of the types and functions of tensors, got "os.system"',
    ],
    [
      'STACK_GLOBAL of a dotted name',
      concat(
        op.proto(4),
        op.shortText('builtins'),
        op.shortText('eval.__call__'),
        op.stackGlobal,
        python,
        op.tuple1,
        op.reduce,
        op.stop,
      ),
      'got "builtins.eval.__call__"',
    ],
    ['INST', pickle(op.mark, line, raw('ios\nsystem\n')), 'the opcode INST (0x69) is none of those that tensors need'],
    ['OBJ', pickle(op.mark, op.global('os', 'system'), line, raw('o')), 'byte 3: GLOBAL must name'],
    ['OBJ of an allowed type', pickle(op.mark, op.global('torch', 'Size'), line, raw('o')), 'the opcode OBJ (0x6f)'],
    ['NEWOBJ', pickle(op.global('collections', 'OrderedDict'), op.emptyTuple, bytes(0x81)), 'the opcode NEWOBJ (0x81)'],
    [
      'NEWOBJ_EX',
      concat(op.proto(4), op.global('collections', 'OrderedDict'), op.emptyTuple, op.emptyDict, bytes(0x92), op.stop),
      'the opcode NEWOBJ_EX (0x92)',
    ],
    ['EXT1', pickle(bytes(0x82, 1)), 'the opcode EXT1 (0x82)'],
    ['EXT2', pickle(bytes(0x83, 1, 0)), 'the opcode EXT2 (0x83)'],
    ['EXT4', pickle(bytes(0x84, 1, 0, 0, 0)), 'the opcode EXT4 (0x84)'],
    ['torch.load again', pickle(op.global('torch', 'load'), argument, op.reduce), 'got "torch.load"'],
    ['torch.hub', pickle(op.global('torch.hub', 'load'), argument, op.reduce), 'got "torch.hub.load"'],
    [
      'numpy reconstruct',
      pickle(op.global('numpy.core.multiarray', '_reconstruct'), argument, op.reduce),
      '_reconstruct',
    ],
    ['a global of Object.prototype', pickle(op.global('constructor', 'constructor')), 'got "constructor.constructor"'],
    ['a rule named __proto__', pickle(op.global('__proto__', 'x'), op.emptyTuple, op.reduce), 'got "__proto__.x"'],
    [
      'getattr',
      pickle(op.global('builtins', 'getattr'), tupleOf(op.global('os', 'x'), line), op.reduce),
      'builtins.getattr',
    ],
  ];
}

const row = (name: string, options: Archive, message: string): MalformedRow => [name, archive(options), message];
const code = (name: string, bad: Uint8Array, message: string): MalformedRow => row(name, { pickle: bad }, message);
const view = (name: string, bad: TensorCode, message: string): MalformedRow => code(name, one(bad), message);

/** One part of the archive changed. */
const part = (name: string, at: string, change: (part: ZipPart) => Partial<ZipPart>, message: string): MalformedRow =>
  row(name, { change: (whole, own) => (own === at ? { ...whole, ...change(whole) } : whole) }, message);
const extra = (name: string, data: Uint8Array = floats): ZipPart => ({ name, data });

const storageId = (...items: readonly Uint8Array[]): TensorCode => ({ id: tupleOf(op.text('storage'), ...items) });
const float = op.global('torch', 'FloatStorage');
const int64Type = op.global('torch', 'LongStorage');
const repeat = (unit: Uint8Array, count: number): Uint8Array => Buffer.alloc(unit.length * count, unit);

/** Lists that each hold the one before twice: 2^25 values in a few hundred bytes. */
const bomb = pickle(
  dictOf({
    x: concat(
      op.emptyList,
      op.mark,
      ...Array.from({ length: 25 }, (_, i) =>
        concat(
          op.emptyList,
          op.mark,
          ...(i === 0 ? [op.none, op.none] : [op.get(i), op.get(i)]),
          op.appends,
          op.put(i + 1),
        ),
      ),
      op.appends,
    ),
  }),
);

const whole = archive();
const deflated = deflateRawSync(floats);

export const malformed: readonly MalformedRow[] = [
  // The file as a whole.
  ['an empty file', bytes(), 'must be a zip archive as torch.save writes'],
  ['three bytes', bytes(0x50, 0x4b, 3), 'starts with bytes 80 75 3 4, got 80 75 3'],
  [
    'the legacy format',
    concat(bytes(0x80, 2, 0x8a, 10), floats),
    'got a pickle: the format of PyTorch before 1.6; load it',
  ],
  ['safetensors', concat(fields([8, 2]), Buffer.from('{}')), 'got 2 0 0 0'],
  ['a tar', Buffer.from('tensors'.padEnd(512, '\0')), 'got 116 101 110 115'],
  ['only a local header', whole.slice(0, 64), 'no end-of-directory record in 64 bytes'],
  ['cut in the middle', whole.slice(0, whole.length - 30), 'no end-of-directory record'],
  ['bytes after the end', concat(whole, bytes(0)), `no end-of-directory record in ${whole.length + 1} bytes`],
  ['bytes before the start', concat(Buffer.from('PK\x03\x04'), whole), 'got'],
  [
    'no entries',
    concat(Buffer.from('PK\x03\x04'), fields([4, 0x06054b50], [4, 0], [4, 0], [4, 0], [4, 0], [2, 0])),
    'must end',
  ],
  // The archive.
  row(
    'a 64-bit end that is none',
    { changeEnd: (end) => (end.writeUInt32LE(1, 0), end) },
    'no 64-bit end record at byte',
  ),
  row('a long 64-bit end', { changeEnd: (end) => (end.writeUInt32LE(45, 4), end) }, 'must have 44 bytes, got 45'),
  row('a locator to elsewhere', { changeEnd: (end) => (end.writeUInt32LE(7, 64), end) }, 'the locator must point'),
  row(
    'other counts in the ends',
    { changeEnd: (end) => (end.writeUInt32LE(9, 24), end.writeUInt32LE(9, 32), end) },
    'the two end records must agree',
  ),
  row(
    'two counts in the 64-bit end',
    { changeEnd: (end) => (end.writeUInt32LE(9, 24), end) },
    'counts of the 64-bit end record must agree',
  ),
  row(
    '2^40 entries',
    { changeEnd: (end) => (end.writeUInt8(1, 29), end.writeUInt8(1, 37), end) },
    'at most 1048576 entries are read',
  ),
  row('a directory beyond 2^53', { changeEnd: (end) => (end.writeUInt8(255, 47), end) }, 'is beyond any file'),
  row(
    'a directory elsewhere',
    { changeEnd: (end) => (end.writeUInt32LE(1, 48), end) },
    'the directory must end at byte',
  ),
  part(
    'a compressed storage',
    'data/0',
    () => ({ method: 8, stored: deflated, flags: 0, local: {}, after: bytes() }),
    'must be stored (method 0), got method 8',
  ),
  part('an encrypted storage', 'data/0', () => ({ flags: 0x809 }), 'entry "archive/data/0": must not be encrypted'),
  part(
    'a CRC of the storage',
    'data/0',
    ({ data }) => ({ crc: 7, after: fields([4, 0x08074b50], [4, 7], [4, data.length], [4, data.length]) }),
    'CRC-32 must be 7',
  ),
  part(
    'a CRC of the pickle',
    'data.pkl',
    ({ data }) => ({ crc: 9, after: fields([4, 0x08074b50], [4, 9], [4, data.length], [4, data.length]) }),
    'entry "archive/data.pkl": CRC-32 must be 9',
  ),
  part('no descriptor', 'data/0', () => ({ after: bytes() }), 'no data descriptor'),
  part('flags of patches', 'data/0', () => ({ flags: 0x828 }), 'flags must be among 0x80e, got 0x828'),
  part(
    'another local name',
    'data/0',
    () => ({ local: { name: 'archive/data/1', crc: 0, nBytes: 0, storedBytes: 0 } }),
    'another name',
  ),
  part('an entry that overlaps another', 'data/0', () => ({ offset: 0 }), 'local header must be at byte'),
  part('an entry behind a gap', 'version', ({ offset }) => ({ offset: (offset ?? 0) + 9999 }), 'got 9999'),
  part(
    'a size beyond the file',
    'data/0',
    () => ({ nBytes: 2 ** 31, storedBytes: 2 ** 31 }),
    'inflated sizes must sum to at most',
  ),
  part(
    'zip64 sizes that are missing',
    'data/0',
    () => ({ nBytes: 0xffffffff, storedBytes: 0xffffffff }),
    'the directory promises zip64 sizes and has none',
  ),
  row('a name twice', { more: [extra('archive/data/0')] }, 'entry "archive/data/0": a name must appear once'),
  row('a name that leaves the folder', { more: [extra('archive/../../x')] }, 'must be relative without . or ..'),
  row('an absolute name', { more: [extra('/etc/passwd')] }, 'got "/etc/passwd"'),
  row('a name with a backslash', { more: [extra('archive\\x')] }, 'no control characters, backslashes or colons'),
  row('a name with NUL', { more: [extra('archive/data/1\0')] }, 'got "archive/data/1'),
  row('a second folder', { more: [extra('other/data/1')] }, 'entry "other/data/1": must be in the folder "archive/"'),
  row('no folder', { folder: '' }, 'entries must be in a folder, got "data.pkl"'),
  row(
    'an entry of another program',
    { more: [extra('archive/evil.py')] },
    'entry "archive/evil.py": is none that torch.save writes',
  ),
  row('TorchScript', { more: [extra('archive/code/__torch__.py')] }, 'belongs to TorchScript, which holds a program'),
  row(
    'TorchScript constants',
    { more: [extra('archive/constants.pkl')] },
    '"archive/constants.pkl": belongs to TorchScript',
  ),
  row('no version', { notes: { version: null } }, 'must have the entry version, got none'),
  row('version 11', { notes: { version: '11\n' } }, 'got "11'),
  row('a long version', { notes: { version: '1'.repeat(65) } }, 'must have at most 64 bytes, got 65'),
  row('big-endian', { notes: { byteorder: 'big' } }, '"archive/byteorder": must match /^little$/, got "big"'),
  row('another format', { notes: { '.format_version': '2' } }, 'must match /^1$/, got "2"'),
  part(
    'no pickle',
    'data.pkl',
    () => ({ name: 'archive/data/7', local: { name: 'archive/data/7', crc: 0, nBytes: 0, storedBytes: 0 } }),
    'must',
  ),
  row('no storage', { storages: {} }, 'storage 0 must have the entry data/0, got none'),
  row(
    'a short storage',
    { storages: { 0: floats.subarray(4) } },
    'entry data/0 must have 16 bytes for 4 of torch.FloatStorage, got 12',
  ),
  row('a long storage', { storages: { 0: concat(floats, floats) } }, 'torch.FloatStorage, got 32'),
  // The stack machine.
  code('no opcodes', bytes(), 'byte 0: the pickle must end in STOP'),
  code('no PROTO', concat(dictOf({}), op.stop), 'byte 0: PROTO must come first and once, got EMPTY_DICT'),
  code('PROTO twice', pickle(op.proto()), 'byte 2: PROTO must come first and once, got PROTO'),
  code('protocol 1', concat(op.proto(1), op.emptyDict, op.stop), 'the protocol must be 2 to 5, got 1'),
  code('protocol 6', concat(op.proto(6), op.emptyDict, op.stop), 'the protocol must be 2 to 5, got 6'),
  code('no STOP', concat(op.proto(), op.emptyDict), 'byte 3: the pickle must end in STOP'),
  code('bytes after STOP', concat(pickle(op.emptyDict), bytes(0, 0)), '2 bytes follow STOP'),
  code('STOP on nothing', pickle(), 'STOP must leave one value, got 0'),
  code('STOP on two values', pickle(op.emptyDict, op.emptyDict), 'STOP must leave one value, got 2'),
  code('STOP in a mark', pickle(op.emptyDict, op.mark), 'STOP must leave no open MARK, got 1'),
  code('an unknown opcode', pickle(bytes(0xff)), 'byte 2: 0xff is no opcode'),
  code('POP', pickle(op.none, Buffer.from('0')), 'the opcode POP (0x30)'),
  code('TUPLE without a mark', pickle(op.tuple), 'TUPLE must have an open MARK, got none'),
  code('TUPLE2 of one', pickle(op.none, op.tuple2), 'TUPLE2 must have 2 values to take, got 1'),
  code(
    'values taken from below a mark',
    pickle(op.none, op.mark, op.tuple1),
    'TUPLE1 must have 1 values to take, got 0',
  ),
  code(
    'APPEND to a dictionary',
    pickle(op.emptyDict, op.none, op.append),
    'APPEND must have a list below, got a dictionary of 0',
  ),
  code(
    'SETITEM on a list',
    pickle(op.emptyList, op.text('a'), op.none, op.setItem),
    'SETITEM must have a dictionary below',
  ),
  code(
    'SETITEMS of three',
    pickle(op.emptyDict, op.mark, op.text('a'), op.none, op.text('b'), op.setItems),
    'pairs, got 3 values',
  ),
  code(
    'a key twice',
    pickle(op.emptyDict, op.mark, op.text('a'), op.none, op.text('a'), op.none, op.setItems),
    'a key must appear once, got "a" again',
  ),
  code(
    'a key that is a list',
    pickle(op.emptyDict, op.emptyList, op.none, op.setItem),
    'a key must be a text or a number, got a list of 0',
  ),
  code('a memo that is not there', pickle(op.get(3)), 'LONG_BINGET must name a remembered value, got 3'),
  code(
    'a memo of 2^32 entries',
    pickle(op.none, op.put(0xffffffff)),
    'LONG_BINPUT must have an index under 1048576, got 4294967295',
  ),
  code('nothing to remember', pickle(op.memoize), 'MEMOIZE must have a value below, got none'),
  code(
    'a text longer than the file',
    pickle(concat(Buffer.from('X'), fields([4, 60_000]))),
    'BINUNICODE: must have 60000 more bytes',
  ),
  code(
    'a text of 4 GiB',
    pickle(concat(Buffer.from('X'), fields([4, 0xffffffff]))),
    'a text must have at most 65536 bytes, got 4294967295',
  ),
  code('a text of 2^63 bytes', pickle(bytes(0x8d, 0, 0, 0, 0, 0, 0, 0, 0x7f)), 'BINUNICODE8: a text must have at most'),
  code(
    'a text that is not UTF-8',
    pickle(concat(Buffer.from('X'), fields([4, 1]), bytes(0xff))),
    'must be valid UTF-8',
  ),
  code('a global without an end', pickle(Buffer.from('ctorch')), 'GLOBAL: a name must end in a newline'),
  code('a global with a control character', pickle(op.global('torch', 'Siz\x01')), 'a name must be printable ASCII'),
  code('a FRAME beyond the end', pickle(op.frame(2 ** 40)), 'FRAME must fit in the 1 bytes left, got 1099511627776'),
  code('an integer cut off', concat(op.proto(), bytes(0x4a, 1)), 'BININT: must have 4 more bytes, got 1'),
  code('2,000 marks', pickle(repeat(op.mark, 2000)), 'at most 1024 marks may be open'),
  code('100,000 values on the stack', pickle(repeat(op.none, 100_000)), 'the stack must hold at most 65536 values'),
  code(
    '3 million opcodes',
    pickle(op.emptyList, repeat(concat(op.none, op.append), 1_050_000)),
    'a pickle must have at most 2097152 opcodes',
  ),
  code(
    'dictionaries 2,000 deep',
    pickle(repeat(concat(op.emptyDict, op.text('b')), 2000), op.none, repeat(op.setItem, 2000)),
    'dictionaries must nest at most 32 deep',
  ),
  code(
    'lists 1,000 deep',
    pickle(op.emptyDict, op.text('a'), repeat(op.emptyList, 1000), repeat(op.append, 999), op.setItem),
    'must nest at most 32 deep',
  ),
  code(
    'a list that holds itself',
    pickle(op.emptyDict, op.text('c'), op.emptyList, op.put(1), op.get(1), op.append, op.setItem),
    '"c.0.0',
  ),
  code('a memo bomb', bomb, 'must unfold to at most 1048576 values'),
  code('a tuple of tensors', pickle(tensor(), op.tuple1), 'must hold a dictionary of tensors, got a tuple of 1'),
  code('a tensor alone', pickle(tensor()), 'must hold a dictionary of tensors, got a tensor'),
  code(
    'a name that two paths give',
    pickle(dictOf({ 'a.b': tensor(), a: dictOf({ b: tensor() }) })),
    'name must appear once, got "a.b" again',
  ),
  code(
    'BUILD of a tensor',
    pickle(dictOf({ w: concat(tensor(), op.emptyDict, op.build) })),
    'BUILD must set attributes of a dictionary, got a tensor',
  ),
  code(
    'BUILD with slots',
    pickle(op.emptyDict, op.none, op.emptyDict, op.tuple2, op.build),
    'a dictionary of 0 and a tuple of 2',
  ),
  // The table of names.
  code(
    'REDUCE of a type',
    pickle(float, op.emptyTuple, op.reduce),
    'REDUCE must have a function of the table, got torch.FloatStorage',
  ),
  code(
    'REDUCE of a text',
    pickle(op.text('os.system'), op.emptyTuple, op.reduce),
    'a function of the table, got "os.system"',
  ),
  code(
    'REDUCE without a tuple',
    pickle(op.global('torch', 'Size'), op.none, op.reduce),
    'the arguments of torch.Size must be a tuple, got null',
  ),
  code(
    'OrderedDict of something',
    pickle(op.global('collections', 'OrderedDict'), ints(1), op.reduce),
    'must have no arguments, got 1',
  ),
  code(
    'Size of no tuple',
    pickle(op.global('torch', 'Size'), ints(1), op.reduce),
    'torch.Size must have one tuple, got 1',
  ),
  code(
    'a device with three',
    pickle(op.global('torch', 'device'), ints(1, 2, 3), op.reduce),
    'torch.device must have a name and an index',
  ),
  code(
    'a parameter of no tensor',
    pickle(op.global('torch._utils', '_rebuild_parameter'), ints(1, 2, 3), op.reduce),
    'must have a tensor and two more',
  ),
  view('eight arguments', { more: [op.none, op.none] }, '_rebuild_tensor_v2 must have 6 or 7 arguments, got 8'),
  view('a conjugate view', { more: [dictOf({ conj: op.newTrue })] }, 'metadata must be empty, got a dictionary of 1'),
  view(
    'v3 without a dtype',
    { rebuild: '_rebuild_tensor_v3', more: [op.none] },
    '_rebuild_tensor_v3: dtype must be one of torch, got null',
  ),
  view(
    'v3 of another dtype',
    { rebuild: '_rebuild_tensor_v3', more: [op.global('torch', 'float64')] },
    'dtype must be that of torch.FloatStorage',
  ),
  view(
    'an untyped storage in v2',
    { type: op.global('torch.storage', 'UntypedStorage') },
    'the elements must have a dtype',
  ),
  view('a quantized storage', { type: op.global('torch', 'QInt8Storage') }, 'got "torch.QInt8Storage"'),
  view('a sparse tensor', { rebuild: '_rebuild_sparse_tensor' }, 'got "torch._utils._rebuild_sparse_tensor"'),
  view('no storage', { id: op.text('storage') }, 'a persistent id must be a tuple, got "storage"'),
  view(
    'a persistent id of four',
    storageId(float, op.text('0'), op.text('cpu')),
    'a persistent id must have 5 items, got 4',
  ),
  view(
    'a persistent id of a module',
    { id: tupleOf(op.text('module'), float, op.text('0'), op.text('cpu'), op.int(4)) },
    'must be that of a "storage", got "module"',
  ),
  view(
    'a type that is a text',
    { type: op.text('FloatStorage') },
    'the type of a storage must be one of torch, got "FloatStorage"',
  ),
  view(
    'a key that is a path',
    { key: op.text('../../etc/passwd') },
    'the key of a storage must be digits, got "../../etc/passwd"',
  ),
  view('a key that is a number', { key: op.int(0) }, 'the key of a storage must be digits, got 0'),
  view(
    'a location that is a command',
    { location: op.text('cpu; rm -rf /') },
    'must be a device such as cpu or cuda:0',
  ),
  view('a negative storage', { count: op.int(-1) }, 'the size of a storage must be an integer in [0, 2^53), got -1'),
  view('a storage of 2^62', { count: op.long(2n ** 62n) }, 'integer in [0, 2^53), got 4611686018427387904'),
  view(
    'a storage that claims 2^50 elements',
    { count: op.long(2n ** 50n) },
    'must have 4503599627370496 bytes for 1125899906842624',
  ),
  view(
    'a storage of another type',
    { type: int64Type, size: ints(2), count: op.int(4) },
    'must have 32 bytes for 4 of torch.LongStorage, got 16',
  ),
  code(
    'a storage with two types',
    pickle(dictOf({ a: tensor(), b: tensor({ type: op.global('torch', 'IntStorage') }) })),
    'storage 0 must be the same everywhere',
  ),
  // Views.
  view('a negative offset', { offset: op.int(-1) }, 'offset must be an integer in [0, 2^53), got -1'),
  view(
    'an offset beyond the end',
    { offset: op.int(1) },
    'from 1 must stay within the 4 elements of storage 0, reaches 5',
  ),
  view(
    'an offset of an empty tensor',
    { offset: op.int(5), size: ints(0) },
    'shape [0] with strides [1] from 5 must stay within',
  ),
  view('a size beyond the end', { size: ints(5) }, 'shape [5] with strides [1] from 0 must stay within the 4 elements'),
  view('a negative size', { size: ints(-4) }, 'size[0] must be an integer in [0, 2^53), got -4'),
  view('a size that is no number', { size: tupleOf(op.none) }, 'size[0] must be an integer in [0, 2^53), got null'),
  view('a size that is a list', { size: op.emptyList }, 'size must be a tuple, got a list of 0'),
  view(
    'a size of 2^62',
    { size: tupleOf(op.long(2n ** 62n)) },
    'size[0] must be an integer in [0, 2^53), got 4611686018427387904',
  ),
  view(
    'sizes whose product overflows',
    { size: tupleOf(op.long(2n ** 40n), op.long(2n ** 40n)), stride: ints(0, 0) },
    'overflows',
  ),
  view('33 dimensions', { size: ints(...Array<number>(33).fill(1)) }, 'size must have at most 32 dimensions, got 33'),
  view('a stride too many', { stride: ints(1, 1) }, 'stride must have 1 dimensions as size, got 2'),
  view('a negative stride', { stride: ints(-1) }, 'stride[0] must be an integer in [0, 2^53), got -1'),
  view(
    'a stride beyond the end',
    { stride: ints(2) },
    'shape [4] with strides [2] from 0 must stay within the 4 elements of storage 0, reaches 7',
  ),
  view(
    'a stride of 2^52',
    { size: ints(3), stride: tupleOf(op.long(2n ** 52n)) },
    'must stay within the 4 elements of storage 0, reaches 9007199254740992',
  ),
  view(
    'a stride of 0 over 2^40',
    { size: tupleOf(op.long(2n ** 40n)), stride: ints(0) },
    'must be distinct, they share 1',
  ),
  view(
    'strides that overlap',
    { size: ints(2, 2), stride: ints(1, 1) },
    'strides [1, 1] must be distinct, they share 3; call contiguous()',
  ),
];

/** Integers and bools that do not fit what they load as: refused when read. */
export const unreadable: readonly MalformedRow[] = [
  row(
    'an int64 over int32',
    {
      pickle: one({ type: int64Type, count: op.int(2), size: ints(2) }),
      storages: { 0: fields([8, 1], [8, 2 ** 31]) },
    },
    'tensor "w": element 1 of storage 0 must be in the range of int32, got 2147483648',
  ),
  row(
    'a bool of 2',
    {
      pickle: one({ type: op.global('torch', 'BoolStorage'), count: op.int(2), offset: op.int(1), size: ints(1) }),
      storages: { 0: bytes(1, 2) },
    },
    'element 1 of storage 0 must be 0 or 1, got 2',
  ),
];
