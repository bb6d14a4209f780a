/** Leading eigenvectors of a symmetric matrix, for principal components of a few hundred points. */

/** An eigenvalue with its eigenvector of length 1. */
export interface EigenPair {
  readonly value: number;
  readonly vector: Float64Array;
}

/** Vectors beyond those wanted: the error shrinks by the ratio of the wanted eigenvalues to the first one left out. */
const EXTRA = 8;
const MAX_ITERATIONS = 1000;
/** Relative change of the eigenvalues between two iterations at which it ends. */
const TOLERANCE = 1e-13;

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; ++i) sum += a[i]! * b[i]!;
  return sum;
}

function combine(vectors: readonly Float64Array[], weights: (i: number) => number): Float64Array {
  const result = new Float64Array(vectors[0]!.length);
  vectors.forEach((vector, i) => {
    const weight = weights(i);
    for (let k = 0; k < result.length; ++k) result[k]! += weight * vector[k]!;
  });
  return result;
}

/** Gram and Schmidt, twice, since once loses orthogonality where vectors are nearly parallel; those left without length are dropped. */
function orthonormal(vectors: readonly Float64Array[]): Float64Array[] {
  const basis: Float64Array[] = [];
  for (const vector of vectors) {
    const before = Math.sqrt(dot(vector, vector));
    const rest = vector.slice();
    for (const _ of [1, 2])
      for (const axis of basis) {
        const along = dot(axis, rest);
        for (let k = 0; k < rest.length; ++k) rest[k]! -= along * axis[k]!;
      }
    const length = Math.sqrt(dot(rest, rest));
    if (length > 1e-12 * before && length > 0) basis.push(rest.map((value) => value / length));
  }
  return basis;
}

/**
 * All eigenpairs of a small symmetric matrix by Jacobi rotations, largest first.
 * @param matrix rows; symmetric
 */
export function jacobiEigen(matrix: readonly Float64Array[]): EigenPair[] {
  const n = matrix.length;
  const a = matrix.map((row) => row.slice());
  const v = a.map((_, i) => Float64Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)));
  const size = Math.sqrt(a.reduce((sum, row) => sum + dot(row, row), 0));
  const offDiagonal = (): number => Math.sqrt(a.reduce((sum, row, i) => sum + dot(row, row) - row[i]! ** 2, 0));
  for (let sweep = 0; sweep < 60 && offDiagonal() > 1e-15 * size; ++sweep)
    for (let p = 0; p < n; ++p) for (let q = p + 1; q < n; ++q) rotate(a, v, p, q);
  return a
    .map((row, i) => ({ value: row[i]!, vector: Float64Array.from(v, (vRow) => vRow[i]!) }))
    .sort((x, y) => y.value - x.value);
}

/** The rotation in the plane (p, q) that makes a[p][q] zero. */
function rotate(a: Float64Array[], v: Float64Array[], p: number, q: number): void {
  const apq = a[p]![q]!;
  if (apq === 0) return;
  const theta = (a[q]![q]! - a[p]![p]!) / (2 * apq);
  const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const s = t * c;
  const turn = (row: Float64Array): void => {
    const [x, y] = [row[p]!, row[q]!];
    row[p] = c * x - s * y;
    row[q] = s * x + c * y;
  };
  const [rowP, rowQ] = [a[p]!, a[q]!];
  for (let k = 0; k < rowP.length; ++k) {
    const [x, y] = [rowP[k]!, rowQ[k]!];
    rowP[k] = c * x - s * y;
    rowQ[k] = s * x + c * y;
  }
  a.forEach(turn);
  v.forEach(turn);
}

/**
 * The `count` largest eigenvalues of a symmetric positive semidefinite matrix with their vectors, by subspace iteration with a
 * Rayleigh-Ritz step; fewer where the rank is less. The same on every run.
 * @param matrix n rows of n
 */
export function leadingEigen(matrix: readonly Float64Array[], count: number): EigenPair[] {
  const n = matrix.length;
  // Any start that is orthogonal to no eigenvector by design; fixed, so that results repeat.
  let basis = orthonormal(
    Array.from({ length: Math.min(n, count + EXTRA) }, (_, i) =>
      Float64Array.from({ length: n }, (_, k) => Math.sin((i + 1) * 12.9898 + (k + 1) * 78.233 * (i + 1))),
    ),
  );
  let pairs: EigenPair[] = [];
  for (let iteration = 0; iteration < MAX_ITERATIONS; ++iteration) {
    const images = basis.map((vector) => Float64Array.from(matrix, (row) => dot(row, vector)));
    const before = pairs;
    pairs = jacobiEigen(basis.map((vector) => Float64Array.from(images, (image) => dot(vector, image)))).map(
      ({ value, vector: weights }) => ({ value, vector: combine(basis, (i) => weights[i]!) }),
    );
    const wanted = pairs.slice(0, count);
    const scale = Math.abs(pairs[0]?.value ?? 0);
    const moved = Math.max(0, ...wanted.map(({ value }, i) => Math.abs(value - (before[i]?.value ?? Infinity))));
    if (moved <= TOLERANCE * scale) break;
    const next = orthonormal(images);
    if (next.length === 0) break;
    basis = next;
  }
  return pairs.slice(0, count).filter(({ value }) => value > TOLERANCE * Math.abs(pairs[0]!.value));
}
