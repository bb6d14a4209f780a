#pragma once
#include "ops/block_rule.h"

namespace hrm::ops {

// y = blocks(h), h and y [B, S, D] (HRM section 1). With `keep`, also what the gradient needs (HRM section 2),
// the L blocks stacked: qkv [L, B, S, 3D] after the rotation, attention [L, B, S, D], lse [L, B, H, S], y1 [L, B, S,
// D], r1 [L, B, S], gateUp [L, B, S, 2F], r2 [L, B, S], inner [L - 1, B, S, D] (outputs of all blocks but the last);
// without it these have the shape [0].
struct level {
  struct Attrs {
    int64_t nHeads;
    double eps;
    bool keep;
  };
  enum Slot { kInput, kCos, kSin, kWeights };
  enum Output { kY, kQkv, kAttention, kLse, kY1, kR1, kGateUp, kR2, kInner };

  static int64_t check(const Args &in, const Attrs &attrs) {
    const Tensor &h = in[kInput];
    need_state("level", "h", h);
    check_heads("level", in, h, attrs.nHeads, kCos);
    check_eps("level", attrs.eps);
    const BlockLists lists{"level", kWeights};
    if (lists.count(in) == 0)
      fail(Code::kShape, "level: needs at least one block");
    return lists.check(in, h.shape[2], h.dtype);
  }

  // Shapes of the outputs after y.
  static std::vector<Dims> saved_shapes(const Dims &state, int64_t layers, int64_t n_heads, int64_t inner) {
    const int64_t b = state[0], s = state[1], d = state[2];
    return {{layers, b, s, 3 * d}, {layers, b, s, d},         {layers, b, n_heads, s}, {layers, b, s, d},
            {layers, b, s},        {layers, b, s, 2 * inner}, {layers, b, s},          {layers - 1, b, s, d}};
  }

  static Plan rule(const Args &in, const Attrs &attrs) {
    const int64_t inner = check(in, attrs);
    const Tensor &h = in[kInput];
    Plan plan(h.dtype, h.shape);
    for (const Dims &shape : saved_shapes(h.shape, in.count(kWeights), attrs.nHeads, inner))
      plan.outputs.push_back({h.dtype, attrs.keep ? shape : Dims{0}});
    dispatch_state(h.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      plan.workspace_bytes =
          cpu::level_workspace_bytes<T>(block_shape<T>(in, h, attrs.nHeads, inner, attrs.eps, kCos), in.n_threads());
    });
    return plan;
  }
};

} // namespace hrm::ops
