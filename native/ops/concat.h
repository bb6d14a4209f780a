#pragma once
#include "ops/op.h"

namespace hrm::ops {

// The tensors one behind the other in dimension dim; their other sizes agree.
struct concat {
  struct Attrs {
    int64_t dim;
  };
  static Plan rule(const Args &in, const Attrs &attrs) {
    if (in.count(0) == 0)
      fail(Code::kArgument, "concat: needs at least one tensor, got none");
    Dims shape = in.at(0, 0).shape;
    const int dim = normalize_dim("concat", attrs.dim, shape.rank);
    for (int i = 1; i < in.count(0); ++i) {
      const Dims &other = in.at(0, i).shape;
      bool fits = other.rank == shape.rank;
      for (int d = 0; fits && d < shape.rank; ++d)
        fits = d == dim || other[d] == shape[d];
      if (!fits)
        fail(Code::kShape, "concat: shapes must agree except in dim ", dim, ", got ", in.at(0, 0).shape, " and ", other,
             " (tensor ", i, ")");
      shape[dim] += other[dim];
    }
    return {in.at(0, 0).dtype, shape};
  }
};

} // namespace hrm::ops
