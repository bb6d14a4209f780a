/** Settings and figures of the engine of this environment (main thread or worker). */
import { ArgumentError } from '../error';
import type { MemoryInfo } from './addon';
import { addon, guarded } from './boundary';

export type { MemoryInfo } from './addon';

/** Native memory of this environment. Every worker has its own. */
export function memory(): MemoryInfo {
  return guarded(() => addon().memory());
}

/** Starts `memory().peakBytes` anew from what is live. */
export function resetPeakMemory(): void {
  addon().resetPeak();
}

/** Gives freed blocks that are kept for reuse back to the system. */
export function trimMemory(): void {
  addon().trimMemory();
}

function requireInteger(op: string, name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max)
    throw new ArgumentError(
      `${op}: ${name} must be an integer in ${min}..${max}, got ${typeof value === 'number' ? String(value) : `a ${typeof value}`}`,
    );
  return value;
}

/**
 * Most bytes that tensors and scratch may take together; beyond it allocations throw OutOfMemoryError. Default: 80% of the
 * smaller of physical memory and the cgroup's limit.
 */
export function setMemoryLimit(bytes: number): void {
  const limit = requireInteger('setMemoryLimit', 'bytes', bytes, 0, Number.MAX_SAFE_INTEGER);
  guarded(() => {
    addon().setMemoryLimit(limit);
  });
}

const MAX_THREADS = 1024;

/** Threads that an op may use, the calling one included. Results are bit-equal at any number. */
export function setNumThreads(n: number): void {
  const threads = requireInteger('setNumThreads', 'n', n, 1, MAX_THREADS);
  guarded(() => {
    addon().setNumThreads(threads);
  });
}

/**
 * Threads of this environment. Until `setNumThreads`: the physical cores that the process may use (by affinity and the
 * quota of its control groups) divided among the living environments.
 */
export function getNumThreads(): number {
  return addon().getNumThreads();
}
