#pragma once
#include "ops/op.h"

namespace hrm::ops {

// Over `dims` (none named: all), kept with size 1 or dropped. Shared by every reduction.
struct ReduceAttrs {
  Dims dims;
  bool keepdim;
};

inline Dims reduced_shape(const char *op, const Dims &shape, const ReduceAttrs &attrs, bool *reduced) {
  for (int i = 0; i < shape.rank; ++i)
    reduced[i] = attrs.dims.rank == 0;
  for (int64_t dim : attrs.dims) {
    const int d = normalize_dim(op, dim, shape.rank);
    if (reduced[d])
      fail(Code::kShape, op, ": dims must not repeat, got ", attrs.dims);
    reduced[d] = true;
  }
  Dims out;
  for (int i = 0; i < shape.rank; ++i) {
    if (!reduced[i])
      out.push(shape[i]);
    else if (attrs.keepdim)
      out.push(1);
  }
  return out;
}

struct sum {
  using Attrs = ReduceAttrs;
  static Plan rule(const Args &in, const Attrs &attrs) {
    bool reduced[kMaxRank];
    const DType dtype = is_float(in[0].dtype) ? in[0].dtype : DType::kI32;
    return {dtype, reduced_shape("sum", in[0].shape, attrs, reduced)};
  }
};

} // namespace hrm::ops
