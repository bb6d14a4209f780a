#pragma once
#include "ops/op.h"

namespace hrm::ops {

// One size may be -1: what is left.
struct reshape {
  struct Attrs {
    Dims shape;
  };
  static Dims resolve(const Dims &from, const Dims &wanted) {
    Dims shape = wanted;
    int unknown = -1;
    int64_t known = 1;
    for (int i = 0; i < shape.rank; ++i) {
      if (shape[i] == -1 && unknown < 0)
        unknown = i;
      else if (shape[i] < 0)
        fail(Code::kShape, "reshape: sizes must be non-negative, with at most one -1, got ", wanted);
      else
        known = checked_mul(known, shape[i]);
    }
    const int64_t n = numel(from);
    if (unknown >= 0) {
      if (known == 0 || n % known != 0)
        fail(Code::kShape, "reshape: cannot infer -1 in ", wanted, " from shape ", from);
      shape[unknown] = n / known;
      known *= shape[unknown];
    }
    if (known != n)
      fail(Code::kShape, "reshape: shape ", wanted, " has ", known, " elements, the tensor of shape ", from, " has ",
           n);
    return shape;
  }
  // Strides that walk the elements of `in` in order under another shape; false when there are none.
  static bool restride(const Tensor &in, const Dims &shape, Dims &strides) {
    strides = contiguous_strides(shape);
    // Runs: dimensions of `in` that lie one behind the other, merged. Sizes of 1 do not count.
    Dims sizes, steps;
    for (int d = 0; d < in.shape.rank; ++d) {
      if (in.shape[d] == 0)
        return true;
      if (in.shape[d] == 1)
        continue;
      if (steps.rank > 0 && steps.back() == in.strides[d] * in.shape[d]) {
        sizes.back() *= in.shape[d];
        steps.back() = in.strides[d];
      } else {
        sizes.push(in.shape[d]);
        steps.push(in.strides[d]);
      }
    }
    // From the end, each run must be used up by whole dimensions of `shape`.
    int run = sizes.rank;
    int64_t left = 1, step = 1;
    for (int i = shape.rank - 1; i >= 0; --i) {
      if (left == 1 && shape[i] != 1) {
        --run;
        left = sizes[run];
        step = steps[run];
      }
      if (left % shape[i] != 0)
        return false;
      strides[i] = step;
      step *= shape[i];
      left /= shape[i];
    }
    return true;
  }
  static bool view(const Tensor &in, const Attrs &attrs, Tensor &out) {
    const Dims shape = resolve(in.shape, attrs.shape);
    Dims strides;
    if (!restride(in, shape, strides))
      return false;
    out = in;
    out.shape = shape;
    out.strides = strides;
    return true;
  }
};

struct permute {
  struct Attrs {
    Dims dims;
  };
  static bool view(const Tensor &in, const Attrs &attrs, Tensor &out) {
    const int rank = in.shape.rank;
    if (attrs.dims.rank != rank)
      fail(Code::kShape, "permute: needs ", rank, " dims for a tensor of rank ", rank, ", got ", attrs.dims);
    unsigned seen = 0;
    out = in;
    for (int i = 0; i < rank; ++i) {
      const int d = normalize_dim("permute", attrs.dims[i], rank);
      if (seen & (1u << d))
        fail(Code::kShape, "permute: dims must not repeat, got ", attrs.dims);
      seen |= 1u << d;
      out.shape[i] = in.shape[d];
      out.strides[i] = in.strides[d];
    }
    return true;
  }
};

// Elements start, start + step, ... before stop. As in NumPy, out-of-range bounds are clamped and negative ones count
// from the end; the step is positive.
struct slice {
  struct Attrs {
    int64_t dim, start, stop, step;
  };
  static bool view(const Tensor &in, const Attrs &attrs, Tensor &out) {
    const int d = normalize_dim("slice", attrs.dim, in.shape.rank);
    if (attrs.step < 1)
      fail(Code::kArgument, "slice: step must be at least 1, got ", attrs.step);
    const int64_t size = in.shape[d];
    const auto clamp = [size](int64_t v) { return v < 0 ? (v + size < 0 ? 0 : v + size) : (v > size ? size : v); };
    const int64_t start = clamp(attrs.start), stop = clamp(attrs.stop);
    out = in;
    out.shape[d] = stop > start ? (stop - start - 1) / attrs.step + 1 : 0;
    if (out.shape[d] > 0)
      out.offset += start * in.strides[d];
    // A stride over at most one element is never used; keeping it small keeps it from overflowing.
    if (out.shape[d] > 1)
      out.strides[d] = in.strides[d] * attrs.step;
    return true;
  }
};

struct expand {
  struct Attrs {
    Dims shape;
  };
  static bool view(const Tensor &in, const Attrs &attrs, Tensor &out) {
    Dims shape = attrs.shape;
    const int lead = shape.rank - in.shape.rank;
    if (lead < 0)
      fail(Code::kShape, "expand: shape ", attrs.shape, " has fewer dimensions than ", in.shape);
    out = in;
    out.strides = Dims{};
    out.strides.rank = shape.rank;
    for (int i = 0; i < shape.rank; ++i) {
      const int64_t size = i < lead ? 1 : in.shape[i - lead];
      if (shape[i] == -1 && i >= lead)
        shape[i] = size;
      if (shape[i] < 0 || (size != 1 && shape[i] != size))
        fail(Code::kShape, "expand: shape ", in.shape, " does not broadcast to ", attrs.shape);
      out.strides[i] = i < lead || (size == 1 && shape[i] != 1) ? 0 : in.strides[i - lead];
    }
    numel(shape);
    out.shape = shape;
    return true;
  }
};

} // namespace hrm::ops
