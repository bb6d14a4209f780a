/** The transformer block of HRM section 1 written out in float64, for the tests of the fused ops. */
import { type Arr, arr } from './arrays';
import type { Round } from './op_case';

export interface ReferenceOptions {
  readonly nHeads: number;
  readonly rope: boolean;
  readonly eps: number;
  /** Tokens mix by a SwiGLU over the sequence. */
  readonly overSequence?: boolean;
}

/** Angle of a position and a column of a head: both halves turn alike. */
export function ropeAngle(position: number, column: number, d: number): number {
  return position * 10000 ** ((-2 * (column % (d / 2))) / d);
}

/** Of arithmetic, and of what is written to memory. */
interface Rounding {
  readonly round: Round;
  readonly store: Round;
}

/** y[rows, n] = x[rows, k] w[n, k]^T */
function linear(x: Float64Array, w: Arr, { round, store }: Rounding): Float64Array {
  const [n, k] = w.shape as [number, number];
  const rows = x.length / k;
  const y = new Float64Array(rows * n);
  for (let i = 0; i < rows; ++i)
    for (let j = 0; j < n; ++j) {
      let total = 0;
      for (let p = 0; p < k; ++p)
        total = round(total + round((x[i * k + p] as number) * (w.data[j * k + p] as number)));
      y[i * n + j] = store(total);
    }
  return y;
}

function rmsNorm(x: Float64Array, width: number, eps: number, { round, store }: Rounding): Float64Array {
  const y = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += width) {
    let squares = 0;
    for (let j = 0; j < width; ++j) squares = round(squares + round((x[row + j] as number) ** 2));
    const factor = round(1 / Math.sqrt(round(squares / width + eps)));
    for (let j = 0; j < width; ++j) y[row + j] = store(round((x[row + j] as number) * factor));
  }
  return y;
}

function add(a: Float64Array, b: Float64Array, { round, store }: Rounding): Float64Array {
  return a.map((value, i) => store(round(value + (b[i] as number))));
}

/** qkv is one sequence, [S, 3D]. */
function rotate(qkv: Float64Array, hidden: number, d: number, { round, store }: Rounding): void {
  for (let base = 0; base < qkv.length; base += 3 * hidden)
    for (let head = 0; head < 2 * hidden; head += d)
      for (let j = 0; j < d / 2; ++j) {
        const angle = ropeAngle(base / (3 * hidden), j, d);
        const [cos, sin] = [round(Math.cos(angle)), round(Math.sin(angle))];
        const [low, high] = [base + head + j, base + head + j + d / 2];
        const [a, b] = [qkv[low] as number, qkv[high] as number];
        qkv[low] = store(round(round(a * cos) - round(b * sin)));
        qkv[high] = store(round(round(b * cos) + round(a * sin)));
      }
}

function attend(qkv: Float64Array, hidden: number, nHeads: number, { round, store }: Rounding): Float64Array {
  const d = hidden / nHeads;
  const seqLen = qkv.length / (3 * hidden);
  const y = new Float64Array(seqLen * hidden);
  const at = (token: number, part: number, head: number, p: number): number =>
    qkv[token * 3 * hidden + part * hidden + head * d + p] as number;
  for (let head = 0; head < nHeads; ++head)
    for (let i = 0; i < seqLen; ++i) {
      const scores = Array.from({ length: seqLen }, (_, j) => {
        let total = 0;
        for (let p = 0; p < d; ++p) total = round(total + round(at(i, 0, head, p) * at(j, 1, head, p)));
        return round(total / Math.sqrt(d));
      });
      const top = Math.max(...scores);
      const e = scores.map((score) => round(Math.exp(round(score - top))));
      const sum = e.reduce((total, value) => round(total + value), 0);
      for (let p = 0; p < d; ++p)
        y[i * hidden + head * d + p] = store(
          e.reduce((total, value, j) => round(total + round(store(round(value / sum)) * at(j, 2, head, p))), 0),
        );
    }
  return y;
}

/** rmsNorm(x + swiglu(x)) of rows as wide as wDown is high. */
function swigluNorm(y1: Float64Array, wGateUp: Arr, wDown: Arr, eps: number, rounding: Rounding): Float64Array {
  const [width, inner] = wDown.shape as [number, number];
  const { round, store } = rounding;
  const gateUp = linear(y1, wGateUp, rounding);
  const m = new Float64Array((gateUp.length / 2) | 0).map((_, i) => {
    const row = Math.floor(i / inner) * 2 * inner + (i % inner);
    const gate = gateUp[row] as number;
    return store(round(round(gate / round(1 + round(Math.exp(-gate)))) * (gateUp[row + inner] as number)));
  });
  return rmsNorm(add(y1, linear(m, wDown, rounding), rounding), width, eps, rounding);
}

function transposed(x: Float64Array, rows: number): Float64Array {
  const cols = x.length / rows;
  return x.map((_, i) => x[(i % rows) * cols + Math.floor(i / rows)] as number);
}

/** One sequence [S, D]; weights qkv, o, gateUp, down, or gateUp, down, tGateUp, tDown. */
function block(h: Float64Array, weights: readonly Arr[], options: ReferenceOptions, rounding: Rounding): Float64Array {
  const { nHeads, eps } = options;
  if (options.overSequence) {
    const [wGateUp, wDown, tGateUp, tDown] = weights as [Arr, Arr, Arr, Arr];
    const [hidden, seqLen] = [wDown.shape[0] as number, tDown.shape[0] as number];
    const t = swigluNorm(transposed(h, seqLen), tGateUp, tDown, eps, rounding);
    return swigluNorm(transposed(t, hidden), wGateUp, wDown, eps, rounding);
  }
  const [wQkv, wO, wGateUp, wDown] = weights as [Arr, Arr, Arr, Arr];
  const hidden = wDown.shape[0] as number;
  const qkv = linear(h, wQkv, rounding);
  if (options.rope) rotate(qkv, hidden, hidden / nHeads, rounding);
  const mixed = linear(attend(qkv, hidden, nHeads, rounding), wO, rounding);
  return swigluNorm(rmsNorm(add(h, mixed, rounding), hidden, eps, rounding), wGateUp, wDown, eps, rounding);
}

/** blocks(h), h [B, S, D]. */
export function referenceLevel(
  h: Arr,
  blocks: readonly (readonly Arr[])[],
  options: ReferenceOptions,
  round: Round,
  store: Round,
): Arr {
  const size = (h.shape[1] as number) * (h.shape[2] as number);
  const y = new Float64Array(h.data.length);
  for (let at = 0; at < y.length; at += size)
    y.set(
      blocks.reduce<Float64Array>(
        (x, weights) => block(x, weights, options, { round, store }),
        h.data.slice(at, at + size),
      ),
      at,
    );
  return arr(h.shape, y);
}
