/** How a task is shown and drawn: everything that the board does not know by itself. */

/** Something a person can put into a cell. */
export interface Brush {
  readonly token: number;
  /** The key that puts it there. */
  readonly key: string;
  readonly glyph: string;
  readonly name: string;
}

export interface GridSize {
  readonly rows: number;
  readonly cols: number;
}

/** One task's tokens on a board. Cells are row-major indices of the whole canvas. */
export interface TaskView {
  /** `9x9 Sudoku` */
  readonly title: string;
  readonly canvas: GridSize;
  /** `type`: a key fills the cell that has the focus; `paint`: also by dragging a brush. */
  readonly editing: 'type' | 'paint';
  readonly brushes: readonly Brush[];
  /** What Backspace puts into a cell. */
  readonly blank: number;
  readonly empty: () => number[];
  /** Whether a cell of the puzzle is for the model to fill: the mean confidence is over these. */
  readonly isOpen: (token: number) => boolean;
  readonly glyph: (token: number) => string;
  /** A token in words. */
  readonly say: (token: number) => string;
  /** Classes of a token's cell. */
  readonly look: (token: number) => string;
  /** Classes of a cell's place: where boxes begin. */
  readonly place: (cell: number) => string;
  /** The puzzle with a brush applied to one cell, under the rules of drawing. */
  readonly paint: (tokens: readonly number[], cell: number, token: number) => number[];
  /** The part of the canvas that some answers need, from the top left. */
  readonly visible: (answers: readonly (readonly number[])[]) => GridSize;
  /** @throws Error with words for a person */
  readonly parse: (text: string) => number[];
  readonly format: (tokens: readonly number[]) => string;
  /** How a puzzle is written as text. */
  readonly textHelp: string;
  /** Grids of a size of their own inside the canvas. */
  readonly size?: {
    readonly of: (tokens: readonly number[]) => GridSize;
    readonly change: (tokens: readonly number[], size: GridSize) => number[];
  };
}

/** A copy with one cell changed. */
export function withCell(tokens: readonly number[], cell: number, token: number): number[] {
  const changed = [...tokens];
  changed[cell] = token;
  return changed;
}

/** Lines of text, row by row. */
export function inRows(tokens: readonly number[], { rows, cols }: GridSize, write: (token: number) => string): string {
  return Array.from({ length: rows }, (_, row) =>
    tokens
      .slice(row * cols, (row + 1) * cols)
      .map(write)
      .join(''),
  ).join('\n');
}
