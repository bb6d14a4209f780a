#include "ops/sum.h"

#include "ops/registry.h"

namespace hrm {

// Placeholder order of summation: element by element in double or int64. Replaced by the reduction family.
void cpu::sum(Call &call) {
  const Tensor &x = call.in[0], &y = call.out[0];
  bool reduced[kMaxRank];
  ops::reduced_shape("sum", x.shape, call.attrs<ops::ReduceAttrs>(), reduced);
  dispatch_all(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    using R = std::conditional_t<std::is_integral_v<T>, int32_t, T>;
    const T *in = x.data<T>();
    R *out = y.data<R>();
    Dims kept_shape, kept_strides, sum_shape, sum_strides;
    for (int i = 0; i < x.shape.rank; ++i) {
      (reduced[i] ? sum_shape : kept_shape).push(x.shape[i]);
      (reduced[i] ? sum_strides : kept_strides).push(x.strides[i]);
    }
    const int64_t n_out = numel(kept_shape), n_sum = numel(sum_shape);
    const auto offset = [](int64_t index, const Dims &shape, const Dims &strides) {
      int64_t at = 0;
      for (int d = shape.rank - 1; d >= 0; --d) {
        at += index % shape[d] * strides[d];
        index /= shape[d];
      }
      return at;
    };
    for (int64_t i = 0; i < n_out; ++i) {
      using S = std::conditional_t<std::is_integral_v<T>, uint32_t, double>;
      S total = 0;
      const int64_t base = offset(i, kept_shape, kept_strides);
      for (int64_t j = 0; j < n_sum; ++j)
        total += static_cast<S>(in[base + offset(j, sum_shape, sum_strides)]);
      out[i] = static_cast<R>(total);
    }
  });
}

HRM_SCHEMA(sum) {
  Schema s{{strided("x")}, {HRM_ATTR(ops::ReduceAttrs, dims), HRM_ATTR(ops::ReduceAttrs, keepdim)}};
  s.rule = &erase_rule<ops::ReduceAttrs, ops::sum::rule>;
  return s;
}

} // namespace hrm
