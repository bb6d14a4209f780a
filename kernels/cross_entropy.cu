// cross_entropy: logits are read once from memory, a loss a row written; backward they are read once and dlogits
// written. Short rows stay in registers between the passes, longer ones come from the cache. An exponential (softmax)
// or a division in double (stablemax) an element, two backward. Bound by memory, stablemax by divisions where double is
// slow.
#include "ops/cross_entropy.h"

#include <limits>

#include "device/finding.h"
#include "device/rows.h"
#include "numerics/stablemax.h"

namespace hrm {

namespace device {

namespace {

using numerics::ScalarMath;

// The scores of a row of logits: probabilities are score / sum of scores. A is the type that they are computed in.
struct SoftmaxScores {
  using A = float;
  float largest;

  template <class T, class Plan>
  __device__ SoftmaxScores(const RowPlace<Plan> &place, const RowPart<A, T, Plan> &part) {
    largest = reduce_row(place, -std::numeric_limits<float>::infinity(), Largest{},
                         [&](int k, int64_t i) { return part.get(k, i); });
  }
  __device__ float score(float x) const { return std::exp(x - largest); }
  __device__ float log_score(float x) const { return x - largest; }
  // Derivative of log_score.
  __device__ float log_slope(float) const { return 1; }
};

struct StablemaxScores {
  using A = double;

  template <class T, class Plan> __device__ StablemaxScores(const RowPlace<Plan> &, const RowPart<A, T, Plan> &) {}
  __device__ double score(double x) const { return numerics::stablemax{}.of<ScalarMath>(x); }
  __device__ double log_score(double x) const { return std::log(score(x)); }
  __device__ double log_slope(double x) const { return numerics::stablemax_log_slope{}.of<ScalarMath>(x); }
};

template <class Scores, class Plan, class Part>
__device__ typename Scores::A total_of(const Scores &scores, const RowPlace<Plan> &place, const Part &part) {
  using A = typename Scores::A;
  return reduce_row(place, A(0), Sum{}, [&](int k, int64_t i) {
    Vec<A, Plan::kWidth> v = part.get(k, i);
    HRM_UNROLL
    for (int j = 0; j < Plan::kWidth; ++j)
      v[j] = scores.score(v[j]);
    return v;
  });
}

// Labels of the rows; `ignored` is allowed besides those that `check` takes.
struct Labels {
  In<int32_t> values;
  int64_t ignored;
  IndexCheck check;

  __device__ int64_t at(int64_t row, bool exists) const { return exists ? values[row] : ignored; }
  // Whether the row has a loss. Its team's `leader` reports a label that is none.
  __device__ bool counts(int64_t label, bool leader) const {
    return label != ignored && (leader ? check.require(label) : check.holds(label));
  }
};

// log(sum of scores) - log(score of the label); NaN for a label that is none.
template <class Scores, class T, class Plan>
__global__ void cross_entropy_kernel(Out<float> y, In<T> logits, Labels labels, RowSpace space) {
  using A = typename Scores::A;
  for_rows<typename Plan::Team>(space.rows, [&](int64_t row, bool exists) {
    const bool leader = Plan::Team::rank() == 0;
    const int64_t label = labels.at(row, exists);
    const bool counts = labels.counts(label, leader);
    // The same for the whole team.
    const RowPlace<Plan> place(space, row, counts);
    const RowPart<A, T, Plan> part(logits, place);
    const Scores scores(place, part);
    const A total = total_of(scores, place, part);
    if (!exists || !leader)
      return;
    if (counts)
      y.set(row, static_cast<float>(std::log(total) - scores.log_score(static_cast<A>(logits[place.at(label)]))));
    else
      y.set(row, label == labels.ignored ? 0.0f : std::numeric_limits<float>::quiet_NaN());
  });
}

// dx[i] = dy (probability[i] - [i = label]) times the derivative of log score[i]; 0 for rows that have no loss.
template <class Scores, class T, class Plan>
__global__ void cross_entropy_backward_kernel(Out<T> dx, In<float> dy, In<T> logits, Labels labels, RowSpace space) {
  using A = typename Scores::A;
  constexpr int N = Plan::kWidth;
  for_rows<typename Plan::Team>(space.rows, [&](int64_t row, bool exists) {
    const int64_t label = labels.at(row, exists);
    const bool counts = labels.counts(label, Plan::Team::rank() == 0);
    const RowPlace<Plan> place(space, row, exists);
    const RowPart<A, T, Plan> part(logits, place);
    const Scores scores(place, part);
    const A total = total_of(scores, place, part), scale = counts ? static_cast<A>(dy[row]) : A(0);
    place.each([&](int k, int64_t i) {
      Vec<A, N> v = part.get(k, i);
      HRM_UNROLL
      for (int j = 0; j < N; ++j) {
        const A change = scores.score(v[j]) / total - (i + j == label ? A(1) : A(0));
        v[j] = counts ? scale * scores.log_slope(v[j]) * change : A(0);
      }
      place.store(dx, i, v);
    });
  });
}

Labels labels_of(const Call &call, const Tensor &labels, int64_t n_classes) {
  const int64_t ignored = call.attrs<ops::cross_entropy::Attrs>().ignoreIndex;
  return {in<int32_t>(labels), ignored, IndexCheck::of_labels(call, n_classes, ignored)};
}

// f(type of the scores, type of the logits, plan)
template <class F> void with_loss_plan(const Call &call, const Tensor &logits, bool aligned, F f) {
  dispatch_device_float(logits.dtype, [&](auto tag) {
    with_row_plan<typename decltype(tag)::type>(logits.shape.back(), aligned, [&](auto plan) {
      if (call.attrs<ops::cross_entropy::Attrs>().stablemax)
        f(Type<StablemaxScores>{}, tag, plan);
      else
        f(Type<SoftmaxScores>{}, tag, plan);
    });
  });
}

void run_cross_entropy(Call &call) {
  const Tensor &logits = call.in[0], &labels = call.in[1], &y = call.out[0];
  const RowSpace space{y.size(), logits.shape.back()};
  if (space.rows == 0)
    return;
  with_loss_plan(call, logits, aligned16({&logits}), [&](auto scores, auto tag, auto plan) {
    using Scores = typename decltype(scores)::type;
    using T = typename decltype(tag)::type;
    launch(call, &cross_entropy_kernel<Scores, T, decltype(plan)>, grid_of(plan, space.rows), out<float>(y),
           in<T>(logits), labels_of(call, labels, space.n), space);
  });
}

void run_cross_entropy_backward(Call &call) {
  const Tensor &dy = call.in[0], &logits = call.in[1], &labels = call.in[2], &dx = call.out[0];
  const RowSpace space{dy.size(), logits.shape.back()};
  if (space.rows == 0)
    return;
  with_loss_plan(call, logits, aligned16({&logits, &dx}), [&](auto scores, auto tag, auto plan) {
    using Scores = typename decltype(scores)::type;
    using T = typename decltype(tag)::type;
    launch(call, &cross_entropy_backward_kernel<Scores, T, decltype(plan)>, grid_of(plan, space.rows), out<T>(dx),
           in<float>(dy), in<T>(logits), labels_of(call, labels, space.n), space);
  });
}

} // namespace

} // namespace device

namespace cuda {

extern const GpuOp cross_entropy = {device::run_cross_entropy};
extern const GpuOp cross_entropy_backward = {device::run_cross_entropy_backward};

} // namespace cuda

} // namespace hrm
