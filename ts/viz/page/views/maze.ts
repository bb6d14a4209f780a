/** Mazes: tokens are the characters `# SGo` + 1; the answer marks a shortest path by o. */
import { inRows, type TaskView, withCell } from './view';

const CHARACTERS = '# SGo';
const NAMES = ['wall', 'floor', 'start', 'goal', 'path'];
const [WALL, FLOOR, START, GOAL, PATH] = [1, 2, 3, 4, 5];

export function mazeView(rows: number, cols: number): TaskView {
  const canvas = { rows, cols };
  const character = (token: number): string => CHARACTERS[token - 1] ?? '?';
  return {
    title: `${rows}x${cols} maze`,
    canvas,
    editing: 'paint',
    brushes: [
      { token: WALL, key: '#', glyph: '#', name: 'wall' },
      { token: FLOOR, key: ' ', glyph: '␣', name: 'floor' },
      { token: START, key: 's', glyph: 'S', name: 'start' },
      { token: GOAL, key: 'g', glyph: 'G', name: 'goal' },
    ],
    blank: FLOOR,
    empty: () => {
      const tokens = new Array<number>(rows * cols).fill(FLOOR);
      tokens[0] = START;
      tokens[tokens.length - 1] = GOAL;
      return tokens;
    },
    isOpen: (token) => token === FLOOR,
    glyph: (token) => (token === WALL || token === FLOOR ? '' : token === PATH ? '•' : character(token)),
    say: (token) => NAMES[token - 1] ?? 'nothing of a maze',
    look: (token) => (NAMES[token - 1] === undefined ? 'maze-none' : `maze-${NAMES[token - 1]}`),
    place: () => '',
    paint: (tokens, cell, token) => {
      // There is one start and one goal: a new one takes the place of the old.
      const isEnd = token === START || token === GOAL;
      const others = isEnd ? tokens.map((value) => (value === token ? FLOOR : value)) : tokens;
      return withCell(others, cell, token);
    },
    visible: () => canvas,
    parse: (text) => parseMaze(text, rows, cols),
    format: (tokens) => inRows(tokens, canvas, character),
    textHelp: `${rows} lines of ${cols} characters: # wall, space or . floor, S start, G goal`,
  };
}

function parseMaze(text: string, rows: number, cols: number): number[] {
  const lines = text
    .replace(/\r/g, '')
    .replace(/^\n+|\n+$/g, '')
    .split('\n');
  if (lines.length !== rows) throw new Error(`The maze has ${rows} lines; the text has ${lines.length}.`);
  return lines.flatMap((line, row) => {
    // Editors cut floor at the end of a line.
    const padded = line.padEnd(cols);
    if (padded.length > cols) throw new Error(`Line ${row + 1} must have ${cols} characters, it has ${line.length}.`);
    return Array.from(padded, (given) => {
      const character = given === '.' || given === 'o' ? ' ' : given.toUpperCase();
      const at = CHARACTERS.indexOf(character);
      if (at < 0) throw new Error(`"${given}" in line ${row + 1} is nothing of a maze.`);
      return at + 1;
    });
  });
}
