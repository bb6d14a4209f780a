#pragma once
// Checks and sizes that the rules of several ops share.
#include "core/carver.h"
#include "ops/op.h"

namespace hrm::ops {

// The dtype that a floating op computes in; per-row results (factors, log-sum-exp, losses) are returned in it.
inline DType compute_dtype(DType dtype) { return dtype == DType::kBF16 ? DType::kF32 : dtype; }

inline void need_float(const char *op, const char *name, const Tensor &t) {
  if (!is_float(t.dtype))
    fail(Code::kDType, op, ": ", name, " must be bfloat16, float32 or float64, got ", t.dtype);
}
inline void need_same_dtype(const char *op, const char *name, const Tensor &t, DType dtype) {
  if (t.dtype != dtype)
    fail(Code::kDType, op, ": ", name, " must be ", dtype, ", got ", t.dtype);
}
inline void need_shape(const char *op, const char *name, const Tensor &t, const Dims &shape) {
  if (t.shape != shape)
    fail(Code::kShape, op, ": ", name, " must have shape ", shape, ", got ", t.shape);
}

// Float buffers for `count` rows of n elements a thread, where the dtype needs converting.
inline size_t row_buffer_bytes(DType dtype, int64_t n, int count, int n_threads) {
  if (dtype != DType::kBF16)
    return 0;
  WorkspaceCarver carver(nullptr);
  for (int i = 0; i < n_threads * count; ++i)
    carver.take<float>(n);
  return carver.bytes();
}

} // namespace hrm::ops
