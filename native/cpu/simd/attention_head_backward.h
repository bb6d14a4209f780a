// Gradient of attention_head: the probabilities are computed again from the log-sum-exp, one block of queries at a
// time. Include after attention_head.h.
#ifndef HRM_CPU_SIMD_ATTENTION_HEAD_BACKWARD_H_
#define HRM_CPU_SIMD_ATTENTION_HEAD_BACKWARD_H_

namespace hrm::cpu::HRM_ISA {

template <class T> struct AttentionBackwardScratch {
  T *keyColumns, *valueColumns; // keys are the columns, d is summed over
  T *keyRows;                   // d are the columns, keys are summed over
  T *queries, *dOut;            // left operands
  T *p, *ds;                    // [rows, keys padded]
  T *packed;                    // p or ds as left operand, either way round
  T *columns;                   // queries or dOut as right operand
  T *delta;

  AttentionBackwardScratch(const BlockShape<T> &s, Carver<T> &carver) {
    const int64_t d = s.headDim(), rows = s.seqLen < kQueryRows ? s.seqLen : kQueryRows;
    const int64_t keys = round_up_to(s.seqLen, kTileCols<T>), dPadded = round_up_to(d, kTileCols<T>);
    keyColumns = carver.take(keys * d);
    valueColumns = carver.take(keys * d);
    keyRows = carver.take(dPadded * s.seqLen);
    queries = carver.take(rows * d);
    dOut = carver.take(rows * d);
    p = carver.take(rows * keys);
    ds = carver.take(rows * keys);
    packed = carver.take(rows * s.seqLen);
    columns = carver.take(rows * dPadded);
    delta = carver.take(rows);
  }
};

/** p = exp(scale * tile - logSumExp[row]) */
template <class T> struct ProbabilityTile {
  T *p;
  int64_t ld;
  const T *logSumExp;
  T scale;

  template <int R> HRM_INLINE void operator()(const Tile<T, R> &tile) const {
    const vec<T> factor = broadcast(scale);
    for (int i = 0; i < R; ++i)
      for (int j = 0; j < kTileVecs; ++j)
        store(p + i * ld + j * kLanes<T>, exp(fma(tile.v[i][j], factor, broadcast(-logSumExp[i]))));
  }
};

/** ds = scale * p (tile - delta[row]) */
template <class T> struct ScoreGradientTile {
  const T *p;
  T *ds;
  int64_t ld;
  const T *delta;
  T scale;

  template <int R> HRM_INLINE void operator()(const Tile<T, R> &tile) const {
    const vec<T> factor = broadcast(scale);
    for (int i = 0; i < R; ++i)
      for (int j = 0; j < kTileVecs; ++j) {
        const int64_t at = i * ld + j * kLanes<T>;
        store(ds + at, factor * load(p + at) * (tile.v[i][j] - broadcast(delta[i])));
      }
  }
};

/** Packs the transpose of a row-major [k, m] matrix as left operand. */
template <class T> inline void pack_transposed(const T *a, int64_t ld, int64_t m, int64_t k, T *dst) {
  pack_rows(a, int64_t{1}, ld, m, k, dst);
}

/**
 * qkv: [S, 3D] with q and k rotated; out and dOut: [S, D]; logSumExp: [S] of this head. Writes this head's columns of
 * dQkv [S, 3D], the gradient before the rotation.
 */
template <class T>
void attention_head_backward(const BlockShape<T> &s, int64_t head, const T *qkv, const T *out, const T *logSumExp,
                             const T *dOut, T *dQkv, const AttentionBackwardScratch<T> &scratch) {
  const int64_t S = s.seqLen, D = s.hidden, d = s.headDim(), ld = 3 * D;
  const T *q = qkv + head * d, *k = q + D, *v = k + D;
  T *dq = dQkv + head * d, *dk = dq + D, *dv = dk + D;
  pack_columns(k, ld, int64_t{1}, S, d, scratch.keyColumns);
  pack_columns(v, ld, int64_t{1}, S, d, scratch.valueColumns);
  pack_columns(k, int64_t{1}, ld, d, S, scratch.keyRows);
  const int64_t stride = round_up_to(S, kTileCols<T>);
  const T scale = T(1) / sqrt(broadcast(static_cast<T>(d)))[0];
  const QueryBlocks blocks(S);
  for (int64_t block = 0; block < blocks.count; ++block) {
    const int64_t first = blocks.begin(block), rows = blocks.begin(block + 1) - first;
    const T *o = out + first * D + head * d, *go = dOut + first * D + head * d;
    const bool later = block > 0;
    for (int64_t i = 0; i < rows; ++i)
      scratch.delta[i] = dot_row(o + i * D, go + i * D, d);
    pack_rows(q + first * ld, ld, int64_t{1}, rows, d, scratch.queries);
    pack_rows(go, D, int64_t{1}, rows, d, scratch.dOut);
    small_product<T>(rows, S, d, scratch.queries, scratch.keyColumns, [&](int64_t row, int64_t col, int) {
      return ProbabilityTile<T>{scratch.p + row * stride + col, stride, logSumExp + first + row, scale};
    });
    small_product<T>(rows, S, d, scratch.dOut, scratch.valueColumns, [&](int64_t row, int64_t col, int) {
      const int64_t at = row * stride + col;
      return ScoreGradientTile<T>{scratch.p + at, scratch.ds + at, stride, scratch.delta + row, scale};
    });
    const auto into = [&](T *to, bool accumulate) {
      return
          [=](int64_t row, int64_t col, int cols) { return StoreTile<T>{to + row * ld + col, ld, cols, accumulate}; };
    };
    pack_transposed(scratch.p, stride, S, rows, scratch.packed);
    pack_columns(go, int64_t{1}, D, d, rows, scratch.columns);
    small_product<T>(S, d, rows, scratch.packed, scratch.columns, into(dv, later));
    pack_transposed(scratch.ds, stride, S, rows, scratch.packed);
    pack_columns(q + first * ld, int64_t{1}, ld, d, rows, scratch.columns);
    small_product<T>(S, d, rows, scratch.packed, scratch.columns, into(dk, later));
    pack_rows(scratch.ds, stride, int64_t{1}, rows, S, scratch.packed);
    small_product<T>(rows, d, S, scratch.packed, scratch.keyRows, into(dq + first * ld, false));
  }
  if (s.cosTable)
    for (int64_t i = 0; i < S; ++i) {
      const RopeRow<T> row = rope_tables(s, i);
      rope_backward_row(dq + i * ld, row, d / 2);
      rope_backward_row(dk + i * ld, row, d / 2);
    }
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_ATTENTION_HEAD_BACKWARD_H_
