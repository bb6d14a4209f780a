/** Special functions that JavaScript lacks, for the naive references. */

/** Complementary error function to full double precision: series near 0, continued fraction (Lentz) beyond. */
export function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  if (x === 0) return 1;
  if (x < 2) {
    // erf(x) = 2 / sqrt(pi) e^(-x^2) sum of x (2 x^2)^n / (1 3 5 ... (2n + 1))
    let term = x;
    let total = x;
    for (let n = 1; term > total * 1e-18; ++n) {
      term *= (2 * x * x) / (2 * n + 1);
      total += term;
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
  }
  let fraction = 0;
  for (let n = 200; n > 0; --n) fraction = n / 2 / (x + fraction);
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * (x + fraction));
}
