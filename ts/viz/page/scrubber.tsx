/** Back and forth over the segments. */
import type { SolutionControls } from './solution';

export function Scrubber({ solution, position, isPlaying, goTo, play }: SolutionControls) {
  const n = solution?.segments.length ?? 0;
  const isOff = n === 0;
  const words = position === 0 ? 'The puzzle' : `Segment ${position} of ${n}`;
  return (
    <div class="scrubber" role="group" aria-label="Segments">
      <div class="controls">
        <button type="button" disabled={isOff || position === 0} onClick={() => goTo(position - 1)}>
          <span aria-hidden="true">‹</span> Back
        </button>
        <button type="button" class="play" disabled={isOff} onClick={() => play(!isPlaying)}>
          {isPlaying ? 'Pause' : 'Play'}
        </button>
        <button type="button" disabled={isOff || position === n} onClick={() => goTo(position + 1)}>
          Forward <span aria-hidden="true">›</span>
        </button>
        <output class="where" for="segment">
          {isOff ? 'Not solved yet' : words}
        </output>
      </div>
      <input
        id="segment"
        type="range"
        min={0}
        max={Math.max(1, n)}
        step={1}
        value={position}
        disabled={isOff}
        aria-label="Segment"
        aria-valuetext={words}
        onInput={(event) => goTo(Number(event.currentTarget.value))}
      />
      <div class="ticks" aria-hidden="true">
        {Array.from({ length: n + 1 }, (_, at) => (
          <span key={at} class={at === position ? 'here' : ''}>
            {at === 0 ? 'puzzle' : at}
          </span>
        ))}
      </div>
    </div>
  );
}
