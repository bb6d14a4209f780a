#pragma once
#include "ops/elementwise.h"

namespace hrm::ops {

// min <= max is not demanded: where they cross the result is max, as in PyTorch. Infinite bounds bound nothing; bounds
// beyond the dtype's range saturate; NaN stays NaN.
struct ClampAttrs {
  double min, max;
};

struct clamp {
  static Plan rule(const Args &in, const ClampAttrs &attrs) {
    if (attrs.min != attrs.min || attrs.max != attrs.max)
      fail(Code::kArgument, "clamp: min and max must not be NaN");
    return {in[0].dtype, in[0].shape};
  }
};

// dy where min <= x <= max, else 0.
struct clamp_grad {
  static Plan rule(const Args &in, const ClampAttrs &) {
    return {in[0].dtype, broadcast("clamp_grad", in[0].shape, in[1].shape)};
  }
};

} // namespace hrm::ops
