#pragma once
#include "ops/op.h"

namespace hrm::ops {

// a [..., M, K] x b [..., K, N] -> [..., M, N], leading dimensions broadcast.
struct matmul {
  static Plan rule(const Args &in, const NoAttrs &) {
    const Tensor &a = in[0], &b = in[1];
    if (a.shape.rank < 2 || b.shape.rank < 2)
      fail(Code::kShape, "matmul: needs matrices (rank 2 or more), got shapes ", a.shape, " and ", b.shape);
    if (a.shape.back() != b.shape.back(1))
      fail(Code::kShape, "matmul: a.shape[-1] must equal b.shape[-2] = ", b.shape.back(1), ", got ", a.shape.back(),
           " (shapes ", a.shape, " and ", b.shape, ")");
    Dims left = a.shape, right = b.shape;
    left.rank -= 2;
    right.rank -= 2;
    Dims out = broadcast("matmul", left, right);
    out.push(a.shape.back(1));
    out.push(b.shape.back());
    return {a.dtype, out};
  }
};

} // namespace hrm::ops
