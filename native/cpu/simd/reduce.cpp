// sum, mean, max, min over any dimensions, as [outer, n, inner] over n (ops/reduce.h). Sums are blocked and pairwise:
// the error grows with the logarithm of n along rows, and like n / 256 + 64 at worst down columns.
#include "ops/reduce.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/context.h"
#include "cpu/strided.h"
#include "numerics/hd.h"

#include "cpu/simd/begin.h"

#include "cpu/simd/vec.h"

#include "cpu/simd/math.h"

#include "numerics/elementwise.h"

#include "cpu/simd/elementwise.h"

namespace hrm::cpu::HRM_ISA {
namespace {

/** Vectors of floating dtypes; integers one by one, their reductions are exact in any order. */
template <class T, bool = std::is_integral_v<T>> struct Pack : Lanes<T> {
  using Math = VecMath;
  using Scalar = Acc<T>;
  static HRM_INLINE typename Lanes<T>::V fill(Scalar value) { return broadcast(value); }
  static HRM_INLINE void spill(Scalar *lane, typename Lanes<T>::V v) { store(lane, v); }
};
template <class T> struct Pack<T, true> {
  using Math = numerics::ScalarMath;
  using Scalar = Acc<T>;
  using V = Scalar;
  static constexpr int64_t kCount = 1;
  static HRM_INLINE V get(const T *p) { return static_cast<V>(*p); }
  static HRM_INLINE V get(const T *p, int) { return static_cast<V>(*p); }
  static HRM_INLINE void put(T *p, V v) { *p = static_cast<T>(v); }
  static HRM_INLINE void put(T *p, V v, int) { *p = static_cast<T>(v); }
  static HRM_INLINE V fill(Scalar value) { return value; }
  static HRM_INLINE void spill(Scalar *lane, V v) { *lane = v; }
};

struct Sum : numerics::add {
  template <class S> static constexpr S identity() { return 0; }
};
struct Max : numerics::maximum {
  template <class S> static constexpr S identity() {
    return std::is_integral_v<S> ? std::numeric_limits<S>::lowest() : -std::numeric_limits<S>::infinity();
  }
};
struct Min : numerics::minimum {
  template <class S> static constexpr S identity() {
    return std::is_integral_v<S> ? std::numeric_limits<S>::max() : std::numeric_limits<S>::infinity();
  }
};

template <class Op, class P> HRM_INLINE typename P::V join(typename P::V a, typename P::V b) {
  return Op{}.template of<typename P::Math>(a, b);
}

/** At most kBlock elements: four accumulators, then their lanes pairwise. */
template <class Op, class T> HRM_INLINE Acc<T> block_value(const T *p, int64_t n) {
  using P = Pack<T>;
  using S = typename P::Scalar;
  constexpr int64_t W = P::kCount;
  const auto identity = P::fill(Op::template identity<S>());
  if constexpr (std::is_integral_v<T>) {
    // g++ 12 loses lanes when it vectorizes the four accumulators of integers below; this loop it gets right.
    S value = identity;
    for (int64_t i = 0; i < n; ++i)
      value = Op{}.template of<numerics::ScalarMath>(value, static_cast<S>(p[i]));
    return value;
  }
  typename P::V acc[4] = {identity, identity, identity, identity};
  int64_t i = 0;
  for (; i + 4 * W <= n; i += 4 * W)
    for (int k = 0; k < 4; ++k)
      acc[k] = join<Op, P>(acc[k], P::get(p + i + k * W));
  for (; i + W <= n; i += W)
    acc[0] = join<Op, P>(acc[0], P::get(p + i));
  S lane[W];
  P::spill(lane, join<Op, P>(join<Op, P>(acc[0], acc[1]), join<Op, P>(acc[2], acc[3])));
  for (int64_t w = W / 2; w > 0; w /= 2)
    for (int64_t k = 0; k < w; ++k)
      lane[k] = Op{}.template of<numerics::ScalarMath>(lane[k], lane[k + w]);
  for (; i < n; ++i)
    lane[0] = Op{}.template of<numerics::ScalarMath>(lane[0], static_cast<S>(p[i]));
  return lane[0];
}

template <class Op, class T> Acc<T> row_value(const T *p, int64_t n) {
  constexpr int64_t kBlock = 1024;
  if (n <= kBlock)
    return block_value<Op>(p, n);
  const int64_t half = (n / 2 + kBlock - 1) / kBlock * kBlock;
  return Op{}.template of<numerics::ScalarMath>(row_value<Op>(p, half), row_value<Op>(p + half, n - half));
}

/** K vectors side by side, `rows` rows `stride` apart; in blocks of rows, the last vector may be partial. */
template <class Op, class T, int K, class Put>
HRM_INLINE void column_block(const T *p, int64_t stride, int64_t rows, int last, Put put) {
  using P = Pack<T>;
  using V = typename P::V;
  constexpr int64_t kBlock = 32;
  const V identity = P::fill(Op::template identity<typename P::Scalar>());
  const bool partial = last < P::kCount;
  V total[K];
  for (int k = 0; k < K; ++k)
    total[k] = identity;
  for (int64_t begin = 0; begin < rows; begin += kBlock) {
    V acc[K];
    for (int k = 0; k < K; ++k)
      acc[k] = identity;
    const T *row = p + begin * stride;
    for (int64_t r = begin; r < std::min(rows, begin + kBlock); ++r, row += stride)
      for (int k = 0; k < K; ++k)
        acc[k] = join<Op, P>(acc[k],
                             k == K - 1 && partial ? P::get(row + k * P::kCount, last) : P::get(row + k * P::kCount));
    for (int k = 0; k < K; ++k)
      total[k] = join<Op, P>(total[k], acc[k]);
  }
  for (int k = 0; k < K; ++k)
    put(k * P::kCount, total[k], k == K - 1 ? last : static_cast<int>(P::kCount));
}

/** g++ 12 compiles unrolled integer accumulators wrongly for AVX2 (sums of n divisible by 8 lose half): plain loops. */
template <class Op, class T, class Put>
void integer_columns(const T *p, int64_t stride, int64_t rows, int64_t width, Put put) {
  using S = Acc<T>;
  constexpr int64_t kTile = 64;
  for (int64_t first = 0; first < width; first += kTile) {
    const int64_t n = std::min(kTile, width - first);
    S total[kTile];
    std::fill(total, total + kTile, Op::template identity<S>());
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < n; ++j)
        total[j] = join<Op, Pack<T>>(total[j], static_cast<S>(p[r * stride + first + j]));
    for (int64_t j = 0; j < n; ++j)
      put(first + j, total[j], 1);
  }
}

/** put(j, vector, lanes) for the columns [0, width). */
template <class Op, class T, class Put>
void column_values(const T *p, int64_t stride, int64_t rows, int64_t width, Put put) {
  if constexpr (std::is_integral_v<T>)
    return integer_columns<Op>(p, stride, rows, width, put);
  constexpr int64_t W = Pack<T>::kCount;
  int64_t j = 0;
  // Integers not, for the reason in block_value.
  for (; !std::is_integral_v<T> && j + 4 * W <= width; j += 4 * W)
    column_block<Op, T, 4>(p + j, stride, rows, W, [&](int64_t k, auto v, int m) { put(j + k, v, m); });
  for (; j < width; j += W)
    column_block<Op, T, 1>(p + j, stride, rows, static_cast<int>(std::min(W, width - j)),
                           [&](int64_t k, auto v, int m) { put(j + k, v, m); });
}

template <class T, class V> HRM_INLINE void put_lanes(T *p, V v, int n) {
  if (n == Pack<T>::kCount)
    Pack<T>::put(p, v);
  else
    Pack<T>::put(p, v, n);
}

constexpr int64_t kTaskElements = 32768, kTileWidth = 512;

/** Cuts [outer, n, inner] into chunks of n, tiles of inner and groups of outer: visit(o, chunk, first column, width).
 */
template <class Visit>
void for_tiles(ThreadPool &pool, int64_t outer, int64_t chunks, int64_t n, int64_t inner, Visit visit) {
  const int64_t tiles = (inner + kTileWidth - 1) / kTileWidth, each = chunks * tiles;
  const int64_t group = each > 1 ? 1 : std::max<int64_t>(1, kTaskElements / std::max<int64_t>(1, n * inner));
  const int64_t groups = (outer + group - 1) / group;
  pool.parallel_for(groups * each, [&](int64_t task, int) {
    const int64_t tile = task % tiles, chunk = task / tiles % chunks, first = task / each * group;
    const int64_t column = tile * kTileWidth, width = std::min(kTileWidth, inner - column);
    for (int64_t o = first; o < std::min(outer, first + group); ++o)
      visit(o, chunk, column, width);
  });
}

/** [outer, n, inner] in pieces of `chunk` of n, to out [outer, pieces, inner]. */
template <class Op, class T, class R, class Finish>
void reduce_into(ThreadPool &pool, const T *in, R *out, int64_t outer, int64_t n, int64_t inner, int64_t chunk,
                 Finish finish) {
  const int64_t chunks = std::max<int64_t>(1, (n + chunk - 1) / chunk);
  for_tiles(pool, outer, chunks, n, inner, [=](int64_t o, int64_t c, int64_t column, int64_t width) {
    const int64_t begin = c * chunk, rows = std::min(n - begin, chunk);
    const T *p = in + (o * n + begin) * inner + column;
    R *r = out + (o * chunks + c) * inner + column;
    if (inner == 1)
      *r = static_cast<R>(finish(row_value<Op>(p, rows)));
    else
      column_values<Op>(p, inner, rows, width, [=](int64_t j, auto v, int m) { put_lanes(r + j, finish(v), m); });
  });
}

template <class T> const T *in_form(Call &call, const ops::ReduceForm &form) {
  const Tensor &x = call.in[0];
  if (form.direct)
    return x.data<T>();
  const T *from = x.data<T>();
  T *to = static_cast<T *>(call.workspace);
  StridedLoop<2>(form.shape, {contiguous_strides(form.shape), form.strides})
      .run(*call.context.pool, [=](const int64_t *at, const int64_t *step, int64_t n) {
        for (int64_t i = 0; i < n; ++i)
          to[at[0] + i * step[0]] = from[at[1] + i * step[1]];
      });
  return to;
}

struct Keep {
  template <class V> HRM_INLINE V operator()(V v) const { return v; }
};

template <class Op, class T, class R, class Finish = Keep> void reduce(Call &call, Finish finish = {}) {
  const Tensor &x = call.in[0];
  bool reduced[kMaxRank];
  ops::reduced_shape("reduce", x.shape, call.attrs<ops::ReduceAttrs>(), reduced);
  const ops::ReduceForm form = ops::reduce_form(x, reduced);
  if (form.outer * form.inner == 0)
    return;
  ThreadPool &pool = *call.context.pool;
  const T *in = in_form<T>(call, form);
  R *out = call.out[0].data<R>();
  const int64_t chunks = ops::reduce_chunks(form), all = std::numeric_limits<int64_t>::max() / 2;
  if (chunks == 1)
    return reduce_into<Op>(pool, in, out, form.outer, form.n, form.inner, all, finish);
  auto *partial =
      reinterpret_cast<Acc<T> *>(static_cast<char *>(call.workspace) + ops::reduce_copy_bytes(form, x.dtype));
  const int64_t chunk = form.inner == 1 ? ops::kReduceRowChunk : ops::kReduceColumnChunk;
  reduce_into<Op>(pool, in, partial, form.outer, form.n, form.inner, chunk, Keep{});
  reduce_into<Op>(pool, static_cast<const Acc<T> *>(partial), out, form.outer, chunks, form.inner, all, finish);
}

} // namespace

void sum(Call &call) {
  dispatch_all(call.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    reduce<Sum, T, std::conditional_t<std::is_integral_v<T>, int32_t, T>>(call);
  });
}

void mean(Call &call) {
  const Tensor &x = call.in[0], &y = call.out[0];
  const double n = y.size() == 0 ? 1 : static_cast<double>(x.size()) / static_cast<double>(y.size());
  dispatch_float(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    reduce<Sum, T, T>(call, [n = static_cast<Acc<T>>(n)](auto v) { return v / n; });
  });
}

void max(Call &call) {
  dispatch_all(call.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    reduce<Max, T, T>(call);
  });
}

void min(Call &call) {
  dispatch_all(call.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    reduce<Min, T, T>(call);
  });
}

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
