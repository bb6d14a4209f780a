// Non-causal attention of one head of one sequence, all of it in the L2 cache: scores of a block of queries against all
// keys, softmax by rows, times the values. Include after gemm_kernel.h and row_kernels.h.
#ifndef HRM_CPU_SIMD_ATTENTION_HEAD_H_
#define HRM_CPU_SIMD_ATTENTION_HEAD_H_

namespace hrm::cpu::HRM_ISA {

/** Queries whose scores are held at a time: a multiple of the tile rows of every instruction set. */
inline constexpr int64_t kQueryRows = 84;

HRM_INLINE int64_t round_up_to(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

/** Hands out parts of a workspace, each aligned to a cache line. */
template <class T> class Carver {
public:
  explicit Carver(T *base) : base_(base) {}
  T *take(int64_t elements) {
    T *part = base_ + used_;
    used_ += round_up_to(elements, 64 / static_cast<int64_t>(sizeof(T)));
    return part;
  }
  int64_t used() const { return used_; }

private:
  T *base_;
  int64_t used_ = 0;
};

template <class T> struct AttentionScratch {
  T *keys, *values, *queries, *scores, *packedScores, *factors;

  AttentionScratch(const BlockShape<T> &s, Carver<T> &carver) {
    const int64_t d = s.headDim(), rows = s.seqLen < kQueryRows ? s.seqLen : kQueryRows;
    keys = carver.take(round_up_to(s.seqLen, kTileCols<T>) * d);
    values = carver.take(round_up_to(d, kTileCols<T>) * s.seqLen);
    queries = carver.take(rows * d);
    scores = carver.take(rows * round_up_to(s.seqLen, kTileCols<T>));
    packedScores = carver.take(rows * s.seqLen);
    factors = carver.take(rows);
  }
};

/** out = factor[row] * tile */
template <class T> struct ScaleTile {
  StoreTile<T> out;
  const T *factors;

  template <int R> HRM_INLINE void operator()(const Tile<T, R> &tile) const {
    Tile<T, R> scaled;
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      const vec<T> f = broadcast(factors[i]);
      scaled.v[i][0] = tile.v[i][0] * f;
      scaled.v[i][1] = tile.v[i][1] * f;
    }
    out(scaled);
  }
};

/** Packs all columns of B[k, n], element (p, j) at src[p * kStride + j * laneStride], panel after panel. */
template <class T>
inline void pack_columns(const T *src, int64_t laneStride, int64_t kStride, int64_t n, int64_t k, T *dst) {
  for (int64_t col = 0; col < n; col += kTileCols<T>) {
    const int cols = static_cast<int>(n - col < kTileCols<T> ? n - col : kTileCols<T>);
    pack_panel(src + col * laneStride, laneStride, kStride, cols, k, dst + col * k, kTileCols<T>);
  }
}

/** C[rows, n] (+)= A B for operands packed whole; make(row, col, cols) gives the epilogue of a tile. */
template <class T, class MakeEpilogue>
HRM_INLINE void small_product(int64_t rows, int64_t n, int64_t k, const T *packedA, const T *packedB,
                              const MakeEpilogue &make) {
  const RowBlocks blocks(rows);
  for (int64_t col = 0; col < n; col += kTileCols<T>) {
    const int cols = static_cast<int>(n - col < kTileCols<T> ? n - col : kTileCols<T>);
    const T *panel = packedB + col * k;
    panel_product(blocks, k, packedA, panel, panel, 0, [&](int64_t row) { return make(row, col, cols); });
  }
}

template <class T> HRM_INLINE RopeRow<T> rope_tables(const BlockShape<T> &s, int64_t position) {
  const T *c = s.cosTable + position * s.ropeCols, *n = s.sinTable + position * s.ropeCols;
  const int64_t high = s.ropeCols - s.headDim() / 2;
  return {c, c + high, n, n + high};
}

/** The part of the queries that is done at a time: begin and length of part i of `parts`. */
struct QueryBlocks {
  int64_t rows, count;
  explicit QueryBlocks(int64_t nQueries) : rows(nQueries), count((nQueries + kQueryRows - 1) / kQueryRows) {}
  int64_t begin(int64_t block) const { return rows * block / count; }
};

/**
 * qkv: [S, 3D], q and k of this head are rotated in place first. out: [S, D], this head's columns of the first nQueries
 * rows are written. logSumExp: [S] of the scaled scores, or null.
 */
template <class T>
void attention_head(const BlockShape<T> &s, int64_t head, int64_t nQueries, T *qkv, T *out, T *logSumExp,
                    const AttentionScratch<T> &scratch) {
  const int64_t S = s.seqLen, D = s.hidden, d = s.headDim(), ld = 3 * D;
  T *q = qkv + head * d, *k = q + D, *v = k + D;
  if (s.cosTable)
    for (int64_t i = 0; i < S; ++i) {
      const RopeRow<T> row = rope_tables(s, i);
      if (i < nQueries)
        rope_row(q + i * ld, row, d / 2);
      rope_row(k + i * ld, row, d / 2);
    }
  pack_columns(k, ld, int64_t{1}, S, d, scratch.keys);
  pack_columns(v, int64_t{1}, ld, d, S, scratch.values);
  const int64_t stride = round_up_to(S, kTileCols<T>);
  const T scale = T(1) / sqrt(broadcast(static_cast<T>(d)))[0];
  const QueryBlocks queries(nQueries);
  for (int64_t block = 0; block < queries.count; ++block) {
    const int64_t first = queries.begin(block), rows = queries.begin(block + 1) - first;
    pack_rows(q + first * ld, ld, int64_t{1}, rows, d, scratch.queries);
    small_product<T>(rows, S, d, scratch.queries, scratch.keys, [&](int64_t row, int64_t col, int) {
      return StoreTile<T>{scratch.scores + row * stride + col, stride, kTileCols<T>, false};
    });
    for (int64_t i = 0; i < rows; ++i) {
      T lse;
      scratch.factors[i] = T(1) / softmax_row(scratch.scores + i * stride, S, stride, scale, &lse);
      if (logSumExp)
        logSumExp[first + i] = lse;
    }
    pack_rows(scratch.scores, stride, int64_t{1}, rows, S, scratch.packedScores);
    T *o = out + first * D + head * d;
    small_product<T>(rows, d, S, scratch.packedScores, scratch.values, [&](int64_t row, int64_t col, int cols) {
      return ScaleTile<T>{{o + row * D + col, D, cols, false}, scratch.factors + row};
    });
  }
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_ATTENTION_HEAD_H_
