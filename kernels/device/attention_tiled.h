#pragma once
// Attention of any size in float: key tiles with a running softmax; gradients from the log-sum-exp, dQ over tiles of
// queries and dK, dV over tiles of keys, so that every sum runs in one order. Reads q once and k, v once a tile of
// queries; 4 S T d FLOPs a head forward, 10 S T d and the scores again backward; bound by FMA and shared memory.
#include "device/attention_tile.h"

namespace hrm::device {

template <class Config> struct AttentionTask {
  int64_t b, h, part, row;

  // `rows` of the tile's dimension, as the index-th block.
  HRM_HD static AttentionTask of(const AttentionSizes &s, int64_t rows, int64_t index) {
    const int64_t tiles = (rows + Config::kBq - 1) / Config::kBq, parts = (s.d + Config::kDc - 1) / Config::kDc;
    AttentionTask t;
    t.row = index % tiles * Config::kBq;
    index /= tiles;
    t.part = index % parts * Config::kDc;
    index /= parts;
    t.h = index % s.heads;
    t.b = index / s.heads;
    return t;
  }
  HRM_HD static int64_t count(const AttentionSizes &s, int64_t rows) {
    return (rows + Config::kBq - 1) / Config::kBq * ((s.d + Config::kDc - 1) / Config::kDc) * s.heads * s.batch;
  }
};

// Results of one tile: row `row + ty + i kSide`, columns `part + tx kR ..` of head h.
template <class Config, class T>
__device__ inline void store_rows(const Out<T> &y, const AttentionSizes &s, const AttentionTask<Config> &t,
                                  int64_t rows, const Square<Config> &values) {
  HRM_UNROLL
  for (int i = 0; i < Config::kR; ++i) {
    const int64_t row = t.row + square_row<Config>() + i * Config::kSide;
    HRM_UNROLL
    for (int j = 0; j < Config::kR; ++j) {
      const int64_t col = t.part + square_col<Config>() * Config::kR + j;
      if (row < rows && col < s.d)
        y.set(((t.b * rows + row) * s.heads + t.h) * s.d + col, static_cast<T>(values[i][j]));
    }
  }
}

template <class Config, class T>
__global__ void __launch_bounds__(Config::kThreads, least_blocks(true))
    attention_kernel(Out<T> y, Out<float> lse, Heads<T> q, Heads<T> k, Heads<T> v, AttentionSizes s) {
  constexpr int kR = Config::kR, kSide = Config::kSide, kPerRow = Config::kPerRow;
  float *const queries = shared_memory<float>(), *const keys = queries + Config::kTile, *const p = keys + Config::kTile,
               *const factors = p + Config::kTile;
  // The row whose softmax this thread works on, with kPerRow - 1 neighbours.
  const int own = thread_x() / kPerRow, place = thread_x() % kPerRow;
  for (int64_t index = block_x(), n = AttentionTask<Config>::count(s, s.queries); index < n; index += n_blocks()) {
    const auto t = AttentionTask<Config>::of(s, s.queries, index);
    const int64_t q0 = q.begin(t.b, t.h), k0 = k.begin(t.b, t.h), v0 = v.begin(t.b, t.h);
    Square<Config> result, scores;
    clear<Config>(result);
    float top = -INFINITY, total = 0;
    const int64_t seen = s.seen(t.row + Config::kBq);
    for (int64_t key = 0; key < seen; key += Config::kBk) {
      dots_of_rows<Config>(scores, queries, keys, q, q0, t.row, s.queries, k, k0, key, s.keys, s.d,
                           key > 0 && s.d <= Config::kDc);
      HRM_UNROLL
      for (int i = 0; i < kR; ++i) {
        HRM_UNROLL
        for (int j = 0; j < kR; ++j) {
          const int64_t row = t.row + square_row<Config>() + i * kSide, col = key + square_col<Config>() + j * kSide;
          // Rows beyond the last are not stored; they see what keeps them finite.
          const bool hidden = col >= s.keys || (s.causal && col > row);
          scores[i][j] = hidden ? -INFINITY : scores[i][j] * s.scale;
        }
      }
      put<Config>(p, scores);
      sync_block();
      float most = top;
      for (int j = place; j < Config::kBk; j += kPerRow) {
        const float score = p[own * Config::kStride + j];
        most = score > most || score != score ? score : most;
      }
      HRM_UNROLL
      for (int mask = 1; mask < kPerRow; mask *= 2) {
        const float other = shuffle_xor(most, mask);
        most = other > most || other != other ? other : most;
      }
      const float factor = expf(top - most);
      float sum = 0;
      for (int j = place; j < Config::kBk; j += kPerRow) {
        const float e = expf(p[own * Config::kStride + j] - most);
        p[own * Config::kStride + j] = e;
        sum += e;
      }
      HRM_UNROLL
      for (int mask = 1; mask < kPerRow; mask *= 2) {
        const float other = shuffle_xor(sum, mask);
        sum = (place & mask) ? other + sum : sum + other;
      }
      total = total * factor + sum;
      top = most;
      if (place == 0)
        factors[own] = factor;
      // The keys' tile takes the values; everybody has done with it since the barrier above.
      load_rows<Config>(keys, v, v0, key, s.keys, t.part, s.d);
      sync_block();
      HRM_UNROLL
      for (int i = 0; i < kR; ++i) {
        HRM_UNROLL
        for (int j = 0; j < kR; ++j)
          result[i][j] *= factors[square_row<Config>() + i * kSide];
      }
      add_rows<Config>(result, p, keys);
    }
    sync_block();
    if (place == 0) {
      factors[own] = 1.0f / total;
      if (t.part == 0 && t.row + own < s.queries)
        lse.set((t.b * s.heads + t.h) * s.queries + t.row + own, top + logf(total));
    }
    sync_block();
    HRM_UNROLL
    for (int i = 0; i < kR; ++i) {
      HRM_UNROLL
      for (int j = 0; j < kR; ++j)
        result[i][j] *= factors[square_row<Config>() + i * kSide];
    }
    store_rows<Config>(y, s, t, s.queries, result);
  }
}

// scores becomes p = exp(scale score - lse), 0 where a query does not see a key.
template <class Config>
__device__ inline void probabilities(Square<Config> &scores, const AttentionSizes &s, int64_t row, int64_t col,
                                     const float *lse) {
  constexpr int kR = Config::kR, kSide = Config::kSide;
  HRM_UNROLL
  for (int i = 0; i < kR; ++i) {
    HRM_UNROLL
    for (int j = 0; j < kR; ++j) {
      const int r = square_row<Config>() + i * kSide, c = square_col<Config>() + j * kSide;
      scores[i][j] = s.sees(row + r, col + c) ? expf(scores[i][j] * s.scale - lse[r]) : 0.0f;
    }
  }
}

// dQ, and delta[query] = sum over keys of p dp for the other kernel.
template <class Config, class T>
__global__ void __launch_bounds__(Config::kThreads, Config::kLeastBlocks)
    attention_dq_kernel(Out<T> dq, Out<float> delta, Heads<T> dy, Heads<T> q, Heads<T> k, Heads<T> v, In<float> lse,
                        AttentionSizes s) {
  constexpr int kR = Config::kR, kSide = Config::kSide;
  float *const left = shared_memory<float>(), *const right = left + Config::kTile, *const ds = right + Config::kTile,
               *const row_lse = ds + Config::kTile, *const row_delta = row_lse + Config::kBq;
  for (int64_t index = block_x(), n = AttentionTask<Config>::count(s, s.queries); index < n; index += n_blocks()) {
    const auto t = AttentionTask<Config>::of(s, s.queries, index);
    const int64_t dy0 = dy.begin(t.b, t.h), q0 = q.begin(t.b, t.h), k0 = k.begin(t.b, t.h), v0 = v.begin(t.b, t.h),
                  rows0 = (t.b * s.heads + t.h) * s.queries;
    const int64_t seen = s.seen(t.row + Config::kBq);
    sync_block();
    if (thread_x() < Config::kBq)
      row_lse[thread_x()] = t.row + thread_x() < s.queries ? lse[rows0 + t.row + thread_x()] : 0.0f;
    Square<Config> p, dp, result;
    const auto tile = [&](int64_t key) {
      dots_of_rows<Config>(p, left, right, q, q0, t.row, s.queries, k, k0, key, s.keys, s.d, false);
      probabilities<Config>(p, s, t.row, key, row_lse);
      dots_of_rows<Config>(dp, left, right, dy, dy0, t.row, s.queries, v, v0, key, s.keys, s.d, false);
    };
    float dots[kR] = {};
    for (int64_t key = 0; key < seen; key += Config::kBk) {
      tile(key);
      HRM_UNROLL
      for (int i = 0; i < kR; ++i) {
        HRM_UNROLL
        for (int j = 0; j < kR; ++j)
          dots[i] += p[i][j] * dp[i][j];
      }
    }
    sum_rows<Config>(row_delta, ds, dots);
    if (t.part == 0 && thread_x() < Config::kBq && t.row + thread_x() < s.queries)
      delta.set(rows0 + t.row + thread_x(), row_delta[thread_x()]);
    clear<Config>(result);
    for (int64_t key = 0; key < seen; key += Config::kBk) {
      if (seen > Config::kBk)
        tile(key);
      HRM_UNROLL
      for (int i = 0; i < kR; ++i) {
        HRM_UNROLL
        for (int j = 0; j < kR; ++j)
          dp[i][j] = s.scale * p[i][j] * (dp[i][j] - row_delta[square_row<Config>() + i * kSide]);
      }
      sync_block();
      put<Config>(ds, dp);
      load_rows<Config>(right, k, k0, key, s.keys, t.part, s.d);
      sync_block();
      add_rows<Config>(result, ds, right);
    }
    store_rows<Config>(dq, s, t, s.queries, result);
  }
}

template <class Config, class T>
__global__ void __launch_bounds__(Config::kThreads, Config::kLeastBlocks)
    attention_dkv_kernel(Out<T> dk, Out<T> dv, Heads<T> dy, Heads<T> q, Heads<T> k, Heads<T> v, In<float> lse,
                         In<float> delta, AttentionSizes s) {
  constexpr int kR = Config::kR, kSide = Config::kSide;
  float *const left = shared_memory<float>(), *const right = left + Config::kTile,
               *const weights = right + Config::kTile, *const row_lse = weights + Config::kTile,
               *const row_delta = row_lse + Config::kBq;
  for (int64_t index = block_x(), n = AttentionTask<Config>::count(s, s.keys); index < n; index += n_blocks()) {
    const auto t = AttentionTask<Config>::of(s, s.keys, index);
    const int64_t dy0 = dy.begin(t.b, t.h), q0 = q.begin(t.b, t.h), k0 = k.begin(t.b, t.h), v0 = v.begin(t.b, t.h),
                  rows0 = (t.b * s.heads + t.h) * s.queries;
    Square<Config> p, dp, d_key, d_value;
    clear<Config>(d_key);
    clear<Config>(d_value);
    // Causal: queries before the first key see none of the tile.
    for (int64_t row = s.causal ? t.row : 0; row < s.queries; row += Config::kBq) {
      sync_block();
      if (thread_x() < Config::kBq) {
        const bool inside = row + thread_x() < s.queries;
        row_lse[thread_x()] = inside ? lse[rows0 + row + thread_x()] : 0.0f;
        row_delta[thread_x()] = inside ? delta[rows0 + row + thread_x()] : 0.0f;
      }
      dots_of_rows<Config>(p, left, right, q, q0, row, s.queries, k, k0, t.row, s.keys, s.d, false);
      probabilities<Config>(p, s, row, t.row, row_lse);
      put<Config>(weights, p);
      dots_of_rows<Config>(dp, left, right, dy, dy0, row, s.queries, v, v0, t.row, s.keys, s.d, false);
      sync_block();
      load_rows<Config>(left, dy, dy0, row, s.queries, t.part, s.d);
      sync_block();
      add_columns<Config>(d_value, weights, left);
      HRM_UNROLL
      for (int i = 0; i < kR; ++i) {
        HRM_UNROLL
        for (int j = 0; j < kR; ++j)
          dp[i][j] = s.scale * p[i][j] * (dp[i][j] - row_delta[square_row<Config>() + i * kSide]);
      }
      sync_block();
      put<Config>(weights, dp);
      load_rows<Config>(left, q, q0, row, s.queries, t.part, s.d);
      sync_block();
      add_columns<Config>(d_key, weights, left);
    }
    store_rows<Config>(dk, s, t, s.keys, d_key);
    store_rows<Config>(dv, s, t, s.keys, d_value);
  }
}

} // namespace hrm::device
