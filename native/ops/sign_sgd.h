#pragma once
#include "ops/adam_atan2.h"

namespace hrm::ops {

// One update of the rows of `weights` [n, width] that `ids` [B] name (HRM section 4): the gradients [B, width] of equal
// ids are summed, then w = w (1 - lr wd) - lr sign(g), once a distinct id. Nothing changes where `finite` is false.
struct sign_sgd {
  struct Attrs {
    double weight_decay;
  };
  enum Input { kWeights, kIds, kGradients, kLr, kFinite };

  static Plan rule(const Args &in, const Attrs &) {
    const Tensor &weights = in[kWeights], &ids = in[kIds], &gradients = in[kGradients], &lr = in[kLr];
    if (weights.dtype != DType::kF32 && weights.dtype != DType::kF64)
      fail(Code::kDType, "sign_sgd: weights must be float32 or float64, got ", weights.dtype);
    if (weights.shape.rank != 2)
      fail(Code::kShape, "sign_sgd: weights must have shape [n, width], got ", weights.shape);
    if (ids.dtype != DType::kI32)
      fail(Code::kDType, "sign_sgd: ids must be int32, got ", ids.dtype);
    if (ids.shape.rank != 1)
      fail(Code::kShape, "sign_sgd: ids must have shape [B], got ", ids.shape);
    if (gradients.dtype != weights.dtype)
      fail(Code::kDType, "sign_sgd: gradients must be ", weights.dtype, ", got ", gradients.dtype);
    if (gradients.shape.rank != 2 || gradients.shape[0] != ids.shape[0] || gradients.shape[1] != weights.shape[1])
      fail(Code::kShape, "sign_sgd: gradients must have shape [", ids.shape[0], ", ", weights.shape[1], "], got ",
           gradients.shape);
    need_scalar("sign_sgd", "lr", lr, lr.dtype == DType::kF32 || lr.dtype == DType::kF64, "float32 or float64");
    need_scalar("sign_sgd", "finite", in[kFinite], in[kFinite].dtype == DType::kBool, "bool");
    return {};
  }
};

} // namespace hrm::ops
