// What a loop of nothing but multiply-adds reaches: the ceiling of every product in the same run.
#ifndef HRM_BENCH_FMA_PEAK_H_
#define HRM_BENCH_FMA_PEAK_H_

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "cpu/gemm.h"
#include "cpu/isa.h"
#include "cpu/parallel.h"

namespace bench {

#define HRM_FMA_LOOP(name, bytes, count, target_options)                                                               \
  __attribute__((target_options, noinline)) inline float name(int64_t steps) {                                         \
    typedef float V __attribute__((vector_size(bytes)));                                                               \
    V acc[count];                                                                                                      \
    for (int i = 0; i < count; ++i)                                                                                    \
      acc[i] = V{} + static_cast<float>(i);                                                                            \
    V x = V{} + 0.999f, y = V{} + 1e-3f;                                                                               \
    for (int64_t s = 0; s < steps; ++s) {                                                                              \
      _Pragma("GCC unroll 16") for (int i = 0; i < count; ++i) acc[i] = acc[i] * x + y;                                \
      __asm__ volatile("" : "+x"(x));                                                                                  \
    }                                                                                                                  \
    float sum = 0;                                                                                                     \
    for (int i = 0; i < count; ++i)                                                                                    \
      sum += acc[i][0];                                                                                                \
    return sum;                                                                                                        \
  }

#if defined(__x86_64__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"
HRM_FMA_LOOP(fma_loop_512, 64, 12, target("avx512f,fma"))
HRM_FMA_LOOP(fma_loop_256, 32, 12, target("avx2,fma"))
#pragma GCC diagnostic pop
#endif
HRM_FMA_LOOP(fma_loop_base, 16, 12, aligned(16))
#undef HRM_FMA_LOOP

/** GFLOP/s of all threads of the pool together, the best of several tries (build with -ffp-contract=fast). */
inline double fma_peak(hrm::cpu::ThreadPool &pool) {
  constexpr int64_t kSteps = 1 << 20;
  int lanes = 4;
  float (*loop)(int64_t) = fma_loop_base;
#if defined(__x86_64__)
  if (hrm::cpu::isa() == hrm::cpu::Isa::kAvx512)
    loop = fma_loop_512, lanes = 16;
  else if (hrm::cpu::isa() == hrm::cpu::Isa::kAvx2)
    loop = fma_loop_256, lanes = 8;
#endif
  double best = 0;
  volatile float sink = 0;
  for (int i = 0; i < 20; ++i) {
    const int tasks = 4 * pool.nThreads();
    const auto start = std::chrono::steady_clock::now();
    pool.parallel_for(tasks, [&](int64_t, int) { sink = loop(kSteps); });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, 2.0 * 12 * lanes * static_cast<double>(kSteps) * tasks / seconds * 1e-9);
  }
  return best;
}

} // namespace bench

#endif // HRM_BENCH_FMA_PEAK_H_
