/**
 * Reads pickles that hold tensors. The protocol is a program for a stack machine; this one knows the opcodes that make data
 * and refuses every other, so that nothing of the file is ever looked up, imported or called.
 */
import { globalNamed, reduce, storageOf } from './globals';
import { PickleBytes } from './pickle_bytes';
import { type Fail, PickleDict, PickleList, PickleTuple, type PickleValue, show } from './pickle_values';

/** Room for 30,000 tensors, each of which takes some 60 opcodes. */
const MAX_OPCODES = 2 ** 21;
/** PyTorch adds entries to a dictionary a thousand at a time. */
const MAX_STACK = 2 ** 16;
const MAX_MARKS = 2 ** 10;
const MAX_MEMO = 2 ** 20;
const MAX_PROTOCOL = 5;

/** The bytes of the opcodes that make data. */
const OPCODES = {
  PROTO: 0x80,
  FRAME: 0x95,
  STOP: 0x2e,
  MARK: 0x28,
  NONE: 0x4e,
  NEWTRUE: 0x88,
  NEWFALSE: 0x89,
  BININT: 0x4a,
  BININT1: 0x4b,
  BININT2: 0x4d,
  LONG1: 0x8a,
  BINFLOAT: 0x47,
  BINUNICODE: 0x58,
  SHORT_BINUNICODE: 0x8c,
  BINUNICODE8: 0x8d,
  EMPTY_TUPLE: 0x29,
  TUPLE: 0x74,
  TUPLE1: 0x85,
  TUPLE2: 0x86,
  TUPLE3: 0x87,
  EMPTY_LIST: 0x5d,
  APPEND: 0x61,
  APPENDS: 0x65,
  EMPTY_DICT: 0x7d,
  SETITEM: 0x73,
  SETITEMS: 0x75,
  BINPUT: 0x71,
  LONG_BINPUT: 0x72,
  MEMOIZE: 0x94,
  BINGET: 0x68,
  LONG_BINGET: 0x6a,
  GLOBAL: 0x63,
  STACK_GLOBAL: 0x93,
  REDUCE: 0x52,
  BUILD: 0x62,
  BINPERSID: 0x51,
} as const;
type Opcode = keyof typeof OPCODES;

/** The other opcodes there are, for the message. */
const REFUSED = {
  POP: 0x30,
  POP_MARK: 0x31,
  DUP: 0x32,
  FLOAT: 0x46,
  INT: 0x49,
  LONG: 0x4c,
  PERSID: 0x50,
  STRING: 0x53,
  BINSTRING: 0x54,
  SHORT_BINSTRING: 0x55,
  UNICODE: 0x56,
  DICT: 0x64,
  GET: 0x67,
  INST: 0x69,
  LIST: 0x6c,
  OBJ: 0x6f,
  PUT: 0x70,
  NEWOBJ: 0x81,
  EXT1: 0x82,
  EXT2: 0x83,
  EXT4: 0x84,
  LONG4: 0x8b,
  BINBYTES8: 0x8e,
  BINBYTES: 0x42,
  SHORT_BINBYTES: 0x43,
  EMPTY_SET: 0x8f,
  ADDITEMS: 0x90,
  FROZENSET: 0x91,
  NEWOBJ_EX: 0x92,
  BYTEARRAY8: 0x96,
  NEXT_BUFFER: 0x97,
  READONLY_BUFFER: 0x98,
} as const;

const byByte = <K extends string>(bytes: Readonly<Record<K, number>>): ReadonlyMap<number, K> =>
  new Map(Object.entries<number>(bytes).map(([name, byte]) => [byte, name as K]));
const OPCODE_OF = byByte(OPCODES);
const REFUSED_OF = byByte(REFUSED);

const SAVE_STATE_DICT = 'torch.save(model.state_dict(), ...) writes a file without it';

/**
 * The value of a pickle; tensors and storages are references into the archive around it.
 * @param fail throws; its message gets the byte and what was wrong there
 */
export function unpickle(bytes: Uint8Array, fail: Fail): PickleValue {
  return new Machine(bytes, fail).run();
}

class Machine {
  private readonly input: PickleBytes;
  private readonly stack: PickleValue[] = [];
  /** Heights of the stack at the open marks. */
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, PickleValue>();
  /** Where the opcode at work is, and its name. */
  private opcodeAt = 0;
  private opcode: Opcode | '' = '';

  constructor(bytes: Uint8Array, fail: Fail) {
    this.fail = (message) => fail(`byte ${this.opcodeAt}: ${message}`);
    this.input = new PickleBytes(bytes, (message) => this.fail(`${this.opcode}: ${message}`));
  }

  private readonly fail: Fail;

  run(): PickleValue {
    for (let count = 0; count < MAX_OPCODES; count++) {
      this.opcodeAt = this.input.at;
      if (this.input.remaining === 0) this.fail('the pickle must end in STOP, got its end');
      const byte = this.input.uint8();
      this.opcode = this.nameOf(byte);
      if ((this.opcode === 'PROTO') !== (count === 0)) this.fail(`PROTO must come first and once, got ${this.opcode}`);
      if (this.opcode === 'STOP') return this.result();
      this.actions[this.opcode]();
      if (this.stack.length > MAX_STACK) this.fail(`the stack must hold at most ${MAX_STACK} values`);
    }
    return this.fail(`a pickle must have at most ${MAX_OPCODES} opcodes`);
  }

  private nameOf(byte: number): Opcode {
    const name = OPCODE_OF.get(byte);
    if (name !== undefined) return name;
    const refused = REFUSED_OF.get(byte);
    const hex = `0x${byte.toString(16).padStart(2, '0')}`;
    return refused === undefined
      ? this.fail(`${hex} is no opcode`)
      : this.fail(`the opcode ${refused} (${hex}) is none of those that tensors need; ${SAVE_STATE_DICT}`);
  }

  private result(): PickleValue {
    if (this.marks.length > 0) this.fail(`STOP must leave no open MARK, got ${this.marks.length}`);
    if (this.stack.length !== 1) this.fail(`STOP must leave one value, got ${this.stack.length}`);
    if (this.input.remaining > 0) this.fail(`${this.input.remaining} bytes follow STOP`);
    return this.stack[0]!;
  }

  /** What each opcode does. STOP is looked for before. */
  private readonly actions: Readonly<Record<Exclude<Opcode, 'STOP'>, () => void>> = {
    PROTO: () => {
      const version = this.input.uint8();
      if (version < 2 || version > MAX_PROTOCOL) this.fail(`the protocol must be 2 to ${MAX_PROTOCOL}, got ${version}`);
    },
    FRAME: () => {
      const length = this.input.uint64();
      const { remaining } = this.input;
      if (length > remaining) this.fail(`FRAME must fit in the ${remaining} bytes left, got ${length}`);
    },
    MARK: () => {
      if (this.marks.length >= MAX_MARKS) this.fail(`at most ${MAX_MARKS} marks may be open`);
      this.marks.push(this.stack.length);
    },
    NONE: () => this.push(null),
    NEWTRUE: () => this.push(true),
    NEWFALSE: () => this.push(false),
    BININT: () => this.push(this.input.int32()),
    BININT1: () => this.push(this.input.uint8()),
    BININT2: () => this.push(this.input.uint16()),
    LONG1: () => this.push(this.input.integer(this.input.uint8())),
    BINFLOAT: () => this.push(this.input.float64()),
    BINUNICODE: () => this.push(this.input.text(this.input.uint32())),
    SHORT_BINUNICODE: () => this.push(this.input.text(this.input.uint8())),
    BINUNICODE8: () => this.push(this.input.text(this.input.uint64())),
    EMPTY_TUPLE: () => this.push(new PickleTuple([])),
    TUPLE: () => this.push(new PickleTuple(this.popToMark())),
    TUPLE1: () => this.push(new PickleTuple(this.popMany(1))),
    TUPLE2: () => this.push(new PickleTuple(this.popMany(2))),
    TUPLE3: () => this.push(new PickleTuple(this.popMany(3))),
    EMPTY_LIST: () => this.push(new PickleList()),
    APPEND: () => this.append(this.popMany(1)),
    APPENDS: () => this.append(this.popToMark()),
    EMPTY_DICT: () => this.push(new PickleDict()),
    SETITEM: () => this.setItems(this.popMany(2)),
    SETITEMS: () => this.setItems(this.popToMark()),
    BINPUT: () => this.remember(this.input.uint8()),
    LONG_BINPUT: () => this.remember(this.input.uint32()),
    MEMOIZE: () => this.remember(this.memo.size),
    BINGET: () => this.recall(this.input.uint8()),
    LONG_BINGET: () => this.recall(this.input.uint32()),
    GLOBAL: () => this.pushGlobal(this.input.line(), this.input.line()),
    STACK_GLOBAL: () => {
      const [module, name] = this.popMany(2);
      if (typeof module !== 'string' || typeof name !== 'string')
        return this.fail(`STACK_GLOBAL must have two texts, got ${show(module)} and ${show(name)}`);
      this.pushGlobal(module, name);
    },
    REDUCE: () => {
      const [callable, args] = this.popMany(2);
      this.push(reduce(callable!, args!, this.fail));
    },
    BUILD: () => {
      // A state dict carries the versions of its modules as attributes of the dictionary: {'_metadata': ...}.
      const [state] = this.popMany(1);
      const target = this.top();
      if (!(target instanceof PickleDict && state instanceof PickleDict))
        this.fail(`BUILD must set attributes of a dictionary, got ${show(target)} and ${show(state)}`);
    },
    BINPERSID: () => this.push(storageOf(this.popMany(1)[0]!, this.fail)),
  };

  private push(value: PickleValue): void {
    this.stack.push(value);
  }

  /** Values above the last mark, which stays. */
  private get available(): number {
    return this.stack.length - (this.marks.at(-1) ?? 0);
  }

  private popMany(count: number): PickleValue[] {
    if (this.available < count) this.fail(`${this.opcode} must have ${count} values to take, got ${this.available}`);
    return this.stack.splice(this.stack.length - count);
  }

  private popToMark(): PickleValue[] {
    const mark = this.marks.pop();
    return mark === undefined ? this.fail(`${this.opcode} must have an open MARK, got none`) : this.stack.splice(mark);
  }

  private top(): PickleValue {
    return this.available > 0 ? this.stack.at(-1)! : this.fail(`${this.opcode} must have a value below, got none`);
  }

  private append(items: readonly PickleValue[]): void {
    const list = this.top();
    if (!(list instanceof PickleList)) return this.fail(`${this.opcode} must have a list below, got ${show(list)}`);
    list.items.push(...items);
  }

  private setItems(items: readonly PickleValue[]): void {
    const dict = this.top();
    if (!(dict instanceof PickleDict))
      return this.fail(`${this.opcode} must have a dictionary below, got ${show(dict)}`);
    if (items.length % 2 !== 0) this.fail(`${this.opcode} must have pairs, got ${items.length} values`);
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i]!;
      if (typeof key !== 'string' && typeof key !== 'number') {
        return this.fail(`a key must be a text or a number, got ${show(key)}`);
      }
      if (dict.entries.has(key)) this.fail(`a key must appear once, got ${show(key)} again`);
      dict.entries.set(key, items[i + 1]!);
    }
  }

  private remember(index: number): void {
    if (index >= MAX_MEMO) this.fail(`${this.opcode} must have an index under ${MAX_MEMO}, got ${index}`);
    this.memo.set(index, this.top());
  }

  private recall(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) return this.fail(`${this.opcode} must name a remembered value, got ${index}`);
    this.push(value);
  }

  private pushGlobal(module: string, name: string): void {
    const dotted = `${module}.${name}`;
    const value = globalNamed(dotted);
    if (value === undefined) {
      return this.fail(
        `${this.opcode} must name one of the types and functions of tensors, got ${show(dotted)}, which was not run; ` +
          SAVE_STATE_DICT,
      );
    }
    this.push(value);
  }
}
