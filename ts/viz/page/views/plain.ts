/** Tokens of a task that the viewer does not know: their numbers, in rows as square as possible. */
import { inRows, type TaskView, withCell } from './view';

const SMALL_VOCAB = 10;

export function plainView(seqLen: number, vocabSize: number): TaskView {
  const cols = Math.ceil(Math.sqrt(seqLen));
  const canvas = { rows: Math.ceil(seqLen / cols), cols };
  return {
    title: `${seqLen} tokens`,
    canvas,
    editing: 'type',
    brushes: Array.from({ length: Math.min(vocabSize, SMALL_VOCAB) }, (_, token) => {
      const glyph = String(token);
      return { token, key: glyph, glyph, name: `token ${glyph}` };
    }),
    blank: 0,
    empty: () => new Array<number>(seqLen).fill(0),
    isOpen: () => true,
    glyph: String,
    say: (token) => `token ${token}`,
    look: () => '',
    place: () => '',
    paint: withCell,
    visible: () => canvas,
    parse: (text) => {
      const tokens = text.split(/[\s,]+/).flatMap((part) => (part === '' ? [] : [Number(part)]));
      const isToken = (token: number): boolean => Number.isInteger(token) && token >= 0 && token < vocabSize;
      if (tokens.length !== seqLen || !tokens.every(isToken)) {
        throw new Error(`The text must be ${seqLen} numbers from 0 to ${vocabSize - 1}.`);
      }
      return tokens;
    },
    format: (tokens) => inRows(tokens, canvas, (token) => `${token} `),
    textHelp: `${seqLen} numbers from 0 to ${vocabSize - 1}`,
  };
}
