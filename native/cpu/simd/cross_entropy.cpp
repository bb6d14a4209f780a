// Memory-bound but for short rows: logits are read once from memory (two or three times in the cache) and, backward,
// written once; one exponential (softmax) or division (stablemax) an element, two backward.
#include "ops/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "core/context.h"
#include "cpu/check_indices.h"
#include "cpu/strided.h"
#include "numerics/hd.h"

#include "cpu/simd/begin.h"

#include "cpu/simd/vec.h"

#include "cpu/simd/math.h"

#include "numerics/elementwise.h"
#include "numerics/stablemax.h"

#include "cpu/simd/compute_row.h"
#include "cpu/simd/lanes.h"
#include "cpu/simd/row_lanes.h"

namespace hrm::cpu::HRM_ISA {
namespace {

/**
 * The scores of a row of logits, not negative, 0 for -infinity: probabilities are score / sum of scores. V is the
 * vector that they are computed in.
 */
template <class T> struct SoftmaxScores {
  using L = Lanes<T>;
  using V = typename L::V;
  V largest = broadcast(kMinusInfinity<Acc<T>>);

  explicit SoftmaxScores(const Row<T> &x) {
    V top = largest;
    for (int64_t i = 0; i < x.n; i += L::kCount)
      top = max(top, x.at(i, kMinusInfinity<Acc<T>>));
    largest = broadcast(hmax(top));
  }
  HRM_INLINE V score(V x) const { return exp(x - largest); }
  HRM_INLINE V log_score(V x) const { return x - largest; }
  /** Derivative of log_score. */
  HRM_INLINE V log_slope(V) const { return broadcast(Acc<T>(1)); }
};

template <class T> struct StablemaxScores {
  using L = DoubleLanes<T>;
  using V = vd;

  explicit StablemaxScores(const Row<T, L> &) {}
  HRM_INLINE V score(V x) const { return numerics::stablemax{}.template of<VecMath>(x); }
  HRM_INLINE V log_score(V x) const { return log(score(x)); }
  HRM_INLINE V log_slope(V x) const { return numerics::stablemax_log_slope{}.template of<VecMath>(x); }
};

template <template <class> class Scores, class T> class LossRow {
  using L = typename Scores<T>::L;
  using V = typename L::V;

public:
  using A = typename Row<T, L>::A;
  LossRow(const T *logits, int64_t n)
      : x_{logits, n}, scores_(x_),
        total_(row_sum<L>(n, [&](int64_t i) { return scores_.score(x_.at(i, kMinusInfinity<A>)); })) {}

  /** log(sum of scores) - log(score of the label) */
  A loss(int64_t label) const { return (log(broadcast(total_)) - scores_.log_score(at(label)))[0]; }

  /** dx[i] = dy (probability[i] - [i = label]) times the derivative of log score[i] */
  void gradient(int64_t label, A dy, T *dx) const {
    const V scale = broadcast(dy), total = broadcast(total_);
    for (int64_t i = 0; i < x_.n; i += L::kCount) {
      const V x = x_.at(i, kMinusInfinity<A>);
      put_row<T, L>(dx, i, x_.n, scale * scores_.log_slope(x) * (scores_.score(x) / total));
    }
    const V x = at(label);
    dx[label] = static_cast<T>((scale * scores_.log_slope(x) * (scores_.score(x) / total - broadcast(A(1))))[0]);
  }

private:
  HRM_INLINE V at(int64_t i) const { return broadcast(static_cast<A>(x_.p[i])); }

  Row<T, L> x_;
  Scores<T> scores_;
  A total_;
};

struct Rows {
  int64_t count, n, ignored;
  const int32_t *labels;
  Rows(Call &call, const char *op, const Tensor &logits, const Tensor &at)
      : count(at.size()), n(logits.shape.back()), ignored(call.attrs<ops::cross_entropy::Attrs>().ignoreIndex),
        labels(at.data<int32_t>()) {
    check_labels(op, at, n, ignored);
  }
};

template <template <class> class Scores, class T> void forward(Call &call) {
  const T *logits = call.in[0].data<T>();
  Acc<T> *losses = call.out[0].data<Acc<T>>();
  const Rows rows(call, "cross_entropy", call.in[0], call.in[1]);
  for_rows(*call.context.pool, rows.count, rows.n, [&](int64_t row, int) {
    const int32_t label = rows.labels[row];
    losses[row] = label == rows.ignored
                      ? Acc<T>(0)
                      : static_cast<Acc<T>>(LossRow<Scores, T>(logits + row * rows.n, rows.n).loss(label));
  });
}

template <template <class> class Scores, class T> void backward(Call &call) {
  const Acc<T> *dy = call.in[0].data<Acc<T>>();
  const T *logits = call.in[1].data<T>();
  T *dlogits = call.out[0].data<T>();
  const Rows rows(call, "cross_entropy_backward", call.in[1], call.in[2]);
  for_rows(*call.context.pool, rows.count, rows.n, [&](int64_t row, int) {
    const int32_t label = rows.labels[row];
    T *dx = dlogits + row * rows.n;
    if (label == rows.ignored)
      std::fill_n(dx, rows.n, T(0.0f));
    else
      LossRow<Scores, T>(logits + row * rows.n, rows.n).gradient(label, dy[row], dx);
  });
}

} // namespace

void cross_entropy(Call &call) {
  dispatch_lanes(call.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    call.attrs<ops::cross_entropy::Attrs>().stablemax ? forward<StablemaxScores, T>(call)
                                                      : forward<SoftmaxScores, T>(call);
  });
}
void cross_entropy_backward(Call &call) {
  dispatch_lanes(call.in[1].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    call.attrs<ops::cross_entropy::Attrs>().stablemax ? backward<StablemaxScores, T>(call)
                                                      : backward<SoftmaxScores, T>(call);
  });
}

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
