// Gradient of one transformer block over one sequence with respect to its input, stage by stage as in block_forward.h.
// The gradients of the activations in front of every weight are kept: the weights' own gradients are products over all
// tokens.
#ifndef HRM_CPU_SIMD_BLOCK_BACKWARD_H_
#define HRM_CPU_SIMD_BLOCK_BACKWARD_H_

namespace hrm::cpu::HRM_ISA {

/** dm = tile; writes the gradients of gate and up, and silu(gate) * up again for the gradient of `down`. */
template <class T> struct SwigluBackwardTile {
  const T *gateUp; // this row block and these columns of [S, 2F]
  T *dGateUp;      // the same of its gradient
  T *inner;        // the same of [S, F]
  int64_t F;
  int cols;

  /** Down the rows no prefetcher sees them coming. */
  HRM_INLINE void prefetch(int rows) const {
    for (int i = 0; i < rows; ++i)
      // A row of a tile is one cache line, with AVX-512 two.
      for (int j = 0; j < kTileCols<T>; j += 64 / static_cast<int>(sizeof(T))) {
        const int64_t at = i * 2 * F + j;
        __builtin_prefetch(gateUp + at);
        __builtin_prefetch(gateUp + at + F);
        __builtin_prefetch(dGateUp + at, 1);
        __builtin_prefetch(dGateUp + at + F, 1);
        __builtin_prefetch(inner + i * F + j, 1);
      }
  }

  template <int R> HRM_INLINE void operator()(const Tile<T, R> &tile) const {
    constexpr int W = kLanes<T>;
    const vec<T> one = broadcast(T(1));
    for (int i = 0; i < R; ++i)
      for (int j = 0; j < kTileVecs; ++j) {
        const int n = cols - j * W;
        if (n <= 0)
          break;
        const int64_t at = i * 2 * F + j * W;
        const vec<T> g = load_upto(gateUp + at, n), u = load_upto(gateUp + at + F, n), dm = tile.v[i][j];
        const vec<T> gate = logistic_of<T>(g);
        const vec<T> activated = g * gate;
        store_upto(dGateUp + at, dm * u * gate * (one + g * (one - gate)), n);
        store_upto(dGateUp + at + F, dm * activated, n);
        store_upto(inner + i * F + j * W, activated * u, n);
      }
  }
};

/** In how many parts a tile takes a sum over k. */
template <class T> inline int64_t sum_parts(int64_t k) {
  constexpr int64_t kBytes = 6144;
  return (k * static_cast<int64_t>(sizeof(T)) + kBytes - 1) / kBytes;
}
template <class T> inline int64_t longest_sum_part(int64_t k) {
  const int64_t parts = sum_parts<T>(k);
  return parts > 0 ? (k + parts - 1) / parts : 0;
}

/**
 * out[S, n] = residual + source[S, k] W for a W[k, n] packed transposed; the sum over k in as many parts as its length
 * asks for. `packed` has room for the source.
 */
template <class T>
void stage_sum(const Crew &crew, const RowBlocks &blocks, int64_t k, int64_t n, const T *source, const T *packedW,
               T *packed, const T *residual, T *out) {
  constexpr int64_t kCols = kTileCols<T>;
  const int64_t parts = sum_parts<T>(k), panels = round_up_to(n, kCols) / kCols;
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t k0 = k * part / parts, kPart = k * (part + 1) / parts - k0;
    crew.stage(blocks.count, [&](int64_t block, int) {
      const int64_t row = blocks.begin(block);
      const int rows = blocks.size(block);
      pack_panel(source + row * k + k0, k, int64_t{1}, rows, kPart, packed + row * kPart, rows);
    });
    const T *add = part == 0 ? residual : out;
    crew.stage(panels, [&](int64_t p, int) {
      const T *panel = packedW + (p * k + k0) * kCols;
      const int64_t nBytes = p + 1 < panels ? kPart * kCols * static_cast<int64_t>(sizeof(T)) : 0;
      panel_product(blocks, kPart, packed, panel, panel + k * kCols, nBytes, [&](int64_t row) {
        const int64_t at = row * n + p * kCols;
        return ResidualTile<T>{add + at, out + at, n, panel_columns<T>(n, p)};
      });
    });
  }
}

/** Weights of a block packed transposed (kPlain): they take gradients back. */
template <class T> struct PackedBlockTransposed {
  T *qkv;    // [D, 3D]
  T *o;      // [D, D]
  T *gateUp; // [D, 2F]
  T *down;   // [F, D]
};

/** Gradients in front of the weights of one block; what products over tokens need. */
template <class T> struct TokenGradients {
  T *t2;     // [.., D] of down's output (and the residual)
  T *inner;  // [.., F] silu(gate) * up
  T *gateUp; // [.., 2F]
  T *t1;     // [.., D] of o's output (and the residual)
  T *qkv;    // [.., 3D]
};

/** One sequence of what block_backward reads and writes. */
template <class T> struct BlockBackwardBuffers {
  const T *qkv, *attention, *logSumExp, *y1, *r1, *gateUp, *r2; // saved, as in BlockBuffers
  const T *y;                                                   // [S, D], output of the block
  const T *dy;                                                  // [S, D]
  T *dInput;                                                    // [S, D], may be dy
  TokenGradients<T> tokens;
  T *packed;     // S * max(D, longest part of a sum) of scratch
  T *dAttention; // [S, D] of scratch
};

template <class T>
void block_backward(const Crew &crew, const BlockShape<T> &s, const PackedBlockTransposed<T> &w,
                    const BlockBackwardBuffers<T> &b, const AttentionBackwardScratch<T> *attentionScratch) {
  constexpr int64_t kCols = kTileCols<T>;
  const int64_t D = s.hidden, F = s.inner, S = s.seqLen;
  const TokenGradients<T> &g = b.tokens;
  const RowBlocks blocks(S);
  const int64_t hiddenPanels = round_up_to(D, kCols) / kCols;
  // dx = gradient of rmsNorm, packed as the next left operand.
  const auto denormalise = [&](const T *dy, const T *y, const T *r, T *dx) {
    crew.stage(blocks.count, [&](int64_t block, int) {
      const int64_t row = blocks.begin(block);
      const int n = blocks.size(block);
      for (int64_t i = row; i < row + n; ++i)
        rms_norm_backward_row(dy + i * D, y + i * D, r[i], dx + i * D, D);
      pack_panel(dx + row * D, D, int64_t{1}, n, D, b.packed + row * D, n);
    });
  };
  const auto product = [&](const T *source, int64_t k, const T *packedW, const T *residual, T *out) {
    stage_sum<T>(crew, blocks, k, D, source, packedW, b.packed, residual, out);
  };

  denormalise(b.dy, b.y, b.r2, g.t2);
  stage_product<T>(crew, blocks, round_up_to(F, kCols) / kCols, D, b.packed, w.down, w.gateUp,
                   [&](int64_t row, int64_t p) {
                     const int64_t at = row * 2 * F + p * kCols;
                     return SwigluBackwardTile<T>{b.gateUp + at, g.gateUp + at, g.inner + row * F + p * kCols, F,
                                                  panel_columns<T>(F, p)};
                   });
  product(g.gateUp, 2 * F, w.gateUp, g.t2, g.t1);
  denormalise(g.t1, b.y1, b.r1, g.t1);
  stage_product<T>(crew, blocks, hiddenPanels, D, b.packed, w.o, w.qkv, [&](int64_t row, int64_t p) {
    return StoreTile<T>{b.dAttention + row * D + p * kCols, D, panel_columns<T>(D, p), false};
  });
  crew.stage(s.nHeads, [&](int64_t head, int thread) {
    attention_head_backward(s, head, b.qkv, b.attention, b.logSumExp + head * S, b.dAttention, g.qkv,
                            attentionScratch[thread]);
  });
  product(g.qkv, 3 * D, w.qkv, g.t1, b.dInput);
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_BLOCK_BACKWARD_H_
