// Attention head by head: a block of queries against all keys, so that the scores held are a block, never S x S. One
// task a head of one sequence; the products inside are the GEMM's.
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/context.h"
#include "cpu/gemm.h"
#include "ops/attention.h"

#include "cpu/simd/begin.h"

#include "cpu/simd/vec.h"

#include "cpu/simd/math.h"
#include "cpu/simd/row_kernels.h"

#include "cpu/simd/compute_row.h"

namespace hrm::cpu::HRM_ISA {
namespace {

using Sizes = ops::attention::Sizes;

Sizes sizes_of(const Tensor &q, const Tensor &k) {
  return {q.shape[0], q.shape[1], k.shape[1], q.shape[2], q.shape[3]};
}

/** One head of a [B, S, H, d] tensor as a matrix [S, d]. */
template <class T> MatrixView<T> head_of(const Tensor &t, int64_t b, int64_t head) {
  return {t.data<T>() + b * t.strides[0] + head * t.strides[2], t.strides[1], t.strides[3]};
}
/** The same in the compute type; `room` holds S * d elements where T needs converting. */
template <class T> MatrixView<Acc<T>> compute_head(const Tensor &t, int64_t b, int64_t head, Acc<T> *room) {
  const MatrixView<T> source = head_of<T>(t, b, head);
  if constexpr (!kConvertsRow<T>) {
    return source;
  } else {
    const int64_t d = t.shape[3];
    for (int64_t i = 0; i < t.shape[1]; ++i)
      gather_row(source.data + i * source.rowStride, source.colStride, room + i * d, d);
    return row_major<Acc<T>>(room, d);
  }
}

/** Where a head of a contiguous [B, S, H, d] result is computed. */
template <class T> struct HeadResult {
  T *target;
  int64_t n, d, ld;
  Acc<T> *data;
  int64_t stride;

  HeadResult(const Tensor &t, int64_t b, int64_t head, Acc<T> *room)
      : target(const_cast<T *>(head_of<T>(t, b, head).data)), n(t.shape[1]), d(t.shape[3]), ld(t.shape[2] * d),
        data(room), stride(d) {
    if constexpr (!kConvertsRow<T>) {
      data = target;
      stride = ld;
    }
  }
  Acc<T> *row(int64_t i) const { return data + i * stride; }
  void clear() const {
    for (int64_t i = 0; i < n; ++i)
      std::memset(row(i), 0, static_cast<size_t>(d) * sizeof(Acc<T>));
  }
  void finish() const {
    for (int64_t i = 0; i < n; ++i)
      finish_row(row(i), target + i * ld, d);
  }
};

template <class A> MatrixView<A> rows_from(MatrixView<A> m, int64_t row) {
  return {m.data + row * m.rowStride, m.rowStride, m.colStride};
}

template <class T> void attention_forward(Call &call) {
  using A = Acc<T>;
  const Tensor &q = call.in[0], &k = call.in[1], &v = call.in[2], &y = call.out[0];
  const auto &attrs = call.attrs<ops::attention::Attrs>();
  const Sizes s = sizes_of(q, k);
  ThreadPool &pool = *call.context.pool;
  const int nThreads = pool.nThreads();
  const int64_t stride = ops::attention::score_stride<A>(s);
  const A scale = static_cast<A>(attrs.scale);
  pool.parallel_for(s.queries == 0 ? 0 : s.batch * s.heads, [&](int64_t task, int thread) {
    WorkspaceCarver carver(call.workspace);
    for (int i = 0; i < thread; ++i)
      ops::attention::Scratch<A>(carver, s, kConvertsRow<T>, nThreads);
    const ops::attention::Scratch<A> scratch(carver, s, kConvertsRow<T>, nThreads);
    const int64_t b = task / s.heads, head = task % s.heads;
    const MatrixView<A> queries = compute_head<T>(q, b, head, scratch.q), keys = compute_head<T>(k, b, head, scratch.k),
                        values = compute_head<T>(v, b, head, scratch.v);
    const HeadResult<T> result(y, b, head, scratch.y);
    A *lse = call.out[1].data<A>() + task * s.queries;
    for (int64_t first = 0; first < s.queries; first += s.block()) {
      const int64_t rows = std::min(s.block(), s.queries - first);
      gemm<A>(pool, {rows, s.keys, s.d, rows_from(queries, first), keys.transposed(), scratch.scores, stride, false},
              scratch.gemm);
      A factors[Sizes::kBlock];
      for (int64_t i = 0; i < rows; ++i) {
        const int64_t seen = attrs.causal ? first + i + 1 : s.keys;
        factors[i] = A(1) / softmax_row(scratch.scores + i * stride, seen, stride, scale, &lse[first + i]);
      }
      gemm<A>(
          pool,
          {rows, s.d, s.keys, row_major<A>(scratch.scores, stride), values, result.row(first), result.stride, false},
          scratch.gemm);
      for (int64_t i = 0; i < rows; ++i) {
        A *row = result.row(first + i);
        for (int64_t j = 0; j < s.d; j += kLanes<A>)
          store_upto(row + j, load_upto(row + j, s.d - j) * broadcast(factors[i]), s.d - j);
      }
    }
    result.finish();
  });
}

/** p = exp(scale s - lse) and ds = scale p (dp - sum(p dp)), in place of s and dp; zero from `seen` to n. */
template <class A> void score_gradient(A *s, A *dp, int64_t seen, int64_t n, A scale, A lse) {
  const vec<A> factor = broadcast(scale), offset = broadcast(-lse);
  vec<A> dots{};
  for (int64_t j = 0; j < seen; j += kLanes<A>) {
    const vec<A> p = exp(fma(load_upto(s + j, seen - j), factor, offset));
    store_upto(s + j, p, seen - j);
    dots = fma(p, load_upto(dp + j, seen - j), dots);
  }
  const vec<A> dot = broadcast(hsum(dots));
  for (int64_t j = 0; j < seen; j += kLanes<A>)
    store_upto(dp + j, factor * load_upto(s + j, seen - j) * (load_upto(dp + j, seen - j) - dot), seen - j);
  for (int64_t j = seen; j < n; ++j)
    s[j] = dp[j] = A(0);
}

template <class T> void attention_gradient(Call &call) {
  using A = Acc<T>;
  const Tensor &dy = call.in[0], &q = call.in[1], &k = call.in[2], &v = call.in[3];
  const auto &attrs = call.attrs<ops::attention::Attrs>();
  const Sizes s = sizes_of(q, k);
  ThreadPool &pool = *call.context.pool;
  const int nThreads = pool.nThreads();
  const int64_t stride = ops::attention::score_stride<A>(s);
  const A scale = static_cast<A>(attrs.scale);
  pool.parallel_for(s.batch * s.heads, [&](int64_t task, int thread) {
    WorkspaceCarver carver(call.workspace);
    for (int i = 0; i < thread; ++i)
      ops::attention_backward::Scratch<A>(carver, s, kConvertsRow<T>, nThreads);
    const ops::attention_backward::Scratch<A> scratch(carver, s, kConvertsRow<T>, nThreads);
    const int64_t b = task / s.heads, head = task % s.heads;
    const MatrixView<A> queries = compute_head<T>(q, b, head, scratch.q), keys = compute_head<T>(k, b, head, scratch.k),
                        values = compute_head<T>(v, b, head, scratch.v),
                        dOut = compute_head<T>(dy, b, head, scratch.dy);
    const HeadResult<T> dQuery(call.out[0], b, head, scratch.dq), dKey(call.out[1], b, head, scratch.dk),
        dValue(call.out[2], b, head, scratch.dv);
    const A *lse = call.in[4].data<A>() + task * s.queries;
    if (s.queries == 0) {
      dKey.clear();
      dValue.clear();
    }
    A *const p = scratch.probabilities, *const ds = scratch.d_scores;
    for (int64_t first = 0; first < s.queries; first += s.block()) {
      const int64_t rows = std::min(s.block(), s.queries - first);
      const MatrixView<A> queryRows = rows_from(queries, first), dOutRows = rows_from(dOut, first);
      gemm<A>(pool, {rows, s.keys, s.d, queryRows, keys.transposed(), p, stride, false}, scratch.gemm);
      gemm<A>(pool, {rows, s.keys, s.d, dOutRows, values.transposed(), ds, stride, false}, scratch.gemm);
      for (int64_t i = 0; i < rows; ++i)
        score_gradient(p + i * stride, ds + i * stride, attrs.causal ? first + i + 1 : s.keys, s.keys, scale,
                       lse[first + i]);
      const MatrixView<A> pView = row_major<A>(p, stride), dsView = row_major<A>(ds, stride);
      const bool more = first > 0;
      gemm<A>(pool, {s.keys, s.d, rows, pView.transposed(), dOutRows, dValue.data, dValue.stride, more}, scratch.gemm);
      gemm<A>(pool, {s.keys, s.d, rows, dsView.transposed(), queryRows, dKey.data, dKey.stride, more}, scratch.gemm);
      gemm<A>(pool, {rows, s.d, s.keys, dsView, keys, dQuery.row(first), dQuery.stride, false}, scratch.gemm);
    }
    dQuery.finish();
    dKey.finish();
    dValue.finish();
  });
}

} // namespace

void attention(Call &call) {
  dispatch_lanes(call.in[0].dtype, [&](auto tag) { attention_forward<typename decltype(tag)::type>(call); });
}
void attention_backward(Call &call) {
  dispatch_lanes(call.in[1].dtype, [&](auto tag) { attention_gradient<typename decltype(tag)::type>(call); });
}

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
