import { FormatError } from '../error';
import { describe } from './arguments';
import { MAX_DIMS } from './raw_array';

/** The three fields of an npy header, checked against the grammar only. */
export interface NpyHeader {
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
}

/**
 * Parses the Python dict literal of an npy header: exactly the keys descr (a string), fortran_order (True or False) and
 * shape (a tuple of sizes), once each, in any order, ended by a newline. Numpy evaluates this text as Python source; a
 * grammar of just what its writers produce needs no evaluator and leaves nothing to smuggle.
 * `text` has one character a byte; `start` is its offset in the file, for error positions.
 */
export function parseNpyHeader(text: string, start: number, what: string): NpyHeader {
  return new HeaderParser(text, start, what).parse();
}

class HeaderParser {
  private at = 0;
  private descr: string | undefined;
  private fortranOrder: boolean | undefined;
  private shape: readonly number[] | undefined;

  constructor(
    private readonly text: string,
    private readonly start: number,
    private readonly what: string,
  ) {}

  parse(): NpyHeader {
    this.expect('{');
    while (!this.accept('}')) {
      const keyAt = this.at;
      const key = this.string();
      this.expect(':');
      if (!this.field(key)) {
        this.at = keyAt;
        this.fail(`a key must be descr, fortran_order or shape, each once, got ${describe(key)}`);
      }
      if (!this.accept(',')) {
        this.expect('}');
        break;
      }
    }
    this.skipSpaces();
    if (this.text.slice(this.at) !== '\n') {
      this.fail(`after the dict only padding and one newline may come, got ${this.here()}`);
    }
    const { descr, fortranOrder, shape } = this;
    if (descr === undefined) return this.fail('the key descr is missing');
    if (fortranOrder === undefined) return this.fail('the key fortran_order is missing');
    if (shape === undefined) return this.fail('the key shape is missing');
    return { descr, fortranOrder, shape };
  }

  /** Reads the value of a key; false where the key is unknown or came before. */
  private field(key: string): boolean {
    if (key === 'descr' && this.descr === undefined) {
      this.skipSpaces();
      if (this.text[this.at] === '[') this.fail('structured dtypes are not supported');
      this.descr = this.string();
      return true;
    }
    if (key === 'fortran_order' && this.fortranOrder === undefined) {
      this.fortranOrder = this.bool();
      return true;
    }
    if (key === 'shape' && this.shape === undefined) {
      this.shape = this.tuple();
      return true;
    }
    return false;
  }

  private string(): string {
    this.skipSpaces();
    const quote = this.text[this.at];
    if (quote !== "'" && quote !== '"') this.fail(`expected a quoted string, got ${this.here()}`);
    const end = this.text.indexOf(quote, this.at + 1);
    if (end < 0) this.fail('a string has no closing quote');
    const value = this.text.slice(this.at + 1, end);
    if (/[^ -~]|\\/.test(value)) this.fail(`a string must be printable ASCII without escapes, got ${describe(value)}`);
    this.at = end + 1;
    return value;
  }

  private bool(): boolean {
    this.skipSpaces();
    for (const [word, value] of [
      ['True', true],
      ['False', false],
    ] as const) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.fail(`fortran_order must be True or False, got ${this.here()}`);
  }

  private tuple(): readonly number[] {
    this.expect('(');
    const sizes: number[] = [];
    let commas = 0;
    while (!this.accept(')')) {
      if (commas < sizes.length) this.fail(`expected , or ) in shape, got ${this.here()}`);
      if (sizes.length === MAX_DIMS) this.fail(`shape must have at most ${MAX_DIMS} dimensions`);
      sizes.push(this.size());
      if (this.accept(',')) commas++;
    }
    if (sizes.length === 1 && commas === 0) this.fail('shape must be a tuple, (n,) for one dimension');
    return sizes;
  }

  private size(): number {
    this.skipSpaces();
    const digits = /^(?:0|[1-9][0-9]{0,19})(?![0-9A-Za-z_.])/.exec(this.text.slice(this.at, this.at + 24))?.[0];
    const size = Number(digits);
    if (digits === undefined || !Number.isSafeInteger(size)) {
      return this.fail(`a size in shape must be an integer in [0, 2^53), got ${this.here()}`);
    }
    this.at += digits.length;
    return size;
  }

  private skipSpaces(): void {
    while (this.text[this.at] === ' ') this.at++;
  }

  private accept(char: string): boolean {
    this.skipSpaces();
    if (this.text[this.at] !== char) return false;
    this.at++;
    return true;
  }

  private expect(char: string): void {
    if (!this.accept(char)) this.fail(`expected ${char}, got ${this.here()}`);
  }

  private here(): string {
    return this.at < this.text.length ? describe(this.text.slice(this.at, this.at + 12)) : 'the end of the header';
  }

  private fail(message: string): never {
    throw new FormatError(`parseNpy: ${this.what}: header, byte ${this.start + this.at}: ${message}`);
  }
}
