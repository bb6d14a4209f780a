#include "ops/softmax.h"

#include <algorithm>

#include "ops/registry.h"

namespace hrm {

namespace {
template <Plan (*rule)(const Args &, const ops::DimAttrs &)> Schema along_dim(std::vector<ArgSpec> inputs) {
  Schema s{std::move(inputs), {HRM_ATTR(ops::DimAttrs, dim)}};
  s.rule = &erase_rule<ops::DimAttrs, rule>;
  s.promotion = Promotion::kFloat;
  return s;
}
} // namespace

HRM_SCHEMA(softmax) { return along_dim<ops::softmax::rule>({in("x")}); }
HRM_SCHEMA(log_softmax) { return along_dim<ops::log_softmax::rule>({in("x")}); }
HRM_SCHEMA(logsumexp) { return along_dim<ops::logsumexp::rule>({in("x")}); }
HRM_SCHEMA(softmax_grad) { return along_dim<ops::softmax_grad::rule>({in("dy"), in("y")}); }
HRM_SCHEMA(log_softmax_grad) { return along_dim<ops::log_softmax_grad::rule>({in("dy"), in("y")}); }

namespace {
template <Plan (*rule)(const Args &, const ops::DimAttrs &)> Schema arg_extreme() {
  Schema s = along_dim<rule>({in("x")});
  s.promotion = Promotion::kNone;
  return s;
}
} // namespace

HRM_SCHEMA(argmax) { return arg_extreme<ops::argmax::rule>(); }
HRM_SCHEMA(argmin) { return arg_extreme<ops::argmin::rule>(); }

namespace {
// beats(a, b): a comes before b whatever their places.
template <class T, class Beats> void arg_extreme_of(Call &call, Beats beats) {
  const Tensor &x = call.in[0];
  const ops::AroundDim form("argmax or argmin", x.shape, call.attrs<ops::DimAttrs>().dim);
  const T *in = x.data<T>();
  int32_t *out = call.out[0].data<int32_t>();
  const int64_t positions = form.outer * form.inner, n = form.n, inner = form.inner;
  const int64_t group = std::max<int64_t>(1, 16384 / n);
  call.context.pool->parallel_for((positions + group - 1) / group, [=](int64_t task, int) {
    for (int64_t i = task * group; i < std::min(positions, (task + 1) * group); ++i) {
      const T *p = in + i / inner * n * inner + i % inner;
      int64_t at = 0;
      Acc<T> best = static_cast<Acc<T>>(*p);
      for (int64_t r = 1; r < n && best == best; ++r) {
        const Acc<T> value = static_cast<Acc<T>>(p[r * inner]);
        if (beats(value, best) || value != value) {
          best = value;
          at = r;
        }
      }
      out[i] = static_cast<int32_t>(at);
    }
  });
}
} // namespace

void cpu::argmax(Call &call) {
  dispatch_all(call.in[0].dtype, [&](auto tag) {
    arg_extreme_of<typename decltype(tag)::type>(call, [](auto a, auto b) { return a > b; });
  });
}
void cpu::argmin(Call &call) {
  dispatch_all(call.in[0].dtype, [&](auto tag) {
    arg_extreme_of<typename decltype(tag)::type>(call, [](auto a, auto b) { return a < b; });
  });
}

} // namespace hrm
