#pragma once
#include "ops/block_rule.h"

namespace hrm::ops {

// y = blocks(h), h and y [B, S, D] (HRM section 1). With `keep`, also what the gradient needs (HRM section 2),
// the L blocks stacked: qkv [L, B, S, 3D] after the rotation, attention [L, B, S, D], lse [L, B, H, S], y1 [L, B, S,
// D], r1 [L, B, S], gateUp [L, B, S, 2F], r2 [L, B, S], inner [L - 1, B, S, D] (outputs of all blocks but the last);
// blocks that mix over the sequence keep no qkv, attention and lse, but tGateUp [L, B, D, 2F'], and r1 is [L, B, D].
// What is not kept has the shape [0]. Of bfloat16 states lse, r1 and r2 are float32.
struct level {
  struct Attrs {
    int64_t nHeads;
    double eps;
    bool keep;
  };
  enum Slot { kInput, kCos, kSin, kWeights };
  enum Output { kY, kQkv, kAttention, kLse, kY1, kR1, kGateUp, kR2, kInner, kTGateUp };

  static InnerSizes check(const Args &in, const Attrs &attrs) {
    const Tensor &h = in[kInput];
    need_state("level", "h", h);
    const BlockLists lists{"level", kWeights};
    check_heads(lists, in, h, attrs.nHeads, kCos);
    check_eps("level", attrs.eps);
    const InnerSizes inner = lists.check(in, h.shape, h.dtype);
    if (lists.count(in) == 0)
      fail(Code::kShape, "level: needs at least one block");
    return inner;
  }

  // The outputs after y.
  static std::vector<Meta> saved(const Tensor &h, int64_t layers, int64_t n_heads, const InnerSizes &inner) {
    const int64_t b = h.shape[0], s = h.shape[1], d = h.shape[2];
    const DType narrow = h.dtype, wide = wide_of(narrow);
    const bool mlp = inner.sequence > 0;
    const Dims none{0}, y1{layers, b, s, d}, gate_up{layers, b, s, 2 * inner.hidden}, r2{layers, b, s},
        blocks{layers - 1, b, s, d};
    if (mlp)
      return {{narrow, none}, {narrow, none},         {wide, none},
              {narrow, y1},   {wide, {layers, b, d}}, {narrow, gate_up},
              {wide, r2},     {narrow, blocks},       {narrow, {layers, b, d, 2 * inner.sequence}}};
    return {{narrow, {layers, b, s, 3 * d}},
            {narrow, y1},
            {wide, {layers, b, n_heads, s}},
            {narrow, y1},
            {wide, r2},
            {narrow, gate_up},
            {wide, r2},
            {narrow, blocks},
            {narrow, none}};
  }

  static Plan rule(const Args &in, const Attrs &attrs) {
    const InnerSizes inner = check(in, attrs);
    const Tensor &h = in[kInput];
    Plan plan(h.dtype, h.shape);
    for (const Meta &each : saved(h, BlockLists{"level", kWeights}.count(in), attrs.nHeads, inner))
      plan.outputs.push_back({each.dtype, attrs.keep ? each.shape : Dims{0}});
    dispatch_state(h.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      plan.workspace_bytes =
          cpu::level_workspace_bytes<T>(block_shape<T>(in, h, attrs.nHeads, inner, attrs.eps, kCos), in.n_threads());
    });
    return plan;
  }
};

} // namespace hrm::ops
