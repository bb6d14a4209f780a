#include "ops/swiglu.h"

#include "ops/registry.h"

namespace hrm {

HRM_SCHEMA(swiglu) {
  Schema s{{in("gate_up")}, {}};
  s.rule = &erase_rule<NoAttrs, ops::swiglu::rule>;
  return s;
}
HRM_SCHEMA(swiglu_backward) {
  Schema s{{in("dy"), in("gate_up")}, {}};
  s.rule = &erase_rule<NoAttrs, ops::swiglu_backward::rule>;
  return s;
}

} // namespace hrm
