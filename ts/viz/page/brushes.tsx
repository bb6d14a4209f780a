/** What can be put into cells: buttons for whoever has no keyboard, and the brush that the mouse draws with. */
import { NumberField } from './number_field';
import type { GridSize, TaskView } from './views/view';

interface BrushesProps {
  readonly view: TaskView;
  readonly puzzle: readonly number[];
  /** The brush of a task that is painted; null for one that is typed. */
  readonly brush: number | null;
  readonly onBrush: (token: number) => void;
  /** Puts a token into the cell that was last in use. */
  readonly onType: (token: number) => void;
  readonly onSize: (size: GridSize) => void;
}

export function Brushes({ view, puzzle, brush, onBrush, onType, onSize }: BrushesProps) {
  return (
    <div class="brushes">
      {view.editing === 'type' ? (
        <div role="group" aria-label="Put into the chosen cell" class="keys">
          {view.brushes.map(({ token, glyph, name }) => (
            <button type="button" key={token} class="key" aria-label={name} onClick={() => onType(token)}>
              {glyph}
            </button>
          ))}
          <button type="button" class="key wide" onClick={() => onType(view.blank)}>
            Erase
          </button>
        </div>
      ) : (
        <fieldset class="keys">
          <legend>Draw with</legend>
          {view.brushes.map(({ token, glyph, name }) => (
            <label key={token} class="brush">
              <input type="radio" name="brush" checked={brush === token} onChange={() => onBrush(token)} />
              <span class={`swatch cell ${view.look(token)}`} aria-hidden="true">
                {view.glyph(token) || glyph}
              </span>
              {name}
            </label>
          ))}
        </fieldset>
      )}
      {view.size && <SizeFields view={view} size={view.size.of(puzzle)} onSize={onSize} />}
    </div>
  );
}

interface SizeProps extends Pick<BrushesProps, 'view' | 'onSize'> {
  readonly size: GridSize;
}

function SizeFields({ view, size, onSize }: SizeProps) {
  const field = (name: keyof GridSize, label: string) => (
    <NumberField
      {...{ label, min: 1, max: view.canvas[name], value: size[name] }}
      onValue={(given) => onSize({ ...size, [name]: given })}
    />
  );
  return (
    <div class="controls">
      {field('rows', 'Rows')}
      {field('cols', 'Columns')}
    </div>
  );
}
