/** The grid: one cell has the tab stop, arrow keys move it, digits and brushes fill cells while the puzzle is shown. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Problem, SegmentEvent } from '../protocol';
import { percent } from './solution';
import type { GridSize, TaskView } from './views/view';

export interface BoardProps {
  readonly view: TaskView;
  readonly puzzle: readonly number[];
  /** Undefined: the puzzle itself is shown, and can be changed. */
  readonly segment: SegmentEvent | undefined;
  /** Tokens before the segment. */
  readonly before: readonly number[];
  readonly problems: readonly Problem[];
  /** The solution to compare with. */
  readonly labels: readonly number[] | null;
  readonly showNumbers: boolean;
  readonly size: GridSize;
  readonly cell: number;
  readonly brush: number | null;
  readonly onCell: (cell: number) => void;
  readonly onPaint: (cell: number, token: number) => void;
  readonly onScrub: (by: number) => void;
}

const IGNORED = -100;
/** More columns make cells too small for frames. */
const DENSE_COLUMNS = 12;
/** Percent of the colour of doubt where the confidence is 0. */
const MAX_SHADE = 70;

/** Everything there is to say about one cell. */
export function cellText(props: BoardProps, cell: number): string {
  const { view, puzzle, segment, before, problems, labels } = props;
  const { cols } = view.canvas;
  const where = `row ${Math.floor(cell / cols) + 1}, column ${(cell % cols) + 1}`;
  const token = (segment?.tokens ?? puzzle)[cell]!;
  const parts = [`${where}: ${view.say(token)}`];
  if (!view.isOpen(puzzle[cell]!)) parts.push('given');
  if (segment !== undefined) parts.push(`confidence ${percent(segment.confidence[cell]!)}`);
  if (segment?.changed.includes(cell)) parts.push(`changed from ${view.say(before[cell]!)}`);
  const broken = problems.filter((problem) => problem.cells.includes(cell)).length;
  if (broken > 0) parts.push(broken === 1 ? 'breaks a rule' : `breaks ${broken} rules`);
  const label = labels?.[cell];
  if (segment !== undefined && label !== undefined && label !== IGNORED && label !== token) {
    parts.push(`the solution has ${view.say(label)}`);
  }
  return parts.join(', ');
}

/** The cell that a key goes to; null where it does not move. */
function moved(key: string, cell: number, { rows, cols }: GridSize, canvasCols: number): number | null {
  const [row, col] = [Math.floor(cell / canvasCols), cell % canvasCols];
  const to: Readonly<Record<string, readonly [number, number]>> = {
    ArrowUp: [row - 1, col],
    ArrowDown: [row + 1, col],
    ArrowLeft: [row, col - 1],
    ArrowRight: [row, col + 1],
    Home: [row, 0],
    End: [row, cols - 1],
  };
  const place = to[key];
  if (place === undefined) return null;
  const clamp = (n: number, end: number): number => Math.max(0, Math.min(n, end - 1));
  return clamp(place[0], rows) * canvasCols + clamp(place[1], cols);
}

export function Board(props: BoardProps) {
  const { view, puzzle, segment, problems, size, showNumbers, labels } = props;
  const grid = useRef<HTMLDivElement>(null);
  const wantsFocus = useRef(false);
  const { cols } = view.canvas;
  const tokens = segment?.tokens ?? puzzle;
  const isEditable = segment === undefined;
  const changed = new Set(segment?.changed);
  const bad = new Set(problems.flatMap((problem) => problem.cells));

  // Before the next paint: whoever types fast, or has a busy machine, must not be a cell behind.
  useLayoutEffect(() => {
    if (!wantsFocus.current) return;
    wantsFocus.current = false;
    grid.current?.querySelector<HTMLElement>(`[data-cell="${props.cell}"]`)?.focus();
  }, [props.cell]);

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const scrub = { PageUp: -1, PageDown: 1 }[event.key];
    const to = moved(event.key, props.cell, size, cols);
    const brush = view.brushes.find(({ key }) => key === event.key.toLowerCase());
    if (scrub !== undefined) props.onScrub(scrub);
    else if (to !== null) {
      wantsFocus.current = true;
      props.onCell(to);
    } else if (!isEditable) return;
    else if (event.key === 'Backspace' || event.key === 'Delete') props.onPaint(props.cell, view.blank);
    else if (brush !== undefined) props.onPaint(props.cell, brush.token);
    else if (event.key === 'Enter' && props.brush !== null) props.onPaint(props.cell, props.brush);
    else return;
    event.preventDefault();
  };

  const cellAt = (event: PointerEvent): number | null => {
    const at = document.elementFromPoint(event.clientX, event.clientY)?.closest<HTMLElement>('[data-cell]');
    return at === null || at === undefined ? null : Number(at.dataset.cell);
  };
  const isDrawing = useRef(false);
  const draw = (event: PointerEvent): void => {
    const cell = cellAt(event);
    if (cell === null || props.brush === null || tokens[cell] === props.brush) return;
    props.onPaint(cell, props.brush);
  };
  const paints = isEditable && view.editing === 'paint' && props.brush !== null;

  const look = (cell: number): string => {
    const token = tokens[cell]!;
    const label = labels?.[cell];
    const isWrong = segment !== undefined && label !== undefined && label !== IGNORED && label !== token;
    const flags: Readonly<Record<string, boolean>> = {
      given: !view.isOpen(puzzle[cell]!),
      answered: segment !== undefined && view.isOpen(puzzle[cell]!),
      changed: changed.has(cell),
      bad: bad.has(cell),
      wrong: isWrong,
    };
    const names = Object.keys(flags).filter((name) => flags[name]);
    return ['cell', view.look(token), view.place(cell), ...names].filter((name) => name !== '').join(' ');
  };

  return (
    <div
      ref={grid}
      role="grid"
      aria-label={`${view.title}, ${isEditable ? 'the puzzle' : 'the answer'}`}
      aria-rowcount={size.rows}
      aria-colcount={size.cols}
      class={`board ${view.editing}${paints ? ' drawing' : ''}${segment === undefined ? '' : ' shaded'}${size.cols > DENSE_COLUMNS ? ' dense' : ''}`}
      style={{ '--cols': size.cols, '--rows': size.rows }}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        const cell = cellAt(event);
        if (cell === null) return;
        wantsFocus.current = true;
        props.onCell(cell);
        if (!paints || event.button !== 0) return;
        isDrawing.current = true;
        draw(event);
      }}
      onPointerMove={(event) => {
        if (isDrawing.current && event.buttons === 1) draw(event);
      }}
      onPointerUp={() => (isDrawing.current = false)}
      onPointerCancel={() => (isDrawing.current = false)}
    >
      {Array.from({ length: size.rows }, (_, row) => (
        <div role="row" aria-rowindex={row + 1} class="row" key={row}>
          {Array.from({ length: size.cols }, (_, col) => {
            const cell = row * cols + col;
            if (cell >= tokens.length) return null;
            const confidence = segment?.confidence[cell];
            return (
              <div
                key={col}
                role="gridcell"
                aria-colindex={col + 1}
                aria-label={cellText(props, cell)}
                aria-readonly={!isEditable}
                aria-selected={cell === props.cell}
                data-cell={cell}
                tabIndex={cell === props.cell ? 0 : -1}
                class={look(cell)}
                style={confidence === undefined ? {} : { '--doubt-share': Math.round((1 - confidence) * MAX_SHADE) }}
                onFocus={() => cell !== props.cell && props.onCell(cell)}
              >
                <span class="glyph" aria-hidden="true">
                  {view.glyph(tokens[cell]!)}
                </span>
                {showNumbers && confidence !== undefined && (
                  // Drawn by the style sheet: it is part of the cell's name already.
                  <span class="number" data-percent={Math.round(confidence * 100)} />
                )}
              </div>
            );
          })}
        </div>
      ))}
    </div>
  );
}
