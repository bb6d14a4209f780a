/** Where the puzzle comes from: the data set, by number or by chance, or a text. */
import { useState } from 'preact/hooks';
import { NumberField } from './number_field';
import type { TaskView } from './views/view';

interface PuzzleBarProps {
  readonly view: TaskView;
  /** Puzzle of the data set that is shown, from 0; null: one made by hand. */
  readonly index: number | null;
  /** Puzzles there are; null: not known yet. */
  readonly count: number | null;
  readonly isBusy: boolean;
  readonly text: string;
  readonly onIndex: (index: number) => void;
  readonly onTokens: (tokens: number[]) => void;
}

export function PuzzleBar({ view, index, count, isBusy, text, onIndex, onTokens }: PuzzleBarProps) {
  const [draft, setDraft] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [isOpen, setOpen] = useState(false);
  const use = (): void => {
    try {
      onTokens(view.parse(draft ?? text));
      setError(null);
      setDraft(null);
    } catch (problem) {
      setError(problem instanceof Error ? problem.message : String(problem));
    }
  };
  const has = count !== null && count > 0;
  const go = (to: number): void => {
    if (has) onIndex(((to % count) + count) % count);
  };
  return (
    <div class="puzzle-bar">
      <div class="controls" role="group" aria-label="Puzzles of the test split">
        <NumberField
          label="Test puzzle"
          min={1}
          max={count ?? 1}
          value={index === null ? null : index + 1}
          placeholder="own"
          disabled={!has}
          onValue={(given) => go(given - 1)}
        />
        <span class="muted">{has ? `of ${count.toLocaleString('en')}` : isBusy ? 'opening the data …' : ''}</span>
        <button type="button" disabled={!has} onClick={() => go((index ?? 0) - 1)}>
          Previous
        </button>
        <button type="button" disabled={!has} onClick={() => go((index ?? -1) + 1)}>
          Next
        </button>
        <button type="button" disabled={!has} onClick={() => go(Math.floor(Math.random() * (count ?? 1)))}>
          Random
        </button>
        <button type="button" onClick={() => onTokens(view.empty())}>
          Clear
        </button>
        <button type="button" aria-expanded={isOpen} aria-controls="as-text" onClick={() => setOpen(!isOpen)}>
          As text
        </button>
      </div>
      <div id="as-text" class="as-text" hidden={!isOpen}>
        <label for="puzzle-text">The puzzle as text</label>
        <p id="text-help" class="muted">
          {view.textHelp}
        </p>
        <textarea
          id="puzzle-text"
          aria-describedby="text-help"
          aria-invalid={error !== null}
          rows={Math.min(12, view.canvas.rows)}
          spellcheck={false}
          autocomplete="off"
          value={draft ?? text}
          onInput={(event) => setDraft(event.currentTarget.value)}
        />
        {error !== null && (
          <p role="alert" class="error">
            {error}
          </p>
        )}
        <button type="button" onClick={use}>
          Use this text
        </button>
      </div>
    </div>
  );
}
