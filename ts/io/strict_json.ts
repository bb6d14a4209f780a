import { isUtf8 } from 'node:buffer';
import { printParseErrorCode, visit } from 'jsonc-parser';
import { FormatError } from '../error';
import { describe, requireBytes, requireInteger, readOptions, requireString } from './arguments';

/** A JSON value. Objects have no prototype, so that keys such as `__proto__` and `constructor` are ordinary data. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

export interface JsonLimits {
  /** Largest input in UTF-8 bytes, or characters of a string; 256 MiB by default. */
  readonly maxBytes?: number;
  /** Deepest nesting of arrays and objects; 64 by default. */
  readonly maxDepth?: number;
}

const DEFAULT_MAX_BYTES = 256 * 2 ** 20;
const DEFAULT_MAX_DEPTH = 64;
/** The parser recurses; this deep is safe on the stack of a worker thread. */
const LARGEST_MAX_DEPTH = 512;

/**
 * Parses JSON (RFC 8259) without its laxities: a duplicate key, invalid UTF-8, a byte order mark, an unpaired
 * surrogate, a number that overflows to infinity, or nesting or size over the limits is a FormatError with its position.
 * Integers over 2^53 lose digits as in JSON.parse; whoever needs an exact integer checks Number.isSafeInteger.
 * @param what names the document in error messages
 */
export function parseJson(text: string | Uint8Array, what: string, limits: JsonLimits = {}): JsonValue {
  const label = requireString('parseJson', 'what', what);
  const { maxBytes = DEFAULT_MAX_BYTES, maxDepth = DEFAULT_MAX_DEPTH } = readOptions('parseJson', limits, [
    'maxBytes',
    'maxDepth',
  ]);
  const largest = requireInteger('parseJson', 'maxBytes', maxBytes, 0, DEFAULT_MAX_BYTES);
  const deepest = requireInteger('parseJson', 'maxDepth', maxDepth, 0, LARGEST_MAX_DEPTH);
  return new TreeBuilder(decodeText(text, label, largest), label, deepest).build();
}

/** True for an object, not an array or null. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function decodeText(text: unknown, label: string, maxBytes: number): string {
  const input = typeof text === 'string' ? text : requireBytes('parseJson', 'text', text);
  if (input.length > maxBytes) {
    throw new FormatError(`parseJson: ${label}: at most ${maxBytes} bytes are allowed, got ${input.length}`);
  }
  if (typeof input === 'string') return input;
  const buffer = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  const decoded = buffer.toString('utf8');
  if (!isUtf8(buffer)) {
    // What cannot be decoded became U+FFFD, so the first byte that does not survive the round trip is the culprit.
    const again = Buffer.from(decoded, 'utf8');
    const at = buffer.findIndex((byte, i) => again[i] !== byte);
    throw new FormatError(`parseJson: ${label}: byte ${at}: text must be valid UTF-8, got byte ${buffer[at]}`);
  }
  return decoded;
}

interface Container {
  readonly items: JsonValue[];
  /** Keys of an object in order, with the items as values; undefined for an array. */
  readonly object: Record<string, JsonValue> | undefined;
  key: string;
}

/** Builds the value from the events of jsonc-parser, whose grammar without comments is that of JSON.parse. */
class TreeBuilder {
  private readonly open: Container[] = [];
  private root: JsonValue = null;

  constructor(
    private readonly text: string,
    private readonly label: string,
    private readonly maxDepth: number,
  ) {}

  build(): JsonValue {
    visit(
      this.text,
      {
        onObjectBegin: (_offset, _length, line, column) =>
          this.begin({ items: [], object: Object.create(null) as Record<string, JsonValue>, key: '' }, line, column),
        onArrayBegin: (_offset, _length, line, column) =>
          this.begin({ items: [], object: undefined, key: '' }, line, column),
        onObjectProperty: (key, _offset, _length, line, column) => this.property(key, line, column),
        onLiteralValue: (value: unknown, offset, length, line, column) => {
          this.add(this.literal(value, this.text.slice(offset, offset + length), line, column));
        },
        onObjectEnd: () => this.end(),
        onArrayEnd: () => this.end(),
        onError: (code, offset, length, line, column) => {
          const found = this.text.slice(offset, offset + length);
          const got = offset >= this.text.length ? 'the end of the text' : describe(found);
          this.fail(`${words(printParseErrorCode(code))}, got ${got}`, line, column);
        },
      },
      { disallowComments: true, allowTrailingComma: false, allowEmptyContent: false },
    );
    return this.root;
  }

  private begin(container: Container, line: number, column: number): void {
    if (this.open.length >= this.maxDepth) this.fail(`nesting must be at most ${this.maxDepth} deep`, line, column);
    this.add(container.object ?? container.items);
    this.open.push(container);
  }

  private end(): void {
    this.open.pop();
  }

  private property(key: string, line: number, column: number): void {
    const container = this.open.at(-1);
    if (container?.object === undefined) return this.fail('a key must be inside an object', line, column);
    this.checkString(key, line, column);
    if (Object.hasOwn(container.object, key)) {
      this.fail(`a key must appear once, got ${describe(key)} again`, line, column);
    }
    container.key = key;
  }

  private add(value: JsonValue): void {
    const container = this.open.at(-1);
    if (container === undefined) this.root = value;
    else if (container.object === undefined) container.items.push(value);
    else container.object[container.key] = value;
  }

  private literal(value: unknown, source: string, line: number, column: number): JsonValue {
    if (typeof value === 'string') return this.checkString(value, line, column);
    if (typeof value === 'boolean' || value === null) return value;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    return this.fail(`a number must be finite in double precision, got ${describe(source)}`, line, column);
  }

  private checkString(value: string, line: number, column: number): string {
    if (/\p{Surrogate}/u.test(value)) {
      this.fail(`a string must not contain an unpaired surrogate, got ${describe(value)}`, line, column);
    }
    return value;
  }

  private fail(message: string, line: number, column: number): never {
    throw new FormatError(`parseJson: ${this.label}: line ${line + 1}, column ${column + 1}: ${message}`);
  }
}

/** `CommaExpected` as `comma expected`. */
function words(name: string): string {
  return name.replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
}
