/** A number that is taken over when it is complete: Enter, leaving the field, or its arrows. */
import { useState } from 'preact/hooks';

interface NumberFieldProps {
  readonly label: string;
  readonly min: number;
  readonly max: number;
  /** Null: the field is empty. */
  readonly value: number | null;
  readonly placeholder?: string;
  readonly disabled?: boolean;
  /** Gets an integer in [min, max]. */
  readonly onValue: (value: number) => void;
}

export function NumberField({ label, min, max, value, placeholder, disabled = false, onValue }: NumberFieldProps) {
  // What is being typed is kept apart from the value: the page is drawn anew every second while a run trains.
  const [draft, setDraft] = useState<string | null>(null);
  const commit = (): void => {
    setDraft(null);
    const given = Math.round(Number(draft));
    if (draft !== null && draft.trim() !== '' && Number.isFinite(given)) onValue(Math.max(min, Math.min(max, given)));
  };
  return (
    <label>
      {label}{' '}
      <input
        type="number"
        inputMode="numeric"
        {...{ min, max, placeholder, disabled }}
        value={draft ?? value ?? ''}
        onInput={(event) => setDraft(event.currentTarget.value)}
        onChange={commit}
        onKeyDown={(event) => event.key === 'Enter' && commit()}
      />
    </label>
  );
}
