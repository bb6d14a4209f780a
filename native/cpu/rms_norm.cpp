#include "ops/rms_norm.h"

#include "ops/registry.h"

namespace hrm {

HRM_SCHEMA(rms_norm) {
  Schema s{{in("x")}, {HRM_ATTR(ops::rms_norm::Attrs, eps)}, {"y", "r"}};
  s.rule = &erase_rule<ops::rms_norm::Attrs, ops::rms_norm::rule>;
  return s;
}
HRM_SCHEMA(rms_norm_backward) {
  Schema s{{in("dy"), in("y"), in("r")}, {}};
  s.rule = &erase_rule<NoAttrs, ops::rms_norm_backward::rule>;
  return s;
}

} // namespace hrm
