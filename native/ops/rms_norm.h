#pragma once
#include "ops/require.h"

namespace hrm::ops {

// y = r x with r = 1 / sqrt(mean(x^2) + eps) over the last dimension; outputs y and r [...].
struct rms_norm {
  struct Attrs {
    double eps;
  };
  static Plan rule(const Args &in, const Attrs &attrs) {
    const Tensor &x = in[0];
    need_float("rms_norm", "x", x);
    if (x.shape.rank == 0)
      fail(Code::kShape, "rms_norm: x needs a dimension to normalise over, got a scalar");
    if (!(attrs.eps >= 0))
      fail(Code::kArgument, "rms_norm: eps must be non-negative, got ", attrs.eps);
    Dims rows = x.shape;
    rows.rank -= 1;
    Plan plan(x.dtype, x.shape);
    plan.outputs.push_back({compute_dtype(x.dtype), rows});
    plan.workspace_bytes = row_buffer_bytes(x.dtype, x.shape.back(), 1, in.n_threads());
    return plan;
  }
};

// dx = r (dy - y mean(dy y)), from the output y and the factors r.
struct rms_norm_backward {
  static Plan rule(const Args &in, const NoAttrs &) {
    const Tensor &dy = in[0], &y = in[1], &r = in[2];
    need_float("rms_norm_backward", "y", y);
    need_same_dtype("rms_norm_backward", "dy", dy, y.dtype);
    need_same_dtype("rms_norm_backward", "r", r, compute_dtype(y.dtype));
    if (y.shape.rank == 0)
      fail(Code::kShape, "rms_norm_backward: y needs at least one dimension");
    need_shape("rms_norm_backward", "dy", dy, y.shape);
    Dims rows = y.shape;
    rows.rank -= 1;
    need_shape("rms_norm_backward", "r", r, rows);
    Plan plan(y.dtype, y.shape);
    plan.workspace_bytes = row_buffer_bytes(y.dtype, y.shape.back(), 2, in.n_threads());
    return plan;
  }
};

} // namespace hrm::ops
