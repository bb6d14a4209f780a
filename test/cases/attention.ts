import {
  ArgumentError,
  attention,
  type AttentionOptions,
  DTypeError,
  ShapeError,
  type Tensor,
  zeros,
} from '../../ts/index';
import { attentionBackwardOp, attentionOp } from '../../ts/ops/attention';
import { type Arr, arr, ravel } from '../support/arrays';
import { FLOATS, opCase, type Round, type Sample } from '../support/op_case';

interface Heads {
  batch: number;
  queries: number;
  keys: number;
  heads: number;
  d: number;
  at: (x: Arr, b: number, s: number, h: number, i: number) => number;
}
function headsOf(q: Arr, k: Arr): Heads {
  const [batch, queries, heads, d] = q.shape as [number, number, number, number];
  const at = (x: Arr, ...index: number[]): number => x.data[ravel(index, x.shape)] as number;
  return { batch, queries, keys: k.shape[1] as number, heads, d, at };
}
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sum = (values: readonly number[], round: Round): number => values.reduce((a, b) => round(a + b), 0);

/** Probabilities of query s over the keys it sees. */
function probabilities(
  q: Arr,
  k: Arr,
  options: AttentionOptions,
  round: Round,
  b: number,
  s: number,
  h: number,
): number[] {
  const { keys, d, at } = headsOf(q, k);
  const scale = options.scale ?? 1 / Math.sqrt(d);
  const scores = range(options.causal ? s + 1 : keys).map((t) =>
    round(
      scale *
        sum(
          range(d).map((i) => round(at(q, b, s, h, i) * at(k, b, t, h, i))),
          round,
        ),
    ),
  );
  const top = Math.max(...scores);
  const exponentials = scores.map((score) => round(Math.exp(round(score - top))));
  const total = sum(exponentials, round);
  return exponentials.map((e) => round(e / total));
}

/** [B, S, H, d] from a row of d values for each (b, s, h). */
function assemble(shape: readonly number[], row: (b: number, s: number, h: number) => number[]): Arr {
  const [batch, length, heads] = shape as [number, number, number];
  const rows = range(batch).flatMap((b) => range(length).flatMap((s) => range(heads).flatMap((h) => row(b, s, h))));
  return arr(shape, rows);
}

function forward([q, k, v]: readonly Arr[], options: AttentionOptions, round: Round): Arr {
  const { d, at } = headsOf(q as Arr, k as Arr);
  return assemble((q as Arr).shape, (b, s, h) => {
    const p = probabilities(q as Arr, k as Arr, options, round, b, s, h);
    return range(d).map((i) =>
      sum(
        p.map((weight, t) => round(weight * at(v as Arr, b, t, h, i))),
        round,
      ),
    );
  });
}

function backward([dy, q, k, v]: readonly Arr[], options: AttentionOptions, round: Round): Arr[] {
  const { d, at, queries } = headsOf(q as Arr, k as Arr);
  const scale = options.scale ?? 1 / Math.sqrt(d);
  const cache = new Map<string, { p: number[]; ds: number[] }>();
  const row = (b: number, s: number, h: number): { p: number[]; ds: number[] } => {
    const key = `${b} ${s} ${h}`;
    const known = cache.get(key);
    if (known) return known;
    const p = probabilities(q as Arr, k as Arr, options, round, b, s, h);
    const dp = p.map((_, t) =>
      sum(
        range(d).map((i) => round(at(dy as Arr, b, s, h, i) * at(v as Arr, b, t, h, i))),
        round,
      ),
    );
    const dot = sum(
      p.map((weight, t) => round(weight * (dp[t] as number))),
      round,
    );
    const ds = p.map((weight, t) => round(scale * round(weight * round((dp[t] as number) - dot))));
    cache.set(key, { p, ds });
    return { p, ds };
  };
  const overQueries = (b: number, t: number, h: number, i: number, x: Arr, weights: 'p' | 'ds'): number =>
    sum(
      range(queries).map((s) => round((row(b, s, h)[weights][t] ?? 0) * at(x, b, s, h, i))),
      round,
    );
  return [
    assemble((q as Arr).shape, (b, s, h) =>
      range(d).map((i) =>
        sum(
          row(b, s, h).ds.map((weight, t) => round(weight * at(k as Arr, b, t, h, i))),
          round,
        ),
      ),
    ),
    assemble((k as Arr).shape, (b, t, h) => range(d).map((i) => overQueries(b, t, h, i, q as Arr, 'ds'))),
    assemble((v as Arr).shape, (b, t, h) => range(d).map((i) => overQueries(b, t, h, i, dy as Arr, 'p'))),
  ];
}

type Sizes = readonly [batch: number, queries: number, keys: number, heads: number, d: number];
const SIZES: readonly (readonly [Sizes, AttentionOptions])[] = [
  [[1, 1, 1, 1, 1], {}],
  [[1, 2, 2, 1, 3], {}],
  [[2, 3, 3, 2, 4], {}],
  [[2, 3, 3, 2, 4], { causal: true }],
  [[1, 4, 7, 1, 2], { scale: 0.3 }],
  [[1, 5, 2, 2, 5], {}],
  [[1, 9, 9, 1, 8], { causal: true, scale: 1.5 }],
  [[1, 19, 19, 1, 3], {}],
  [[0, 3, 3, 2, 4], {}],
  [[2, 0, 3, 1, 2], {}],
  [[2, 0, 0, 1, 2], { causal: true }],
  [[2, 3, 3, 0, 4], {}],
  [[1, 1, 6, 2, 2], {}],
  // More queries than are done at a time.
  [[1, 67, 67, 1, 2], {}],
  [[1, 66, 66, 1, 2], { causal: true }],
];
const sample = ([[batch, queries, keys, heads, d], options]: (typeof SIZES)[number]): Sample<AttentionOptions> => ({
  shapes: [
    [batch, queries, heads, d],
    [batch, keys, heads, d],
    [batch, keys, heads, d],
  ],
  options,
});
const q = (...shape: number[]): Tensor => zeros(shape);

export const attentionCase = opCase<AttentionOptions>({
  call: ([query, key, value], options) => attention(query as Tensor, key as Tensor, value as Tensor, options),
  reference: forward,
  samples: SIZES.map(sample),
  dtypes: FLOATS,
  gradient: true,
  refused: [
    { what: 'a matrix', run: () => attention(q(2, 2), q(2, 2), q(2, 2)), error: ShapeError },
    { what: 'other heads', run: () => attention(q(1, 2, 2, 2), q(1, 2, 1, 2), q(1, 2, 1, 2)), error: ShapeError },
    { what: 'fewer values', run: () => attention(q(1, 2, 1, 2), q(1, 2, 1, 2), q(1, 1, 1, 2)), error: ShapeError },
    { what: 'no keys', run: () => attention(q(1, 2, 1, 2), q(1, 0, 1, 2), q(1, 0, 1, 2)), error: ShapeError },
    {
      what: 'causal with more keys',
      run: () => attention(q(1, 2, 1, 2), q(1, 3, 1, 2), q(1, 3, 1, 2), { causal: true }),
      error: ShapeError,
    },
    {
      what: 'two dtypes',
      run: () => attention(q(1, 1, 1, 2), zeros([1, 1, 1, 2], { dtype: 'float64' }), q(1, 1, 1, 2)),
      error: DTypeError,
    },
    {
      what: 'a scale of 0',
      run: () => attention(q(1, 1, 1, 2), q(1, 1, 1, 2), q(1, 1, 1, 2), { scale: 0 }),
      error: ArgumentError,
    },
    { what: 'a number', run: () => attention(1 as unknown as Tensor, q(1), q(1)), error: ArgumentError },
  ],
  bench: [sample([[12, 82, 82, 8, 64], {}]), sample([[1, 901, 901, 8, 64], {}])],
});

export const attentionBackwardCase = opCase<AttentionOptions>({
  call: ([dy, query, key, value], { causal = false, scale = 1 / Math.sqrt((query as Tensor).shape[3] as number) }) => {
    const inputs = [query as Tensor, key as Tensor, value as Tensor] as const;
    const [, lse] = attentionOp.many([...inputs], { causal, scale });
    return attentionBackwardOp.many([dy as Tensor, ...inputs, lse as Tensor], { causal, scale });
  },
  reference: backward,
  samples: SIZES.map(sample).map(({ shapes, options }) => ({
    shapes: [shapes[0] as readonly number[], ...shapes],
    options,
  })),
  dtypes: FLOATS,
  // The probabilities come from the log-sum-exp: their relative error is its absolute one.
  value: (u) => 2 * u - 1,
  result: (dtype) => [dtype, dtype, dtype],
  gradient: 'is a gradient',
  refused: [
    {
      what: 'a dy of another shape',
      run: () =>
        attentionBackwardOp.many([q(1, 1, 1, 2), q(1, 2, 1, 2), q(1, 2, 1, 2), q(1, 2, 1, 2), q(1, 1, 2)], {
          causal: false,
          scale: 1,
        }),
      error: ShapeError,
    },
  ],
});
