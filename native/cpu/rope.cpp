#include "ops/rope.h"

#include "ops/registry.h"

namespace hrm {

HRM_SCHEMA(rope) {
  Schema s{{strided("x"), in("cos"), in("sin")}, {HRM_ATTR(ops::rope::Attrs, transposed)}};
  s.rule = &erase_rule<ops::rope::Attrs, ops::rope::rule>;
  return s;
}

} // namespace hrm
