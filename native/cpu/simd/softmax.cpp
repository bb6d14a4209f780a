// softmax, its logarithm and logsumexp along one dimension: rows where it is the last one, vectors across the inner
// dimensions otherwise. x is read two or three times, from the cache after the first.
#include "ops/softmax.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/context.h"
#include "numerics/hd.h"

#include "cpu/simd/begin.h"

#include "cpu/simd/vec.h"

#include "cpu/simd/math.h"

#include "cpu/simd/lanes.h"
#include "cpu/simd/row_lanes.h"

namespace hrm::cpu::HRM_ISA {
namespace {

enum class Mode { kSoftmax, kLogSoftmax, kLogSumExp };

/** What is subtracted before exp: the largest element; for logsumexp 0 where that is infinite. */
template <Mode mode, class A> HRM_INLINE A shift_of(A largest) {
  return mode == Mode::kLogSumExp && std::isinf(largest) ? A(0) : largest;
}

template <Mode mode, class T> void softmax_row(const T *p, T *y, int64_t n) {
  using A = Acc<T>;
  constexpr int64_t W = Lanes<T>::kCount;
  const Row<T> x{p, n};
  auto top = broadcast(kMinusInfinity<Acc<T>>);
  for (int64_t i = 0; i < n; i += W)
    top = max(top, x.at(i, kMinusInfinity<Acc<T>>));
  const A shift = shift_of<mode>(hmax(top));
  const auto m = broadcast(shift);
  const A total = row_sum<Lanes<T>>(n, [&](int64_t i) { return exp(x.at(i, kMinusInfinity<Acc<T>>) - m); });
  if constexpr (mode == Mode::kLogSumExp) {
    *y = static_cast<T>(shift + log(total));
  } else if constexpr (mode == Mode::kLogSoftmax) {
    const auto log_total = broadcast(log(total));
    for (int64_t i = 0; i < n; i += W)
      put_row(y, i, n, x.at(i, kMinusInfinity<Acc<T>>) - m - log_total);
  } else {
    const auto scale = broadcast(total);
    for (int64_t i = 0; i < n; i += W)
      put_row(y, i, n, exp(x.at(i, kMinusInfinity<Acc<T>>) - m) / scale);
  }
}

/** `lanes` columns at once, their elements `stride` apart. */
template <Mode mode, class T> void softmax_columns(const T *p, T *y, int64_t n, int64_t stride, int lanes) {
  using V = typename Lanes<T>::V;
  V m = broadcast(kMinusInfinity<Acc<T>>), total{};
  for (int64_t r = 0; r < n; ++r)
    m = max(m, get_lanes(p + r * stride, lanes));
  if constexpr (mode == Mode::kLogSumExp)
    for (int k = 0; k < static_cast<int>(Lanes<T>::kCount); ++k)
      m[k] = shift_of<mode>(m[k]);
  for (int64_t begin = 0; begin < n; begin += 64) {
    V block{};
    for (int64_t r = begin; r < std::min(n, begin + 64); ++r)
      block += exp(get_lanes(p + r * stride, lanes) - m);
    total += block;
  }
  if constexpr (mode == Mode::kLogSumExp) {
    put_lanes(y, m + log(total), lanes);
  } else if constexpr (mode == Mode::kLogSoftmax) {
    const V log_total = log(total);
    for (int64_t r = 0; r < n; ++r)
      put_lanes(y + r * stride, get_lanes(p + r * stride, lanes) - m - log_total, lanes);
  } else {
    for (int64_t r = 0; r < n; ++r)
      put_lanes(y + r * stride, exp(get_lanes(p + r * stride, lanes) - m) / total, lanes);
  }
}

template <Mode mode, class T> void gradient_row(const T *g, const T *y, T *dx, int64_t n) {
  constexpr int64_t W = Lanes<T>::kCount;
  const Row<T> dy{g, n}, out{y, n};
  if constexpr (mode == Mode::kSoftmax) {
    const auto total = broadcast(row_sum<Lanes<T>>(n, [&](int64_t i) { return dy.at(i, 0) * out.at(i, 0); }));
    for (int64_t i = 0; i < n; i += W)
      put_row(dx, i, n, out.at(i, 0) * (dy.at(i, 0) - total));
  } else {
    const auto total = broadcast(row_sum<Lanes<T>>(n, [&](int64_t i) { return dy.at(i, 0); }));
    for (int64_t i = 0; i < n; i += W)
      put_row(dx, i, n, dy.at(i, 0) - exp(out.at(i, 0)) * total);
  }
}

template <Mode mode, class T>
void gradient_columns(const T *g, const T *y, T *dx, int64_t n, int64_t stride, int lanes) {
  typename Lanes<T>::V total{};
  for (int64_t r = 0; r < n; ++r) {
    const auto dy = get_lanes(g + r * stride, lanes);
    if constexpr (mode == Mode::kSoftmax)
      total += dy * get_lanes(y + r * stride, lanes);
    else
      total += dy;
  }
  for (int64_t r = 0; r < n; ++r) {
    const auto dy = get_lanes(g + r * stride, lanes), out = get_lanes(y + r * stride, lanes);
    if constexpr (mode == Mode::kSoftmax)
      put_lanes(dx + r * stride, out * (dy - total), lanes);
    else
      put_lanes(dx + r * stride, dy - exp(out) * total, lanes);
  }
}

/** row(offset of x, offset of a result without the dimension) or columns(the same, lanes), tasks of some 16,384
 * elements. */
template <class T, class RowFn, class ColumnsFn>
void along(ThreadPool &pool, const ops::AroundDim &form, RowFn row, ColumnsFn columns) {
  const int64_t n = form.n, inner = form.inner, W = Lanes<T>::kCount;
  const int64_t tiles = inner == 1 ? 1 : (inner + W - 1) / W, items = form.outer * tiles;
  const int64_t group = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, n * (inner == 1 ? 1 : W)));
  if (inner == 0)
    return;
  pool.parallel_for((items + group - 1) / group, [&](int64_t task, int) {
    for (int64_t item = task * group; item < std::min(items, (task + 1) * group); ++item) {
      const int64_t o = item / tiles, j = item % tiles * W;
      if (inner == 1)
        row(o * n, o);
      else
        columns(o * n * inner + j, o * inner + j, static_cast<int>(std::min(W, inner - j)));
    }
  });
}

template <Mode mode> void forward(Call &call) {
  const Tensor &x = call.in[0];
  const ops::AroundDim form("softmax", x.shape, call.attrs<ops::DimAttrs>().dim);
  dispatch_lanes(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *in = x.data<T>();
    T *out = call.out[0].data<T>();
    constexpr bool reduces = mode == Mode::kLogSumExp;
    along<T>(
        *call.context.pool, form,
        [&](int64_t at, int64_t kept) { softmax_row<mode>(in + at, out + (reduces ? kept : at), form.n); },
        [&](int64_t at, int64_t kept, int lanes) {
          softmax_columns<mode>(in + at, out + (reduces ? kept : at), form.n, form.inner, lanes);
        });
  });
}

template <Mode mode> void gradient(Call &call) {
  const Tensor &y = call.in[1];
  const ops::AroundDim form("softmax", y.shape, call.attrs<ops::DimAttrs>().dim);
  dispatch_lanes(y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *dy = call.in[0].data<T>(), *out = y.data<T>();
    T *dx = call.out[0].data<T>();
    along<T>(
        *call.context.pool, form, [&](int64_t at, int64_t) { gradient_row<mode>(dy + at, out + at, dx + at, form.n); },
        [&](int64_t at, int64_t, int lanes) {
          gradient_columns<mode>(dy + at, out + at, dx + at, form.n, form.inner, lanes);
        });
  });
}

} // namespace

void softmax(Call &call) { forward<Mode::kSoftmax>(call); }
void log_softmax(Call &call) { forward<Mode::kLogSoftmax>(call); }
void logsumexp(Call &call) { forward<Mode::kLogSumExp>(call); }
void softmax_grad(Call &call) { gradient<Mode::kSoftmax>(call); }
void log_softmax_grad(Call &call) { gradient<Mode::kLogSoftmax>(call); }

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
