#pragma once
// N operands of one shape, element by element: dimensions that lie one behind the other are merged on the host, so that
// most walks are one flat run.
#include <cstdint>

#include "core/dtype.h"
#include "core/shape.h"
#include "device/device.h"

namespace hrm::device {

// Strides of `shape` broadcast to `target`: 0 where a size of 1 is repeated.
inline Dims broadcast_strides(const Dims &shape, const Dims &strides, const Dims &target) {
  Dims out;
  out.rank = target.rank;
  const int lead = target.rank - shape.rank;
  for (int i = 0; i < target.rank; ++i)
    out[i] = i < lead || (shape[i - lead] == 1 && target[i] != 1) ? 0 : strides[i - lead];
  return out;
}

template <int N> struct Walk {
  int rank = 0;
  int64_t size = 1;
  int64_t shape[kMaxRank];
  int64_t strides[N][kMaxRank];

  Walk(const Dims &dims, const Dims (&operands)[N]) {
    for (int d = 0; d < dims.rank; ++d) {
      size *= dims[d];
      if (dims[d] == 1)
        continue;
      bool merge = rank > 0;
      for (int k = 0; merge && k < N; ++k)
        merge = strides[k][rank - 1] == operands[k][d] * dims[d];
      if (!merge)
        ++rank;
      shape[rank - 1] = merge ? shape[rank - 1] * dims[d] : dims[d];
      for (int k = 0; k < N; ++k)
        strides[k][rank - 1] = operands[k][d];
    }
  }

  // Where element i of every operand lies.
  HRM_HD void offsets(int64_t i, int64_t (&at)[N]) const {
    for (int k = 0; k < N; ++k)
      at[k] = 0;
    for (int d = rank - 1; d > 0; --d) {
      const int64_t c = i % shape[d];
      i /= shape[d];
      for (int k = 0; k < N; ++k)
        at[k] += c * strides[k][d];
    }
    if (rank > 0)
      for (int k = 0; k < N; ++k)
        at[k] += i * strides[k][0];
  }
};

// The dtypes that live on accelerators.
template <class F> void dispatch_device(DType dtype, F &&f) {
  switch (dtype) {
  case DType::kBool:
    return f(Type<bool>{});
  case DType::kU8:
    return f(Type<uint8_t>{});
  case DType::kI32:
    return f(Type<int32_t>{});
  case DType::kBF16:
    return f(Type<BFloat16>{});
  case DType::kF32:
    return f(Type<float>{});
  case DType::kF64:
    break;
  }
  fail(Code::kDType, "float64 tensors live on the CPU only");
}
template <class F> void dispatch_device_float(DType dtype, F &&f) {
  if (dtype == DType::kBF16)
    return f(Type<BFloat16>{});
  if (dtype == DType::kF32)
    return f(Type<float>{});
  fail(Code::kDType, "needs bfloat16 or float32, got ", dtype);
}

constexpr int kThreads = 256;

} // namespace hrm::device
