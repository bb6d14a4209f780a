#pragma once
#include "ops/level.h"

namespace hrm::ops {

// Gradient of `level` from what it kept: gives dh [B, S, D] and the gradients of the weights of the first block in the
// order of the lists (those that are not empty), then of the second, and so on; of bfloat16 weights they are float32.
struct level_backward {
  struct Attrs {
    int64_t nHeads;
    double eps;
  };
  enum Slot {
    kDy,
    kY,
    kInput,
    kQkv,
    kAttention,
    kLse,
    kY1,
    kR1,
    kGateUp,
    kR2,
    kInner,
    kTGateUp,
    kCos,
    kSin,
    kWeights,
  };

  static InnerSizes check(const Args &in, const Attrs &attrs) {
    const char *op = "level_backward";
    const Tensor &h = in[kInput];
    need_state(op, "h", h);
    need_like(op, "dy", in[kDy], h.dtype, h.shape);
    need_like(op, "y", in[kY], h.dtype, h.shape);
    const BlockLists lists{op, kWeights};
    check_heads(lists, in, h, attrs.nHeads, kCos);
    check_eps(op, attrs.eps);
    const InnerSizes inner = lists.check(in, h.shape, h.dtype);
    if (lists.count(in) == 0)
      fail(Code::kShape, op, ": needs at least one block");
    constexpr const char *names[] = {"qkv", "attention", "lse", "y1", "r1", "gateUp", "r2", "inner", "tGateUp"};
    int slot = kQkv;
    for (const Meta &each : level::saved(h, lists.count(in), attrs.nHeads, inner)) {
      need_like(op, names[slot - kQkv], in[slot], each.dtype, each.shape);
      ++slot;
    }
    return inner;
  }

  static Plan rule(const Args &in, const Attrs &attrs) {
    const InnerSizes inner = check(in, attrs);
    const Tensor &h = in[kInput];
    Plan plan(h.dtype, h.shape);
    for (int i = 0; i < BlockLists{"level_backward", kWeights}.count(in); ++i)
      for (int list = 0; list < BlockLists::kCount; ++list)
        if (in.count(kWeights + list) > 0)
          plan.outputs.push_back({wide_of(h.dtype), in.at(kWeights + list, i).shape});
    dispatch_state(h.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      plan.workspace_bytes = cpu::level_backward_workspace_bytes<T>(
          block_shape<T>(in, h, attrs.nHeads, inner, attrs.eps, kCos), h.shape[0], in.n_threads());
    });
    return plan;
  }
};

} // namespace hrm::ops
