/** ARC grids of 1x1 to the whole canvas: colours + 2, 1 just past the last row and column, 0 beyond (HRM section 6). */
import { type GridSize, type TaskView, withCell } from './view';

const [PAD, END, FIRST_COLOUR] = [0, 1, 2];
const NAMES = ['black', 'blue', 'red', 'green', 'yellow', 'grey', 'magenta', 'orange', 'azure', 'maroon'];
const START_SIZE = { rows: 3, cols: 3 };

export function arcView(side: number): TaskView {
  const isColour = (token: number): boolean => token >= FIRST_COLOUR && token < FIRST_COLOUR + NAMES.length;
  const sizeOf = (tokens: readonly number[]): GridSize => gridSize(tokens, side);
  return {
    title: 'ARC grid',
    canvas: { rows: side, cols: side },
    editing: 'paint',
    brushes: NAMES.map((name, i) => ({ token: i + FIRST_COLOUR, key: String(i), glyph: String(i), name })),
    blank: FIRST_COLOUR,
    empty: () => encode(START_SIZE, side, () => FIRST_COLOUR),
    isOpen: () => true,
    // The colour's number is on every cell: nothing is said by colour alone.
    glyph: (token) => (isColour(token) ? String(token - FIRST_COLOUR) : token === END ? '·' : ''),
    say: (token) =>
      isColour(token)
        ? `${token - FIRST_COLOUR} ${NAMES[token - FIRST_COLOUR]}`
        : token === END
          ? 'end of the grid'
          : 'outside the grid',
    look: (token) => (isColour(token) ? `arc-${token - FIRST_COLOUR}` : 'arc-none'),
    place: () => '',
    paint: (tokens, cell, token) => (isColour(tokens[cell]!) ? withCell(tokens, cell, token) : [...tokens]),
    visible: (answers) => {
      const used = answers.flatMap((tokens) => tokens.flatMap((token, cell) => (token === PAD ? [] : [cell])));
      const last = (of: (cell: number) => number): number => used.reduce((most, cell) => Math.max(most, of(cell)), 0);
      return { rows: last((cell) => Math.floor(cell / side)) + 1, cols: last((cell) => cell % side) + 1 };
    },
    parse: (text) => parseArc(text, side),
    format: (tokens) => {
      const { rows, cols } = sizeOf(tokens);
      const line = (row: number): string =>
        tokens
          .slice(row * side, row * side + cols)
          .map((token) => token - FIRST_COLOUR)
          .join('');
      return Array.from({ length: rows }, (_, row) => line(row)).join('\n');
    },
    textHelp: `up to ${side} lines of digits 0 to 9, one a cell; a list of lists as in the task files works too`,
    size: {
      of: sizeOf,
      change: (tokens, size) =>
        encode(size, side, (row, col) => {
          const old = tokens[row * side + col]!;
          return isColour(old) ? old : FIRST_COLOUR;
        }),
    },
  };
}

/** The largest top left rectangle made of colours only; at least one cell, so that it can be drawn on. */
function gridSize(tokens: readonly number[], side: number): GridSize {
  let best = { rows: 1, cols: 1 };
  let width = side;
  for (let row = 0; row < side && width > 0; row++) {
    let run = 0;
    while (run < width && tokens[row * side + run]! >= FIRST_COLOUR) run++;
    width = run;
    if ((row + 1) * width > best.rows * best.cols) best = { rows: row + 1, cols: width };
  }
  return best;
}

function encode({ rows, cols }: GridSize, side: number, colour: (row: number, col: number) => number): number[] {
  return Array.from({ length: side * side }, (_, cell) => {
    const [row, col] = [Math.floor(cell / side), cell % side];
    if (row < rows && col < cols) return colour(row, col);
    // Along the grid only, without the corner.
    return (row === rows && col < cols) || (col === cols && row < rows) ? END : PAD;
  });
}

function parseArc(text: string, side: number): number[] {
  const lines = text
    .replace(/\]\s*,\s*\[/g, '\n')
    .split(/\r?\n/)
    .map((line) => line.replace(/[\s,[\]]/g, ''))
    .filter((line) => line !== '');
  const cols = lines[0]?.length ?? 0;
  if (lines.length === 0 || lines.length > side || cols > side)
    throw new Error(`A grid has 1x1 to ${side}x${side} cells.`);
  for (const [row, line] of lines.entries()) {
    if (!/^[0-9]+$/.test(line)) throw new Error(`Line ${row + 1} must be digits from 0 to 9.`);
    if (line.length !== cols) throw new Error(`Line ${row + 1} has ${line.length} cells, the first has ${cols}.`);
  }
  return encode({ rows: lines.length, cols }, side, (row, col) => Number(lines[row]![col]) + FIRST_COLOUR);
}
