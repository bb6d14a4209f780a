#include "ops/concat.h"

#include "ops/registry.h"

namespace hrm {

void cpu::concat(Call &call) {
  Tensor part = call.out[0];
  const int dim = normalize_dim("concat", call.attrs<ops::concat::Attrs>().dim, part.shape.rank);
  for (int i = 0; i < call.in.count(0); ++i) {
    const Tensor &x = call.in.at(0, i);
    part.shape = x.shape;
    convert(call.context, x, part);
    part.offset += x.shape[dim] * part.strides[dim];
  }
}

HRM_SCHEMA(concat) {
  Schema s{{strided(list("tensors"))}, {HRM_ATTR(ops::concat::Attrs, dim)}};
  s.rule = &erase_rule<ops::concat::Attrs, ops::concat::rule>;
  s.promotion = Promotion::kAny;
  return s;
}

} // namespace hrm
