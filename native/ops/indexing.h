#pragma once
#include "ops/op.h"

namespace hrm::ops {

// Values of indices are data: the backend checks them, before it writes anything.
inline void check_index_dtype(const char *op, const char *name, const Tensor &index) {
  if (index.dtype != DType::kI32)
    fail(Code::kDType, op, ": ", name, " must be int32, got ", index.dtype);
}

// shape with the dimension `dim` replaced by `with`.
inline Dims replaced(const Dims &shape, int dim, const Dims &with) {
  Dims out;
  for (int d = 0; d < shape.rank; ++d) {
    if (d != dim)
      out.push(shape[d]);
    else
      for (int64_t size : with)
        out.push(size);
  }
  return out;
}

// A shape [outer, size, inner], seen from a dimension of it.
struct Split {
  int64_t outer = 1, size, inner = 1;
  Split(const Dims &shape, int dim) : size(shape[dim]) {
    for (int d = 0; d < shape.rank; ++d)
      (d < dim ? outer : d > dim ? inner : size) *= d == dim ? 1 : shape[d];
  }
};

// y = x with dimension dim replaced by those of ids: y[a, i..., b] = x[a, ids[i...], b].
struct index_select {
  using Attrs = DimAttrs;
  static Plan rule(const Args &in, const Attrs &attrs) {
    check_index_dtype("index_select", "ids", in[1]);
    const int dim = normalize_dim("index_select", attrs.dim, in[0].shape.rank);
    return {in[0].dtype, replaced(in[0].shape, dim, in[1].shape)};
  }
};

// The adjoint: dx[a, ids[i...], b] = sum of dy[a, i..., b] in the order of ids, dx of `size` in dimension dim.
struct index_select_backward {
  struct Attrs {
    int64_t dim, size;
  };
  static Plan rule(const Args &in, const Attrs &attrs) {
    const Tensor &dy = in[0], &ids = in[1];
    check_index_dtype("index_select_backward", "ids", ids);
    if (!is_float(dy.dtype))
      fail(Code::kDType, "index_select_backward: dy must be floating, got ", dy.dtype);
    const int rank = dy.shape.rank - ids.shape.rank + 1;
    const int dim = normalize_dim("index_select_backward", attrs.dim, rank);
    Dims shape;
    for (int d = 0; d < rank; ++d)
      shape.push(d < dim ? dy.shape[d] : d == dim ? attrs.size : dy.shape[d + ids.shape.rank - 1]);
    if (replaced(shape, dim, ids.shape) != dy.shape)
      fail(Code::kShape, "index_select_backward: shapes of dy and ids must agree at dim ", dim, ", got ", dy.shape,
           " and ", ids.shape);
    Plan plan{dy.dtype, shape};
    // bfloat16 sums in float.
    if (dy.dtype == DType::kBF16)
      plan.workspace_bytes = static_cast<size_t>(numel(shape)) * sizeof(float);
    return plan;
  }
};

inline void check_index_shape(const char *op, const Dims &x, const Dims &index, int dim) {
  bool fits = x.rank == index.rank;
  for (int d = 0; fits && d < x.rank; ++d)
    fits = d == dim || index[d] <= x[d];
  if (!fits)
    fail(Code::kShape, op, ": index must have the rank of x and no larger size except in dim ", dim, ", got x ", x,
         " and index ", index);
}

// y[i, j, k] = x[i, index[i, j, k], k] for dim = 1 of three.
struct gather {
  using Attrs = DimAttrs;
  static Plan rule(const Args &in, const Attrs &attrs) {
    check_index_dtype("gather", "index", in[1]);
    const int dim = normalize_dim("gather", attrs.dim, in[0].shape.rank);
    check_index_shape("gather", in[0].shape, in[1].shape, dim);
    return {in[0].dtype, in[1].shape};
  }
};

// y = x, then y[i, index[i, j, k], k] += src[i, j, k] in the order of j.
struct scatter_add {
  using Attrs = DimAttrs;
  static Plan rule(const Args &in, const Attrs &attrs) {
    const Tensor &x = in[0], &index = in[1], &src = in[2];
    check_index_dtype("scatter_add", "index", index);
    if (x.dtype != src.dtype)
      fail(Code::kDType, "scatter_add: x and src must have one dtype, got ", x.dtype, " and ", src.dtype);
    if (x.dtype == DType::kBool)
      fail(Code::kDType, "scatter_add: dtype must not be bool");
    const int dim = normalize_dim("scatter_add", attrs.dim, x.shape.rank);
    check_index_shape("scatter_add", x.shape, index.shape, dim);
    if (src.shape != index.shape)
      fail(Code::kShape, "scatter_add: src must have the shape of index ", index.shape, ", got ", src.shape);
    Plan plan{x.dtype, x.shape};
    if (x.dtype == DType::kBF16)
      plan.workspace_bytes = static_cast<size_t>(x.size()) * sizeof(float);
    return plan;
  }
};

} // namespace hrm::ops
