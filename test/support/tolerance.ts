/** All tolerances of the tests of the ops; none depends on the device. */
import type { DType } from '../../ts/tensor/dtype';

export type FloatDType = 'bfloat16' | 'float32' | 'float64';

/** Largest relative error of rounding once to the dtype. */
const UNIT_ROUNDOFF: Readonly<Record<FloatDType, number>> = {
  bfloat16: 2 ** -8,
  float32: 2 ** -24,
  float64: 2 ** -53,
};

/**
 * What an implementation may err where the naive one happens to be exact, in unit roundoffs of the result: the error of
 * our exp, log, ... (2.5 ulp in float32, 4 in float64); bfloat16 computes in float32 and rounds once.
 */
const FLOOR: Readonly<Record<FloatDType, number>> = { bfloat16: 1.05, float32: 6, float64: 10 };

/** The same relative to the terms of sums, in the dtype of the accumulation. In float64 the reference itself errs. */
const TERMS: Readonly<Record<FloatDType, number>> = { bfloat16: 2 ** -22, float32: 2 ** -22, float64: 2 ** -48 };

/** How much worse than the naive implementation in the same dtype a kernel may be. */
const NAIVE_FACTOR = 2;

/** Central differences in float64: step, relative to max(1, |x|), and bound, relative to max(1, |derivative|). */
export const GRADCHECK_STEP = 1e-5;
export const GRADCHECK_BOUND = 1e-6;

/** A float32 optimiser's parameters of size 1 to 3 after 20 updates, against the formula in float64. */
export const OPTIMIZER_BOUND = 4e-6;

/** Fused against composed in float64, absolute, of states and gradients of size 1: the sums run in another order. */
export const FUSED_BOUND = 1e-12;
export const FUSED_GRADIENT_BOUND = 1e-11;

/** Decimal places to which figures agree that are the same but for the order of their float32 sums, or rounded once. */
export const FLOAT32_PLACES = 6;
export const FLOAT32_ACCURACY_PLACES = 5;
export const FLOAT64_PLACES = 12;

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** Round to nearest even, as the engine does. */
export function roundToBfloat16(value: number): number {
  word[0] = value;
  if (Number.isNaN(value)) return NaN;
  const u = bits[0] as number;
  bits[0] = ((u + 0x7fff + ((u >>> 16) & 1)) & 0xffff0000) >>> 0;
  return word[0];
}

/** How an exact reference rounds: not at all, but integers wrap. */
export function exactRounding(dtype: DType): (value: number) => number {
  if (dtype === 'int32') return (value) => value | 0;
  return dtype === 'uint8' ? (value) => value & 255 : (value) => value;
}

/** How a naive implementation rounds its intermediates: bfloat16 accumulates in float32. */
export function intermediateRounding(dtype: DType): (value: number) => number {
  return dtype === 'float32' || dtype === 'bfloat16' ? Math.fround : exactRounding(dtype);
}

/** Norm of the errors of n results of a chain of kernels: few numbers are decided by few roundings, the naive ones too. */
export function chainBound(naiveNorm: number, exactNorm: number, n: number, dtype: FloatDType): number {
  return Math.max(NAIVE_FACTOR * (1 + 4 / Math.sqrt(n)) * naiveNorm, FLOOR[dtype] * UNIT_ROUNDOFF[dtype] * exactNorm);
}

/** How what is written to memory between kernels is rounded, after `intermediateRounding`. */
export function storedRounding(dtype: DType): (value: number) => number {
  return dtype === 'bfloat16' ? roundToBfloat16 : intermediateRounding(dtype);
}

/** How results are rounded. */
export function resultRounding(dtype: DType): (value: number) => number {
  if (dtype === 'bfloat16') return roundToBfloat16;
  return dtype === 'float32' ? Math.fround : (value) => value;
}

/**
 * @param scale largest input or result where results are sums of many terms, otherwise 0: sums that cancel err by roundoffs
 *   of their terms, not of the result, and over the few elements of a sample the naive implementation may be exact by luck
 */
export function errorBound(naiveError: number, exact: number, scale: number, dtype: FloatDType): number {
  const smallest = dtype === 'float64' ? 2 ** -1074 : dtype === 'float32' ? 2 ** -149 : 2 ** -133;
  const result = Math.max(
    NAIVE_FACTOR * naiveError,
    FLOOR[dtype] * UNIT_ROUNDOFF[dtype] * Math.abs(exact),
    2 * smallest,
  );
  return result + TERMS[dtype] * scale;
}
