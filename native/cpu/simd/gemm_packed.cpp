// Products with a right operand that was packed beforehand (weights).
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
#include "cpu/simd/gemm_tasks.h"

namespace hrm::cpu::HRM_ISA {
namespace {

constexpr int64_t kPackedPanelBytes = 6144;    // of one k block: 1536 floats
constexpr int64_t kPackedRowBytes = 512 << 10; // of A packed by one task, in the L2 cache

/** Rows are cut into `rowTasks`; a task does them all against a share of the columns. Neither changes the result. */
template <class T> struct PackedPlan {
  int64_t kBlocks, kMax, rowTasks, rowMax, colTasks, taskElements;
  bool parallel;

  PackedPlan(int64_t m, int64_t n, int64_t k, int nThreads) {
    constexpr int64_t kSize = sizeof(T);
    kBlocks = std::max<int64_t>(1, ceil_div(k * kSize, kPackedPanelBytes));
    kMax = std::max<int64_t>(1, ceil_div(k, kBlocks));
    parallel = nThreads > 1 && m * n * k >= kInlineFlops;
    rowTasks = ceil_div(m, std::max<int64_t>(kTileRows, kPackedRowBytes / (kMax * kSize)));
    if (parallel && rowTasks > 1 && rowTasks < 8 * nThreads)
      rowTasks = std::min(ceil_div(rowTasks, nThreads) * nThreads, ceil_div(m, kTileRows));
    rowMax = ceil_div(m, rowTasks);
    const int64_t panels = ceil_div(n, kTileCols<T>);
    colTasks = parallel ? std::min(panels, ceil_div(8 * nThreads, rowTasks)) : 1;
    taskElements = ceil_div(rowMax * kMax, 64 / kSize) * (64 / kSize);
  }
};

template <class T> size_t packed_workspace_bytes(int64_t m, int64_t n, int64_t k, int nThreads) {
  if (m == 0 || n == 0)
    return 0;
  const PackedPlan<T> plan(m, n, k, nThreads);
  return static_cast<size_t>((plan.rowTasks == 1 ? 1 : nThreads) * plan.taskElements) * sizeof(T);
}

template <class T>
void packed_columns(const PackedGemmArgs<T> &g, int64_t k0, int64_t k, int64_t row, int64_t rows, const T *packedA,
                    int64_t begin, int64_t end) {
  constexpr int64_t kCols = kTileCols<T>;
  const RowBlocks blocks(rows);
  for (int64_t panel = begin; panel < end; ++panel) {
    const T *b = g.packed + (panel * g.k + k0) * kCols;
    const T *next = panel + 1 < end ? b + g.k * kCols : b;
    const int64_t nextBytes = panel + 1 < end ? k * kCols * static_cast<int64_t>(sizeof(T)) : 0;
    const int cols = static_cast<int>(std::min(kCols, g.n - panel * kCols));
    panel_product(blocks, k, packedA, b, next, nextBytes, [&](int64_t i) {
      return StoreTile<T>{g.c + (row + i) * g.ldc + panel * kCols, g.ldc, cols, g.accumulate || k0 > 0};
    });
  }
}

template <class T> void packed_product(ThreadPool &pool, const PackedGemmArgs<T> &g, T *workspace) {
  if (g.m == 0 || g.n == 0)
    return;
  const PackedPlan<T> plan(g.m, g.n, g.k, pool.nThreads());
  const int64_t panels = ceil_div(g.n, kTileCols<T>);
  const auto pack = [&](int64_t k0, int64_t k, int64_t row, int64_t rows, T *dst) {
    pack_rows(g.a.data + row * g.a.rowStride + k0 * g.a.colStride, g.a.rowStride, g.a.colStride, rows, k, dst);
  };
  for (int64_t kb = 0; kb < plan.kBlocks; ++kb) {
    const int64_t k0 = g.k * kb / plan.kBlocks, k = g.k * (kb + 1) / plan.kBlocks - k0;
    if (plan.rowTasks == 1)
      pack(k0, k, 0, g.m, workspace);
    for_tasks(pool, plan.parallel, plan.rowTasks * plan.colTasks, [&](int64_t task, int thread) {
      const int64_t rowTask = task / plan.colTasks, colTask = task % plan.colTasks;
      const int64_t row = g.m * rowTask / plan.rowTasks, rows = g.m * (rowTask + 1) / plan.rowTasks - row;
      T *packedA = workspace;
      if (plan.rowTasks > 1) {
        packedA += thread * plan.taskElements;
        pack(k0, k, row, rows, packedA);
      }
      packed_columns(g, k0, k, row, rows, packedA, panels * colTask / plan.colTasks,
                     panels * (colTask + 1) / plan.colTasks);
    });
  }
}

/** Whole panels of a W whose rows lie side by side, several at a time: what is read next is where it is expected. */
template <class T> void pack_whole_panels(ThreadPool &pool, int64_t panels, int64_t k, MatrixView<T> w, T *packed) {
  constexpr int kCols = kTileCols<T>, W = kLanes<T>;
  constexpr int64_t kTogether = 8, kSteps = 256;
  const int64_t groups = ceil_div(panels, kTogether), parts = ceil_div(k, kSteps);
  for_tasks(pool, pool.nThreads() > 1 && panels * kCols * k >= kInlineFlops, groups * parts, [&](int64_t task, int) {
    const int64_t group = task / parts, part = task % parts;
    const int64_t first = panels * group / groups, count = panels * (group + 1) / groups - first;
    for (int64_t p = k * part / parts, end = k * (part + 1) / parts; p < end; ++p) {
      const T *src = w.data + first * kCols + p * w.colStride;
      T *dst = packed + first * k * kCols + p * kCols;
      for (int64_t i = 0; i < count; ++i, src += kCols, dst += k * kCols)
#pragma GCC unroll 2
        for (int j = 0; j < kTileVecs; ++j)
          store(dst + j * W, load(src + j * W));
    }
  });
}

template <class T>
void pack_panels(ThreadPool &pool, int64_t n, int64_t k, MatrixView<T> w, PackOrder order, T *packed) {
  constexpr int kCols = kTileCols<T>, W = kLanes<T>;
  const int64_t panels = ceil_div(n, kCols);
  const int64_t whole = order == PackOrder::kPlain && w.rowStride == 1 ? n / kCols : 0;
  pack_whole_panels(pool, whole, k, w, packed);
  for_tasks(pool, pool.nThreads() > 1 && (panels - whole) * kCols * k >= kInlineFlops, panels - whole,
            [&](int64_t i, int) {
              const int64_t panel = whole + i;
              T *dst = packed + panel * k * kCols;
              if (order == PackOrder::kPlain) {
                const int cols = static_cast<int>(std::min<int64_t>(kCols, n - panel * kCols));
                pack_panel(w.data + panel * kCols * w.rowStride, w.rowStride, w.colStride, cols, k, dst, kCols);
                return;
              }
              const int64_t half = n / 2, first = panel * W;
              const int cols = static_cast<int>(std::min<int64_t>(W, half - first));
              if (cols < W)
                std::fill_n(dst, k * kCols, T(0));
              for (int64_t part = 0; part < 2; ++part)
                pack_lanes(w.data + (part * half + first) * w.rowStride, w.rowStride, w.colStride, cols, k,
                           dst + part * W, kCols);
            });
}

} // namespace

size_t packed_elements_of(int64_t n, int64_t k, const float *) {
  return static_cast<size_t>(ceil_div(n, kTileCols<float>) * kTileCols<float> * k);
}
void pack_matrix_of(ThreadPool &pool, int64_t n, int64_t k, MatrixView<float> w, PackOrder order, float *packed) {
  pack_panels(pool, n, k, w, order, packed);
}
size_t gemm_packed_workspace_bytes_of(int64_t m, int64_t n, int64_t k, int nThreads, const float *) {
  return packed_workspace_bytes<float>(m, n, k, nThreads);
}
void gemm_packed_of(ThreadPool &pool, const PackedGemmArgs<float> &args, void *workspace) {
  packed_product(pool, args, static_cast<float *>(workspace));
}

#if HRM_HAS_F64
size_t packed_elements_of(int64_t n, int64_t k, const double *) {
  return static_cast<size_t>(ceil_div(n, kTileCols<double>) * kTileCols<double> * k);
}
void pack_matrix_of(ThreadPool &pool, int64_t n, int64_t k, MatrixView<double> w, PackOrder order, double *packed) {
  pack_panels(pool, n, k, w, order, packed);
}
size_t gemm_packed_workspace_bytes_of(int64_t m, int64_t n, int64_t k, int nThreads, const double *) {
  return packed_workspace_bytes<double>(m, n, k, nThreads);
}
void gemm_packed_of(ThreadPool &pool, const PackedGemmArgs<double> &args, void *workspace) {
  packed_product(pool, args, static_cast<double *>(workspace));
}
#endif

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
