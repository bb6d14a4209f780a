#pragma once
// Attention of bfloat16 on tensor cores, heads of up to kD columns (padded with zeros in shared memory). A warp owns 16
// rows: queries forward and for dQ, keys for dK and dV; what it owns and its scores stay in registers, the other side
// passes through shared memory. Weights (probabilities and gradients of scores) enter the second products as the sum of
// two bfloat16, so that only the inputs and the results are rounded. Forward: reads q, k, v once (k, v once a tile of
// queries), writes y; bound by memory for short sequences: one block a sequence and head, softmax in one pass. Longer
// ones: key tiles with a running softmax, bound by mma and exp.
#include <cmath>

#include "device/attention_tile.h"
#include "device/gemm_tile.h"
#include "device/mma.h"

namespace hrm::device {

// kWarps * 16 rows of the own side, kCols of the other at a time, kStages of which are on chip.
template <int kD_, int kWarps_, int kCols_, int kStages_> struct MmaHeadConfig {
  static constexpr int kD = kD_, kWarps = kWarps_, kCols = kCols_, kStages = kStages_;
  static constexpr int kRows = kWarps * 16, kThreads = kWarps * kWarp;
  static constexpr int kLeastBlocks = least_blocks(kWarps == 1 || kD == 16);
  using Own = SharedTile<BFloat16, kRows, kD, true>;
  using Other = SharedTile<BFloat16, kCols, kD, true>;
  static constexpr int kStride = Own::kStride;
  using Scores = FragmentD[kCols / 8];
  using Result = FragmentD[kD / 8];
  static_assert(kD % 16 == 0 && kCols % 16 == 0, "whole fragments");
  // Two tiles of each side, and two numbers a row of either.
  static constexpr size_t kForwardBytes = sizeof(BFloat16) * (Own::kSize + 2 * kStages * Other::kSize);
  static constexpr size_t kBackwardBytes =
      sizeof(BFloat16) * 2 * (Own::kSize + Other::kSize) + sizeof(float) * 2 * kCols;

  HRM_HD static int64_t count(const AttentionSizes &s, int64_t rows) {
    return (rows + kRows - 1) / kRows * s.heads * s.batch;
  }
};

struct HeadTask {
  int64_t b, h, row;

  template <class Config> HRM_HD static HeadTask of(const AttentionSizes &s, int64_t rows, int64_t index) {
    const int64_t tiles = (rows + Config::kRows - 1) / Config::kRows;
    const int64_t head = index / tiles;
    return {head / s.heads, head % s.heads, index % tiles * Config::kRows};
  }
};

template <class Config, class Tile>
__device__ inline void copy_rows(BFloat16 *tile, const Heads<BFloat16> &x, const HeadTask &t, int64_t row,
                                 int64_t n_rows, int64_t d) {
  Tile::template load<Config::kThreads>(tile, x.data, x.begin(t.b, t.h) + row * x.row, {x.row, x.col, x.vectors},
                                        n_rows - row, d);
}

// scores = X Y^T: X the 16 rows of `left` from `row` on, Y the kCols rows of `right`.
template <class Config>
__device__ inline void score(typename Config::Scores &scores, const BFloat16 *left, int row, const BFloat16 *right) {
  HRM_UNROLL
  for (int j = 0; j < Config::kCols / 8; ++j)
    scores[j] = {};
  HRM_UNROLL_TWO
  for (int k = 0; k < Config::kD; k += 16) {
    const FragmentA a = load_a<true>(left, Config::kStride, row, k);
    HRM_UNROLL
    for (int j = 0; j < Config::kCols / 16; ++j) {
      FragmentB b[2];
      load_b<true>(b, right, Config::kStride, j * 16, k);
      mma(scores[2 * j], a, b[0]);
      mma(scores[2 * j + 1], a, b[1]);
    }
  }
}

// Two registers of an operand from four neighbours of a result, and what rounding took from them.
__device__ inline void split_pair(uint32_t &high, uint32_t &low, float x, float y) {
  high = pack_pair(x, y);
  low = pack_pair(x - pair_value(high, 0), y - pair_value(high, 1));
}

// result += W Y: W the scores' fragments, 16 rows by kCols, Y the rows of `rows`.
template <class Config>
__device__ inline void add_weighted(typename Config::Result &result, const typename Config::Scores &w,
                                    const BFloat16 *rows) {
  HRM_UNROLL
  for (int k = 0; k < Config::kCols / 16; ++k) {
    const FragmentD &first = w[2 * k], &second = w[2 * k + 1];
    FragmentA high, low;
    split_pair(high.r[0], low.r[0], first.v[0], first.v[1]);
    split_pair(high.r[1], low.r[1], first.v[2], first.v[3]);
    split_pair(high.r[2], low.r[2], second.v[0], second.v[1]);
    split_pair(high.r[3], low.r[3], second.v[2], second.v[3]);
    HRM_UNROLL
    for (int j = 0; j < Config::kD / 16; ++j) {
      FragmentB b[2];
      load_b<false>(b, rows, Config::kStride, j * 16, k * 16);
      HRM_UNROLL
      for (int half = 0; half < 2; ++half) {
        mma(result[2 * j + half], low, b[half]);
        mma(result[2 * j + half], high, b[half]);
      }
    }
  }
}

// The warp's 16 rows of a contiguous [B, S, H, d] result, from row `row` on.
template <class Config>
__device__ inline void store_head(const Out<BFloat16> &y, const AttentionSizes &s, const HeadTask &t, int64_t row,
                                  int64_t n_rows, const typename Config::Result &result) {
  const int g = lane() / 4, pair = lane() % 4 * 2;
  HRM_UNROLL
  for (int j = 0; j < Config::kD / 8; ++j) {
    HRM_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int64_t r = row + g + half * 8, col = j * 8 + pair;
      if (r >= n_rows || col >= s.d)
        continue;
      const int64_t at = ((t.b * n_rows + r) * s.heads + t.h) * s.d + col;
      const Vec<BFloat16, 2> two = {{BFloat16(result[j].v[2 * half]), BFloat16(result[j].v[2 * half + 1])}};
      if (s.d % 2 == 0) {
        y.store(at, two);
      } else {
        y.set(at, two[0]);
        if (col + 1 < s.d)
          y.set(at + 1, two[1]);
      }
    }
  }
}

// Over the four lanes that share rows.
__device__ inline float quad_sum(float x) {
  for (int mask = 1; mask < 4; mask *= 2) {
    const float other = shuffle_xor(x, mask);
    x = (lane() & mask) ? other + x : x + other;
  }
  return x;
}
__device__ inline float larger(float a, float b) { return b > a || b != b ? b : a; }
__device__ inline float quad_max(float x) {
  for (int mask = 1; mask < 4; mask *= 2)
    x = larger(x, shuffle_xor(x, mask));
  return x;
}

template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kLeastBlocks)
    attention_mma_kernel(Out<BFloat16> y, Out<float> lse, Heads<BFloat16> q, Heads<BFloat16> k, Heads<BFloat16> v,
                         AttentionSizes s) {
  constexpr int kCols = Config::kCols, kStages = Config::kStages;
  BFloat16 *const queries = shared_memory<BFloat16>(), *const others = queries + Config::Own::kSize;
  const int warp_row = thread_x() / kWarp * 16, g = lane() / 4, pair = lane() % 4 * 2;
  for (int64_t index = block_x(), n = Config::count(s, s.queries); index < n; index += n_blocks()) {
    const auto t = HeadTask::of<Config>(s, s.queries, index);
    const int64_t row = t.row + warp_row, seen = s.seen(t.row + Config::kRows), tiles = (seen + kCols - 1) / kCols;
    const auto load = [&](int64_t tile) {
      if (tile < tiles) {
        BFloat16 *const keys = others + tile % kStages * 2 * Config::Other::kSize;
        copy_rows<Config, typename Config::Other>(keys, k, t, tile * kCols, s.keys, s.d);
        copy_rows<Config, typename Config::Other>(keys + Config::Other::kSize, v, t, tile * kCols, s.keys, s.d);
      }
      commit_copies();
    };
    copy_rows<Config, typename Config::Own>(queries, q, t, t.row, s.queries, s.d);
    load(0);
    typename Config::Result result = {};
    float top[2] = {-INFINITY, -INFINITY}, total[2] = {};
    for (int64_t tile = 0; tile < tiles; ++tile) {
      wait_copies<0>();
      sync_block();
      if (kStages > 1)
        load(tile + 1);
      const int64_t key = tile * kCols;
      const BFloat16 *keys = others + tile % kStages * 2 * Config::Other::kSize;
      // The same for all lanes of the warp: it has queries, and they see some of these keys.
      if (row < s.queries && key < s.seen(row + 16)) {
        typename Config::Scores p;
        score<Config>(p, queries, warp_row, keys);
        float most[2] = {top[0], top[1]};
        HRM_UNROLL
        for (int j = 0; j < kCols / 8; ++j) {
          HRM_UNROLL
          for (int i = 0; i < 4; ++i) {
            const int64_t col = key + j * 8 + pair + i % 2, r = row + g + i / 2 * 8;
            const bool hidden = col >= s.keys || (s.causal && col > r);
            p[j].v[i] = hidden ? -INFINITY : p[j].v[i] * s.scale;
            most[i / 2] = larger(most[i / 2], p[j].v[i]);
          }
        }
        float factor[2], sum[2] = {};
        HRM_UNROLL
        for (int half = 0; half < 2; ++half) {
          most[half] = quad_max(most[half]);
          factor[half] = expf(top[half] - most[half]);
          top[half] = most[half];
        }
        HRM_UNROLL
        for (int j = 0; j < kCols / 8; ++j) {
          HRM_UNROLL
          for (int i = 0; i < 4; ++i) {
            p[j].v[i] = expf(p[j].v[i] - most[i / 2]);
            sum[i / 2] += p[j].v[i];
          }
        }
        HRM_UNROLL
        for (int half = 0; half < 2; ++half)
          total[half] = total[half] * factor[half] + sum[half];
        HRM_UNROLL
        for (int j = 0; j < Config::kD / 8; ++j) {
          HRM_UNROLL
          for (int i = 0; i < 4; ++i)
            result[j].v[i] *= factor[i / 2];
        }
        add_weighted<Config>(result, p, keys + Config::Other::kSize);
      }
      if (kStages == 1) {
        sync_block();
        load(tile + 1);
      }
    }
    wait_copies<0>();
    sync_block();
    if (row < s.queries) {
      HRM_UNROLL
      for (int half = 0; half < 2; ++half) {
        total[half] = quad_sum(total[half]);
        const int64_t r = row + g + half * 8;
        if (pair == 0 && r < s.queries)
          lse.set((t.b * s.heads + t.h) * s.queries + r, top[half] + logf(total[half]));
      }
      const float factor[2] = {1.0f / total[0], 1.0f / total[1]};
      HRM_UNROLL
      for (int j = 0; j < Config::kD / 8; ++j) {
        HRM_UNROLL
        for (int i = 0; i < 4; ++i)
          result[j].v[i] *= factor[i / 2];
      }
      store_head<Config>(y, s, t, row, s.queries, result);
    }
  }
}

// dQ, and delta[query] = sum over keys of p dp. More than one tile of keys: once through them for delta, once for dQ.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads, least_blocks(Config::kLeastBlocks == 1 || Config::kD == 128))
    attention_mma_dq_kernel(Out<BFloat16> dq, Out<float> delta, Heads<BFloat16> dy, Heads<BFloat16> q,
                            Heads<BFloat16> k, Heads<BFloat16> v, In<float> lse, AttentionSizes s) {
  constexpr int kCols = Config::kCols;
  BFloat16 *const queries = shared_memory<BFloat16>(), *const grads = queries + Config::Own::kSize,
                  *const keys = grads + Config::Own::kSize, *const values = keys + Config::Other::kSize;
  const int warp_row = thread_x() / kWarp * 16, g = lane() / 4, pair = lane() % 4 * 2;
  for (int64_t index = block_x(), n = Config::count(s, s.queries); index < n; index += n_blocks()) {
    const auto t = HeadTask::of<Config>(s, s.queries, index);
    const int64_t row = t.row + warp_row, seen = s.seen(t.row + Config::kRows), tiles = (seen + kCols - 1) / kCols,
                  rows0 = (t.b * s.heads + t.h) * s.queries;
    float row_lse[2], row_delta[2] = {};
    HRM_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int64_t r = row + g + half * 8;
      row_lse[half] = r < s.queries ? lse[rows0 + r] : 0.0f;
    }
    typename Config::Result result = {};
    typename Config::Scores p, dp;
    for (int64_t step = 0; step < 2 * tiles; ++step) {
      const bool second = step >= tiles;
      const int64_t key = (second ? step - tiles : step) * kCols;
      const bool works = row < s.queries && key < s.seen(row + 16);
      if (!second || tiles > 1) {
        sync_block();
        if (step == 0) {
          copy_rows<Config, typename Config::Own>(queries, q, t, t.row, s.queries, s.d);
          copy_rows<Config, typename Config::Own>(grads, dy, t, t.row, s.queries, s.d);
        }
        copy_rows<Config, typename Config::Other>(keys, k, t, key, s.keys, s.d);
        copy_rows<Config, typename Config::Other>(values, v, t, key, s.keys, s.d);
        commit_copies();
        wait_copies<0>();
        sync_block();
        if (works) {
          score<Config>(p, queries, warp_row, keys);
          score<Config>(dp, grads, warp_row, values);
          HRM_UNROLL
          for (int j = 0; j < kCols / 8; ++j) {
            HRM_UNROLL
            for (int i = 0; i < 4; ++i)
              p[j].v[i] = s.sees(row + g + i / 2 * 8, key + j * 8 + pair + i % 2)
                              ? expf(p[j].v[i] * s.scale - row_lse[i / 2])
                              : 0.0f;
          }
        }
      }
      if (!second) {
        if (works) {
          HRM_UNROLL
          for (int j = 0; j < kCols / 8; ++j) {
            HRM_UNROLL
            for (int i = 0; i < 4; ++i)
              row_delta[i / 2] += p[j].v[i] * dp[j].v[i];
          }
        }
        if (step == tiles - 1) {
          row_delta[0] = quad_sum(row_delta[0]);
          row_delta[1] = quad_sum(row_delta[1]);
        }
      } else if (works) {
        HRM_UNROLL
        for (int j = 0; j < kCols / 8; ++j) {
          HRM_UNROLL
          for (int i = 0; i < 4; ++i)
            dp[j].v[i] = s.scale * p[j].v[i] * (dp[j].v[i] - row_delta[i / 2]);
        }
        add_weighted<Config>(result, dp, keys);
      }
    }
    if (row < s.queries) {
      HRM_UNROLL
      for (int half = 0; half < 2; ++half)
        if (pair == 0 && row + g + half * 8 < s.queries)
          delta.set(rows0 + row + g + half * 8, row_delta[half]);
      store_head<Config>(dq, s, t, row, s.queries, result);
    }
  }
}

// A warp owns 16 keys: its scores are the transposes, so that their fragments are the left operands of dV and dK.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kLeastBlocks)
    attention_mma_dkv_kernel(Out<BFloat16> dk, Out<BFloat16> dv, Heads<BFloat16> dy, Heads<BFloat16> q,
                             Heads<BFloat16> k, Heads<BFloat16> v, In<float> lse, In<float> delta, AttentionSizes s) {
  constexpr int kCols = Config::kCols;
  BFloat16 *const keys = shared_memory<BFloat16>(), *const values = keys + Config::Own::kSize,
                  *const queries = values + Config::Own::kSize, *const grads = queries + Config::Other::kSize;
  float *const col_lse = reinterpret_cast<float *>(grads + Config::Other::kSize), *const col_delta = col_lse + kCols;
  const int warp_row = thread_x() / kWarp * 16, g = lane() / 4, pair = lane() % 4 * 2;
  for (int64_t index = block_x(), n = Config::count(s, s.keys); index < n; index += n_blocks()) {
    const auto t = HeadTask::of<Config>(s, s.keys, index);
    const int64_t row = t.row + warp_row, rows0 = (t.b * s.heads + t.h) * s.queries;
    typename Config::Result d_key = {}, d_value = {};
    // Causal: queries before the first key see none of the tile.
    const int64_t first = s.causal ? t.row / kCols * kCols : 0;
    for (int64_t query = first; query < s.queries; query += kCols) {
      sync_block();
      if (query == first) {
        copy_rows<Config, typename Config::Own>(keys, k, t, t.row, s.keys, s.d);
        copy_rows<Config, typename Config::Own>(values, v, t, t.row, s.keys, s.d);
      }
      copy_rows<Config, typename Config::Other>(queries, q, t, query, s.queries, s.d);
      copy_rows<Config, typename Config::Other>(grads, dy, t, query, s.queries, s.d);
      commit_copies();
      for (int i = thread_x(); i < kCols; i += Config::kThreads) {
        const bool inside = query + i < s.queries;
        col_lse[i] = inside ? lse[rows0 + query + i] : 0.0f;
        col_delta[i] = inside ? delta[rows0 + query + i] : 0.0f;
      }
      wait_copies<0>();
      sync_block();
      if (row < s.keys && (!s.causal || query + kCols > row)) {
        typename Config::Scores p, dp;
        score<Config>(p, keys, warp_row, queries);
        score<Config>(dp, values, warp_row, grads);
        HRM_UNROLL
        for (int j = 0; j < kCols / 8; ++j) {
          HRM_UNROLL
          for (int i = 0; i < 4; ++i) {
            const int col = j * 8 + pair + i % 2;
            p[j].v[i] = s.sees(query + col, row + g + i / 2 * 8) ? expf(p[j].v[i] * s.scale - col_lse[col]) : 0.0f;
            dp[j].v[i] = s.scale * p[j].v[i] * (dp[j].v[i] - col_delta[col]);
          }
        }
        add_weighted<Config>(d_value, p, grads);
        add_weighted<Config>(d_key, dp, queries);
      }
    }
    if (row < s.keys) {
      store_head<Config>(dk, s, t, row, s.keys, d_key);
      store_head<Config>(dv, s, t, row, s.keys, d_value);
    }
  }
}

} // namespace hrm::device
