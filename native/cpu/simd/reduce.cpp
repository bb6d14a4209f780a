// The loops of sum, mean, max and min on floating dtypes (cpu/reduce.cpp cuts the work, and does integers). Sums are
// blocked and pairwise: the error grows with the logarithm of n along rows, and like n / 256 + 64 at worst down
// columns.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/context.h"
#include "cpu/reduce.h"
#include "numerics/hd.h"

#include "cpu/simd/begin.h"

#include "cpu/simd/vec.h"

#include "cpu/simd/math.h"

#include "numerics/elementwise.h"

#include "cpu/simd/lanes.h"

namespace hrm::cpu::HRM_ISA {
namespace {

struct Sum : numerics::add {
  template <class S> static constexpr S identity() { return 0; }
};
struct Max : numerics::maximum {
  template <class S> static constexpr S identity() { return -std::numeric_limits<S>::infinity(); }
};
struct Min : numerics::minimum {
  template <class S> static constexpr S identity() { return std::numeric_limits<S>::infinity(); }
};

template <class Op, class V> HRM_INLINE V join(V a, V b) { return Op{}.template of<VecMath>(a, b); }
template <class Op, class S> HRM_INLINE S join_scalars(S a, S b) {
  return Op{}.template of<numerics::ScalarMath>(a, b);
}

/** At most kBlock elements: four accumulators, then their lanes pairwise. */
template <class Op, class T> HRM_INLINE Acc<T> block_value(const T *p, int64_t n) {
  using L = Lanes<T>;
  using S = Acc<T>;
  constexpr int64_t W = L::kCount;
  const auto identity = broadcast(Op::template identity<S>());
  typename L::V acc[4] = {identity, identity, identity, identity};
  int64_t i = 0;
  for (; i + 4 * W <= n; i += 4 * W)
    for (int k = 0; k < 4; ++k)
      acc[k] = join<Op>(acc[k], L::get(p + i + k * W));
  for (; i + W <= n; i += W)
    acc[0] = join<Op>(acc[0], L::get(p + i));
  S lane[W];
  store(lane, join<Op>(join<Op>(acc[0], acc[1]), join<Op>(acc[2], acc[3])));
  for (int64_t w = W / 2; w > 0; w /= 2)
    for (int64_t k = 0; k < w; ++k)
      lane[k] = join_scalars<Op>(lane[k], lane[k + w]);
  for (; i < n; ++i)
    lane[0] = join_scalars<Op>(lane[0], static_cast<S>(p[i]));
  return lane[0];
}

template <class Op, class T> Acc<T> row_value(const T *p, int64_t n) {
  constexpr int64_t kBlock = 1024;
  if (n <= kBlock)
    return block_value<Op>(p, n);
  const int64_t half = (n / 2 + kBlock - 1) / kBlock * kBlock;
  return join_scalars<Op>(row_value<Op>(p, half), row_value<Op>(p + half, n - half));
}

/** K vectors side by side, `rows` rows `stride` apart; in blocks of rows, the last vector has `last` lanes. */
template <class Op, class T, int K>
HRM_INLINE void column_block(const T *p, int64_t stride, int64_t rows, int last, Acc<T> *r) {
  using L = Lanes<T>;
  using V = typename L::V;
  constexpr int64_t kBlock = 32, W = L::kCount;
  const V identity = broadcast(Op::template identity<Acc<T>>());
  V total[K];
  for (int k = 0; k < K; ++k)
    total[k] = identity;
  for (int64_t begin = 0; begin < rows; begin += kBlock) {
    V acc[K];
    for (int k = 0; k < K; ++k)
      acc[k] = identity;
    const T *row = p + begin * stride;
    for (int64_t i = begin; i < std::min(rows, begin + kBlock); ++i, row += stride)
      for (int k = 0; k < K; ++k)
        acc[k] = join<Op>(acc[k], K == 1 ? get_lanes(row, last) : L::get(row + k * W));
    for (int k = 0; k < K; ++k)
      total[k] = join<Op>(total[k], acc[k]);
  }
  for (int k = 0; k < K; ++k)
    put_lanes(r + k * W, total[k], K == 1 ? last : static_cast<int>(W));
}

template <class Op, class T>
void kernel(const T *p, int64_t stride, int64_t count, int64_t rows, int64_t width, Acc<T> *r) {
  constexpr int64_t W = Lanes<T>::kCount;
  for (int64_t c = 0; c < count; ++c, p += rows * stride, r += width) {
    if (stride == 1) {
      *r = row_value<Op>(p, rows);
      continue;
    }
    int64_t j = 0;
    for (; j + 4 * W <= width; j += 4 * W)
      column_block<Op, T, 4>(p + j, stride, rows, static_cast<int>(W), r + j);
    for (; j < width; j += W)
      column_block<Op, T, 1>(p + j, stride, rows, static_cast<int>(std::min(W, width - j)), r + j);
  }
}

template <class Op> void reduce(Call &call, double divisor) {
  dispatch_lanes(call.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    run_reduce<T, T>(call, {kernel<Op, T>, kernel<Op, Acc<T>>}, divisor);
  });
}

} // namespace

void sum(Call &call) { is_float(call.in[0].dtype) ? reduce<Sum>(call, 1) : integer::sum(call); }

void mean(Call &call) {
  const Tensor &x = call.in[0], &y = call.out[0];
  reduce<Sum>(call, y.size() == 0 ? 1 : static_cast<double>(x.size()) / static_cast<double>(y.size()));
}

void max(Call &call) { is_float(call.in[0].dtype) ? reduce<Max>(call, 1) : integer::max(call); }

void min(Call &call) { is_float(call.in[0].dtype) ? reduce<Min>(call, 1) : integer::min(call); }

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
