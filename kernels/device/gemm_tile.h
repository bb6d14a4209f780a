#pragma once
// What the products' kernels share: which tile a block computes, the pipeline that brings tiles of A and B to shared
// memory, and the store of results.
#include "device/device.h"
#include "device/unroll.h"
#include "device/view.h"
#include "device/walk.h"

namespace hrm::device {

// Strides of A: along m and k; of B: along n and k.
struct GemmStrides {
  int64_t row, k;
  // Runs of 16 bytes along the contiguous dimension are aligned.
  bool vectors;
};

struct GemmWork {
  int64_t m, n, k;
  GemmStrides a, b;
  Walk<2> batches;
  int64_t c_row, c_batch, c_split;
  int64_t m_tiles, n_tiles;
  // Parts of k, each a multiple of the tile's depth but for the last.
  int64_t splits, k_split;
  bool accumulate;
  // Rows of C start at a multiple of 16 bytes.
  bool c_vectors;

  HRM_HD int64_t total() const { return m_tiles * n_tiles * batches.size * splits; }
};

// Where the index-th tile of a launch begins. Tiles that run at the same time lie in a square of the result, so that
// they share operands in the second-level cache.
struct GemmTile {
  int64_t row, col, k_begin, k_end;
  int64_t a, b, c;

  template <class Config> HRM_HD static GemmTile of(const GemmWork &w, int64_t index) {
    constexpr int64_t kGroup = 8;
    const int64_t tiles = w.m_tiles * w.n_tiles, tile = index % tiles, batch = index / tiles % w.batches.size,
                  split = index / tiles / w.batches.size;
    const int64_t group = tile / (kGroup * w.n_tiles), first = group * kGroup,
                  rows = w.m_tiles - first < kGroup ? w.m_tiles - first : kGroup;
    const int64_t in_group = tile - group * kGroup * w.n_tiles;
    GemmTile t;
    t.row = (first + in_group % rows) * Config::kM;
    t.col = in_group / rows * Config::kN;
    t.k_begin = split * w.k_split;
    t.k_end = w.k - t.k_begin < w.k_split ? w.k : t.k_begin + w.k_split;
    int64_t at[2];
    w.batches.offsets(batch, at);
    t.a = at[0];
    t.b = at[1];
    t.c = batch * w.c_batch + split * w.c_split;
    return t;
  }
};

// A tile [kRows, kDepth] of an operand in shared memory, k contiguous (kAlongK) or rows. Padded by 16 bytes a line:
// what the lanes of a warp read at once lies in different banks.
template <class T, int kRows, int kDepth, bool kAlongK> struct SharedTile {
  static constexpr int kVector = 16 / sizeof(T);
  static constexpr int kStride = (kAlongK ? kDepth : kRows) + kVector;
  static constexpr int kSize = (kAlongK ? kRows : kDepth) * kStride;
  static_assert(kRows % kVector == 0 && kDepth % kVector == 0, "tiles are whole vectors");

  static HRM_HD int at(int row, int k) { return kAlongK ? row * kStride + k : k * kStride + row; }

  // Elements outside [n_rows, n_k] (counted from the tile's corner `first`) become 0.
  template <int kThreadCount>
  __device__ static void load(T *tile, const In<T> &source, int64_t first, const GemmStrides &s, int64_t n_rows,
                              int64_t n_k) {
    constexpr int kChunks = kRows * kDepth / kVector, kLine = (kAlongK ? kDepth : kRows) / kVector;
    const int64_t fast = kAlongK ? s.k : s.row, slow = kAlongK ? s.row : s.k;
    const int64_t n_fast = kAlongK ? n_k : n_rows, n_slow = kAlongK ? n_rows : n_k;
    HRM_UNROLL_TWO
    for (int pass = 0; pass < (kChunks + kThreadCount - 1) / kThreadCount; ++pass) {
      const int chunk = pass * kThreadCount + thread_x();
      if (kChunks % kThreadCount != 0 && chunk >= kChunks)
        break;
      const int line = chunk / kLine, along = chunk % kLine * kVector;
      T *to = tile + line * kStride + along;
      const int64_t from = first + line * slow + along * fast;
      const int64_t inside = line < n_slow ? n_fast - along : 0;
      if (s.vectors && inside >= kVector) {
        copy_async16(to, source.at(from, kVector));
      } else {
        for (int v = 0; v < kVector; ++v)
          to[v] = v < inside ? source[from + v * fast] : T(0.0f);
      }
    }
  }
};

template <class Config, class T, bool kAlongA, bool kAlongB> struct GemmStage {
  using A = SharedTile<T, Config::kM, Config::kK, kAlongA>;
  using B = SharedTile<T, Config::kN, Config::kK, kAlongB>;
  static constexpr int kSize = A::kSize + B::kSize;
  static constexpr size_t kBytes = sizeof(T) * kSize * Config::kStages;
};

// compute(a, b) for every step of Config::kK along the tile's part of k, kStages - 1 steps of copies ahead of it. Ends
// with a barrier: shared memory may be used again.
template <class Config, class T, bool kAlongA, bool kAlongB, class Compute>
__device__ inline void for_each_step(const In<T> &a, const In<T> &b, const GemmWork &w, const GemmTile &t,
                                     Compute &&compute) {
  using Stage = GemmStage<Config, T, kAlongA, kAlongB>;
  constexpr int kStages = Config::kStages;
  T *const shared = shared_memory<T>();
  const int64_t steps = (t.k_end - t.k_begin + Config::kK - 1) / Config::kK;
  const auto load = [&](int64_t step) {
    if (step < steps) {
      T *const stage = shared + step % kStages * Stage::kSize;
      const int64_t k = t.k_begin + step * Config::kK;
      Stage::A::template load<Config::kThreads>(stage, a, t.a + t.row * w.a.row + k * w.a.k, w.a, w.m - t.row,
                                                t.k_end - k);
      Stage::B::template load<Config::kThreads>(stage + Stage::A::kSize, b, t.b + t.col * w.b.row + k * w.b.k, w.b,
                                                w.n - t.col, t.k_end - k);
    }
    // Groups are counted: also where there is nothing left to copy.
    commit_copies();
  };
  HRM_UNROLL
  for (int step = 0; step < kStages - 1; ++step)
    load(step);
  for (int64_t step = 0; step < steps; ++step) {
    wait_copies<kStages - 2>();
    // This step's tiles are whole, and everybody has done with those that the next copies overwrite.
    sync_block();
    load(step + kStages - 1);
    const T *stage = shared + step % kStages * Stage::kSize;
    compute(stage, stage + Stage::A::kSize);
  }
  wait_copies<0>();
  sync_block();
}

#if defined(HRM_SIMT)
template <class R> inline float stored(const Out<R> &, int64_t) { return 0; }
#endif
template <class R> __device__ inline float stored(const InOut<R> &c, int64_t i) { return static_cast<float>(c[i]); }

// kN results of row `row` from column `col` on; what lies outside of C is dropped.
template <int kN, class T, class R, class C>
__device__ inline void store_results(const C &c, const In<T> &bias, const GemmWork &w, const GemmTile &t, int64_t row,
                                     int64_t col, const float (&values)[kN]) {
  if (row >= w.m || col >= w.n)
    return;
  const int64_t at = t.c + row * w.c_row + col;
  Vec<R, kN> result;
  HRM_UNROLL
  for (int i = 0; i < kN; ++i) {
    float value = values[i];
    if (col + i < w.n) {
      if (bias)
        value += static_cast<float>(bias[col + i]);
      if (w.accumulate)
        value += stored<R>(c, at + i);
    }
    result[i] = static_cast<R>(value);
  }
  if (w.c_vectors && col + kN <= w.n) {
    c.store(at, result);
  } else {
    HRM_UNROLL
    for (int i = 0; i < kN; ++i)
      if (col + i < w.n)
        c.set(at + i, result[i]);
  }
}

} // namespace hrm::device
