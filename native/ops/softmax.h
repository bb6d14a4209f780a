#pragma once
#include "ops/op.h"

namespace hrm::ops {

// A contiguous tensor around one dimension: [outer, n, inner].
struct AroundDim {
  int64_t outer = 1, n = 1, inner = 1;
  AroundDim(const char *op, const Dims &shape, int64_t dim) {
    // A scalar is a vector of one.
    if (shape.rank == 0 && (dim == 0 || dim == -1))
      return;
    const int d = normalize_dim(op, dim, shape.rank);
    for (int i = 0; i < shape.rank; ++i)
      (i < d ? outer : i == d ? n : inner) *= shape[i];
  }
};

inline Plan softmax_plan(const char *op, const Args &in, const DimAttrs &attrs) {
  AroundDim(op, in[0].shape, attrs.dim);
  return {in[0].dtype, in[0].shape};
}

inline Plan softmax_grad_plan(const char *op, const Args &in, const DimAttrs &attrs) {
  if (in[0].shape != in[1].shape)
    fail(Code::kShape, op, ": dy and y must have one shape, got ", in[0].shape, " and ", in[1].shape);
  return softmax_plan(op, in, attrs);
}

// exp(x - m) / sum(exp(x - m)) along dim, m the largest x. A row of only -infinity gives NaN.
struct softmax {
  static Plan rule(const Args &in, const DimAttrs &attrs) { return softmax_plan("softmax", in, attrs); }
};
// x - m - log(sum(exp(x - m)))
struct log_softmax {
  static Plan rule(const Args &in, const DimAttrs &attrs) { return softmax_plan("log_softmax", in, attrs); }
};
// m + log(sum(exp(x - m))), the dimension kept with size 1; of nothing and of only -infinity: -infinity.
struct logsumexp {
  static Plan rule(const Args &in, const DimAttrs &attrs) {
    Plan plan = softmax_plan("logsumexp", in, attrs);
    if (in[0].shape.rank > 0)
      plan.outputs[0].shape[normalize_dim("logsumexp", attrs.dim, in[0].shape.rank)] = 1;
    return plan;
  }
};
// y (dy - sum(dy y)), y the softmax.
struct softmax_grad {
  static Plan rule(const Args &in, const DimAttrs &attrs) { return softmax_grad_plan("softmax_grad", in, attrs); }
};
// dy - exp(y) sum(dy), y the logarithm of the softmax.
struct log_softmax_grad {
  static Plan rule(const Args &in, const DimAttrs &attrs) { return softmax_grad_plan("log_softmax_grad", in, attrs); }
};

// Index of the extreme along dim, the lowest of several; the first NaN where there is one. The dimension is kept with
// size 1.
inline Plan arg_extreme_plan(const char *op, const Args &in, const DimAttrs &attrs) {
  if (AroundDim(op, in[0].shape, attrs.dim).n == 0)
    fail(Code::kShape, op, ": needs at least one element along the dim, got shape ", in[0].shape);
  Dims shape = in[0].shape;
  if (shape.rank > 0)
    shape[normalize_dim(op, attrs.dim, shape.rank)] = 1;
  return {DType::kI32, shape};
}
struct argmax {
  static Plan rule(const Args &in, const DimAttrs &attrs) { return arg_extreme_plan("argmax", in, attrs); }
};
struct argmin {
  static Plan rule(const Args &in, const DimAttrs &attrs) { return arg_extreme_plan("argmin", in, attrs); }
};

} // namespace hrm::ops
