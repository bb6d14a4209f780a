// What all elementwise ops share: rows of any stride and dtype become whole vectors of float or double for the kernels
// of elementwise.h.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "core/context.h"
#include "cpu/strided.h"
#include "numerics/hd.h"
#include "ops/op.h"

#include "cpu/simd/begin.h"

#include "cpu/simd/vec.h"

#include "cpu/simd/math.h"

#include "cpu/simd/lanes.h"

#include "cpu/simd/elementwise.h"

namespace hrm::cpu::HRM_ISA {
namespace {

/** Elements converted at a time, a multiple of the lanes: what the buffers of three operands take of the L1 cache. */
constexpr int64_t kTile = 512;

/** An operand of one row. */
template <class T> class Operand {
  using A = Acc<T>;
  static constexpr int64_t W = Lanes<T>::kCount;

public:
  void set(const T *p, int64_t step) {
    p_ = p;
    step_ = step;
    if (step == 0)
      store(splat_, broadcast(static_cast<A>(*p)));
  }
  /** Whether at() never copies, for whole vectors. */
  bool in_place() const { return step_ == 0 || (step_ == 1 && std::is_same_v<T, A>); }

  /** Elements [i, i + n) for a kernel: where they lie if they are whole vectors of A, else in `buffer`, zeros behind.
   */
  Source<A> at(int64_t i, int64_t n, A *buffer) const {
    if (step_ == 0)
      return {splat_, 0};
    const T *p = p_ + i * step_;
    if constexpr (std::is_same_v<T, A>)
      if (step_ == 1 && n % W == 0)
        return {p, 1};
    for (int64_t k = 0; k < n; k += W) {
      const int m = static_cast<int>(std::min(W, n - k));
      store(buffer + k, step_ == 1 ? get_lanes(p + k, m) : gathered(p + k * step_, m));
    }
    return {buffer, 1};
  }

private:
  typename Lanes<T>::V gathered(const T *p, int n) const {
    T lane[W] = {};
    for (int i = 0; i < n; ++i)
      lane[i] = p[i * step_];
    return Lanes<T>::get(lane);
  }

  const T *p_ = nullptr;
  int64_t step_ = 1;
  alignas(64) A splat_[W];
};

/** Calls tile(begin, n) over the row: whole vectors first, then what is left. */
template <int64_t W, class Tile> HRM_INLINE void for_tiles_of_row(int64_t begin, int64_t n, const Tile &tile) {
  const int64_t whole = n / W * W;
  for (int64_t i = begin; i < whole; i += kTile)
    tile(i, std::min(kTile, whole - i));
  if (whole < n)
    tile(whole, n - whole);
}

template <int N, class T> struct ElementRow {
  using A = Acc<T>;
  static constexpr int64_t W = Lanes<T>::kCount;
  Kernel<A, A> kernel;
  const void *f;
  T *out;
  const T *in[N];

  void operator()(const int64_t *at, const int64_t *steps, int64_t n) const {
    Operand<T> operands[N];
    bool inPlace = steps[0] == 1 && std::is_same_v<T, A>;
    for (int k = 0; k < N; ++k) {
      operands[k].set(in[k] + at[k + 1], steps[k + 1]);
      inPlace = inPlace && operands[k].in_place();
    }
    T *r = out + at[0];
    int64_t done = 0;
    if constexpr (std::is_same_v<T, A>)
      if (inPlace && n >= W) {
        done = n / W * W;
        run(operands, 0, done, r, nullptr);
      }
    if (done < n)
      through_tiles(operands, done, n, r, steps[0]);
  }

private:
  void run(const Operand<T> *operands, int64_t i, int64_t n, A *r, A (*buffers)[kTile]) const {
    Source<A> sources[N];
    for (int k = 0; k < N; ++k)
      sources[k] = operands[k].at(i, n, buffers ? buffers[k] : nullptr);
    kernel(f, r, sources, (n + W - 1) / W * W);
  }

  __attribute__((noinline)) void through_tiles(const Operand<T> *operands, int64_t begin, int64_t n, T *r,
                                               int64_t step) const {
    alignas(64) A buffers[N + 1][kTile];
    for_tiles_of_row<W>(begin, n, [&](int64_t i, int64_t m) {
      A *result = buffers[N];
      if constexpr (std::is_same_v<T, A>)
        if (step == 1 && m % W == 0)
          result = r + i;
      run(operands, i, m, result, buffers);
      if (result == buffers[N])
        write(result, r + i * step, step, m);
    });
  }

  static void write(const A *from, T *to, int64_t step, int64_t n) {
    if (step == 1) {
      for (int64_t k = 0; k < n; k += W)
        put_lanes(to + k, load(from + k), static_cast<int>(std::min(W, n - k)));
      return;
    }
    T lane[W];
    for (int64_t k = 0; k < n; k += W) {
      Lanes<T>::put(lane, load(from + k));
      for (int64_t j = 0; j < std::min(W, n - k); ++j)
        to[(k + j) * step] = lane[j];
    }
  }
};

template <class T, class K> void rows_of(Call &call, int nOperands, const void *f, K kernel) {
  const Tensor &z = call.out[0], &x = call.in[0];
  T *out = z.data<T>();
  const Dims left = broadcast_strides(x.shape, x.strides, z.shape);
  if (nOperands == 1) {
    StridedLoop<2>(z.shape, {z.strides, left}).run(*call.context.pool, ElementRow<1, T>{kernel, f, out, {x.data<T>()}});
    return;
  }
  const Tensor &y = call.in[1];
  StridedLoop<3>(z.shape, {z.strides, left, broadcast_strides(y.shape, y.strides, z.shape)})
      .run(*call.context.pool, ElementRow<2, T>{kernel, f, out, {x.data<T>(), y.data<T>()}});
}

/** The kernels write masks of a tile, which become bytes. */
template <class T, class R> struct CompareRow {
  using A = Acc<T>;
  static constexpr int64_t W = Lanes<T>::kCount;
  Kernel<A, R> kernel;
  const void *f;
  bool *out;
  const T *in[2];

  void operator()(const int64_t *at, const int64_t *steps, int64_t n) const {
    Operand<T> operands[2];
    for (int k = 0; k < 2; ++k)
      operands[k].set(in[k] + at[k + 1], steps[k + 1]);
    alignas(64) A buffers[2][kTile];
    alignas(64) R masks[kTile];
    uint8_t *r = reinterpret_cast<uint8_t *>(out + at[0]);
    for_tiles_of_row<W>(0, n, [&](int64_t i, int64_t m) {
      const Source<A> sources[2] = {operands[0].at(i, m, buffers[0]), operands[1].at(i, m, buffers[1])};
      kernel(f, masks, sources, (m + W - 1) / W * W);
      if (steps[0] == 1)
        for (int64_t k = 0; k < m; ++k)
          r[i + k] = static_cast<uint8_t>(masks[k] & 1);
      else
        for (int64_t k = 0; k < m; ++k)
          r[(i + k) * steps[0]] = static_cast<uint8_t>(masks[k] & 1);
    });
  }
};

template <class T, class R> void compare_rows_of(Call &call, const void *f, Kernel<Acc<T>, R> kernel) {
  const Tensor &x = call.in[0], &y = call.in[1], &z = call.out[0];
  StridedLoop<3>(z.shape, {z.strides, broadcast_strides(x.shape, x.strides, z.shape),
                           broadcast_strides(y.shape, y.strides, z.shape)})
      .run(*call.context.pool, CompareRow<T, R>{kernel, f, z.data<bool>(), {x.data<T>(), y.data<T>()}});
}

} // namespace

void run_elementwise(Call &call, int nOperands, const void *f, const Kernels &kernels) {
  dispatch_lanes(call.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_same_v<T, double>)
      rows_of<T>(call, nOperands, f, kernels.f64);
    else
      rows_of<T>(call, nOperands, f, kernels.f32);
  });
}

void run_compare(Call &call, const void *f, const CompareKernels &kernels) {
  dispatch_lanes(call.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_same_v<T, double>)
      compare_rows_of<T>(call, f, kernels.f64);
    else
      compare_rows_of<T>(call, f, kernels.f32);
  });
}

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
