#include "ops/reduce.h"

#include "ops/registry.h"

namespace hrm {

namespace {
template <Plan (*rule)(const Args &, const ops::ReduceAttrs &)> Schema reduce_schema() {
  Schema s{{strided("x")}, {HRM_ATTR(ops::ReduceAttrs, dims), HRM_ATTR(ops::ReduceAttrs, keepdim)}};
  s.rule = &erase_rule<ops::ReduceAttrs, rule>;
  return s;
}
} // namespace

HRM_SCHEMA(sum) { return reduce_schema<ops::sum::rule>(); }
HRM_SCHEMA(mean) { return reduce_schema<ops::mean::rule>(); }
HRM_SCHEMA(max) { return reduce_schema<ops::max::rule>(); }
HRM_SCHEMA(min) { return reduce_schema<ops::min::rule>(); }

} // namespace hrm
