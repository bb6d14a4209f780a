#pragma once
#include <cmath>

#include "ops/elementwise.h"

namespace hrm::ops {

// min <= max is not demanded: where they cross the result is max, as in PyTorch. Infinite bounds bound nothing; bounds
// beyond the dtype's range saturate; NaN stays NaN. Fractions do not bound integers: the caller casts first.
struct ClampAttrs {
  double min, max;
};

inline bool is_fraction(double bound) { return std::isfinite(bound) && bound != std::floor(bound); }

struct clamp {
  static Plan rule(const Args &in, const ClampAttrs &attrs) {
    if (attrs.min != attrs.min || attrs.max != attrs.max)
      fail(Code::kArgument, "clamp: min and max must not be NaN, got ", attrs.min, " and ", attrs.max);
    if (!is_float(in[0].dtype) && (is_fraction(attrs.min) || is_fraction(attrs.max)))
      fail(Code::kDType, "clamp: with fractional bounds (min ", attrs.min, ", max ", attrs.max,
           ") the result is float32, the tensor is ", in[0].dtype);
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
