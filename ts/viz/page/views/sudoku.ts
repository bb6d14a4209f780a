/** Sudokus of any box shape: tokens are digits + 1, 1 is a blank. */
import { inRows, type TaskView, withCell } from './view';

const DIGITS = '.123456789ABCDEFGHIJKLMNOPQRSTUV';
const BLANK = 1;

export function sudokuView(boxRows: number, boxCols: number): TaskView {
  const size = boxRows * boxCols;
  const canvas = { rows: size, cols: size };
  const isDigit = (token: number): boolean => token > BLANK && token <= size + 1;
  const digit = (token: number): string => (isDigit(token) ? DIGITS[token - 1]! : '');
  return {
    title: `${size}x${size} Sudoku`,
    canvas,
    editing: 'type',
    brushes: Array.from({ length: size }, (_, i) => {
      const glyph = DIGITS[i + 1]!;
      return { token: i + 2, key: glyph.toLowerCase(), glyph, name: `digit ${glyph}` };
    }),
    blank: BLANK,
    empty: () => new Array<number>(size * size).fill(BLANK),
    isOpen: (token) => token === BLANK,
    // Anything but a digit or a blank is a mistake of the model.
    glyph: (token) => (token === BLANK ? '' : digit(token) || '?'),
    say: (token) => (token === BLANK ? 'blank' : digit(token) || 'no digit'),
    look: () => '',
    place: (cell) => {
      const [row, col] = [Math.floor(cell / size), cell % size];
      const edges = [row > 0 && row % boxRows === 0 ? 'box-top' : '', col > 0 && col % boxCols === 0 ? 'box-left' : ''];
      return edges.filter((edge) => edge !== '').join(' ');
    },
    paint: (tokens, cell, token) => withCell(tokens, cell, tokens[cell] === token ? BLANK : token),
    visible: () => canvas,
    parse: (text) => parseDigits(text, size),
    format: (tokens) => inRows(tokens, canvas, (token) => digit(token) || '.'),
    textHelp: `${size * size} cells row by row: digits${size > 9 ? ', letters from A for 10' : ''}, . or 0 for a blank; spaces and lines are skipped`,
  };
}

function parseDigits(text: string, size: number): number[] {
  const tokens: number[] = [];
  for (const character of text.toUpperCase()) {
    // White space and box drawing, as in the command line.
    if (/[\s|+=\-\u2500-\u257f]/.test(character)) continue;
    const value = character === '0' ? 0 : DIGITS.indexOf(character);
    if (value < 0 || value > size) throw new Error(`"${character}" is no digit of a ${size}x${size} Sudoku.`);
    tokens.push(value + 1);
  }
  if (tokens.length !== size * size) {
    throw new Error(`A ${size}x${size} Sudoku has ${size * size} cells; the text has ${tokens.length}.`);
  }
  return tokens;
}
