/** Progress of a run: one line that redraws itself on a terminal, a plain line every so many steps elsewhere. */

/** The part of a tty stream that progress needs; `process.stderr` is one. */
export interface ProgressStream {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

export interface ProgressOptions {
  totalSteps: number;
  /** Steps done before (a resumed run); rates count from here. */
  startStep?: number;
  /** Steps between plain lines where there is no terminal. */
  everySteps?: number;
  stream?: ProgressStream;
  /** Milliseconds; for tests. */
  now?: () => number;
}

export interface ProgressState {
  step: number;
  loss?: number;
  /** Share of puzzles wholly right, 0 to 1. */
  exactAccuracy?: number;
}

const REDRAW_MS = 100;
const BLOCKS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const MIN_BAR = 10;
const MAX_BAR = 40;

/** `4:05`, `1:02:03`, `3d 04:05`; `?` when unknown. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '?';
  const total = Math.round(seconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const [days, hours, minutes] = [
    Math.floor(total / 86400),
    Math.floor(total / 3600) % 24,
    Math.floor(total / 60) % 60,
  ];
  if (days > 0) return `${days}d ${two(hours)}:${two(minutes)}`;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(total % 60)}` : `${minutes}:${two(total % 60)}`;
}

/** `width` columns, filled to `share` of 1 in eighths of a column. */
export function renderBar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, Number.isNaN(share) ? 0 : share)) * width * 8);
  const filled = '█'.repeat(eighths >> 3) + BLOCKS[eighths & 7]!;
  return filled.padEnd(width, '░');
}

/** `12.3 it/s`, or `4.2 s/it` below one a second. */
export function formatRate(stepsPerSecond: number): string {
  if (!Number.isFinite(stepsPerSecond) || stepsPerSecond <= 0) return '? it/s';
  return stepsPerSecond >= 1 ? `${stepsPerSecond.toFixed(1)} it/s` : `${(1 / stepsPerSecond).toFixed(1)} s/it`;
}

/** A run's progress: one line drawn over and over on a terminal, plain lines elsewhere. */
export class Progress {
  private readonly stream: ProgressStream;
  private readonly now: () => number;
  private readonly startStep: number;
  private readonly everySteps: number;
  private readonly totalSteps: number;
  private readonly isTerminal: boolean;
  // Recent (time, step) pairs: the rate is over a window, because the first steps are slow.
  private readonly recent: { ms: number; step: number }[];
  private drawnAt = -Infinity;
  private drawn = false;
  private state: ProgressState;

  constructor(options: ProgressOptions) {
    this.stream = options.stream ?? process.stderr;
    this.now = options.now ?? (() => performance.now());
    this.startStep = options.startStep ?? 0;
    this.totalSteps = options.totalSteps;
    this.everySteps = Math.max(1, options.everySteps ?? 10);
    this.isTerminal = this.stream.isTTY === true;
    this.state = { step: this.startStep };
    this.recent = [{ ms: this.now(), step: this.startStep }];
  }

  /** Reports a finished step. Values that are not given keep their last one. */
  update(state: ProgressState): void {
    this.state = { ...this.state, ...state };
    this.recent.push({ ms: this.now(), step: state.step });
    if (this.recent.length > 64) this.recent.shift();
    const isLast = state.step >= this.totalSteps;
    if (!this.isTerminal) {
      if (state.step % this.everySteps === 0 || isLast) this.stream.write(`${this.text()}\n`);
    } else if (isLast || this.now() - this.drawnAt >= REDRAW_MS) {
      this.draw();
    }
  }

  /** Prints a line of its own (an evaluation, a checkpoint) above the bar. */
  note(line: string): void {
    this.clear();
    this.stream.write(`${line}\n`);
    if (this.isTerminal) this.draw();
  }

  /** Leaves the last state on the terminal and the cursor on a new line. */
  end(): void {
    if (!this.isTerminal || !this.drawn) return;
    this.draw();
    this.stream.write('\n');
    this.drawn = false;
  }

  private stepsPerSecond(): number {
    const first = this.recent[0]!;
    const last = this.recent[this.recent.length - 1]!;
    return ((last.step - first.step) * 1000) / (last.ms - first.ms);
  }

  private text(): string {
    const { step, loss, exactAccuracy } = this.state;
    const rate = this.stepsPerSecond();
    return [
      `step ${step}/${this.totalSteps}`,
      ...(loss === undefined ? [] : [`loss ${loss.toPrecision(4)}`]),
      ...(exactAccuracy === undefined || Number.isNaN(exactAccuracy)
        ? []
        : [`exact ${(exactAccuracy * 100).toFixed(1)}%`]),
      formatRate(rate),
      `eta ${formatDuration((this.totalSteps - step) / rate)}`,
    ].join('  ');
  }

  private draw(): void {
    // One column stays free: a full line makes some terminals wrap.
    const columns = Math.max(1, (this.stream.columns ?? 80) - 1);
    const text = this.text();
    const room = Math.min(MAX_BAR, columns - text.length - 2);
    const bar = room >= MIN_BAR ? `${renderBar(this.state.step / this.totalSteps, room)}  ` : '';
    this.stream.write(`\r${(bar + text).slice(0, columns)}\u001b[K`);
    this.drawnAt = this.now();
    this.drawn = true;
  }

  private clear(): void {
    if (this.isTerminal && this.drawn) this.stream.write('\r\u001b[K');
  }
}
