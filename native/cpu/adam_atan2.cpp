#include "ops/adam_atan2.h"

#include "ops/registry.h"

namespace hrm {

HRM_SCHEMA(adam_atan2) {
  using Attrs = ops::adam_atan2::Attrs;
  Schema s{{mutated_list("parameters"), mutated_list("m"), mutated_list("v"), list("gradients"), mutated_list("copies"),
            in("step"), in("lr"), in("finite")},
           {HRM_ATTR(Attrs, beta1), HRM_ATTR(Attrs, beta2), HRM_ATTR(Attrs, weight_decay)},
           {}};
  s.rule = &erase_rule<Attrs, ops::adam_atan2::rule>;
  return s;
}

} // namespace hrm
