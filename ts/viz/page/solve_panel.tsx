/** The model at work on one puzzle. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { ModelInfo, Problem, PuzzleReply } from '../protocol';
import { Announcer } from './announce';
import { getPuzzle, words } from './api';
import { Board, cellText, type BoardProps } from './board';
import { Brushes } from './brushes';
import { NumberField } from './number_field';
import { PuzzleBar } from './puzzle_bar';
import { Scrubber } from './scrubber';
import { SegmentsTable } from './segments_table';
import { meanConfidence, percent, plural, type Solution, useSolution } from './solution';
import { viewOf } from './views';
import type { TaskView } from './views/view';

/** A puzzle on the board. */
interface Shown {
  readonly tokens: readonly number[];
  readonly puzzleIdentifier: number;
  readonly name: string | null;
  /** Null: made by hand, or changed. */
  readonly source: PuzzleReply | null;
}

/** More columns leave no room for numbers. */
const MAX_NUMBERED = 12;
const MAX_SEGMENTS = 1024;
const MAX_LISTED = 5;
const IGNORED = -100;

function differences(tokens: readonly number[], labels: readonly number[]): number {
  return labels.filter((label, cell) => label !== IGNORED && label !== tokens[cell]).length;
}

/** What there is to say about the segment that is shown. */
function summary(
  view: TaskView,
  solution: Solution | null,
  position: number,
  labels: readonly number[] | null,
): string {
  if (solution === null) return '';
  if (solution.state === 'waiting') {
    return solution.ahead > 0 ? `Waiting for ${plural(solution.ahead, 'other request')} …` : 'Waiting for the model …';
  }
  const segment = solution.segments[position - 1];
  if (segment === undefined) return `The puzzle, before ${plural(solution.wanted, 'segment')}.`;
  const mean = meanConfidence(solution.puzzle, segment, view.isOpen);
  const parts = [
    `Segment ${position} of ${solution.wanted}: ${plural(segment.changed.length, 'cell')} changed`,
    ...(mean === null ? [] : [`confidence ${percent(mean)}`]),
    segment.halts ? 'the model would stop here' : 'the model goes on',
    segment.problems.length === 0 ? 'no rule is broken' : `${plural(segment.problems.length, 'rule')} broken`,
  ];
  if (labels !== null) {
    const n = differences(segment.tokens, labels);
    parts.push(n === 0 ? 'equal to the solution' : `${plural(n, 'cell')} unlike the solution`);
  }
  return `${parts.join(', ')}.`;
}

function Problems({ problems, what }: { readonly problems: readonly Problem[]; readonly what: string }) {
  if (problems.length === 0) return null;
  const rest = problems.length - MAX_LISTED;
  return (
    <div class="problems">
      <h3>
        <span aria-hidden="true">! </span>
        {what}
      </h3>
      <ul>
        {problems.slice(0, MAX_LISTED).map(({ text }) => (
          <li key={text}>{text}</li>
        ))}
        {rest > 0 && <li>and {rest} more</li>}
      </ul>
    </div>
  );
}

function Legend({ view, hasSolution }: { readonly view: TaskView; readonly hasSolution: boolean }) {
  return (
    <ul class="legend" aria-label="What the marks mean">
      {view.editing === 'type' && (
        <li>
          <span class="cell given swatch" aria-hidden="true">
            7
          </span>
          given
        </li>
      )}
      <li>
        <span class="doubts" aria-hidden="true" />
        sure to unsure
      </li>
      <li>
        <span class="cell changed swatch" aria-hidden="true" />
        changed by this segment
      </li>
      <li>
        <span class="cell bad swatch" aria-hidden="true" />
        breaks a rule
      </li>
      {hasSolution && (
        <li>
          <span class="cell wrong swatch" aria-hidden="true">
            <span class="glyph">7</span>
          </span>
          unlike the solution
        </li>
      )}
    </ul>
  );
}

export function SolvePanel({ model }: { readonly model: ModelInfo }) {
  const view = useMemo(() => viewOf(model.task), [JSON.stringify(model.task)]);
  const controls = useSolution();
  const { solution, position, start, drop, goTo } = controls;
  const [shown, setShown] = useState<Shown>(() => ownPuzzle(view.empty(), 0));
  const [count, setCount] = useState<number | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const [cell, setCell] = useState(0);
  const [brush, setBrush] = useState(view.editing === 'paint' ? view.brushes[0]!.token : null);
  const [segments, setSegments] = useState(model.haltMaxSteps);
  const [showNumbers, setNumbers] = useState(false);
  const [compares, setCompares] = useState(false);
  const lastAsked = useRef(0);

  const replace = (next: Shown): void => {
    drop();
    setShown(next);
    setError(null);
  };
  const load = async (index: number): Promise<void> => {
    const asked = ++lastAsked.current;
    setBusy(true);
    try {
      const puzzle = await getPuzzle(index);
      if (asked !== lastAsked.current) return;
      setCount(puzzle.count);
      const { tokens, puzzleIdentifier, name } = puzzle;
      replace({ tokens, puzzleIdentifier, name, source: puzzle });
    } catch (problem) {
      if (asked === lastAsked.current) setError(`The puzzles of the data set cannot be shown: ${words(problem)}`);
    } finally {
      if (asked === lastAsked.current) setBusy(false);
    }
  };
  useEffect(() => void load(0), []);
  // A newer checkpoint has other answers.
  useEffect(drop, [model.checkpoint]);

  const edit = (tokens: number[]): void => replace(ownPuzzle(tokens, shown.puzzleIdentifier, shown.name));
  const run = (): void => start({ tokens: shown.tokens, puzzleIdentifier: shown.puzzleIdentifier, segments });
  const isRunning = solution?.state === 'running' || solution?.state === 'waiting';
  const segment = solution?.segments[position - 1];
  const labels = shown.source?.labels ?? null;
  const text = summary(view, solution, position, labels);
  const size = view.visible([shown.tokens, ...(solution?.segments ?? []).map(({ tokens }) => tokens)]);
  const canNumber = size.cols <= MAX_NUMBERED;
  const problems = segment?.problems ?? (position === 0 ? (solution?.problems ?? []) : []);
  const boardProps: BoardProps = {
    ...{ view, puzzle: shown.tokens, segment, problems, size, cell, brush },
    before: solution?.segments[position - 2]?.tokens ?? shown.tokens,
    labels: compares ? labels : null,
    showNumbers: showNumbers && canNumber,
    onCell: setCell,
    onPaint: (at, token) => edit(view.paint(shown.tokens, at, token)),
    onScrub: (by) => goTo(position + by),
  };
  const said = isBusy
    ? 'Opening the data set …'
    : text || (shown.source ? `Test puzzle ${shown.source.index + 1}.` : '');

  return (
    <section class="panel solve" aria-labelledby="solve-title">
      <h2 id="solve-title">{view.title}, segment by segment</h2>
      <PuzzleBar
        view={view}
        index={shown.source?.index ?? null}
        count={count}
        isBusy={isBusy}
        text={view.format(shown.tokens)}
        onIndex={(index) => void load(index)}
        onTokens={edit}
      />
      {error !== null && (
        <p role="alert" class="error">
          {error}
        </p>
      )}
      <div class="work">
        <div class="board-column">
          {shown.name !== null && <p class="muted name">{shown.name}</p>}
          <Board {...boardProps} />
          <p class="inspector">{cellText(boardProps, Math.min(cell, shown.tokens.length - 1))}</p>
          {segment === undefined ? (
            <Brushes
              view={view}
              puzzle={shown.tokens}
              brush={brush}
              onBrush={setBrush}
              onType={(token) => edit(view.paint(shown.tokens, cell, token))}
              onSize={(wanted) => edit(view.size!.change(shown.tokens, wanted))}
            />
          ) : (
            <Legend view={view} hasSolution={compares && labels !== null} />
          )}
        </div>
        <div class="answer-column">
          <div class="controls">
            <button type="button" class="primary" onClick={isRunning ? drop : run}>
              {isRunning ? 'Stop' : 'Solve'}
            </button>
            <NumberField label="Segments" min={1} max={MAX_SEGMENTS} value={segments} onValue={setSegments} />
            <label class={canNumber ? '' : 'off'}>
              <input
                type="checkbox"
                checked={showNumbers}
                disabled={!canNumber}
                onChange={(event) => setNumbers(event.currentTarget.checked)}
              />{' '}
              Confidence in %
            </label>
            <label class={labels === null ? 'off' : ''}>
              <input
                type="checkbox"
                checked={compares}
                disabled={labels === null}
                onChange={(event) => setCompares(event.currentTarget.checked)}
              />{' '}
              Compare with the solution
            </label>
          </div>
          <Scrubber {...controls} />
          <p class="summary">{text || 'Choose or draw a puzzle, then let the model solve it.'}</p>
          <Announcer text={said} />
          {solution?.error && (
            <p role="alert" class="error">
              {solution.error}
            </p>
          )}
          {solution !== null && solution.segments.length > 0 && (
            <SegmentsTable view={view} solution={solution} position={position} onGo={goTo} />
          )}
          <Problems
            problems={problems}
            what={segment === undefined ? 'The puzzle breaks rules' : 'The answer breaks rules'}
          />
          {solution?.state === 'done' && (
            <p class="muted">
              {plural(solution.segments.length, 'segment')} in {solution.seconds?.toFixed(2)} s
            </p>
          )}
        </div>
      </div>
    </section>
  );
}

function ownPuzzle(tokens: readonly number[], puzzleIdentifier: number, name: string | null = null): Shown {
  return { tokens, puzzleIdentifier, name, source: null };
}
