#pragma once
#include "ops/require.h"

namespace hrm::ops {

// Rotary positions, rotate-half convention: x [..., S, H, d], cos and sin [n >= S, d] in the compute dtype of x. With
// halves x1, x2: y1 = x1 cos1 - x2 sin1, y2 = x2 cos2 + x1 sin2. `transposed` applies the adjoint map.
struct rope {
  struct Attrs {
    bool transposed;
  };
  static Plan rule(const Args &in, const Attrs &) {
    const Tensor &x = in[0];
    need_float("rope", "x", x);
    if (x.shape.rank < 3 || x.shape.back() % 2 != 0)
      fail(Code::kShape, "rope: x must have shape [..., S, H, d] with an even d, got ", x.shape);
    const int64_t seq_len = x.shape.back(2), d = x.shape.back();
    for (int slot = 1; slot <= 2; ++slot) {
      const Tensor &table = in[slot];
      const char *name = slot == 1 ? "cos" : "sin";
      need_same_dtype("rope", name, table, compute_dtype(x.dtype));
      if (table.shape.rank != 2 || table.shape[0] < seq_len || table.shape[1] != d)
        fail(Code::kShape, "rope: ", name, " must have shape [n, ", d, "] with n >= ", seq_len, ", got ", table.shape);
    }
    Plan plan(x.dtype, x.shape);
    plan.workspace_bytes = row_buffer_bytes(x.dtype, d, 1, in.n_threads());
    return plan;
  }
};

} // namespace hrm::ops
