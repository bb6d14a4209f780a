import type { Tensor } from '../tensor/tensor';

export interface ParityRow {
  name: string;
  /** How the error is measured: relative L2, largest error over largest value, equality, or not compared at all. */
  kind: 'rel-l2' | 'max' | 'exact' | 'missing' | 'unchecked';
  error: number;
  bound: number;
  ok: boolean;
  /** Error of our own chain of segments, where there is one. */
  chained?: number;
}

/** Fewer elements than this: the largest error is judged, a norm over so few says little. */
const FEW_ELEMENTS = 16;
const FEW_BOUND = 1e-5;
const REL_L2_FLOOR = 5e-6;
/** How far the stored float32 run is from its float64 twin, times this, is what another float32 run may differ by. */
const TWIN_FACTOR = 4;
const NO_TOLERANCE_BOUND = 1e-6;

/**
 * @param twin relative L2 distance of the reference's float32 run from its float64 twin; undefined where none is stored;
 *   'few' for sums such as losses, judged as the tensors of few elements that they are made of
 */
export function compare(
  name: string,
  ours: Tensor | undefined,
  reference: Tensor,
  twin: number | 'few' | undefined,
  chained?: number,
): ParityRow {
  if (ours === undefined || ours.shape.join() !== reference.shape.join())
    return { name, kind: 'missing', error: Infinity, bound: 0, ok: false };
  const a = ours.dataSync();
  const b = reference.dataSync();
  let squares = 0;
  let norm = 0;
  let maxError = 0;
  let maxValue = 0;
  for (let i = 0; i < b.length; ++i) {
    const value = b[i] as number;
    const difference = Math.abs((a[i] as number) - value);
    // NaN in ours must not pass: every comparison with it is false.
    maxError = Number.isNaN(difference) ? Infinity : Math.max(maxError, difference);
    maxValue = Math.max(maxValue, Math.abs(value));
    squares += difference * difference;
    norm += value * value;
  }
  const row = (kind: ParityRow['kind'], error: number, bound: number): ParityRow => {
    return { name, kind, error, bound, ok: error <= bound, ...(chained === undefined ? {} : { chained }) };
  };
  if (reference.dtype === 'bool' || reference.dtype === 'int32') return row('exact', maxError, 0);
  const maxRelative = maxValue > 0 ? maxError / maxValue : maxError;
  if (twin === undefined) return row('max', maxRelative, NO_TOLERANCE_BOUND);
  if (twin === 'few' || b.length < FEW_ELEMENTS) return row('max', maxRelative, FEW_BOUND);
  const relative = maxError === Infinity ? Infinity : norm > 0 ? Math.sqrt(squares / norm) : Math.sqrt(squares);
  return row('rel-l2', relative, Math.max(TWIN_FACTOR * twin, REL_L2_FLOOR));
}
