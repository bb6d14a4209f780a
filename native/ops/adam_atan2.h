#pragma once
#include "ops/op.h"

namespace hrm::ops {

inline void need_scalar(const char *op, const char *name, const Tensor &t, bool right_dtype, const char *dtypes) {
  if (!right_dtype)
    fail(Code::kDType, op, ": ", name, " must be ", dtypes, ", got ", t.dtype);
  if (t.size() != 1)
    fail(Code::kShape, op, ": ", name, " must have one element, got shape ", t.shape);
}

inline double scalar_of(const Tensor &t) {
  return t.dtype == DType::kF64 ? *t.data<double>() : static_cast<double>(*t.data<float>());
}

// One update of every parameter (HRM section 4; adam-atan2 0.0.3), all lists in the same order, float32 or float64:
//   p *= 1 - lr wd;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
//   p -= lr / (1 - b1^t) atan2(m, sqrt(v) / sqrt(1 - b2^t))
// Nothing changes where `finite` is false. `copies`: bfloat16, of the first parameters, p rounded to nearest even.
struct adam_atan2 {
  struct Attrs {
    double beta1, beta2, weight_decay;
  };
  enum Input { kParameters, kM, kV, kGradients, kCopies, kStep, kLr, kFinite };

  static Plan rule(const Args &in, const Attrs &attrs) {
    const int n = in.count(kParameters);
    const char *names[] = {"parameters", "m", "v", "gradients"};
    for (int list = kM; list <= kGradients; ++list)
      if (in.count(list) != n)
        fail(Code::kArgument, "adam_atan2: ", names[list], " must have one tensor for each of ", n, " parameters, got ",
             in.count(list));
    for (int i = 0; i < n; ++i) {
      const Tensor &p = in.at(kParameters, i);
      if (p.dtype != DType::kF32 && p.dtype != DType::kF64)
        fail(Code::kDType, "adam_atan2: parameters must be float32 or float64, got ", p.dtype);
      for (int list = kM; list <= kGradients; ++list) {
        const Tensor &t = in.at(list, i);
        if (t.dtype != p.dtype)
          fail(Code::kDType, "adam_atan2: ", names[list], "[", i, "] must be ", p.dtype, ", got ", t.dtype);
        if (t.shape != p.shape)
          fail(Code::kShape, "adam_atan2: ", names[list], "[", i, "] must have shape ", p.shape, ", got ", t.shape);
      }
    }
    if (in.count(kCopies) > n)
      fail(Code::kArgument, "adam_atan2: copies must be of the first of ", n, " parameters, got ", in.count(kCopies));
    for (int i = 0; i < in.count(kCopies); ++i) {
      const Tensor &p = in.at(kParameters, i), &copy = in.at(kCopies, i);
      if (copy.dtype != DType::kBF16 || p.dtype != DType::kF32)
        fail(Code::kDType, "adam_atan2: copies[", i, "] must be bfloat16 of a float32 parameter, got ", copy.dtype,
             " of ", p.dtype);
      if (copy.shape != p.shape)
        fail(Code::kShape, "adam_atan2: copies[", i, "] must have shape ", p.shape, ", got ", copy.shape);
    }
    const Tensor &lr = in[kLr];
    need_scalar("adam_atan2", "step", in[kStep], in[kStep].dtype == DType::kI32, "int32");
    need_scalar("adam_atan2", "lr", lr, lr.dtype == DType::kF32 || lr.dtype == DType::kF64, "float32 or float64");
    need_scalar("adam_atan2", "finite", in[kFinite], in[kFinite].dtype == DType::kBool, "bool");
    if (!(attrs.beta1 >= 0 && attrs.beta1 < 1 && attrs.beta2 >= 0 && attrs.beta2 < 1))
      fail(Code::kArgument, "adam_atan2: betas must be in [0, 1), got ", attrs.beta1, " and ", attrs.beta2);
    return {};
  }
};

} // namespace hrm::ops
