#include "ops/where.h"

#include "ops/registry.h"

namespace hrm {

HRM_SCHEMA(where) {
  Schema s{{strided("condition"), strided("a"), strided("b")}, {}};
  s.rule = &erase_rule<NoAttrs, ops::where::rule>;
  return s;
}

} // namespace hrm
