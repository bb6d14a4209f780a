// A block whose tokens mix by a SwiGLU over the sequence (TRM): both its halves are y = rmsNorm(x + swiglu(x)) of the
// rows of a matrix, first of the transposed state [D, S], then of the state [S, D]. Include after block_forward.h.
#ifndef HRM_CPU_SIMD_MIXER_FORWARD_H_
#define HRM_CPU_SIMD_MIXER_FORWARD_H_

namespace hrm::cpu::HRM_ISA {

/** Sizes of y = rmsNorm(x + swiglu(x)): x and y are [rows, width]. */
template <class T> struct SwigluSize {
  int64_t rows, width, inner;
  T eps;
};

/** out[cols, rows] = in[rows, cols] transposed; `rows` may be fewer than out's rows are long (outStride). */
template <class T>
void stage_transpose(const Crew &crew, int64_t rows, int64_t cols, const T *in, T *out, int64_t outStride) {
  const RowBlocks blocks(rows);
  crew.stage(blocks.count, [&](int64_t block, int) {
    const int64_t row = blocks.begin(block);
    pack_lanes_along_k(in + row * cols, cols, blocks.size(block), cols, out + row, static_cast<int>(outStride));
  });
}

template <class T> struct SwigluBuffers {
  const T *x;     // [rows, width]
  T *y;           // [rows, width], may be x
  T *r;           // [rows], factor of the rmsNorm, or null
  T *gateUp;      // [rows, 2 inner], or null
  T *packed;      // rows * width of scratch
  T *packedInner; // rows * inner of scratch
};

/** gateUp and down packed as in PackedBlock; `after` is the weight that is read next. */
template <class T>
void swiglu_norm_forward(const Crew &crew, const SwigluSize<T> &s, const T *gateUp, const T *down, const T *after,
                         const SwigluBuffers<T> &b) {
  constexpr int64_t kCols = kTileCols<T>, W = kLanes<T>;
  const int64_t N = s.width, F = s.inner;
  const RowBlocks blocks(s.rows);
  crew.stage(blocks.count, [&](int64_t block, int) {
    const int64_t row = blocks.begin(block);
    const int n = blocks.size(block);
    pack_panel(b.x + row * N, N, int64_t{1}, n, N, b.packed + row * N, n);
  });
  stage_product<T>(crew, blocks, round_up_to(F, W) / W, N, b.packed, gateUp, down, [&](int64_t row, int64_t p) {
    const int64_t col = p * W;
    const int rows = blocks.size_at(row);
    return SwigluTile<T>{b.packedInner + row * F + col * rows, b.gateUp ? b.gateUp + row * 2 * F + col : nullptr, F,
                         static_cast<int>(F - col < W ? F - col : W)};
  });
  stage_product<T>(crew, blocks, round_up_to(N, kCols) / kCols, F, b.packedInner, down, after,
                   [&](int64_t row, int64_t p) {
                     const int64_t at = row * N + p * kCols;
                     return ResidualTile<T>{b.x + at, b.y + at, N, panel_columns<T>(N, p)};
                   });
  crew.stage(blocks.count, [&](int64_t block, int) {
    for (int64_t i = blocks.begin(block), end = i + blocks.size(block); i < end; ++i) {
      const T factor = rms_norm_row(b.y + i * N, b.y + i * N, N, s.eps);
      if (b.r)
        b.r[i] = factor;
    }
  });
}

/** As block_forward. b.attention is scratch for the transposed state; b.packedInner has max(S * F, D * F'). */
template <class T>
void mixer_block_forward(const Crew &crew, const BlockShape<T> &s, const PackedBlock<T> &w, const BlockBuffers<T> &b,
                         int64_t nTokens) {
  const int64_t S = s.seqLen, D = s.hidden;
  T *t = b.attention;
  stage_transpose(crew, S, D, b.input, t, S);
  swiglu_norm_forward(crew, SwigluSize<T>{D, S, s.seqInner, s.eps}, w.tGateUp, w.tDown, w.gateUp,
                      SwigluBuffers<T>{t, t, b.r1, b.tGateUp, b.packed, b.packedInner});
  stage_transpose(crew, D, S, t, b.y1, D);
  swiglu_norm_forward(crew, SwigluSize<T>{nTokens, D, s.inner, s.eps}, w.gateUp, w.down, w.tGateUp,
                      SwigluBuffers<T>{b.y1, b.output, b.r2, b.gateUp, b.packed, b.packedInner});
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_MIXER_FORWARD_H_
