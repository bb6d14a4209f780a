#include "ops/sign_sgd.h"

#include <algorithm>

#include "numerics/sign_sgd.h"
#include "ops/registry.h"

namespace hrm {

namespace {

constexpr int64_t kColumns = 64;

template <class T> void update_row(Call &call, int64_t first) {
  using Op = ops::sign_sgd;
  const int32_t *ids = call.in[Op::kIds].data<int32_t>();
  const int64_t batch = call.in[Op::kIds].size(), width = call.in[Op::kWeights].shape[1];
  const auto step =
      numerics::sign_sgd<T>::of(static_cast<T>(ops::scalar_of(call.in[Op::kLr])), call.attrs<Op::Attrs>().weight_decay);
  const T *gradients = call.in[Op::kGradients].data<T>();
  T *row = call.in[Op::kWeights].data<T>() + ids[first] * width;
  for (int64_t begin = 0; begin < width; begin += kColumns) {
    const int64_t n = std::min(kColumns, width - begin);
    T sum[kColumns] = {};
    for (int64_t i = first; i < batch; ++i)
      if (ids[i] == ids[first])
        for (int64_t c = 0; c < n; ++c)
          sum[c] += gradients[i * width + begin + c];
    for (int64_t c = 0; c < n; ++c)
      row[begin + c] = step(row[begin + c], sum[c]);
  }
}

} // namespace

void cpu::sign_sgd(Call &call) {
  using Op = ops::sign_sgd;
  const Tensor &weights = call.in[Op::kWeights];
  const int32_t *ids = call.in[Op::kIds].data<int32_t>();
  const int64_t batch = call.in[Op::kIds].size();
  // Only the data can tell, and nothing may have been written when it does.
  for (int64_t i = 0; i < batch; ++i)
    if (ids[i] < 0 || ids[i] >= weights.shape[0])
      fail(Code::kArgument, "sign_sgd: ids must be in [0, ", weights.shape[0] - 1, "], got ", ids[i]);
  if (!*call.in[Op::kFinite].data<bool>())
    return;
  // A row belongs to the first place that names it.
  call.context.pool->parallel_for(batch, [&](int64_t i, int) {
    if (std::find(ids, ids + i, ids[i]) != ids + i)
      return;
    if (weights.dtype == DType::kF64)
      update_row<double>(call, i);
    else
      update_row<float>(call, i);
  });
}

HRM_SCHEMA(sign_sgd) {
  using Attrs = ops::sign_sgd::Attrs;
  Schema s{
      {mutated("weights"), in("ids"), in("gradients"), in("lr"), in("finite")}, {HRM_ATTR(Attrs, weight_decay)}, {}};
  s.rule = &erase_rule<Attrs, ops::sign_sgd::rule>;
  return s;
}

} // namespace hrm
