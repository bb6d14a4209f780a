#pragma once
#include "ops/require.h"

namespace hrm::ops {

// y = silu(gate) * up: gate_up [..., 2F] holds F gate values, then F up values; y [..., F].
struct swiglu {
  static Plan rule(const Args &in, const NoAttrs &) {
    const Tensor &gate_up = in[0];
    need_float("swiglu", "gateUp", gate_up);
    if (gate_up.shape.rank == 0 || gate_up.shape.back() % 2 != 0)
      fail(Code::kShape, "swiglu: gateUp must have shape [..., 2F], got ", gate_up.shape);
    Dims out = gate_up.shape;
    out.back() /= 2;
    Plan plan(gate_up.dtype, out);
    plan.workspace_bytes = row_buffer_bytes(gate_up.dtype, out.back(), 2, in.n_threads());
    return plan;
  }
};

struct swiglu_backward {
  static Plan rule(const Args &in, const NoAttrs &) {
    const Tensor &dy = in[0], &gate_up = in[1];
    Args forward;
    forward.clear(in.n_threads());
    forward.add(&gate_up);
    forward.end_slot();
    const Plan forward_plan = swiglu::rule(forward, NoAttrs{});
    need_same_dtype("swiglu_backward", "dy", dy, gate_up.dtype);
    need_shape("swiglu_backward", "dy", dy, forward_plan.outputs[0].shape);
    Plan plan(gate_up.dtype, gate_up.shape);
    plan.workspace_bytes = row_buffer_bytes(gate_up.dtype, dy.shape.back(), 3, in.n_threads());
    return plan;
  }
};

} // namespace hrm::ops
