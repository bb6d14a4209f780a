/**
 * The one place that decides between a fused native op and its composed definition. A fallback is a performance bug that
 * must be seen: it is counted by op, and tests and benches can demand the fused path.
 */
import { DeviceError } from '../error';
import { requireFunction } from '../tensor/arguments';
import type { OpName } from '../native/schema.gen';

const counts = new Map<OpName, number>();
const reasons = new Map<OpName, string>();
let demanded = 0;

/** Calls that ran the composed definition of an op that has a fused kernel, by op, since the last reset. */
export function fallbackCounts(): ReadonlyMap<OpName, number> {
  return counts;
}
/** Sets the counts of `fallbackCounts` back to none, for a measurement of its own. */
export function resetFallbackCounts(): void {
  counts.clear();
  reasons.clear();
}
/** What kept each op that fell back from its fused path, the last time. */
export function fallbackReasons(): ReadonlyMap<OpName, string> {
  return reasons;
}

/**
 * Runs fn; a fused op that would fall back to its composed definition inside throws instead.
 *
 * @throws DeviceError naming the op and what kept it from the fused path
 */
export function demandFused<T>(fn: () => T): T {
  requireFunction('demandFused', 'fn', fn);
  ++demanded;
  try {
    return fn();
  } finally {
    --demanded;
  }
}

/** Runs the fused op unless `obstacle` says why it cannot take these inputs. */
export function fusedOr<T>(op: OpName, obstacle: string | undefined, fused: () => T, composed: () => T): T {
  if (obstacle === undefined) return fused();
  if (demanded > 0) throw new DeviceError(`${op}: the fused path was demanded, but ${obstacle}`);
  counts.set(op, (counts.get(op) ?? 0) + 1);
  reasons.set(op, obstacle);
  return composed();
}
