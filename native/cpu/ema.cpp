#include "ops/ema.h"

#include <algorithm>

#include "ops/registry.h"

namespace hrm {

namespace {

constexpr int64_t kEmaTaskElements = 32768;

template <class T> void update(Call &call, int index, double decay) {
  using Op = ops::ema;
  const Tensor &average = call.in.at(Op::kAverages, index);
  T *a = average.data<T>();
  const T *w = call.in.at(Op::kWeights, index).data<T>();
  const T keep = static_cast<T>(decay), take = static_cast<T>(1 - decay);
  const int64_t n = average.size();
  call.context.pool->parallel_for((n + kEmaTaskElements - 1) / kEmaTaskElements, [&](int64_t task, int) {
    const int64_t end = std::min(n, (task + 1) * kEmaTaskElements);
    for (int64_t i = task * kEmaTaskElements; i < end; ++i)
      a[i] = keep * a[i] + take * w[i];
  });
}

} // namespace

void cpu::ema(Call &call) {
  using Op = ops::ema;
  if (!*call.in[Op::kFinite].data<bool>())
    return;
  const double decay = call.attrs<Op::Attrs>().decay;
  for (int i = 0; i < call.in.count(Op::kAverages); ++i) {
    if (call.in.at(Op::kAverages, i).dtype == DType::kF64)
      update<double>(call, i, decay);
    else
      update<float>(call, i, decay);
  }
}

HRM_SCHEMA(ema) {
  Schema s{{mutated_list("averages"), list("weights"), in("finite")}, {HRM_ATTR(ops::ema::Attrs, decay)}, {}};
  s.rule = &erase_rule<ops::ema::Attrs, ops::ema::rule>;
  return s;
}

} // namespace hrm
