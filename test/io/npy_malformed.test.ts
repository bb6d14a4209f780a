import { describe, it } from '@jest/globals';
import { encodeNpy, parseNpy } from '../../ts/io/npy';
import { type MalformedRow, refusesEach, survivesDamage } from './malformed';
import { dict, npy } from './npy_files';

const one = [1, 0, 0, 0];
const malformed: readonly MalformedRow[] = [
  ['empty file', new Uint8Array(0), 'truncated: a header has at least 10 bytes, got 0'],
  ['nine bytes', npy('{}').slice(0, 9), 'truncated: a header has at least 10 bytes, got 9'],
  ['wrong first byte', npy('{}').with(0, 0x92), 'must start with the magic \\x93NUMPY, got byte 146 at 0'],
  ['wrong magic letter', npy('{}').with(5, 0x5a), 'must start with the magic \\x93NUMPY, got byte 90 at 5'],
  ['version 0.0', npy('{}', [], { version: [0, 0] }), 'version must be 1.0, 2.0 or 3.0, got 0.0'],
  ['version 1.1', npy('{}', [], { version: [1, 1] }), 'version must be 1.0, 2.0 or 3.0, got 1.1'],
  ['version 4.0', npy('{}', [], { version: [4, 0] }), 'version must be 1.0, 2.0 or 3.0, got 4.0'],
  [
    'version 2.0 cut',
    npy('{}', [], { version: [2, 0] }).slice(0, 11),
    'a version 2.0 header has at least 12 bytes, got 11',
  ],
  ['header longer than file', npy('{}', [], { length: 4 }), 'truncated: the header ends at byte 14, the file at 13'],
  [
    'huge header',
    npy('{}', [], { version: [2, 0], length: 0xffffffff }),
    'header length must be at most 65535, got 4294967295 at byte 8',
  ],
  ['empty header', npy('\n', [], { length: 0 }), 'byte 10: expected {, got the end of the header'],
  ['blank header', npy('      '), 'byte 16: expected {, got "\\n"'],
  ['empty dict', npy('{}'), 'byte 12: the key descr is missing'],
  ['a list', npy("['descr']"), `byte 10: expected {, got "['descr']\\n"`],
  ['unclosed dict', npy("{'descr': '<i4'"), 'byte 25: expected }, got "\\n"'],
  [
    'no newline',
    npy(dict('<i4', '(1,)')).with(-1, 0x20),
    'only padding and one newline may come, got the end of the header',
  ],
  ['two newlines', npy(dict('<i4', '(1,)') + '\n\n', one), 'only padding and one newline may come, got "\\n\\n"'],
  ['text after dict', npy(dict('<i4', '(1,)') + ' + {}', one), 'only padding and one newline may come, got "+ {}\\n"'],
  ['unquoted key', npy("{descr: '<i4'}"), `byte 11: expected a quoted string, got "descr: '<i4'"`],
  ['unclosed key', npy("{'descr: 1}"), 'byte 11: a string has no closing quote'],
  ['key escape', npy("{'d\\x65scr': '<i4'}"), 'byte 11: a string must be printable ASCII without escapes'],
  ['non-ASCII key', npy("{'d\u00e9scr': '<i4'}"), 'byte 11: a string must be printable ASCII without escapes'],
  ['unknown key', npy("{'extra': 1}"), 'byte 11: a key must be descr, fortran_order or shape, each once, got "extra"'],
  ['__proto__ key', npy("{'__proto__': ()}"), 'each once, got "__proto__"'],
  [
    'duplicate descr',
    npy("{'descr': '<i4', 'descr': '<i4'}"),
    'byte 27: a key must be descr, fortran_order or shape, each once, got "descr"',
  ],
  [
    'duplicate shape',
    npy("{'shape': (), 'shape': ()}"),
    'byte 24: a key must be descr, fortran_order or shape, each once, got "shape"',
  ],
  ['no colon', npy("{'descr' '<i4'}"), `byte 19: expected :, got "'<i4'}\\n"`],
  ['no comma', npy("{'descr': '<i4' 'shape': ()}"), `byte 26: expected }, got "'shape': ()}"`],
  ['double comma', npy("{'descr': '<i4',, 'shape': ()}"), `byte 26: expected a quoted string, got ", 'shape': (`],
  ['only a comma', npy('{,}'), `byte 11: expected a quoted string, got ",}\\n"`],
  ['missing shape', npy("{'descr': '<i4', 'fortran_order': False}"), 'the key shape is missing'],
  ['missing order', npy("{'descr': '<i4', 'shape': ()}"), 'the key fortran_order is missing'],
  ['order as number', npy(dict('<i4', '()', '0')), 'byte 44: fortran_order must be True or False, got "0, '],
  ['order in lower case', npy(dict('<i4', '()', 'false')), 'fortran_order must be True or False, got "false, '],
  ['order with tail', npy(dict('<i4', '()', 'Truely')), 'byte 48: expected }, got "ly, '],
  ['shape as list', npy(dict('<i4', '[1]')), 'byte 60: expected (, got "[1], }\\n"'],
  ['shape as number', npy(dict('<i4', '4')), 'byte 60: expected (, got "4, }\\n"'],
  ['shape not a tuple', npy(dict('<i4', '(4)')), 'byte 63: shape must be a tuple, (n,) for one dimension'],
  [
    'negative size',
    npy(dict('<i4', '(-1,)')),
    'byte 61: a size in shape must be an integer in [0, 2^53), got "-1,), }\\n"',
  ],
  ['float size', npy(dict('<i4', '(1.0,)')), 'a size in shape must be an integer in [0, 2^53), got "1.0,), }\\n"'],
  ['exponent size', npy(dict('<i4', '(1e3,)')), 'a size in shape must be an integer in [0, 2^53), got "1e3,), }\\n"'],
  ['hex size', npy(dict('<i4', '(0x10,)')), 'a size in shape must be an integer in [0, 2^53), got "0x10,), }\\n"'],
  ['leading zero', npy(dict('<i4', '(01,)')), 'a size in shape must be an integer in [0, 2^53), got "01,), }\\n"'],
  ['Python 2 long', npy(dict('<i4', '(1L,)')), 'a size in shape must be an integer in [0, 2^53), got "1L,), }\\n"'],
  ['size 2^53', npy(dict('<i4', '(9007199254740992,)')), 'got "900719925474"'],
  ['size with 30 digits', npy(dict('<i4', `(${'9'.repeat(30)},)`)), 'got "999999999999"'],
  ['named size', npy(dict('<i4', '(n,)')), 'a size in shape must be an integer in [0, 2^53), got "n,), }\\n"'],
  ['nested tuple', npy(dict('<i4', '((1,),)')), 'a size in shape must be an integer in [0, 2^53), got "(1,),), }\\n"'],
  ['shape without commas', npy(dict('<i4', '(1 2)')), 'byte 63: expected , or ) in shape, got "2), }\\n"'],
  ['unclosed shape', npy("{'shape': (1,"), 'got "\\n"'],
  ['33 dimensions', npy(dict('<i4', `(${'1, '.repeat(33)})`)), 'shape must have at most 32 dimensions'],
  [
    'product over 2^53',
    npy(dict('<i4', '(134217728, 134217728)')),
    'the size of shape [134217728, 134217728] overflows',
  ],
  [
    'overflow hidden by 0',
    npy(dict('<i4', '(0, 134217728, 134217728)')),
    'the size of shape [0, 134217728, 134217728] overflows',
  ],
  ['bytes over 2^53', npy(dict('<f8', '(4503599627370496,)')), 'the size of shape [4503599627370496] overflows'],
  ['structured dtype', npy("{'descr': [('a', '<i4')], 'shape': ()}"), 'byte 20: structured dtypes are not supported'],
  ['object dtype', npy(dict('|O', '(1,)'), one), 'got "|O"'],
  ['string dtype', npy(dict('<U4', '(1,)'), one), 'got "<U4"'],
  ['complex dtype', npy(dict('<c8', '(1,)'), one), 'got "<c8"'],
  ['datetime dtype', npy(dict('<M8', '(1,)'), one), 'got "<M8"'],
  ['long double', npy(dict('<f16', '(1,)'), one), 'got "<f16"'],
  ['float of 1 byte', npy(dict('<f1', '(1,)'), one), 'got "<f1"'],
  ['bool of 4 bytes', npy(dict('<b4', '(1,)'), one), 'got "<b4"'],
  ['order missing', npy(dict('i4', '(1,)'), one), 'got "i4"'],
  ['native order', npy(dict('=i4', '(1,)'), one), 'got "=i4"'],
  ['no order for 4 bytes', npy(dict('|i4', '(1,)'), one), 'got "|i4"'],
  ['empty descr', npy(dict('', '(1,)'), one), 'got ""'],
  ['no data', npy(dict('<i4', '(1,)')), 'truncated: shape [1] needs 4 bytes of data, got 0'],
  [
    'data cut by one',
    npy(dict('<i4', '(2,)'), [1, 0, 0, 0, 2, 0, 0]),
    'truncated: shape [2] needs 8 bytes of data, got 7',
  ],
  ['a petabyte declared', npy(dict('<f4', '(281474976710656,)'), one), 'needs 1125899906842624 bytes of data, got 4'],
  ['one byte too many', npy(dict('<i4', '(1,)'), [1, 0, 0, 0, 9]), '1 bytes follow the 4 bytes of data'],
  ['data for an empty array', npy(dict('<i4', '(0,)'), one), '4 bytes follow the 0 bytes of data'],
  ['bool of 2', npy(dict('|b1', '(3,)'), [0, 1, 2]), 'element 2 (in file order) must be 0 or 1, got 2'],
  [
    'int64 over int32',
    npy(dict('<i8', '(2,)'), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 0]),
    'element 1 (in file order) must be in the range of int32, got 2147483648',
  ],
  [
    'int64 under int32',
    npy(dict('>i8', '(1,)'), [255, 255, 255, 255, 127, 255, 255, 255]),
    'element 0 (in file order) must be in the range of int32, got -2147483649',
  ],
  [
    'uint32 over int32',
    npy(dict('<u4', '(1,)'), [255, 255, 255, 255]),
    'must be in the range of int32, got 4294967295',
  ],
  [
    'uint64 maximum',
    npy(dict('<u8', '(1,)'), new Array(8).fill(255)),
    'must be in the range of int32, got 18446744073709551615',
  ],
];

describe('malformed npy', () => {
  refusesEach('parseNpy', parseNpy, malformed);

  it('parses or refuses randomly damaged files, and nothing else', () => {
    const valid = [
      encodeNpy({ dtype: 'float32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }),
      npy(dict('>i8', '(2, 2)', 'True'), new Array<number>(32).fill(0), { version: [2, 0] }),
      npy(dict('|b1', '(4,)'), [1, 0, 1, 1]),
    ];
    survivesDamage((file) => parseNpy(file, 'damaged'), valid, 3000);
  });
});
