/** One line a segment: what changed, how sure the model is, and what its Q head says. */
import type { Solution } from './solution';
import { meanConfidence, percent } from './solution';
import type { TaskView } from './views/view';

interface SegmentsTableProps {
  readonly view: TaskView;
  readonly solution: Solution;
  readonly position: number;
  readonly onGo: (position: number) => void;
}

const number = (value: number | null): string => (value === null ? '–' : value.toFixed(2).replace('-', '−'));
/** From the middle, zero, to the right where positive, to the left where negative. */
function QBar({ value, most, name }: { readonly value: number; readonly most: number; readonly name: string }) {
  const half = (50 * value) / most;
  return (
    <td>
      {number(value)}
      <svg class={`bar ${name}`} viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
        <rect class="bar-back" width="100" height="6" />
        <rect class="bar-value" x={50 + Math.min(0, half)} width={Math.abs(half)} height="6" />
        <rect class="bar-zero" x="49" width="2" height="6" />
      </svg>
    </td>
  );
}

export function SegmentsTable({ view, solution, position, onGo }: SegmentsTableProps) {
  const first = solution.segments.findIndex(({ halts }) => halts) + 1;
  const most = Math.max(
    1,
    ...solution.segments.flatMap(({ qHalt, qContinue }) => [Math.abs(qHalt), Math.abs(qContinue)]),
  );
  return (
    <div class="scroll" role="region" aria-label="Segments of the solution" tabIndex={0}>
      <table class="segments">
        <caption>
          {first === 0
            ? 'The Q head never says that the answer is done.'
            : `The Q head first says that the answer is done after segment ${first}.`}
        </caption>
        <thead>
          <tr>
            <th scope="col">Seg&shy;ment</th>
            <th scope="col">Chan&shy;ged</th>
            <th scope="col">Confi&shy;dence</th>
            <th scope="col">Q halt</th>
            <th scope="col">Q con&shy;tinue</th>
            <th scope="col">Deci&shy;sion</th>
            <th scope="col">Rules broken</th>
          </tr>
        </thead>
        <tbody>
          {solution.segments.map((segment, i) => {
            const mean = meanConfidence(solution.puzzle, segment, view.isOpen);
            return (
              <tr key={i} aria-current={position === i + 1 ? 'step' : undefined}>
                <th scope="row">
                  <button type="button" class="link" onClick={() => onGo(i + 1)}>
                    {i + 1}
                    <span class="sr"> show this segment</span>
                  </button>
                </th>
                <td>{segment.changed.length}</td>
                <td>{mean === null ? '–' : percent(mean)}</td>
                <QBar value={segment.qHalt} most={most} name="halt" />
                <QBar value={segment.qContinue} most={most} name="continue" />
                <td>{segment.halts ? 'stop' : 'go on'}</td>
                <td>{segment.problems.length}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
