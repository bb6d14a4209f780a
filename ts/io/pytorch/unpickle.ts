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

/** Opcodes that make data, by byte. */
const OPCODES = new Map<number, string>([
  ...([
    [0x80, 'PROTO'],
    [0x95, 'FRAME'],
    [0x2e, 'STOP'],
    [0x28, 'MARK'],
  ] as const),
  ...([
    [0x4e, 'NONE'],
    [0x88, 'NEWTRUE'],
    [0x89, 'NEWFALSE'],
  ] as const),
  ...([
    [0x4a, 'BININT'],
    [0x4b, 'BININT1'],
    [0x4d, 'BININT2'],
    [0x8a, 'LONG1'],
    [0x47, 'BINFLOAT'],
  ] as const),
  ...([
    [0x58, 'BINUNICODE'],
    [0x8c, 'SHORT_BINUNICODE'],
    [0x8d, 'BINUNICODE8'],
  ] as const),
  ...([
    [0x29, 'EMPTY_TUPLE'],
    [0x74, 'TUPLE'],
    [0x85, 'TUPLE1'],
    [0x86, 'TUPLE2'],
    [0x87, 'TUPLE3'],
  ] as const),
  ...([
    [0x5d, 'EMPTY_LIST'],
    [0x61, 'APPEND'],
    [0x65, 'APPENDS'],
  ] as const),
  ...([
    [0x7d, 'EMPTY_DICT'],
    [0x73, 'SETITEM'],
    [0x75, 'SETITEMS'],
  ] as const),
  ...([
    [0x71, 'BINPUT'],
    [0x72, 'LONG_BINPUT'],
    [0x94, 'MEMOIZE'],
    [0x68, 'BINGET'],
    [0x6a, 'LONG_BINGET'],
  ] as const),
  ...([
    [0x63, 'GLOBAL'],
    [0x93, 'STACK_GLOBAL'],
    [0x52, 'REDUCE'],
    [0x62, 'BUILD'],
    [0x51, 'BINPERSID'],
  ] as const),
]);

/** The other opcodes there are, for the message. */
const REFUSED = new Map<number, string>([
  ...([
    [0x30, 'POP'],
    [0x31, 'POP_MARK'],
    [0x32, 'DUP'],
    [0x46, 'FLOAT'],
    [0x49, 'INT'],
    [0x4c, 'LONG'],
  ] as const),
  ...([
    [0x50, 'PERSID'],
    [0x53, 'STRING'],
    [0x54, 'BINSTRING'],
    [0x55, 'SHORT_BINSTRING'],
    [0x56, 'UNICODE'],
  ] as const),
  ...([
    [0x64, 'DICT'],
    [0x67, 'GET'],
    [0x69, 'INST'],
    [0x6c, 'LIST'],
    [0x6f, 'OBJ'],
    [0x70, 'PUT'],
  ] as const),
  ...([
    [0x81, 'NEWOBJ'],
    [0x82, 'EXT1'],
    [0x83, 'EXT2'],
    [0x84, 'EXT4'],
    [0x8b, 'LONG4'],
    [0x8e, 'BINBYTES8'],
  ] as const),
  ...([
    [0x42, 'BINBYTES'],
    [0x43, 'SHORT_BINBYTES'],
    [0x8f, 'EMPTY_SET'],
    [0x90, 'ADDITEMS'],
    [0x91, 'FROZENSET'],
  ] as const),
  ...([
    [0x92, 'NEWOBJ_EX'],
    [0x96, 'BYTEARRAY8'],
    [0x97, 'NEXT_BUFFER'],
    [0x98, 'READONLY_BUFFER'],
  ] as const),
]);

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
  private opcode = '';

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
      this.step(this.opcode);
      if (this.stack.length > MAX_STACK) this.fail(`the stack must hold at most ${MAX_STACK} values`);
    }
    return this.fail(`a pickle must have at most ${MAX_OPCODES} opcodes`);
  }

  private nameOf(byte: number): string {
    const name = OPCODES.get(byte);
    if (name !== undefined) return name;
    const refused = REFUSED.get(byte);
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

  private step(opcode: string): void {
    const { input, stack } = this;
    switch (opcode) {
      case 'PROTO': {
        const version = input.uint8();
        if (version < 2 || version > MAX_PROTOCOL)
          this.fail(`the protocol must be 2 to ${MAX_PROTOCOL}, got ${version}`);
        return;
      }
      case 'FRAME': {
        const length = input.uint64();
        if (length > input.remaining) this.fail(`FRAME must fit in the ${input.remaining} bytes left, got ${length}`);
        return;
      }
      case 'MARK':
        if (this.marks.length >= MAX_MARKS) this.fail(`at most ${MAX_MARKS} marks may be open`);
        this.marks.push(stack.length);
        return;
      case 'NONE': {
        this.push(null);
        return;
      }
      case 'NEWTRUE': {
        this.push(true);
        return;
      }
      case 'NEWFALSE': {
        this.push(false);
        return;
      }
      case 'BININT': {
        this.push(input.int32());
        return;
      }
      case 'BININT1': {
        this.push(input.uint8());
        return;
      }
      case 'BININT2': {
        this.push(input.uint16());
        return;
      }
      case 'LONG1': {
        this.push(input.integer(input.uint8()));
        return;
      }
      case 'BINFLOAT': {
        this.push(input.float64());
        return;
      }
      case 'BINUNICODE': {
        this.push(input.text(input.uint32()));
        return;
      }
      case 'SHORT_BINUNICODE': {
        this.push(input.text(input.uint8()));
        return;
      }
      case 'BINUNICODE8': {
        this.push(input.text(input.uint64()));
        return;
      }
      case 'EMPTY_TUPLE': {
        this.push(new PickleTuple([]));
        return;
      }
      case 'TUPLE': {
        this.push(new PickleTuple(this.popToMark()));
        return;
      }
      case 'TUPLE1':
      case 'TUPLE2':
      case 'TUPLE3': {
        this.push(new PickleTuple(this.popMany(Number(opcode.at(-1)))));
        return;
      }
      case 'EMPTY_LIST': {
        this.push(new PickleList());
        return;
      }
      case 'APPEND': {
        this.append(this.popMany(1));
        return;
      }
      case 'APPENDS': {
        this.append(this.popToMark());
        return;
      }
      case 'EMPTY_DICT': {
        this.push(new PickleDict());
        return;
      }
      case 'SETITEM': {
        this.setItems(this.popMany(2));
        return;
      }
      case 'SETITEMS': {
        this.setItems(this.popToMark());
        return;
      }
      case 'BINPUT': {
        this.remember(input.uint8());
        return;
      }
      case 'LONG_BINPUT': {
        this.remember(input.uint32());
        return;
      }
      case 'MEMOIZE': {
        this.remember(this.memo.size);
        return;
      }
      case 'BINGET': {
        this.recall(input.uint8());
        return;
      }
      case 'LONG_BINGET': {
        this.recall(input.uint32());
        return;
      }
      case 'GLOBAL': {
        this.pushGlobal(input.line(), input.line());
        return;
      }
      case 'STACK_GLOBAL': {
        const [module, name] = this.popMany(2);
        if (typeof module !== 'string' || typeof name !== 'string') {
          return this.fail(`STACK_GLOBAL must have two texts, got ${show(module)} and ${show(name)}`);
        }
        this.pushGlobal(module, name);
        return;
      }
      case 'REDUCE': {
        const [callable, args] = this.popMany(2);
        this.push(reduce(callable!, args!, this.fail));
        return;
      }
      case 'BUILD': {
        // A state dict carries the versions of its modules as attributes of the dictionary: {'_metadata': ...}.
        const [state] = this.popMany(1);
        const target = this.top();
        if (target instanceof PickleDict && state instanceof PickleDict) return;
        return this.fail(`BUILD must set attributes of a dictionary, got ${show(target)} and ${show(state)}`);
      }
      case 'BINPERSID': {
        this.push(storageOf(this.popMany(1)[0]!, this.fail));
        return;
      }
    }
  }

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
