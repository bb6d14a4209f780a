// The register tile of all matrix products, and the loop of a single thread over packed operands. Include after
// begin.h, vec.h and pack.h.
//
// Left operand: panels of up to kTileRows rows, [k][rows] side by side. Right operand: panels of kTileCols<T> columns,
// [k][kTileCols]. A tile is kTileRows x 2 registers and takes its whole k in one go; then an epilogue gets it.
#ifndef HRM_CPU_SIMD_GEMM_KERNEL_H_
#define HRM_CPU_SIMD_GEMM_KERNEL_H_

namespace hrm::cpu::HRM_ISA {

#if HRM_ISA_ID == 2
inline constexpr int kTileRows = 14;
#elif HRM_ISA_ID == 1
inline constexpr int kTileRows = 6;
#else
inline constexpr int kTileRows = 4;
#endif
inline constexpr int kTileVecs = 2;
template <class T> inline constexpr int kTileCols = kTileVecs * kLanes<T>;

/** R rows of two registers, in row-major order. */
template <class T, int R> struct Tile {
  vec<T> v[R][kTileVecs];
};

/** Rows are cut into blocks as even as possible, none larger than kTileRows. */
struct RowBlocks {
  int64_t rows;
  int64_t count;

  explicit RowBlocks(int64_t nRows) : rows(nRows), count((nRows + kTileRows - 1) / kTileRows) {}
  int64_t begin(int64_t block) const { return block * (rows / count) + min_of(block, rows % count); }
  int size(int64_t block) const { return static_cast<int>(rows / count + (block < rows % count ? 1 : 0)); }
  /** Size of the block that begins at this row. */
  int size_at(int64_t row) const {
    return static_cast<int>(rows / count + (row < rows % count * (rows / count + 1) ? 1 : 0));
  }

private:
  static int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
};

// Steps of k that a kernel takes at a time. Loop and prefetch instructions count: where another tenant has the core's
// second thread, a kernel has half of the front end (measured on Zen 3: 72 against 84 GFLOP/s).
#if HRM_ISA_ID == 2
inline constexpr int kUnroll = 2;
#else
inline constexpr int kUnroll = 4;
#endif

/** What a kernel fetches into the L2 cache while it computes: one line every kUnroll k, `step` bytes further at every
 * k. */
struct Ahead {
  const char *data = nullptr;
  int64_t step = 0;

  /** Nothing to fetch: every round asks for this line again, which is there (address 0 would cost a walk of the page
   * table). */
  static Ahead nothing(const void *cached) { return {static_cast<const char *>(cached), 0}; }

  /** The share of row block `block` of `blocks`, each of k steps, in fetching nBytes. */
  static Ahead share(const void *data, int64_t nBytes, int64_t block, int64_t blocks, int64_t k) {
    const int64_t calls = blocks * (k > 0 ? k : 1);
    const int64_t step = (nBytes + calls - 1) / calls;
    return {static_cast<const char *>(data) + block * k * step, step};
  }
};

/** A right operand that is read where it lies, `stride` elements from one k to the next; fetched ahead line by line. */
struct InPlace {
  int64_t stride;
};
/** One that was packed: the hardware's own prefetching follows it. */
struct Packed {
  static constexpr int64_t stride = 0;
};

/** The product of an R-row panel of A (packed) and one panel of B, of layout Packed or InPlace. */
template <class T, int R, class Layout>
HRM_INLINE Tile<T, R> micro_kernel(int64_t k, const T *a, const T *b, Layout layout, Ahead ahead) {
  constexpr int W = kLanes<T>;
  constexpr bool inPlace = std::is_same_v<Layout, InPlace>;
  const int64_t bStride = inPlace ? layout.stride : kTileCols<T>;
  Tile<T, R> acc;
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i)
    acc.v[i][0] = acc.v[i][1] = vec<T>{};
  const auto step = [&](const T *aRow, const T *bRow) __attribute__((always_inline)) {
    const vec<T> b0 = load(bRow), b1 = load(bRow + W);
    if constexpr (inPlace) {
      __builtin_prefetch(bRow + 16 * bStride);
      __builtin_prefetch(bRow + 16 * bStride + W);
    }
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      const vec<T> x = broadcast(aRow[i]);
      acc.v[i][0] = fma(x, b0, acc.v[i][0]);
      acc.v[i][1] = fma(x, b1, acc.v[i][1]);
    }
  };
  int64_t p = 0;
  for (; p + kUnroll <= k; p += kUnroll, a += kUnroll * R, b += kUnroll * bStride) {
    __builtin_prefetch(ahead.data, 0, 2);
    ahead.data += kUnroll * ahead.step;
#pragma GCC unroll 4
    for (int u = 0; u < kUnroll; ++u)
      step(a + u * R, b + u * bStride);
  }
  for (; p < k; ++p, a += R, b += bStride)
    step(a, b);
  return acc;
}

/** Calls f(std::integral_constant<int, rows>) for a run-time number of rows in [1, kTileRows]. */
template <int R = kTileRows, class F> HRM_INLINE void with_rows(int rows, const F &f) {
  if constexpr (R == 1) {
    f(std::integral_constant<int, 1>{});
  } else {
    if (rows == R)
      f(std::integral_constant<int, R>{});
    else
      with_rows<R - 1>(rows, f);
  }
}

/** Stores or accumulates a tile into row-major C; cols may be less than kTileCols at the right edge. */
template <class T> struct StoreTile {
  T *c;
  int64_t ldc;
  int cols;
  bool accumulate;

  template <int R> HRM_INLINE void operator()(const Tile<T, R> &tile) const {
    constexpr int W = kLanes<T>;
    if (cols == kTileCols<T>) {
#pragma GCC unroll 16
      for (int i = 0; i < R; ++i) {
        T *row = c + i * ldc;
        store(row, accumulate ? load(row) + tile.v[i][0] : tile.v[i][0]);
        store(row + W, accumulate ? load(row + W) + tile.v[i][1] : tile.v[i][1]);
      }
      return;
    }
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      T *row = c + i * ldc;
#pragma GCC unroll 2
      for (int j = 0; j < kTileVecs; ++j) {
        const int n = cols - j * W < W ? cols - j * W : W;
        if (n <= 0)
          break;
        store_partial(row + j * W, accumulate ? load_partial(row + j * W, n) + tile.v[i][j] : tile.v[i][j], n);
      }
    }
  }
  StoreTile below(int64_t rows) const { return {c + rows * ldc, ldc, cols, accumulate}; }
};

/** One tile, out of line. */
template <class T, int R, class Layout>
__attribute__((noinline)) void tile_kernel(int64_t k, const T *a, const T *b, Layout layout, Ahead ahead,
                                           Tile<T, R> &tile) {
  tile = micro_kernel<T, R>(k, a, b, layout, ahead);
}

/** One tile stored from its registers. */
template <class T, int R, class Layout>
__attribute__((noinline)) void store_kernel(int64_t k, const T *a, const T *b, Layout layout, Ahead ahead,
                                            const StoreTile<T> &out) {
  out(micro_kernel<T, R>(k, a, b, layout, ahead));
}

template <class Epilogue>
HRM_INLINE auto prefetch_for(const Epilogue &epilogue, int rows, int) -> decltype(epilogue.prefetch(rows)) {
  epilogue.prefetch(rows);
}
template <class Epilogue> HRM_INLINE void prefetch_for(const Epilogue &, int, long) {}

/**
 * One tile of a run-time number of rows for an epilogue: void operator()(const Tile<T, R> &) const. One that reads or
 * writes what no hardware prefetcher foresees asks for it before the product, in void prefetch(int rows) const.
 */
template <class T, class Layout, class Epilogue>
HRM_INLINE void tile_product(int rows, int64_t k, const T *a, const T *b, Layout layout, Ahead ahead,
                             const Epilogue &epilogue) {
  with_rows(rows, [&](auto r) {
    if constexpr (std::is_same_v<Epilogue, StoreTile<T>>) {
      store_kernel<T, r()>(k, a, b, layout, ahead, epilogue);
    } else {
      // By way of memory: inlined behind the loop, an epilogue that needs registers itself makes the compiler keep
      // accumulators on the stack within it (with SwiGLU's a third slower).
      Tile<T, r()> tile;
      prefetch_for(epilogue, rows, 0);
      tile_kernel<T, r()>(k, a, b, layout, ahead, tile);
      epilogue(tile);
    }
  });
}

/**
 * All row blocks of a packed A against one packed panel, fetching nBytes from `next` meanwhile; make(row) gives the
 * epilogue of the block that begins there.
 */
template <class T, class MakeEpilogue>
HRM_INLINE void panel_product(const RowBlocks &blocks, int64_t k, const T *packedA, const T *panel, const void *next,
                              int64_t nextBytes, const MakeEpilogue &make) {
  for (int64_t block = 0; block < blocks.count; ++block) {
    const int64_t row = blocks.begin(block);
    const int rows = blocks.size(block);
    tile_product<T>(rows, k, packedA + row * k, panel, Packed{}, Ahead::share(next, nextBytes, block, blocks.count, k),
                    make(row));
  }
}

/** Packs rows [0, m) of A as consecutive row panels: dst has m * k elements. */
template <class T>
inline void pack_rows(const T *a, int64_t rowStride, int64_t colStride, int64_t m, int64_t k, T *dst) {
  const RowBlocks blocks(m);
  for (int64_t block = 0; block < blocks.count; ++block) {
    const int64_t row = blocks.begin(block);
    const int rows = blocks.size(block);
    pack_panel(a + row * rowStride, rowStride, colStride, rows, k, dst + row * k, rows);
  }
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_GEMM_KERNEL_H_
