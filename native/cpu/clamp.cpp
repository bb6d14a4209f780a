#include "ops/clamp.h"

#include "ops/registry.h"

namespace hrm {

HRM_SCHEMA(clamp) {
  Schema s{{strided("x")}, {HRM_ATTR(ops::ClampAttrs, min), HRM_ATTR(ops::ClampAttrs, max)}};
  s.rule = &erase_rule<ops::ClampAttrs, ops::clamp::rule>;
  s.promotion = Promotion::kNumber;
  s.in_place = true;
  return s;
}
HRM_SCHEMA(clamp_grad) {
  Schema s{{strided("dy"), strided("x")}, {HRM_ATTR(ops::ClampAttrs, min), HRM_ATTR(ops::ClampAttrs, max)}};
  s.rule = &erase_rule<ops::ClampAttrs, ops::clamp_grad::rule>;
  s.promotion = Promotion::kFloat;
  return s;
}

} // namespace hrm
