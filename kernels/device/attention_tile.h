#pragma once
// Pieces of attention over tiles in shared memory, in float: the scores of a tile of queries and a tile of keys, and
// products of a tile of weights with rows. Threads stand in a square of (kBq / kR) x (kBk / kR), each with kR x kR
// numbers in registers.
#include <cmath>

#include "device/device.h"
#include "device/unroll.h"
#include "device/view.h"

namespace hrm::device {

// kBq queries, kBk keys, kDc columns of a head at a time. Heads with more columns are gone through in parts: sums over
// them run over all parts, and each block computes one part of what it returns.
template <int kBq_, int kBk_, int kDc_, int kR_> struct AttentionConfig {
  static constexpr int kBq = kBq_, kBk = kBk_, kDc = kDc_, kR = kR_;
  static constexpr int kSide = kBq / kR, kThreads = kSide * kSide, kPerRow = kThreads / kBq;
  static constexpr int kLeastBlocks = least_blocks(kThreads <= 64);
  static_assert(kBq == kBk && kDc == kBk, "one square of threads serves every product");
  static_assert(kThreads % kWarp == 0 && (kPerRow & (kPerRow - 1)) == 0 && kPerRow <= kWarp, "rows lie within warps");
  // Rows in shared memory: whole vectors, neighbours in different banks.
  static constexpr int kStride = kDc + 4, kTile = kBq * kStride;
};

// A tensor [B, S, H, d] of any strides.
template <class T> struct Heads {
  In<T> data;
  int64_t batch, row, head, col;
  // Rows are contiguous and start at a multiple of 16 bytes.
  bool vectors;

  __device__ int64_t begin(int64_t b, int64_t h) const { return b * batch + h * head; }
};

struct AttentionSizes {
  int64_t batch, queries, keys, heads, d;
  float scale;
  bool causal;

  HRM_HD bool sees(int64_t query, int64_t key) const {
    return query < queries && key < keys && (!causal || key <= query);
  }
  // Keys that queries before `end` see.
  HRM_HD int64_t seen(int64_t end) const { return causal && end < keys ? end : keys; }
};

// Rows row.. and columns col.. of a head in float, 0 outside.
template <class Config, class T>
__device__ inline void load_rows(float *tile, const Heads<T> &x, int64_t begin, int64_t row, int64_t n_rows,
                                 int64_t col, int64_t n_cols) {
  for (int i = thread_x(); i < Config::kBq * Config::kDc; i += Config::kThreads) {
    const int r = i / Config::kDc, c = i % Config::kDc;
    const bool inside = row + r < n_rows && col + c < n_cols;
    tile[r * Config::kStride + c] =
        inside ? static_cast<float>(x.data[begin + (row + r) * x.row + (col + c) * x.col]) : 0.0f;
  }
}

template <class Config> using Square = float[Config::kR][Config::kR];

template <class Config> __device__ inline int square_row() { return thread_x() / Config::kSide; }
template <class Config> __device__ inline int square_col() { return thread_x() % Config::kSide; }

// sums[i][j] += x[ty + i kSide] . y[tx + j kSide] over the tiles' columns.
template <class Config> __device__ inline void add_dots(Square<Config> &sums, const float *x, const float *y) {
  constexpr int kR = Config::kR, kSide = Config::kSide, kStride = Config::kStride;
  const int ty = square_row<Config>(), tx = square_col<Config>();
  for (int k = 0; k < Config::kDc; k += 4) {
    Vec<float, 4> a[kR], b[kR];
    HRM_UNROLL
    for (int i = 0; i < kR; ++i) {
      a[i] = *reinterpret_cast<const Vec<float, 4> *>(x + (ty + i * kSide) * kStride + k);
      b[i] = *reinterpret_cast<const Vec<float, 4> *>(y + (tx + i * kSide) * kStride + k);
    }
    HRM_UNROLL
    for (int i = 0; i < kR; ++i) {
      HRM_UNROLL
      for (int j = 0; j < kR; ++j) {
        HRM_UNROLL
        for (int s = 0; s < 4; ++s)
          sums[i][j] += a[i][s] * b[j][s];
      }
    }
  }
}

// sums[i][j] += sum over k of w[ty + i kSide][k] y[k][tx kR + j]
template <class Config> __device__ inline void add_rows(Square<Config> &sums, const float *w, const float *y) {
  constexpr int kR = Config::kR, kSide = Config::kSide, kStride = Config::kStride;
  const int ty = square_row<Config>(), tx = square_col<Config>();
  for (int k = 0; k < Config::kBk; k += 4) {
    Vec<float, 4> a[kR];
    HRM_UNROLL
    for (int i = 0; i < kR; ++i)
      a[i] = *reinterpret_cast<const Vec<float, 4> *>(w + (ty + i * kSide) * kStride + k);
    HRM_UNROLL
    for (int s = 0; s < 4; ++s) {
      const auto b = *reinterpret_cast<const Vec<float, kR> *>(y + (k + s) * kStride + tx * kR);
      HRM_UNROLL
      for (int i = 0; i < kR; ++i) {
        HRM_UNROLL
        for (int j = 0; j < kR; ++j)
          sums[i][j] += a[i][s] * b[j];
      }
    }
  }
}

// sums[i][j] += sum over k of w[k][ty + i kSide] y[k][tx kR + j]
template <class Config> __device__ inline void add_columns(Square<Config> &sums, const float *w, const float *y) {
  constexpr int kR = Config::kR, kSide = Config::kSide, kStride = Config::kStride;
  const int ty = square_row<Config>(), tx = square_col<Config>();
  for (int k = 0; k < Config::kBq; ++k) {
    const auto b = *reinterpret_cast<const Vec<float, kR> *>(y + k * kStride + tx * kR);
    HRM_UNROLL
    for (int i = 0; i < kR; ++i) {
      const float a = w[k * kStride + ty + i * kSide];
      HRM_UNROLL
      for (int j = 0; j < kR; ++j)
        sums[i][j] += a * b[j];
    }
  }
}

template <class Config> __device__ inline void clear(Square<Config> &sums) {
  HRM_UNROLL
  for (int i = 0; i < Config::kR; ++i) {
    HRM_UNROLL
    for (int j = 0; j < Config::kR; ++j)
      sums[i][j] = 0.0f;
  }
}

// The square as rows of a tile: number (ty + i kSide, tx + j kSide).
template <class Config> __device__ inline void put(float *tile, const Square<Config> &values) {
  HRM_UNROLL
  for (int i = 0; i < Config::kR; ++i) {
    HRM_UNROLL
    for (int j = 0; j < Config::kR; ++j)
      tile[(square_row<Config>() + i * Config::kSide) * Config::kStride + square_col<Config>() + j * Config::kSide] =
          values[i][j];
  }
}

// sums = X Y^T of rows x_row.. and y_row.., over all d columns. `x_loaded`: the only part of X is in x_tile already.
// Ends before the tiles may be written again: the caller's next barrier is what frees them.
template <class Config, class T>
__device__ inline void dots_of_rows(Square<Config> &sums, float *x_tile, float *y_tile, const Heads<T> &x,
                                    int64_t x_begin, int64_t x_row, int64_t x_rows, const Heads<T> &y, int64_t y_begin,
                                    int64_t y_row, int64_t y_rows, int64_t d, bool x_loaded) {
  clear<Config>(sums);
  for (int64_t col = 0; col < d; col += Config::kDc) {
    sync_block();
    if (!x_loaded)
      load_rows<Config>(x_tile, x, x_begin, x_row, x_rows, col, d);
    load_rows<Config>(y_tile, y, y_begin, y_row, y_rows, col, d);
    sync_block();
    add_dots<Config>(sums, x_tile, y_tile);
  }
}

// sum_j f(i, j) over the square's columns for every row i, in a fixed order; result[row] for all rows of the tile.
// `parts` has room for kBq * kSide numbers. Barriers before and after.
template <class Config> __device__ inline void sum_rows(float *result, float *parts, const float (&own)[Config::kR]) {
  sync_block();
  HRM_UNROLL
  for (int i = 0; i < Config::kR; ++i)
    parts[(square_row<Config>() + i * Config::kSide) * Config::kSide + square_col<Config>()] = own[i];
  sync_block();
  if (thread_x() < Config::kBq) {
    float sum = 0;
    for (int j = 0; j < Config::kSide; ++j)
      sum += parts[thread_x() * Config::kSide + j];
    result[thread_x()] = sum;
  }
  sync_block();
}

} // namespace hrm::device
