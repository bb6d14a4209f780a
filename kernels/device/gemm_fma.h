#pragma once
// Products in float32. Each block computes kM x kN results, each thread kRm x kRn of them in registers; tiles of A and
// B pass through shared memory, the next one on its way while this one is used. 2 m n k FLOPs, reads (m k n / kN + k n
// m / kM) numbers through the second-level cache; bound by the FMA units from 128 x 128 tiles on, by shared memory
// below.
#include "device/gemm_tile.h"

namespace hrm::device {

template <int kM_, int kN_, int kK_, int kRm_, int kRn_> struct FmaConfig {
  static constexpr int kM = kM_, kN = kN_, kK = kK_, kRm = kRm_, kRn = kRn_, kStages = 2;
  // Of threads: kRows x kCols, a warp is 4 x 8 of them.
  static constexpr int kRows = kM / kRm, kCols = kN / kRn, kThreads = kRows * kCols;
  static constexpr int kLeastBlocks = least_blocks(kThreads <= 64);
  static_assert(kRows % 4 == 0 && kCols % 8 == 0 && kRm % 4 == 0 && kRn % 4 == 0 && kK % 4 == 0,
                "whole warps and vectors");
};

// Which of a tile's rows thread t of kThreadRows holds as its i-th: neighbours where k is contiguous (their reads fall
// into different banks), runs of 4 otherwise.
template <bool kAlongK, int kThreadRows> HRM_HD int fma_row(int t, int i) {
  return kAlongK ? t + i * kThreadRows : i / 4 * (4 * kThreadRows) + t * 4 + i % 4;
}

// Steps k and k + 1 of the thread's kR rows.
template <class Tile, bool kAlongK, int kThreadRows, int kR>
__device__ inline void read_rows(float (&x)[2][kR], const float *tile, int t, int k) {
  if constexpr (kAlongK) {
    HRM_UNROLL
    for (int i = 0; i < kR; ++i) {
      const auto pair = *reinterpret_cast<const Vec<float, 2> *>(tile + Tile::at(fma_row<true, kThreadRows>(t, i), k));
      x[0][i] = pair[0];
      x[1][i] = pair[1];
    }
  } else {
    HRM_UNROLL
    for (int s = 0; s < 2; ++s) {
      HRM_UNROLL
      for (int i = 0; i < kR; i += 4) {
        const auto four =
            *reinterpret_cast<const Vec<float, 4> *>(tile + Tile::at(fma_row<false, kThreadRows>(t, i), k + s));
        HRM_UNROLL
        for (int v = 0; v < 4; ++v)
          x[s][i + v] = four[v];
      }
    }
  }
}

template <class Config, bool kAlongA, bool kAlongB, class R, class C>
__global__ void __launch_bounds__(Config::kThreads, Config::kLeastBlocks)
    gemm_fma_kernel(C c, In<float> a, In<float> b, In<float> bias, GemmWork w) {
  using Stage = GemmStage<Config, float, kAlongA, kAlongB>;
  constexpr int kRm = Config::kRm, kRn = Config::kRn;
  constexpr int kWarpsAcross = Config::kCols / 8;
  const int warp = thread_x() / kWarp, l = lane();
  const int ty = warp / kWarpsAcross * 4 + l / 8, tx = warp % kWarpsAcross * 8 + l % 8;
  for (int64_t index = block_x(), total = w.total(); index < total; index += n_blocks()) {
    const GemmTile t = GemmTile::of<Config>(w, index);
    float sums[kRm][kRn] = {};
    for_each_step<Config, float, kAlongA, kAlongB>(a, b, w, t, [&](const float *as, const float *bs) {
      HRM_UNROLL
      for (int k = 0; k < Config::kK; k += 2) {
        float x[2][kRm], y[2][kRn];
        read_rows<typename Stage::A, kAlongA, Config::kRows>(x, as, ty, k);
        read_rows<typename Stage::B, kAlongB, Config::kCols>(y, bs, tx, k);
        HRM_UNROLL
        for (int s = 0; s < 2; ++s) {
          HRM_UNROLL
          for (int i = 0; i < kRm; ++i) {
            HRM_UNROLL
            for (int j = 0; j < kRn; ++j)
              sums[i][j] += x[s][i] * y[s][j];
          }
        }
      }
    });
    HRM_UNROLL
    for (int i = 0; i < kRm; ++i) {
      const int64_t row = t.row + fma_row<kAlongA, Config::kRows>(ty, i);
      if constexpr (kAlongB) {
        HRM_UNROLL
        for (int j = 0; j < kRn; ++j)
          store_results<1, float, R>(c, bias, w, t, row, t.col + fma_row<true, Config::kCols>(tx, j), {sums[i][j]});
      } else {
        HRM_UNROLL
        for (int j = 0; j < kRn; j += 4)
          store_results<4, float, R>(c, bias, w, t, row, t.col + fma_row<false, Config::kCols>(tx, j),
                                     {sums[i][j], sums[i][j + 1], sums[i][j + 2], sums[i][j + 3]});
      }
    }
  }
}

} // namespace hrm::device
