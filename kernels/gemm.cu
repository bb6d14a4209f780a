// Chooses tiles for device::gemm (device/gemm.h), or leaves the product to a library (cuda/products.h), and adds the
// parts of products split along k: reads splits * m * n floats, writes m * n; bound by memory.
#include "device/gemm.h"

#include <algorithm>
#include <type_traits>

#include "cuda/products.h"
#include "device/gemm_fma.h"
#include "device/gemm_mma.h"
#include "device/launch.h"

namespace hrm::device {

namespace {

// Blocks that keep a large device busy. A constant, not the device's: results must not depend on it.
constexpr int64_t kEnoughBlocks = 128;
// Least part of k that a split may get, and most splits.
constexpr int64_t kLeastSplit = 1024, kMostSplits = 16;

struct Cut {
  // Side of the tiles: 128, 64 or 32.
  int tile;
  int64_t splits;
};

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The largest tiles of which there are enough.
Cut cut_of(const GemmShape &s, bool may_split) {
  Cut cut{};
  for (const int tile : {128, 64, 32}) {
    const int64_t blocks = ceil_div(s.m, tile) * ceil_div(s.n, tile) * numel(s.batch);
    const int64_t most = may_split ? std::min(std::max<int64_t>(s.k / kLeastSplit, 1), kMostSplits) : 1;
    cut = {tile, std::clamp<int64_t>(ceil_div(kEnoughBlocks, blocks), 1, most)};
    if (blocks * cut.splits >= kEnoughBlocks)
      break;
  }
  return cut;
}

// Elements from the first to the last that a matrix of [rows, cols] a batch touches.
int64_t extent(int64_t rows, int64_t row, int64_t cols, int64_t col, const Dims &batch, const Dims &strides) {
  if (rows == 0 || cols == 0)
    return 0;
  int64_t n = 1 + (rows - 1) * row + (cols - 1) * col;
  for (int d = 0; d < batch.rank; ++d)
    n += (batch[d] - 1) * strides[d];
  return n;
}

// k is contiguous, or nothing is and the kernel goes element by element either way.
template <class T> GemmStrides strides_of(const T *data, int64_t row, int64_t k, const Dims &batch) {
  constexpr int64_t kVector = 16 / sizeof(T);
  bool vectors = (k == 1 && row % kVector == 0) || (row == 1 && k % kVector == 0);
  vectors = vectors && reinterpret_cast<uintptr_t>(data) % 16 == 0;
  for (const int64_t stride : batch)
    vectors = vectors && stride % kVector == 0;
  return {row, k, vectors};
}
bool along_k(const GemmStrides &s) { return s.k == 1 || s.row != 1; }

template <int tile> struct ConfigOf;
template <> struct ConfigOf<128> {
  using Fma = FmaConfig<128, 128, 16, 8, 8>;
  using Mma = MmaConfig<128, 128, 32, 64, 32, 4>;
};
template <> struct ConfigOf<64> {
  using Fma = FmaConfig<64, 64, 16, 4, 8>;
  using Mma = MmaConfig<64, 64, 32, 32, 32, 4>;
};
template <> struct ConfigOf<32> {
  using Fma = FmaConfig<32, 32, 16, 4, 4>;
  using Mma = MmaConfig<32, 32, 32, 16, 16, 4>;
};

template <class T, class R> struct Launch {
  const char *op;
  cuda::Stream &stream;
  In<T> a, b, bias;
  GemmWork w;

  template <int tile, bool kAlongA, bool kAlongB, class C> void run(const C &c) {
    constexpr bool kMma = std::is_same_v<T, BFloat16>;
    using Config = std::conditional_t<kMma, typename ConfigOf<tile>::Mma, typename ConfigOf<tile>::Fma>;
    w.m_tiles = ceil_div(w.m, Config::kM);
    w.n_tiles = ceil_div(w.n, Config::kN);
    w.k_split = std::max<int64_t>(ceil_div(ceil_div(w.k, w.splits), Config::kK) * Config::kK, Config::kK);
    const Grid grid{blocks_for(w.total(), 1), Config::kThreads, GemmStage<Config, T, kAlongA, kAlongB>::kBytes};
    if constexpr (kMma)
      launch(op, stream, &gemm_mma_kernel<Config, kAlongA, kAlongB, R, C>, grid, c, a, b, bias, w);
    else
      launch(op, stream, &gemm_fma_kernel<Config, kAlongA, kAlongB, R, C>, grid, c, a, b, bias, w);
  }
  template <int tile, class C> void run(const C &c) {
    const bool left = along_k(w.a), right = along_k(w.b);
    if (left && right)
      run<tile, true, true>(c);
    else if (left)
      run<tile, true, false>(c);
    else if (right)
      run<tile, false, true>(c);
    else
      run<tile, false, false>(c);
  }
  template <class C> void run(int tile, const C &c) {
    if (tile == 128)
      run<128>(c);
    else if (tile == 64)
      run<64>(c);
    else
      run<32>(c);
  }
};

template <class T, class R, class C> __global__ void add_splits_kernel(C c, In<float> parts, In<T> bias, GemmWork w) {
  const int64_t step = int64_t{n_blocks()} * n_threads(), size = w.batches.size * w.m * w.n;
  for (int64_t i = int64_t{block_x()} * n_threads() + thread_x(); i < size; i += step) {
    const int64_t col = i % w.n, row = i / w.n % w.m, batch = i / w.n / w.m;
    const int64_t at = batch * w.c_batch + row * w.c_row + col;
    float sum = bias ? static_cast<float>(bias[col]) : 0.0f;
    for (int64_t split = 0; split < w.splits; ++split)
      sum += parts[split * size + i];
    if (w.accumulate)
      sum += stored<R>(c, at);
    c.set(at, static_cast<R>(sum));
  }
}

// f(view of C) where every element is written, f(view that may be read, or has gaps) otherwise.
template <class R, class F> void with_target(const GemmResult<R> &c, const GemmWork &w, F &&f) {
  const int64_t n = (w.batches.size - 1) * w.c_batch + (w.m - 1) * w.c_row + w.n;
#if defined(HRM_SIMT)
  if (!w.accumulate && w.c_row == w.n && (w.batches.size == 1 || w.c_batch == w.m * w.n))
    return f(Out<R>(c.data, n));
#endif
  f(InOut<R>(c.data, n));
}

} // namespace

size_t gemm_workspace_bytes(const GemmShape &s) {
  if (s.m == 0 || s.n == 0 || numel(s.batch) == 0)
    return 0;
  const int64_t splits = cut_of(s, true).splits;
  return splits == 1 ? 0 : sizeof(float) * static_cast<size_t>(splits * numel(s.batch) * s.m * s.n);
}

namespace {

template <class T, class R>
void own_gemm(const char *op, cuda::Stream &stream, const GemmShape &s, const GemmOperand<T> &a,
              const GemmOperand<T> &b, const GemmResult<R> &c, const GemmOptions<T> &options) {
  const Cut cut = cut_of(s, options.workspace != nullptr);
  Dims no_strides;
  no_strides.rank = s.batch.rank;
  const Dims a_batch = a.batch.rank == 0 ? no_strides : a.batch, b_batch = b.batch.rank == 0 ? no_strides : b.batch;
  GemmWork w{s.m,
             s.n,
             s.k,
             strides_of(a.data, a.row, a.col, a_batch),
             strides_of(b.data, b.col, b.row, b_batch),
             Walk<2>(s.batch, {a_batch, b_batch}),
             c.row,
             c.batch,
             0,
             0,
             0,
             cut.splits,
             0,
             options.accumulate,
             false};
  const In<T> left(a.data, extent(s.m, a.row, s.k, a.col, s.batch, a_batch)),
      right(b.data, extent(s.k, b.row, s.n, b.col, s.batch, b_batch)), bias(options.bias, s.n), no_bias(nullptr, 0);
  constexpr int64_t kVector = 16 / sizeof(R);
  if (cut.splits == 1) {
    w.c_vectors = c.row % kVector == 0 && c.batch % kVector == 0 && reinterpret_cast<uintptr_t>(c.data) % 16 == 0;
    with_target(c, w,
                [&](const auto &target) { Launch<T, R>{op, stream, left, right, bias, w}.run(cut.tile, target); });
    return;
  }
  float *const parts = static_cast<float *>(options.workspace);
  const int64_t size = numel(s.batch) * s.m * s.n;
  GemmWork part = w;
  part.accumulate = false;
  part.c_row = s.n;
  part.c_batch = s.m * s.n;
  part.c_split = size;
  part.c_vectors = s.n % 4 == 0;
  Launch<T, float>{op, stream, left, right, no_bias, part}.run(cut.tile, Out<float>(parts, cut.splits * size));
  with_target(c, w, [&](const auto &target) {
    using C = std::decay_t<decltype(target)>;
    launch(op, stream, &add_splits_kernel<T, R, C>, {blocks_for(size, kThreads), kThreads}, target,
           In<float>(parts, cut.splits * size), bias, w);
  });
}

template <class T> constexpr DType dtype_of() { return std::is_same_v<T, BFloat16> ? DType::kBF16 : DType::kF32; }

} // namespace

template <class T, class R>
void gemm(const char *op, cuda::Stream &stream, const GemmShape &s, const GemmOperand<T> &a, const GemmOperand<T> &b,
          const GemmResult<R> &c, const GemmOptions<T> &options) {
  if (s.m == 0 || s.n == 0 || numel(s.batch) == 0)
    return;
  if (options.bias || numel(s.batch) > 1 || s.k == 0)
    return own_gemm(op, stream, s, a, b, c, options);
  const cuda::Product product{dtype_of<T>(), dtype_of<R>(),     s.m, s.n, s.k, a.row, a.col, b.row, b.col,
                              c.row,         options.accumulate};
  stream.products().multiply(op, product, a.data, b.data, c.data, [&](void *to, bool accumulate) {
    GemmOptions<T> given = options;
    given.accumulate = accumulate;
    own_gemm(op, stream, s, a, b, GemmResult<R>{static_cast<R *>(to), c.row, c.batch}, given);
  });
}

#define HRM_GEMM(T, R)                                                                                                 \
  template void gemm<T, R>(const char *, cuda::Stream &, const GemmShape &, const GemmOperand<T> &,                    \
                           const GemmOperand<T> &, const GemmResult<R> &, const GemmOptions<T> &);
HRM_GEMM(float, float)
HRM_GEMM(BFloat16, BFloat16)
HRM_GEMM(BFloat16, float)
#undef HRM_GEMM

} // namespace hrm::device
