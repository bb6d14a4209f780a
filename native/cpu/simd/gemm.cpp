// C = A B by packed panels (see gemm_kernel.h). Few rows: A is packed once and shared, each task packs a panel of B and
// uses it from the cache. Many rows: B is packed once and shared, each task packs a block of rows of A that fits the L2
// cache.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cpu/gemm.h"
#include "cpu/parallel.h"
#include "cpu/simd/begin.h"

#include "cpu/simd/vec.h"

#include "cpu/simd/pack.h"

#include "cpu/simd/gemm_kernel.h"
#include "cpu/simd/gemm_small.h"
#include "cpu/simd/gemm_tasks.h"

namespace hrm::cpu::HRM_ISA {
namespace {

constexpr int64_t kPanelBytes = 3072;      // of one k block: 768 floats
constexpr int64_t kSharedABytes = 2 << 20; // A up to this is packed whole: it streams from the L3 cache in long panels
constexpr int64_t kRowBlockBytes = 384 << 10; // of A packed by one task, in the L2 cache
constexpr int64_t kSharedBBytes = 4 << 20;    // of B packed at a time
constexpr int64_t kDirectRows = 8;            // with so few rows B is read where it lies, if it can be

int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

/** Elements so that what follows stays aligned to a cache line. */
template <class T> int64_t padded(int64_t elements) { return round_up(elements, 64 / static_cast<int64_t>(sizeof(T))); }

/** How one product is cut up; a function of the shape, except `rowTasks` and `colTasks`, which do not change the
 * result. */
template <class T> struct Plan {
  int64_t kBlocks, kMax;
  bool shareA;
  int64_t nBlocks, nMax; // columns of B packed at a time (shareA: all)
  int64_t rowTasks, rowMax;
  int64_t colTasks;
  int64_t sharedElements, threadElements;
  bool parallel;

  Plan(int64_t m, int64_t n, int64_t k, int nThreads) {
    constexpr int64_t kSize = sizeof(T);
    constexpr int64_t kCols = kTileCols<T>;
    kBlocks = std::max<int64_t>(1, ceil_div(k * kSize, kPanelBytes));
    kMax = ceil_div(k, kBlocks);
    shareA = m * kMax * kSize <= kSharedABytes;
    parallel = nThreads > 1 && m * n * k >= kInlineFlops;
    const int64_t panels = ceil_div(n, kCols);
    if (shareA) {
      nBlocks = 1;
      nMax = n;
      rowTasks = 1;
      rowMax = m;
      colTasks = parallel ? std::min<int64_t>(panels, std::max<int64_t>(16, 8 * nThreads)) : 1;
      sharedElements = padded<T>(m * kMax);
      threadElements = padded<T>(kMax * kCols);
      return;
    }
    nBlocks = ceil_div(panels * kCols * kMax * kSize, kSharedBBytes);
    nMax = ceil_div(panels, nBlocks) * kCols;
    rowTasks = ceil_div(m, std::max<int64_t>(kTileRows, kRowBlockBytes / (kMax * kSize)));
    if (parallel && rowTasks < 8 * nThreads)
      rowTasks = std::min(round_up(rowTasks, nThreads), ceil_div(m, kTileRows));
    rowMax = ceil_div(m, rowTasks);
    colTasks = parallel ? std::min(nMax / kCols, ceil_div(2 * nThreads, rowTasks)) : 1;
    sharedElements = padded<T>(nMax * kMax);
    threadElements = padded<T>(rowMax * kMax);
  }
};

template <class T> void clear(const GemmArgs<T> &args) {
  if (!args.accumulate)
    for (int64_t i = 0; i < args.m; ++i)
      std::fill_n(args.c + i * args.ldc, args.n, T(0));
}

/** Writes a tile of C^T into row-major C. */
template <class T> struct StoreTransposedTile {
  T *c;
  int64_t ldc;
  int cols; // of the tile: rows of C
  bool accumulate;

  template <int R> HRM_INLINE void operator()(const Tile<T, R> &tile) const {
    constexpr int W = kLanes<T>;
    T buffer[kTileVecs * W][R];
#pragma GCC unroll 2
    for (int j = 0; j < kTileVecs; ++j) {
      T half[R * W];
#pragma GCC unroll 16
      for (int i = 0; i < R; ++i)
        store(half + i * W, tile.v[i][j]);
      pack_tile<T, R>(half, buffer[j * W]);
    }
    for (int i = 0; i < cols; ++i)
      for (int j = 0; j < R; ++j)
        c[i * ldc + j] = accumulate ? c[i * ldc + j] + buffer[i][j] : buffer[i][j];
  }
  StoreTransposedTile below(int64_t rows) const { return {c + rows, ldc, cols, accumulate}; }
};

/** What the tiles of one panel fetch for the one after it. */
struct NextPanel {
  const void *data = nullptr;
  int64_t nBytes = 0;     // when it is one piece
  int64_t lineStride = 0; // when it is two lines at every k

  Ahead share(int64_t block, int64_t blocks, int64_t k) const {
    if (lineStride == 0 || block >= 2 * kUnroll)
      return Ahead::share(data, nBytes, block, blocks, k);
    // A kernel fetches at every kUnroll-th k only: as many blocks take turns at one line.
    return {static_cast<const char *>(data) + block / kUnroll * 64 + block % kUnroll * lineStride, lineStride};
  }
};

/** All row blocks of a packed A against one panel of B; `out` is the epilogue of the first. */
template <class T, class Layout, class Out>
void rows_times_panel(int64_t m, int64_t k, const T *packedA, const T *b, Layout layout, const NextPanel &next,
                      const Out &out) {
  const RowBlocks blocks(m);
  for (int64_t block = 0; block < blocks.count; ++block) {
    const int64_t row = blocks.begin(block);
    const int rows = blocks.size(block);
    tile_product<T>(rows, k, packedA + row * k, b, layout, next.share(block, blocks.count, k), out.below(row));
  }
}

template <class T> int panel_cols(int64_t n, int64_t panel) {
  return static_cast<int>(std::min<int64_t>(kTileCols<T>, n - panel * kTileCols<T>));
}

template <class T> void pack_b_panel(const GemmArgs<T> &g, int64_t panel, int64_t k0, int64_t k, T *dst) {
  const T *src = g.b.data + panel * kTileCols<T> * g.b.colStride + k0 * g.b.rowStride;
  pack_panel(src, g.b.colStride, g.b.rowStride, panel_cols<T>(g.n, panel), k, dst, kTileCols<T>);
}

/** The unpacked panel after this one, where its place in memory is simple. */
template <class T> NextPanel unpacked_next(const GemmArgs<T> &g, int64_t panel, int64_t k0, int64_t k) {
  constexpr int64_t kSize = sizeof(T);
  if ((panel + 2) * kTileCols<T> > g.n)
    return {};
  const T *data = g.b.data + (panel + 1) * kTileCols<T> * g.b.colStride + k0 * g.b.rowStride;
  if (g.b.rowStride == 1 && g.b.colStride == k)
    return {data, kTileCols<T> * k * kSize, 0};
  return g.b.colStride == 1 ? NextPanel{data, 0, g.b.rowStride * kSize} : NextPanel{};
}

/** Packs [0, m) x [k0, k0 + k) of A for all threads, in parallel when that is worth a barrier. */
template <class T>
void pack_shared_a(ThreadPool &pool, bool parallel, const MatrixView<T> &a, int64_t m, int64_t k0, int64_t k, T *dst) {
  const RowBlocks blocks(m);
  const int64_t tasks = m * k < (1 << 14) ? 1 : std::min<int64_t>(blocks.count, 8);
  for_tasks(pool, parallel && tasks > 1, tasks, [&](int64_t task, int) {
    for (int64_t block = blocks.count * task / tasks; block < blocks.count * (task + 1) / tasks; ++block) {
      const int64_t row = blocks.begin(block);
      const int rows = blocks.size(block);
      pack_panel(a.data + row * a.rowStride + k0 * a.colStride, a.rowStride, a.colStride, rows, k, dst + row * k, rows);
    }
  });
}

/** make(column, columns, accumulate) gives the epilogue of the first row block of a panel. */
template <class T, class MakeOut>
void shared_a_product(ThreadPool &pool, const GemmArgs<T> &g, const Plan<T> &plan, T *workspace, const MakeOut &make) {
  T *const packedA = workspace;
  T *const scratch = workspace + plan.sharedElements;
  const int64_t panels = ceil_div(g.n, kTileCols<T>);
  const bool inPlace = g.m <= kDirectRows && g.b.colStride == 1;
  for (int64_t kb = 0; kb < plan.kBlocks; ++kb) {
    const int64_t k0 = g.k * kb / plan.kBlocks, k = g.k * (kb + 1) / plan.kBlocks - k0;
    pack_shared_a(pool, plan.parallel, g.a, g.m, k0, k, packedA);
    for_tasks(pool, plan.parallel, plan.colTasks, [&](int64_t task, int thread) {
      T *const packedB = scratch + thread * plan.threadElements;
      for (int64_t panel = panels * task / plan.colTasks; panel < panels * (task + 1) / plan.colTasks; ++panel) {
        const int cols = panel_cols<T>(g.n, panel);
        const int64_t col = panel * kTileCols<T>;
        const auto out = make(col, cols, g.accumulate || kb > 0);
        const NextPanel next = unpacked_next(g, panel, k0, k);
        if (inPlace && cols == kTileCols<T>) {
          rows_times_panel(g.m, k, packedA, g.b.data + k0 * g.b.rowStride + col, InPlace{g.b.rowStride}, next, out);
        } else {
          pack_b_panel(g, panel, k0, k, packedB);
          rows_times_panel(g.m, k, packedA, packedB, Packed{}, next, out);
        }
      }
    });
  }
}

template <class T> void shared_b_product(ThreadPool &pool, const GemmArgs<T> &g, const Plan<T> &plan, T *workspace) {
  constexpr int64_t kCols = kTileCols<T>;
  T *const packedB = workspace;
  T *const scratch = workspace + plan.sharedElements;
  const int64_t panels = ceil_div(g.n, kCols);
  for (int64_t nb = 0; nb < plan.nBlocks; ++nb) {
    const int64_t first = panels * nb / plan.nBlocks, nPanels = panels * (nb + 1) / plan.nBlocks - first;
    for (int64_t kb = 0; kb < plan.kBlocks; ++kb) {
      const int64_t k0 = g.k * kb / plan.kBlocks, k = g.k * (kb + 1) / plan.kBlocks - k0;
      for_tasks(pool, plan.parallel, nPanels,
                [&](int64_t panel, int) { pack_b_panel(g, first + panel, k0, k, packedB + panel * k * kCols); });
      for_tasks(pool, plan.parallel, plan.rowTasks * plan.colTasks, [&](int64_t task, int thread) {
        const int64_t rowTask = task / plan.colTasks, colTask = task % plan.colTasks;
        const int64_t row = g.m * rowTask / plan.rowTasks, rows = g.m * (rowTask + 1) / plan.rowTasks - row;
        T *const packedA = scratch + thread * plan.threadElements;
        pack_rows(g.a.data + row * g.a.rowStride + k0 * g.a.colStride, g.a.rowStride, g.a.colStride, rows, k, packedA);
        for (int64_t p = nPanels * colTask / plan.colTasks; p < nPanels * (colTask + 1) / plan.colTasks; ++p) {
          const int64_t panel = first + p;
          const StoreTile<T> out{g.c + row * g.ldc + panel * kCols, g.ldc, panel_cols<T>(g.n, panel),
                                 g.accumulate || kb > 0};
          const NextPanel next{packedB + (p + 1) * k * kCols, p + 1 < nPanels ? k * kCols * int64_t{sizeof(T)} : 0};
          rows_times_panel(rows, k, packedA, packedB + p * k * kCols, Packed{}, next, out);
        }
      });
    }
  }
}

/** Dot products along k for a product with few rows or few columns whose operands are contiguous along k. */
template <class T> bool dot_product(ThreadPool &pool, const GemmArgs<T> &g) {
  if ((g.a.colStride != 1 && g.k > 1) || (g.b.rowStride != 1 && g.k > 1) || std::min(g.m, g.n) > kDotRows)
    return false;
  const bool byColumns = g.m <= g.n;
  const int64_t few = byColumns ? g.m : g.n, many = byColumns ? g.n : g.m;
  if (few > kDotRows)
    return false;
  const bool parallel = pool.nThreads() > 1 && g.m * g.n * g.k >= kInlineFlops;
  const int64_t tasks = parallel ? std::min<int64_t>(ceil_div(many, 64), 4 * pool.nThreads()) : 1;
  for_tasks(pool, parallel, tasks, [&](int64_t task, int) {
    const int64_t groups = ceil_div(many, 4);
    const int64_t begin = groups * task / tasks * 4, end = std::min(many, groups * (task + 1) / tasks * 4);
    if (byColumns)
      dot_columns(g.m, begin, end, g.k, g.a.data, g.a.rowStride, g.b.data, g.b.colStride, g.c, g.ldc, int64_t{1},
                  g.accumulate);
    else
      dot_columns(g.n, begin, end, g.k, g.b.data, g.b.colStride, g.a.data, g.a.rowStride, g.c, int64_t{1}, g.ldc,
                  g.accumulate);
  });
  return true;
}

template <class T> size_t plan_bytes(const Plan<T> &plan, int nThreads) {
  return static_cast<size_t>(plan.sharedElements + nThreads * plan.threadElements) * sizeof(T);
}

/**
 * Few columns, of many rows that lie side by side (the gradient of a weight): as C^T = B^T A^T, which packs A in whole
 * lines.
 */
template <class T> bool prefers_transposed(const GemmArgs<T> &g, int nThreads) {
  return g.a.rowStride == 1 && g.a.colStride > 1 && g.m > g.n && Plan<T>(g.n, g.m, g.k, nThreads).shareA;
}

template <class T> void transposed_product(ThreadPool &pool, const GemmArgs<T> &args, T *workspace) {
  const GemmArgs<T> g{args.n, args.m,   args.k,         args.b.transposed(), args.a.transposed(),
                      args.c, args.ldc, args.accumulate};
  shared_a_product(pool, g, Plan<T>(g.m, g.n, g.k, pool.nThreads()), workspace,
                   [&](int64_t col, int cols, bool accumulate) {
                     return StoreTransposedTile<T>{g.c + col * g.ldc, g.ldc, cols, accumulate};
                   });
}

/** Enough whatever the strides are. */
template <class T> size_t workspace_bytes(int64_t m, int64_t n, int64_t k, int nThreads) {
  if (m == 0 || n == 0 || k == 0)
    return 0;
  const Plan<T> plan(m, n, k, nThreads), transposed(n, m, k, nThreads);
  return std::max(plan_bytes(plan, nThreads), transposed.shareA ? plan_bytes(transposed, nThreads) : 0);
}

template <class T> void product(ThreadPool &pool, const GemmArgs<T> &args, void *workspace) {
  if (args.m == 0 || args.n == 0)
    return;
  if (args.k == 0)
    return clear(args);
  if (dot_product(pool, args))
    return;
  if (prefers_transposed(args, pool.nThreads()))
    return transposed_product(pool, args, static_cast<T *>(workspace));
  const Plan<T> plan(args.m, args.n, args.k, pool.nThreads());
  if (plan.shareA)
    shared_a_product(pool, args, plan, static_cast<T *>(workspace), [&](int64_t col, int cols, bool accumulate) {
      return StoreTile<T>{args.c + col, args.ldc, cols, accumulate};
    });
  else
    shared_b_product(pool, args, plan, static_cast<T *>(workspace));
}

} // namespace

size_t gemm_workspace_bytes_of(int64_t m, int64_t n, int64_t k, int nThreads, const float *) {
  return workspace_bytes<float>(m, n, k, nThreads);
}
void gemm_of(ThreadPool &pool, const GemmArgs<float> &args, void *workspace) { product(pool, args, workspace); }

#if HRM_HAS_F64
size_t gemm_workspace_bytes_of(int64_t m, int64_t n, int64_t k, int nThreads, const double *) {
  return workspace_bytes<double>(m, n, k, nThreads);
}
void gemm_of(ThreadPool &pool, const GemmArgs<double> &args, void *workspace) { product(pool, args, workspace); }
#endif

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
