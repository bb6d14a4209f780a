#pragma once
// Products of bfloat16 on tensor cores (sm_80 on). Each block computes kM x kN results, each warp kWm x kWn of them as
// 16 x 8 fragments in registers; kStages steps of A and B are in shared memory or on their way there. 2 m n k FLOPs,
// reads 2 (m k n / kN + k n m / kM) bytes through the second-level cache; bound by mma.sync's rate (about 2/3 of what
// wgmma reaches on sm_90) where 128 x 128 tiles fill the device.
#include "device/gemm_tile.h"
#include "device/mma.h"

namespace hrm::device {

template <int kM_, int kN_, int kK_, int kWm_, int kWn_, int kStages_> struct MmaConfig {
  static constexpr int kM = kM_, kN = kN_, kK = kK_, kWm = kWm_, kWn = kWn_, kStages = kStages_;
  static constexpr int kWarpsAcross = kN / kWn, kThreads = kM / kWm * kWarpsAcross * kWarp;
  static constexpr int kLeastBlocks = least_blocks(kThreads <= 128);
  static_assert(kWm % 16 == 0 && kWn % 16 == 0 && kK % 16 == 0 && kM % kWm == 0 && kN % kWn == 0, "whole fragments");
};

template <class Config, bool kAlongA, bool kAlongB, class R, class C>
__global__ void __launch_bounds__(Config::kThreads, Config::kLeastBlocks)
    gemm_mma_kernel(C c, In<BFloat16> a, In<BFloat16> b, In<BFloat16> bias, GemmWork w) {
  using Stage = GemmStage<Config, BFloat16, kAlongA, kAlongB>;
  constexpr int kRows = Config::kWm / 16, kCols = Config::kWn / 8;
  const int warp = thread_x() / kWarp;
  const int warp_row = warp / Config::kWarpsAcross * Config::kWm, warp_col = warp % Config::kWarpsAcross * Config::kWn;
  const int g = lane() / 4, pair = lane() % 4 * 2;
  for (int64_t index = block_x(), total = w.total(); index < total; index += n_blocks()) {
    const GemmTile t = GemmTile::of<Config>(w, index);
    FragmentD sums[kRows][kCols] = {};
    for_each_step<Config, BFloat16, kAlongA, kAlongB>(a, b, w, t, [&](const BFloat16 *as, const BFloat16 *bs) {
      HRM_UNROLL
      for (int k = 0; k < Config::kK; k += 16) {
        FragmentA x[kRows];
        FragmentB y[kCols / 2][2];
        HRM_UNROLL
        for (int i = 0; i < kRows; ++i)
          x[i] = load_a<kAlongA>(as, Stage::A::kStride, warp_row + i * 16, k);
        HRM_UNROLL
        for (int j = 0; j < kCols / 2; ++j)
          load_b<kAlongB>(y[j], bs, Stage::B::kStride, warp_col + j * 16, k);
        HRM_UNROLL
        for (int i = 0; i < kRows; ++i) {
          HRM_UNROLL
          for (int j = 0; j < kCols; ++j)
            mma(sums[i][j], x[i], y[j / 2][j % 2]);
        }
      }
    });
    HRM_UNROLL
    for (int i = 0; i < kRows; ++i) {
      HRM_UNROLL
      for (int j = 0; j < kCols; ++j) {
        const float (&v)[4] = sums[i][j].v;
        const int64_t row = t.row + warp_row + i * 16 + g, col = t.col + warp_col + j * 8 + pair;
        store_results<2, BFloat16, R>(c, bias, w, t, row, col, {v[0], v[1]});
        store_results<2, BFloat16, R>(c, bias, w, t, row + 8, col, {v[2], v[3]});
      }
    }
  }
}

} // namespace hrm::device
