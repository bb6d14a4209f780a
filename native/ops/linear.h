#pragma once
#include "core/carver.h"
#include "cpu/compute_matrix.h"
#include "ops/op.h"

namespace hrm::ops {

// y = x W^T + b: x [..., K], weight [N, K], bias [N] -> [..., N].
struct linear {
  struct Sizes {
    int64_t m, n, k;
  };
  static Sizes sizes(const Tensor &x, const Tensor &weight) {
    int64_t m = 1;
    for (int i = 0; i + 1 < x.shape.rank; ++i)
      m *= x.shape[i];
    return {m, weight.shape[0], weight.shape[1]};
  }

  template <class T> struct Scratch {
    Acc<T> *x, *weight, *y;
    char *gemm;

    Scratch(WorkspaceCarver &carver, const Sizes &s, int n_threads)
        : x(cpu::take_matrix<T>(carver, s.m, s.k)), weight(cpu::take_matrix<T>(carver, s.n, s.k)),
          y(cpu::take_matrix<T>(carver, s.m, s.n)),
          gemm(carver.take<char>(static_cast<int64_t>(cpu::gemm_workspace_bytes<Acc<T>>(s.m, s.n, s.k, n_threads)))) {}
  };

  static Plan rule(const Args &in, const NoAttrs &) {
    const Tensor &x = in[0], &weight = in[1];
    if (weight.shape.rank != 2)
      fail(Code::kShape, "linear: weight must have shape [N, K], got ", weight.shape);
    if (x.shape.rank == 0 || x.shape.back() != weight.shape[1])
      fail(Code::kShape, "linear: x.shape[-1] must equal weight.shape[1] = ", weight.shape[1], ", got x of shape ",
           x.shape);
    if (in.has(2) && in[2].shape != Dims{weight.shape[0]})
      fail(Code::kShape, "linear: bias must have shape [", weight.shape[0], "] = [weight.shape[0]], got ", in[2].shape);
    Dims out = x.shape;
    out.back() = weight.shape[0];
    Plan plan(x.dtype, out);
    WorkspaceCarver carver(nullptr);
    dispatch_float(x.dtype,
                   [&](auto tag) { Scratch<typename decltype(tag)::type>(carver, sizes(x, weight), in.n_threads()); });
    plan.workspace_bytes = carver.bytes();
    return plan;
  }
};

} // namespace hrm::ops
