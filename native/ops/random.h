#pragma once
#include <cmath>

#include "ops/op.h"

namespace hrm::ops {

// Every random op takes the generator's state, int32 [4] = seed (low, high word), counter (low, high word), and leaves
// the counter behind the blocks it used (numerics/random.h says how many numbers a block gives).
inline void check_state(const char *op, const Tensor &state) {
  if (state.dtype != DType::kI32 || state.shape != Dims{4})
    fail(Code::kShape, op, ": the state of a generator is int32 [4], got ", state.dtype, " ", state.shape);
}

inline void check_float(const char *op, DType dtype) {
  if (!is_float(dtype))
    fail(Code::kDType, op, ": dtype must be floating (bfloat16, float32, float64), got ", dtype);
}

struct uniform {
  struct Attrs {
    Dims shape;
    DType dtype;
  };
  static Plan rule(const Args &in, const Attrs &attrs) {
    check_state("uniform", in[0]);
    check_float("uniform", attrs.dtype);
    return {attrs.dtype, attrs.shape};
  }
};

struct NormalAttrs {
  Dims shape;
  double mean, std;
  DType dtype;
};
inline Plan normal_rule(const char *op, const Args &in, const NormalAttrs &attrs) {
  check_state(op, in[0]);
  check_float(op, attrs.dtype);
  if (!std::isfinite(attrs.mean))
    fail(Code::kArgument, op, ": mean must be finite, got ", attrs.mean);
  if (!(attrs.std >= 0) || !std::isfinite(attrs.std))
    fail(Code::kArgument, op, ": std must be finite and not negative, got ", attrs.std);
  return {attrs.dtype, attrs.shape};
}

struct normal {
  using Attrs = NormalAttrs;
  static Plan rule(const Args &in, const Attrs &attrs) { return normal_rule("normal", in, attrs); }
};

struct trunc_normal {
  using Attrs = NormalAttrs;
  static Plan rule(const Args &in, const Attrs &attrs) { return normal_rule("trunc_normal", in, attrs); }
};

// Integers low <= y < high, int32.
struct random_integers {
  struct Attrs {
    Dims shape;
    int64_t low, high;
  };
  static Plan rule(const Args &in, const Attrs &attrs) {
    check_state("random_integers", in[0]);
    if (attrs.low < INT32_MIN || attrs.high > int64_t{INT32_MAX} + 1 || attrs.low >= attrs.high)
      fail(Code::kArgument, "random_integers: needs low < high, both in the range of int32, got ", attrs.low, " and ",
           attrs.high);
    return {DType::kI32, attrs.shape};
  }
};

// A uniform permutation of 0..n-1: the order of n random 64-bit keys, equal keys by index.
struct random_permutation {
  struct Attrs {
    int64_t n;
  };
  struct Item {
    uint64_t key;
    int64_t index;
  };
  static Plan rule(const Args &in, const Attrs &attrs) {
    check_state("random_permutation", in[0]);
    if (attrs.n < 0 || attrs.n > INT32_MAX)
      fail(Code::kArgument, "random_permutation: n must be in 0..", INT32_MAX, ", got ", attrs.n);
    Plan plan{DType::kI32, Dims{attrs.n}};
    plan.workspace_bytes = static_cast<size_t>(attrs.n) * sizeof(Item);
    return plan;
  }
};

} // namespace hrm::ops
