// One transformer block over one sequence, stage by stage; a stage is a set of independent tasks, so that one thread
// can run it alone or all threads together with the same results. Include after attention_head.h.
#ifndef HRM_CPU_SIMD_BLOCK_FORWARD_H_
#define HRM_CPU_SIMD_BLOCK_FORWARD_H_

namespace hrm::cpu::HRM_ISA {

/** Who works on a sequence: one thread of the pool by itself, or the whole pool. */
class Crew {
public:
  static Crew alone(int thread) { return Crew(nullptr, thread); }
  static Crew together(ThreadPool &pool) { return Crew(&pool, 0); }

  int n_threads() const { return pool_ ? pool_->nThreads() : 1; }

  /** fn(task, thread) for every task; all are done when it returns. */
  template <class F> void stage(int64_t nTasks, F &&fn) const {
    if (pool_) {
      pool_->parallel_for(nTasks, fn);
      return;
    }
    for (int64_t task = 0; task < nTasks; ++task)
      fn(task, thread_);
  }

private:
  Crew(ThreadPool *pool, int thread) : pool_(pool), thread_(thread) {}
  ThreadPool *pool_;
  int thread_;
};

/**
 * Runs fn(crew, sequence, scratch slot) for all sequences: as many as divide evenly by one thread each, the rest by all
 * threads together. Scratch slot < nThreads.
 */
template <class F> void for_sequences(ThreadPool &pool, int64_t batch, F &&fn) {
  const int64_t alone = batch - batch % pool.nThreads();
  pool.parallel_for(alone, [&](int64_t b, int thread) { fn(Crew::alone(thread), b, thread); });
  for (int64_t b = alone; b < batch; ++b)
    fn(Crew::together(pool), b, 0);
}

/** out = tile + residual; out may be the residual. */
template <class T> struct ResidualTile {
  const T *residual;
  T *out;
  int64_t ld;
  int cols;

  template <int R> HRM_INLINE void operator()(const Tile<T, R> &tile) const {
    constexpr int W = kLanes<T>;
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < kTileVecs; ++j) {
        const int n = cols - j * W;
        const int64_t at = i * ld + j * W;
        if (n > 0)
          store_upto(out + at, load_upto(residual + at, n) + tile.v[i][j], n);
      }
  }
};

/** The first register of a row is gate, the second up: writes silu(gate) * up into the packed left operand of `down`.
 */
template <class T> struct SwigluTile {
  T *packed; // this row block and these columns of the packed operand
  T *gateUp; // this row block and these gate columns of [S, 2F], or null
  int64_t inner;
  int cols; // of gate, at most one register

  /** What is stored along the rows, as in SwigluBackwardTile. */
  HRM_INLINE void prefetch(int rows) const {
    if (gateUp)
      for (int i = 0; i < rows; ++i) {
        __builtin_prefetch(gateUp + i * 2 * inner, 1);
        __builtin_prefetch(gateUp + i * 2 * inner + inner, 1);
      }
  }

  template <int R> HRM_INLINE void operator()(const Tile<T, R> &tile) const {
    constexpr int W = kLanes<T>;
    T m[R * W < 16 ? 16 : R * W];
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
      store(m + i * W, tile.v[i][0] * logistic_of<T>(tile.v[i][0]) * tile.v[i][1]);
    if (cols == W)
      pack_tile<T, R>(m, packed);
    else
      pack_lanes_along_k(m, W, R, cols, packed, R);
    if (gateUp)
#pragma GCC unroll 16
      for (int i = 0; i < R; ++i) {
        store_upto(gateUp + i * 2 * inner, tile.v[i][0], cols);
        store_upto(gateUp + i * 2 * inner + inner, tile.v[i][1], cols);
      }
  }
};

/** Where one sequence's activations are; those marked may be null. In place: input, y1 and output may be one buffer. */
template <class T> struct BlockBuffers {
  const T *input;       // [S, D]
  T *qkv;               // [S, 3D]
  T *attention;         // [S, D]
  T *logSumExp;         // [H, S], or null
  T *y1;                // [S, D]
  T *r1;                // [S], or null
  T *gateUp;            // [S, 2F], or null
  T *r2;                // [S], or null
  T *output;            // [S, D]
  T *packed;            // S * D of scratch
  T *packedInner;       // S * F of scratch
  T *tGateUp = nullptr; // of blocks with a SwiGLU over the sequence, see mixer_forward.h
};

/** Columns of panel p of n columns in all. */
template <class T> inline int panel_columns(int64_t n, int64_t p) {
  return static_cast<int>(std::min<int64_t>(n - p * kTileCols<T>, kTileCols<T>));
}

/** Panels of k steps that are taken through a row block together; 1: all row blocks go through one panel, then the
 * next.
 */
template <class T> inline int64_t panels_together(int64_t k) {
  // Narrow panels stay in the L2 cache, and a block's output is written along its rows, line after line: down the rows
  // a panel at a time, every line would be a miss that no prefetcher foresees. Wide ones must come from the L1 cache.
  constexpr int64_t kNarrowBytes = 16 << 10, kResidentBytes = 192 << 10;
  const int64_t bytes = k * kTileCols<T> * static_cast<int64_t>(sizeof(T));
  return bytes > kNarrowBytes ? 1 : kResidentBytes / (bytes > 0 ? bytes : 1);
}

/**
 * C[S, n] = packed A [S, k] times all panels of B; make(row, panel) gives the epilogue. `after` is what comes next,
 * fetched behind the last of wide panels; narrow ones come from the L2 cache as they are used.
 */
template <class T, class MakeEpilogue>
void stage_product(const Crew &crew, const RowBlocks &blocks, int64_t nPanels, int64_t k, const T *packedA,
                   const T *packedB, const T *after, const MakeEpilogue &make) {
  const int64_t panelElements = k * kTileCols<T>, together = panels_together<T>(k);
  if (together > 1) {
    // Enough tasks for the crew, where few row blocks leave some of it idle: how panels are grouped changes no result.
    const int64_t perThread = (crew.n_threads() + blocks.count - 1) / std::max<int64_t>(1, blocks.count);
    const int64_t groups = std::min(nPanels, std::max((nPanels + together - 1) / together, perThread));
    crew.stage(groups * blocks.count, [&](int64_t task, int) {
      const int64_t group = task / blocks.count, block = task % blocks.count, row = blocks.begin(block);
      for (int64_t p = nPanels * group / groups, end = nPanels * (group + 1) / groups; p < end; ++p) {
        const T *panel = packedB + p * panelElements;
        tile_product<T>(blocks.size(block), k, packedA + row * k, panel, Packed{}, Ahead::nothing(panel), make(row, p));
      }
    });
    return;
  }
  crew.stage(nPanels, [&](int64_t p, int) {
    const T *panel = packedB + p * panelElements;
    panel_product(blocks, k, packedA, panel, p + 1 < nPanels ? panel + panelElements : after,
                  panelElements * static_cast<int64_t>(sizeof(T)), [&](int64_t row) { return make(row, p); });
  });
}

/** Output rows [0, nTokens); the others are left undefined. Keys and values come from all rows. */
template <class T>
void block_forward(const Crew &crew, const BlockShape<T> &s, const PackedBlock<T> &w, const BlockBuffers<T> &b,
                   int64_t nTokens, const AttentionScratch<T> *attentionScratch) {
  constexpr int64_t kCols = kTileCols<T>, W = kLanes<T>;
  const int64_t D = s.hidden, F = s.inner;
  const RowBlocks all(s.seqLen), blocks(nTokens);
  const auto pack = [&](const RowBlocks &part, const T *rows) {
    crew.stage(part.count, [&](int64_t block, int) {
      const int64_t row = part.begin(block);
      const int n = part.size(block);
      pack_panel(rows + row * D, D, int64_t{1}, n, D, b.packed + row * D, n);
    });
  };
  const auto normalise = [&](T *y, T *r, bool packToo) {
    crew.stage(blocks.count, [&](int64_t block, int) {
      const int64_t row = blocks.begin(block);
      const int n = blocks.size(block);
      for (int64_t i = row; i < row + n; ++i) {
        const T factor = rms_norm_row(y + i * D, y + i * D, D, s.eps);
        if (r)
          r[i] = factor;
      }
      if (packToo)
        pack_panel(y + row * D, D, int64_t{1}, n, D, b.packed + row * D, n);
    });
  };

  pack(all, b.input);
  stage_product<T>(crew, all, round_up_to(3 * D, kCols) / kCols, D, b.packed, w.qkv, w.o, [&](int64_t row, int64_t p) {
    return StoreTile<T>{b.qkv + row * 3 * D + p * kCols, 3 * D, panel_columns<T>(3 * D, p), false};
  });
  crew.stage(s.nHeads, [&](int64_t head, int thread) {
    T *lse = b.logSumExp ? b.logSumExp + head * s.seqLen : nullptr;
    attention_head(s, head, nTokens, b.qkv, b.attention, lse, attentionScratch[thread]);
  });
  pack(blocks, b.attention);
  const auto residual = [&](const T *in, T *out) {
    return [&, in, out](int64_t row, int64_t p) {
      return ResidualTile<T>{in + row * D + p * kCols, out + row * D + p * kCols, D, panel_columns<T>(D, p)};
    };
  };
  stage_product<T>(crew, blocks, round_up_to(D, kCols) / kCols, D, b.packed, w.o, w.gateUp, residual(b.input, b.y1));
  normalise(b.y1, b.r1, true);
  stage_product<T>(crew, blocks, round_up_to(F, W) / W, D, b.packed, w.gateUp, w.down, [&](int64_t row, int64_t p) {
    const int64_t col = p * W;
    const int rows = blocks.size_at(row);
    return SwigluTile<T>{b.packedInner + row * F + col * rows, b.gateUp ? b.gateUp + row * 2 * F + col : nullptr, F,
                         static_cast<int>(F - col < W ? F - col : W)};
  });
  stage_product<T>(crew, blocks, round_up_to(D, kCols) / kCols, F, b.packedInner, w.down, w.qkv,
                   residual(b.y1, b.output));
  normalise(b.output, b.r2, false);
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_BLOCK_FORWARD_H_
