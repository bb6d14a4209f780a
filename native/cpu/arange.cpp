#include "ops/arange.h"

#include "ops/registry.h"

namespace hrm {

void cpu::arange(Call &call) {
  const auto &attrs = call.attrs<ops::arange::Attrs>();
  dispatch_all(attrs.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T *y = call.out[0].data<T>();
    for (int64_t i = 0; i < attrs.size; ++i)
      y[i] = static_cast<T>(attrs.start + static_cast<double>(i) * attrs.step);
  });
}

HRM_SCHEMA(arange) {
  using Attrs = ops::arange::Attrs;
  Schema s{{}, {HRM_ATTR(Attrs, start), HRM_ATTR(Attrs, step), HRM_ATTR(Attrs, size), HRM_ATTR(Attrs, dtype)}};
  s.rule = &erase_rule<Attrs, ops::arange::rule>;
  return s;
}

} // namespace hrm
