/** Settings and figures of the engine of this environment (main thread or worker). */
import { ArgumentError } from '../error';
import type { MemoryInfo } from './addon';
import { addon, guarded } from './boundary';
import { type Device, deviceCode } from './device';

export type { MemoryInfo } from './addon';

/** Memory of a device as this environment uses it; every worker has its own. Default: the CPU's. */
export function memory(device: Device = 'cpu'): MemoryInfo {
  return guarded(() => addon().memory(deviceCode(device, 'memory')));
}

/** Starts `memory().peakBytes` anew from what is live. */
export function resetPeakMemory(device: Device = 'cpu'): void {
  addon().resetPeak(deviceCode(device, 'resetPeakMemory'));
}

/** Gives freed blocks that are kept for reuse back to the system. */
export function trimMemory(device: Device = 'cpu'): void {
  addon().trimMemory(deviceCode(device, 'trimMemory'));
}

/**
 * Waits until a device has done all that it was asked for; the CPU always has.
 * @throws DeviceError, ArgumentError for what its kernels found wrong since the last wait
 */
export function synchronize(device: Device = 'cpu'): void {
  guarded(() => {
    addon().synchronize(deviceCode(device, 'synchronize'));
  });
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
