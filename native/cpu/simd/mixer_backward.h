// Gradient of y = rmsNorm(x + swiglu(x)) and, from two of them, of a block as in mixer_forward.h, for one sequence.
// Include after block_backward.h and mixer_forward.h.
#ifndef HRM_CPU_SIMD_MIXER_BACKWARD_H_
#define HRM_CPU_SIMD_MIXER_BACKWARD_H_

namespace hrm::cpu::HRM_ISA {

/** Weights packed transposed (kPlain). */
template <class T> struct PackedSwigluTransposed {
  T *gateUp; // [width, 2 inner]
  T *down;   // [inner, width]
};

/** Gradients in front of both weights, and the left operands of the weights' gradients that are not kept. */
template <class T> struct SwigluTokens {
  T *sum;    // [.., width] of down's output (and the residual)
  T *inner;  // [.., inner] silu(gate) * up
  T *gateUp; // [.., 2 inner]
};

template <class T> struct SwigluBackwardBuffers {
  const T *y, *r, *gateUp; // of the forward pass
  const T *dy;             // [rows, width]
  T *dx;                   // [rows, width]; not dy
  SwigluTokens<T> tokens;
  T *packed; // rows * max(width, longest part of a sum) of scratch
};

template <class T> inline int64_t packed_width(const SwigluSize<T> &s) {
  return std::max(s.width, longest_sum_part<T>(2 * s.inner));
}

template <class T>
void swiglu_norm_backward(const Crew &crew, const SwigluSize<T> &s, const PackedSwigluTransposed<T> &w,
                          const SwigluBackwardBuffers<T> &b) {
  constexpr int64_t kCols = kTileCols<T>;
  const int64_t N = s.width, F = s.inner, k = 2 * F;
  const SwigluTokens<T> &g = b.tokens;
  const RowBlocks blocks(s.rows);
  crew.stage(blocks.count, [&](int64_t block, int) {
    const int64_t row = blocks.begin(block);
    const int n = blocks.size(block);
    for (int64_t i = row; i < row + n; ++i)
      rms_norm_backward_row(b.dy + i * N, b.y + i * N, b.r[i], g.sum + i * N, N);
    pack_panel(g.sum + row * N, N, int64_t{1}, n, N, b.packed + row * N, n);
  });
  stage_product<T>(crew, blocks, round_up_to(F, kCols) / kCols, N, b.packed, w.down, w.gateUp,
                   [&](int64_t row, int64_t p) {
                     const int64_t at = row * k + p * kCols;
                     return SwigluBackwardTile<T>{b.gateUp + at, g.gateUp + at, g.inner + row * F + p * kCols, F,
                                                  panel_columns<T>(F, p)};
                   });
  stage_sum<T>(crew, blocks, k, N, g.gateUp, w.gateUp, b.packed, g.sum, b.dx);
}

/** One sequence of what mixer_block_backward reads and writes. */
template <class T> struct MixerBackwardBuffers {
  const T *input, *y1, *r1, *tGateUp, *gateUp, *r2, *y; // of the forward pass
  const T *dy;                                          // [S, D]
  T *dInput;                                            // [S, D], may be dy
  SwigluTokens<T> tokens;                               // of the SwiGLU over the hidden axis
  SwigluTokens<T> tTokens;                              // of that over the sequence
  T *tInput;                                            // [D, S] the input transposed
  T *packed, *own1, *own2, *own3;                       // scratch: packed as above, S * D each
};

template <class T>
void mixer_block_backward(const Crew &crew, const BlockShape<T> &s, const PackedSwigluTransposed<T> &overHidden,
                          const PackedSwigluTransposed<T> &overSequence, const MixerBackwardBuffers<T> &b) {
  const int64_t S = s.seqLen, D = s.hidden;
  swiglu_norm_backward(crew, SwigluSize<T>{S, D, s.inner, s.eps}, overHidden,
                       SwigluBackwardBuffers<T>{b.y, b.r2, b.gateUp, b.dy, b.own1, b.tokens, b.packed});
  T *tY1 = b.own2, *tDy1 = b.own3, *tDInput = b.own1;
  stage_transpose(crew, S, D, b.y1, tY1, S);
  stage_transpose(crew, S, D, b.own1, tDy1, S);
  stage_transpose(crew, S, D, b.input, b.tInput, S);
  swiglu_norm_backward(crew, SwigluSize<T>{D, S, s.seqInner, s.eps}, overSequence,
                       SwigluBackwardBuffers<T>{tY1, b.r1, b.tGateUp, tDy1, tDInput, b.tTokens, b.packed});
  stage_transpose(crew, D, S, tDInput, b.dInput, D);
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_MIXER_BACKWARD_H_
