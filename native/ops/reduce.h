#pragma once
#include <algorithm>

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

// A reduction as the kernels see it: contiguous [outer, n, inner], reduced over n. What does not lie in memory like
// that is copied into the workspace as [outer, n, 1] first.
struct ReduceForm {
  int64_t outer = 1, n = 1, inner = 1;
  bool direct = true;
  // To be copied, in this order.
  Dims shape, strides;
};

inline ReduceForm reduce_form(const Tensor &x, const bool *reduced) {
  ReduceForm form;
  // Dimensions by where they lie in memory.
  int order[kMaxRank], rank = 0;
  for (int d = 0; d < x.shape.rank; ++d)
    if (x.shape[d] != 1)
      order[rank++] = d;
  std::stable_sort(order, order + rank, [&](int a, int b) { return x.strides[a] > x.strides[b]; });
  int64_t expected = 1;
  int last_kept = -1, groups = 0;
  bool before = false;
  for (int i = 0; i < rank; ++i) {
    const int d = order[i];
    groups += reduced[d] && !before;
    before = reduced[d];
    if (!reduced[d]) {
      form.direct = form.direct && d > last_kept;
      last_kept = d;
    }
    (reduced[d] ? form.n : groups == 0 ? form.outer : form.inner) *= x.shape[d];
  }
  for (int i = rank - 1; i >= 0; expected *= x.shape[order[i--]])
    form.direct = form.direct && x.strides[order[i]] == expected;
  form.direct = form.direct && groups <= 1;
  if (form.outer * form.n * form.inner == 0)
    form.direct = true;
  if (form.direct)
    return form;
  form.outer *= form.inner;
  form.inner = 1;
  for (const bool kind : {false, true})
    for (int d = 0; d < x.shape.rank; ++d)
      if (reduced[d] == kind) {
        form.shape.push(x.shape[d]);
        form.strides.push(x.strides[d]);
      }
  return form;
}

// How a reduction is cut into tasks; depends on the shape only, and with it the order of summation.
constexpr int64_t kReduceRowChunk = 16384, kReduceColumnChunk = 256;

inline int64_t reduce_chunks(const ReduceForm &form) {
  const int64_t chunk = form.inner == 1 ? kReduceRowChunk : kReduceColumnChunk;
  return std::max<int64_t>(1, (form.n + chunk - 1) / chunk);
}

inline size_t reduce_copy_bytes(const ReduceForm &form, DType dtype) {
  const size_t bytes = form.direct ? 0 : static_cast<size_t>(form.outer * form.n) * item_size(dtype);
  return (bytes + 63) / 64 * 64;
}

// The copy, then what the chunks gave, in the compute type.
inline size_t reduce_workspace(const ReduceForm &form, DType dtype) {
  const int64_t chunks = reduce_chunks(form);
  const size_t partial = chunks == 1 ? 0 : static_cast<size_t>(form.outer * chunks * form.inner);
  return reduce_copy_bytes(form, dtype) + partial * (dtype == DType::kF64 ? 8 : 4);
}

inline Plan reduce_plan(const char *op, const Args &in, const ReduceAttrs &attrs, DType dtype, bool needs_elements) {
  bool reduced[kMaxRank];
  Plan plan{dtype, reduced_shape(op, in[0].shape, attrs, reduced)};
  const ReduceForm form = reduce_form(in[0], reduced);
  if (needs_elements && form.n == 0)
    fail(Code::kShape, op, ": needs at least one element to reduce, got shape ", in[0].shape, " and dims ", attrs.dims);
  plan.workspace_bytes = reduce_workspace(form, in[0].dtype);
  return plan;
}

// Integers and bool are summed in int32, which wraps. The sum of nothing is 0.
struct sum {
  static Plan rule(const Args &in, const ReduceAttrs &attrs) {
    return reduce_plan("sum", in, attrs, is_float(in[0].dtype) ? in[0].dtype : DType::kI32, false);
  }
};
// The mean of nothing is NaN.
struct mean {
  static Plan rule(const Args &in, const ReduceAttrs &attrs) {
    if (!is_float(in[0].dtype))
      fail(Code::kDType, "mean: needs a floating dtype, got ", in[0].dtype, "; cast first, e.g. to float32");
    return reduce_plan("mean", in, attrs, in[0].dtype, false);
  }
};
// NaN where any element is.
struct max {
  static Plan rule(const Args &in, const ReduceAttrs &attrs) {
    return reduce_plan("max", in, attrs, in[0].dtype, true);
  }
};
struct min {
  static Plan rule(const Args &in, const ReduceAttrs &attrs) {
    return reduce_plan("min", in, attrs, in[0].dtype, true);
  }
};

} // namespace hrm::ops
