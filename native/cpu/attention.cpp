#include "ops/attention.h"

#include "ops/registry.h"

namespace hrm {

HRM_SCHEMA(attention) {
  using Attrs = ops::attention::Attrs;
  Schema s{{strided("q"), strided("k"), strided("v")}, {HRM_ATTR(Attrs, causal), HRM_ATTR(Attrs, scale)}, {"y", "lse"}};
  s.rule = &erase_rule<Attrs, ops::attention::rule>;
  return s;
}
HRM_SCHEMA(attention_backward) {
  using Attrs = ops::attention::Attrs;
  Schema s{{in("dy"), strided("q"), strided("k"), strided("v"), in("lse")},
           {HRM_ATTR(Attrs, causal), HRM_ATTR(Attrs, scale)},
           {"dq", "dk", "dv"}};
  s.rule = &erase_rule<Attrs, ops::attention_backward::rule>;
  return s;
}

} // namespace hrm
