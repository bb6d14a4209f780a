/** A solution as it comes in, and where in it the person looks. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Problem, SegmentEvent, SolveEvent, SolveRequest } from '../protocol';
import { solve, words } from './api';

export interface Solution {
  readonly puzzle: readonly number[];
  /** Segments asked for. */
  readonly wanted: number;
  readonly segments: readonly SegmentEvent[];
  /** Rules that the puzzle itself breaks. */
  readonly problems: readonly Problem[];
  readonly state: 'waiting' | 'running' | 'done' | 'failed';
  /** Requests before this one. */
  readonly ahead: number;
  readonly seconds: number | null;
  readonly error: string | null;
}

export interface SolutionControls {
  readonly solution: Solution | null;
  /** Segment that is shown, from 1; 0 is the puzzle. */
  readonly position: number;
  readonly isPlaying: boolean;
  readonly start: (request: SolveRequest) => void;
  readonly drop: () => void;
  readonly goTo: (position: number) => void;
  readonly play: (on: boolean) => void;
}

const MS_A_SEGMENT = 900;

function after(solution: Solution, event: SolveEvent): Solution {
  switch (event.type) {
    case 'waiting':
      return { ...solution, ahead: event.ahead };
    case 'start':
      return { ...solution, state: 'running', problems: event.problems };
    case 'segment':
      return { ...solution, segments: [...solution.segments, event] };
    case 'end':
      return { ...solution, state: 'done', seconds: event.seconds };
    case 'failed':
      return { ...solution, state: 'failed', error: event.error.message };
  }
}

export function useSolution(): SolutionControls {
  const [solution, setSolution] = useState<Solution | null>(null);
  const [position, setPosition] = useState(0);
  const [isPlaying, setPlaying] = useState(false);
  const request = useRef<AbortController | null>(null);
  const nSegments = solution?.segments.length ?? 0;

  useEffect(() => {
    if (!isPlaying) return;
    const timer = setInterval(() => setPosition((at) => Math.min(at + 1, nSegments)), MS_A_SEGMENT);
    return () => clearInterval(timer);
  }, [isPlaying, nSegments]);
  useEffect(() => {
    if (isPlaying && position >= nSegments && solution?.state !== 'running') setPlaying(false);
  }, [isPlaying, position, nSegments, solution?.state]);
  useEffect(() => () => request.current?.abort(), []);

  const drop = (): void => {
    request.current?.abort();
    setSolution(null);
    setPosition(0);
    setPlaying(false);
  };
  const start = (asked: SolveRequest): void => {
    drop();
    const controller = new AbortController();
    request.current = controller;
    let current: Solution = {
      ...{ puzzle: asked.tokens, wanted: asked.segments, segments: [], problems: [] },
      ...{ state: 'waiting', ahead: 0, seconds: null, error: null },
    };
    const show = (next: Solution): void => {
      if (request.current !== controller || controller.signal.aborted) return;
      // Whoever looks at the newest segment sees the next one come.
      setPosition((at) => (at === current.segments.length ? next.segments.length : at));
      current = next;
      setSolution(next);
    };
    show(current);
    solve(asked, (event) => show(after(current, event)), controller.signal).then(
      () => {
        if (current.state !== 'running' && current.state !== 'waiting') return;
        show({ ...current, state: 'failed', error: 'The server ended the answer too early.' });
      },
      (error: unknown) => show({ ...current, state: 'failed', error: words(error) }),
    );
  };
  const goTo = (to: number): void => {
    setPlaying(false);
    setPosition(Math.max(0, Math.min(to, nSegments)));
  };
  const play = (on: boolean): void => {
    if (on && position >= nSegments) setPosition(0);
    setPlaying(on);
  };
  return { solution, position, isPlaying, start, drop, goTo, play };
}

/** Mean confidence over the cells that the puzzle leaves open, null where there are none. */
export function meanConfidence(
  puzzle: readonly number[],
  segment: SegmentEvent,
  isOpen: (token: number) => boolean,
): number | null {
  const open = segment.confidence.filter((_, cell) => isOpen(puzzle[cell]!));
  return open.length === 0 ? null : open.reduce((total, value) => total + value, 0) / open.length;
}

export const percent = (share: number, digits = 1): string => `${(share * 100).toFixed(digits)}%`;
export const plural = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;
