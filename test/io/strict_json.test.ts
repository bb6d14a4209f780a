import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FormatError } from '../../ts/error';
import { isJsonObject, parseJson } from '../../ts/io/strict_json';
import { expectHostileSafe } from './hostile';
import { type MalformedRow, refusesEach, survivesDamage } from './malformed';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('parseJson', () => {
  it('gives what JSON.parse gives for every value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), fc.constantFrom('', ' ', '\n\t'), (value, space) => {
        const text = JSON.stringify(value, null, space);
        fc.pre(!/\\ud[89a-f]/.test(text));
        expect(JSON.stringify(parseJson(text, 'a'))).toBe(JSON.stringify(value));
        expect(JSON.stringify(parseJson(utf8(text), 'a'))).toBe(JSON.stringify(value));
      }),
    );
  });

  it('accepts exactly the texts that JSON.parse accepts', () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"b',
      '1',
      '0',
      '-',
      '.',
      'e5',
      'true',
      'nul',
      ' ',
      '\n',
      '\u00a0',
      '\\',
      '/',
      '/*x*/',
      '//',
      '\ufeff',
      '\0',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 6 }), (parts) => {
        const text = parts.join('');
        let expected: string | undefined;
        let accepted = true;
        try {
          const value: unknown = JSON.parse(text, (_key, part: unknown) => {
            accepted &&= typeof part !== 'number' || Number.isFinite(part);
            return part;
          });
          expected = JSON.stringify(value);
        } catch {
          accepted = false;
        }
        // JSON.parse reads 1e501 as infinity.
        if (!accepted) {
          expect(() => parseJson(text, 'a')).toThrow(FormatError);
          return;
        }
        // Duplicate keys are the one thing JSON.parse takes and this parser does not.
        fc.pre((text.match(/"a" *\n?:/g) ?? []).length < 2);
        expect(JSON.stringify(parseJson(text, 'a'))).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps __proto__ and constructor as data', () => {
    const value = parseJson('{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}', 'a');
    if (!isJsonObject(value)) throw new Error('not an object');
    expect(Object.getPrototypeOf(value)).toBeNull();
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor']);
    expect(value.polluted).toBeUndefined();
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(Object.getPrototypeOf({ ...value })).toBe(Object.prototype);
    expect(() => parseJson('{"__proto__": 1, "__proto__": 2}', 'a')).toThrow('got "__proto__" again');
  });

  it('applies its limits', () => {
    expect(parseJson('[[1]]', 'a', { maxDepth: 2 })).toEqual([[1]]);
    expect(() => parseJson('[[1]]', 'a', { maxDepth: 1 })).toThrow('line 1, column 2: nesting must be at most 1 deep');
    expect(() => parseJson('[1]', 'a', { maxBytes: 2 })).toThrow('at most 2 bytes are allowed, got 3');
    const deepest = '['.repeat(512) + ']'.repeat(512);
    expect(() => parseJson(deepest, 'a', { maxDepth: 512 })).not.toThrow();
    expect(() => parseJson('['.repeat(1e6), 'a', { maxDepth: 512 })).toThrow('nesting must be at most 512 deep');
  });
});

const malformed: readonly MalformedRow[] = [
  ['nothing', utf8(''), 'line 1, column 1: value expected, got the end of the text'],
  ['spaces', utf8(' \n '), 'line 2, column 2: value expected, got the end of the text'],
  ['byte order mark', utf8('\ufeff{}'), 'line 1, column 1: '],
  ['invalid byte', Uint8Array.of(0x22, 0xff, 0x22), 'byte 1: text must be valid UTF-8, got byte 255'],
  ['overlong form', Uint8Array.of(0x22, 0x61, 0xc0, 0x80, 0x22), 'byte 2: text must be valid UTF-8, got byte 192'],
  ['encoded surrogate', Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), 'byte 1: text must be valid UTF-8, got byte 237'],
  ['cut UTF-8', Uint8Array.of(0x5b, 0x22, 0xe2, 0x82), 'byte 2: text must be valid UTF-8, got byte 226'],
  ['escaped lone surrogate', utf8('["\\ud800"]'), 'line 1, column 2: a string must not contain an unpaired surrogate'],
  ['lone surrogate key', utf8('{"\\udc00": 1}'), 'line 1, column 2: a string must not contain an unpaired surrogate'],
  ['duplicate key', utf8('{"a": 1,\n "a": 2}'), 'line 2, column 2: a key must appear once, got "a" again'],
  [
    'duplicate key by escape',
    utf8('{"a": 1, "\\u0061": 2}'),
    'line 1, column 10: a key must appear once, got "a" again',
  ],
  ['nested duplicate', utf8('[{"b": {"c": 1, "c": 1}}]'), 'line 1, column 17: a key must appear once, got "c" again'],
  ['trailing comma in array', utf8('[1,]'), 'column 4: value expected, got "]"'],
  ['trailing comma in object', utf8('{"a":1,}'), 'column 8: property name expected, got "}"'],
  ['line comment', utf8('1 // one'), 'column 3: invalid comment token, got "// one"'],
  ['block comment', utf8('/* */ 1'), 'column 1: invalid comment token, got "/* */"'],
  ['single quotes', utf8("['a']"), 'column 2: invalid symbol'],
  ['bare key', utf8('{a: 1}'), 'column 2: '],
  ['missing colon', utf8('{"a" 1}'), 'column 6: colon expected, got "1"'],
  ['missing comma', utf8('[1 2]'), 'column 4: comma expected, got "2"'],
  ['unclosed array', utf8('[1'), 'column 3: close bracket expected, got the end of the text'],
  ['unclosed object', utf8('{"a":1'), 'column 7: close brace expected, got the end of the text'],
  ['unclosed string', utf8('"abc'), 'column 1: unexpected end of string, got "\\"abc"'],
  ['newline in string', utf8('"a\nb"'), 'unexpected end of string, got "\\"a"'],
  ['control character', utf8('"a\u0001b"'), 'invalid character, got'],
  ['bad escape', utf8('"\\x41"'), 'invalid escape character'],
  ['bad unicode escape', utf8('"\\u12g4"'), 'invalid unicode'],
  ['two values', utf8('1 2'), 'column 3: end of file expected, got "2"'],
  ['leading zero', utf8('01'), 'column 2: end of file expected, got "1"'],
  ['plus sign', utf8('+1'), 'invalid symbol, got "+1"'],
  ['bare minus', utf8('-'), 'invalid symbol, got "-"'],
  ['no fraction digits', utf8('1.'), 'unexpected end of number'],
  ['no exponent digits', utf8('[1e]'), 'unexpected end of number'],
  ['NaN', utf8('NaN'), 'invalid symbol, got "NaN"'],
  ['Infinity', utf8('[Infinity]'), 'invalid symbol, got "Infinity"'],
  ['overflow', utf8('[1, 1e999]'), 'column 5: a number must be finite in double precision, got "1e999"'],
  ['negative overflow', utf8('-1e400'), 'column 1: a number must be finite in double precision, got "-1e400"'],
  ['capital literal', utf8('True'), 'invalid symbol, got "True"'],
  ['NUL after value', utf8('1\0'), 'column 2: '],
  ['deep arrays', utf8('['.repeat(100_000)), 'line 1, column 65: nesting must be at most 64 deep'],
  ['deep objects', utf8('{"a":'.repeat(100_000)), 'line 1, column 321: nesting must be at most 64 deep'],
];

describe('malformed JSON', () => {
  refusesEach('parseJson', (file, what) => parseJson(file, what), malformed);

  it('parses or refuses randomly damaged texts, and nothing else', () => {
    const text = utf8('{"a": [1, -2.5e3, true, null, "x\\u00e9\u20ac"], "b": {"c": {}, "d": []}}');
    survivesDamage((file) => parseJson(file, 'damaged'), [text], 5000);
  });
});

it('refuses hostile arguments with typed errors', () => {
  expectHostileSafe('parseJson', parseJson, ['[1]', 'a', { maxDepth: 3 }]);
  expect(() => parseJson('1', 'a', { depth: 1 } as never)).toThrow(
    'parseJson: options are maxBytes, maxDepth, got "depth"',
  );
});
