#pragma once
#include <cmath>

#include "ops/op.h"

namespace hrm::ops {

// start, start + step, ...: `size` numbers, computed in double, in which all of int32 is exact.
struct arange {
  struct Attrs {
    double start, step;
    int64_t size;
    DType dtype;
  };
  static Plan rule(const Args &, const Attrs &attrs) {
    if (attrs.dtype == DType::kBool)
      fail(Code::kDType, "arange: dtype must not be bool");
    if (!is_float(attrs.dtype)) {
      const double least = attrs.dtype == DType::kU8 ? 0.0 : -2147483648.0;
      const double most = attrs.dtype == DType::kU8 ? 255.0 : 2147483647.0;
      const double last = attrs.start + static_cast<double>(attrs.size - 1) * attrs.step;
      const auto fits = [&](double v) { return v >= least && v <= most; };
      const bool whole = attrs.start == std::floor(attrs.start) && attrs.step == std::floor(attrs.step);
      if (attrs.size > 0 && !(whole && fits(attrs.start) && fits(last)))
        fail(Code::kArgument, "arange: values must be integers in the range of ", attrs.dtype, ", got start ",
             attrs.start, ", step ", attrs.step, ", last ", last);
    }
    return {attrs.dtype, Dims{attrs.size}};
  }
};

} // namespace hrm::ops
