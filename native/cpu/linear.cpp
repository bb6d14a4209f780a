#include "ops/linear.h"

#include "ops/registry.h"

namespace hrm {

void cpu::linear(Call &call) {
  const Tensor &x = call.in[0], &weight = call.in[1], &y = call.out[0];
  const auto [m, n, k] = ops::linear::sizes(x, weight);
  ThreadPool &pool = *call.context.pool;
  if (y.size() == 0)
    return;
  dispatch_float(x.dtype, [&, m = m, n = n, k = k](auto tag) {
    using T = typename decltype(tag)::type;
    WorkspaceCarver carver(call.workspace);
    const ops::linear::Scratch<T> scratch(carver, {m, n, k}, pool.nThreads());
    Acc<T> *out = result_buffer(y.data<T>(), scratch.y);
    const bool has_bias = call.in.has(2);
    if (has_bias) {
      const T *bias = call.in[2].data<T>();
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j)
          out[i * n + j] = static_cast<Acc<T>>(bias[j]);
    }
    const MatrixView<Acc<T>> left = compute_matrix<T>(pool, {x.data<T>(), k, 1}, m, k, scratch.x);
    const MatrixView<Acc<T>> right =
        compute_matrix<T>(pool, {weight.data<T>(), weight.strides[0], weight.strides[1]}, n, k, scratch.weight);
    gemm<Acc<T>>(pool, {m, n, k, left, right.transposed(), out, n, has_bias}, scratch.gemm);
    store_result(pool, out, y.data<T>(), m * n);
  });
}

HRM_SCHEMA(linear) {
  Schema s{{in("x"), strided("weight"), optional("bias")}, {}};
  s.rule = &erase_rule<NoAttrs, ops::linear::rule>;
  s.promotion = Promotion::kFloat;
  return s;
}

} // namespace hrm
