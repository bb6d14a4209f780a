#pragma once
#include "ops/block_rule.h"

namespace hrm::ops {

// All no-grad updates of a segment (HRM section 2): zL = L(zL, zH + x) hCycles * lCycles - gradSteps times, and
// zH = H(zH, zL) after every lCycles of them. States [B, S, D], cos and sin [n >= S, d]; gives the first hTokens tokens
// of the new zH, [B, hTokens, D], and the new zL.
struct l_loop {
  struct Attrs {
    int64_t nHeads, hCycles, lCycles, gradSteps, hTokens;
    double eps;
  };
  enum Slot { kZH, kZL, kX, kCos, kSin, kL, kH = kL + BlockLists::kCount };

  static InnerSizes check(const Args &in, const Attrs &attrs) {
    const Tensor &z = in[kZH];
    need_state("l_loop", "zH", z);
    need_like("l_loop", "zL", in[kZL], z.dtype, z.shape);
    need_like("l_loop", "x", in[kX], z.dtype, z.shape);
    const BlockLists l{"l_loop", kL}, h{"l_loop", kH};
    check_heads(l.count(in) > 0 ? l : h, in, z, attrs.nHeads, kCos);
    check_eps("l_loop", attrs.eps);
    constexpr int64_t kMaxCycles = 1000000;
    if (attrs.hCycles < 1 || attrs.lCycles < 1 || attrs.hCycles > kMaxCycles || attrs.lCycles > kMaxCycles)
      fail(Code::kArgument, "l_loop: hCycles and lCycles must be in 1..", kMaxCycles, ", got ", attrs.hCycles, " and ",
           attrs.lCycles);
    if (attrs.gradSteps < 0 || attrs.gradSteps > attrs.hCycles * attrs.lCycles)
      fail(Code::kArgument, "l_loop: gradSteps must be in 0..hCycles * lCycles = ", attrs.hCycles * attrs.lCycles,
           ", got ", attrs.gradSteps);
    if (attrs.hTokens < 0 || attrs.hTokens > z.shape[1])
      fail(Code::kArgument, "l_loop: hTokens must be in 0..S = ", z.shape[1], ", got ", attrs.hTokens);
    const InnerSizes inner_l = l.check(in, z.shape, z.dtype), inner_h = h.check(in, z.shape, z.dtype);
    if (l.count(in) == 0)
      return inner_h;
    if (h.count(in) > 0 && inner_l.hidden != inner_h.hidden)
      fail(Code::kShape, "l_loop: L and H blocks must have the same F, got ", inner_l.hidden, " and ", inner_h.hidden);
    if (h.count(in) > 0 && inner_l.sequence != inner_h.sequence)
      fail(Code::kShape, "l_loop: L and H blocks must mix tokens alike, with the same F', got ", inner_l.sequence,
           " and ", inner_h.sequence, " (0: attention)");
    return inner_l;
  }

  static Plan rule(const Args &in, const Attrs &attrs) {
    const InnerSizes inner = check(in, attrs);
    Plan plan;
    const Dims &shape = in[kZH].shape;
    plan.outputs = {{in[kZH].dtype, {shape[0], attrs.hTokens, shape[2]}}, {in[kZL].dtype, shape}};
    dispatch_state(in[kZH].dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      plan.workspace_bytes = cpu::loop_workspace_bytes<T>(
          block_shape<T>(in, in[kZH], attrs.nHeads, inner, attrs.eps, kCos), in.n_threads());
    });
    return plan;
  }
};

} // namespace hrm::ops
