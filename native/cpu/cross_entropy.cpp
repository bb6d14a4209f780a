#include "ops/cross_entropy.h"

#include "ops/registry.h"

namespace hrm {

namespace {
template <Plan (*rule)(const Args &, const ops::cross_entropy::Attrs &)>
Schema loss_schema(std::vector<ArgSpec> inputs, const char *output) {
  using Attrs = ops::cross_entropy::Attrs;
  Schema s{std::move(inputs), {HRM_ATTR(Attrs, stablemax), HRM_ATTR(Attrs, ignoreIndex)}, {output}};
  s.rule = &erase_rule<Attrs, rule>;
  return s;
}
} // namespace

HRM_SCHEMA(cross_entropy) { return loss_schema<ops::cross_entropy::rule>({in("logits"), in("labels")}, "y"); }
HRM_SCHEMA(cross_entropy_backward) {
  return loss_schema<ops::cross_entropy_backward::rule>({in("dy"), in("logits"), in("labels")}, "dlogits");
}

} // namespace hrm
