/** Measuring: interleaved rounds, and the row that a measurement becomes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ArgumentError } from '../ts/error';
import { median, spread } from './statistics';

/** What the issue of a subject asks of a row. */
export interface Bound {
  /** The ratio to the peer, or our own figure. */
  of: 'ratio' | 'ours';
  atLeast?: number;
  atMost?: number;
}

/** One line of the results. */
export interface Row {
  subject: string;
  case: string;
  unit: string;
  /** Whether a larger or a smaller figure is the better one. */
  better: 'higher' | 'lower';
  /** Median. */
  ours: number;
  /** Our best sample: what the machine gives when nobody else wants it. */
  best: number;
  /** Half the distance between the quartiles, relative to the median. */
  spread: number;
  /** Samples of each side. */
  n: number;
  peer: string | null;
  /** The peer's median, in the same unit. */
  peerFigure: number | null;
  peerBest: number | null;
  peerSpread: number | null;
  /** How many times better ours is: over 1 is in our favour, whatever the unit. */
  ratio: number | null;
  bound: Bound | null;
  met: boolean | null;
  /** Further figures by name, such as the share of the peak. */
  details: Record<string, number>;
}

/** Samples of a case, ours and the peer's in the order in which they took turns. */
export interface Measurement {
  subject: string;
  case: string;
  unit: string;
  better: 'higher' | 'lower';
  samples: readonly number[];
  peer?: { name: string; samples: readonly number[] } | undefined;
  bound?: Bound | undefined;
  details?: Record<string, number> | undefined;
}

export function isMet(bound: Bound, ours: number, ratio: number | null): boolean | null {
  const figure = bound.of === 'ours' ? ours : ratio;
  if (figure === null) return null;
  return figure >= (bound.atLeast ?? -Infinity) && figure <= (bound.atMost ?? Infinity);
}

export function timesBetter(better: 'higher' | 'lower', ours: number, theirs: number): number {
  return better === 'higher' ? ours / theirs : theirs / ours;
}

export function toRow({ samples, peer, bound, details, better, ...names }: Measurement): Row {
  const best = (values: readonly number[]): number => (better === 'higher' ? Math.max : Math.min)(...values);
  const ours = median(samples);
  const theirs = peer ? median(peer.samples) : null;
  const ratio = theirs === null ? null : timesBetter(better, ours, theirs);
  return {
    ...names,
    better,
    ours,
    best: best(samples),
    spread: spread(samples),
    n: samples.length,
    peer: peer?.name ?? null,
    peerFigure: theirs,
    peerBest: peer ? best(peer.samples) : null,
    peerSpread: peer ? spread(peer.samples) : null,
    ratio,
    bound: bound ?? null,
    met: bound ? isMet(bound, ours, ratio) : null,
    details: details ?? {},
  };
}

/** One contestant: every call does the same work and gives one figure. */
export type Side = () => number | Promise<number>;

export interface Rounds {
  rounds: number;
  /** Rounds before them whose figures are thrown away. Default 1. */
  warmUps?: number;
  /** Pause before every turn, in which the threads of the side before fall asleep. Default 0. */
  settleMs?: number;
}

/**
 * Lets the sides take turns: A B C, A B C, ... so that a slow minute of the machine falls on all of them.
 *
 * @returns the figures of each side, in order
 */
export async function interleave(
  sides: readonly Side[],
  { rounds, warmUps = 1, settleMs = 0 }: Rounds,
): Promise<number[][]> {
  if (!Number.isSafeInteger(rounds) || rounds < 1)
    throw new ArgumentError(`interleave: rounds must be a positive integer, got ${rounds}`);
  const figures = sides.map((): number[] => []);
  for (let round = -warmUps; round < rounds; ++round) {
    for (const [i, side] of sides.entries()) {
      if (settleMs > 0) await sleep(settleMs);
      const figure = await side();
      if (round >= 0) figures[i]!.push(figure);
    }
  }
  return figures;
}

/** Milliseconds that `run` takes. */
export function timeMs(run: () => void): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

/** What the command line asks of every subject. */
export interface BenchOptions {
  /** Threads of both sides. */
  threads: number;
  /** Small sizes and few rounds: shows that everything runs, the figures mean nothing. */
  quick: boolean;
  /** Whether to look for peers. */
  peers: boolean;
}

/** Where a subject puts what it finds. */
export interface Report {
  row(row: Row): void;
  /** Something a reader of the rows has to know, such as a peer that is not installed. */
  note(text: string): void;
  /** Versions of a peer or a program in use, for the description of the machine. */
  version(name: string, version: string): void;
}

export interface Subject {
  readonly name: string;
  /** One line for --help and the head of its table. */
  readonly title: string;
  run(options: BenchOptions, report: Report): Promise<void>;
}
