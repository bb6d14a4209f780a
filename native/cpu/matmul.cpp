#include "ops/matmul.h"

#include "ops/registry.h"

namespace hrm {

void cpu::matmul(Call &call) {
  const Tensor &a = call.in[0], &b = call.in[1], &c = call.out[0];
  const ops::matmul::Layout l = ops::matmul::layout(a, b);
  ThreadPool &pool = *call.context.pool;
  const auto run = [&](auto tag, auto result) {
    using T = typename decltype(tag)::type;
    using R = typename decltype(result)::type;
    WorkspaceCarver carver(call.workspace);
    const ops::matmul::Scratch<T> scratch(carver, l, pool.nThreads());
    const auto product = [&](int64_t batch, int64_t set) {
      const T *pa = a.data<T>(), *pb = b.data<T>();
      R *pc = c.data<R>() + batch * l.m * l.n;
      for (int d = l.batch.rank - 1; d >= 0; --d) {
        pa += batch % l.batch[d] * l.a_batch[d];
        pb += batch % l.batch[d] * l.b_batch[d];
        batch /= l.batch[d];
      }
      const MatrixView<T> left{pa, l.a_row, l.a_col}, right{pb, l.b_row, l.b_col};
      Acc<T> *out = result_buffer(pc, scratch.c + set * l.m * l.n);
      gemm<Acc<T>>(pool,
                   {l.m, l.n, l.k, compute_matrix(pool, left, l.m, l.k, scratch.a + set * l.m * l.k),
                    compute_matrix(pool, right, l.k, l.n, scratch.b + set * l.k * l.n), out, l.n, false},
                   scratch.gemm + set * scratch.gemm_bytes);
      store_result(pool, out, pc, l.m * l.n);
    };
    const int64_t batches = c.size() == 0 ? 0 : l.batches();
    if (ops::matmul::by_batch(l))
      pool.parallel_for(batches, [&](int64_t batch, int thread) { product(batch, thread); });
    else
      for (int64_t batch = 0; batch < batches; ++batch)
        product(batch, 0);
  };
  if (c.dtype != a.dtype)
    return run(Type<BFloat16>{}, Type<float>{});
  dispatch_float(a.dtype, [&](auto tag) { run(tag, tag); });
}

HRM_SCHEMA(matmul) {
  using Attrs = ops::matmul::Attrs;
  Schema s{{strided("a"), strided("b")}, {HRM_ATTR(Attrs, wide)}};
  s.rule = &erase_rule<Attrs, ops::matmul::rule>;
  s.promotion = Promotion::kFloat;
  return s;
}

} // namespace hrm
