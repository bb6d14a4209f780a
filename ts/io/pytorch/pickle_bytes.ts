import { type Fail } from './pickle_values';

/** Longest text of a pickle: a key, a name; PyTorch's own are under 200 bytes. */
const MAX_TEXT_BYTES = 2 ** 16;

/** The bytes of a pickle, read from the front; nothing is taken that is not there. */
export class PickleBytes {
  /** Where the next byte is. */
  at = 0;
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly fail: Fail,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.bytes.length - this.at;
  }

  /** Moves over `length` bytes. @returns where they start */
  skip(length: number): number {
    if (length > this.remaining) return this.fail(`must have ${length} more bytes, got ${this.remaining}`);
    const from = this.at;
    this.at += length;
    return from;
  }

  uint8(): number {
    return this.view.getUint8(this.skip(1));
  }
  uint16(): number {
    return this.view.getUint16(this.skip(2), true);
  }
  uint32(): number {
    return this.view.getUint32(this.skip(4), true);
  }
  int32(): number {
    return this.view.getInt32(this.skip(4), true);
  }
  /** Counts beyond 2^53 round to a number that is beyond every limit too. */
  uint64(): number {
    return Number(this.view.getBigUint64(this.skip(8), true));
  }
  /** Pickle's one big-endian number. */
  float64(): number {
    return this.view.getFloat64(this.skip(8), false);
  }

  /** An integer in two's complement, least significant byte first; a number where it is exact. */
  integer(length: number): number | bigint {
    const from = this.skip(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[from + i]!);
    value = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  text(length: number): string {
    if (length > MAX_TEXT_BYTES) this.fail(`a text must have at most ${MAX_TEXT_BYTES} bytes, got ${length}`);
    const from = this.skip(length);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.bytes.subarray(from, this.at));
    } catch {
      return this.fail('a text must be valid UTF-8');
    }
  }

  /** Printable ASCII up to a newline, which is taken too. */
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0) return this.fail('a name must end in a newline, got the end of the pickle');
    const text = this.text(end - this.at);
    this.at = end + 1;
    return /^[\x20-\x7e]*$/.test(text) ? text : this.fail('a name must be printable ASCII');
  }
}
