#pragma once
#include "ops/adam_atan2.h"

namespace hrm::ops {

// average = decay average + (1 - decay) weight, list by list. Nothing changes where `finite` is false.
struct ema {
  struct Attrs {
    double decay;
  };
  enum Input { kAverages, kWeights, kFinite };

  static Plan rule(const Args &in, const Attrs &attrs) {
    if (in.count(kWeights) != in.count(kAverages))
      fail(Code::kArgument, "ema: there must be one average for each of ", in.count(kWeights), " weights, got ",
           in.count(kAverages));
    for (int i = 0; i < in.count(kAverages); ++i) {
      const Tensor &average = in.at(kAverages, i), &weight = in.at(kWeights, i);
      if (average.dtype != DType::kF32 && average.dtype != DType::kF64)
        fail(Code::kDType, "ema: averages must be float32 or float64, got ", average.dtype);
      if (weight.dtype != average.dtype)
        fail(Code::kDType, "ema: weight ", i, " must be ", average.dtype, ", got ", weight.dtype);
      if (weight.shape != average.shape)
        fail(Code::kShape, "ema: weight ", i, " must have shape ", average.shape, ", got ", weight.shape);
    }
    need_scalar("ema", "finite", in[kFinite], in[kFinite].dtype == DType::kBool, "bool");
    if (!(attrs.decay >= 0 && attrs.decay <= 1))
      fail(Code::kArgument, "ema: decay must be in [0, 1], got ", attrs.decay);
    return {};
  }
};

} // namespace hrm::ops
