#include "ops/matmul.h"

#include "cpu/strided.h"
#include "ops/registry.h"

namespace hrm {

void cpu::matmul(Call &call) {
  const Tensor &a = call.in[0], &b = call.in[1], &c = call.out[0];
  const int64_t m = a.shape.back(1), k = a.shape.back(), n = b.shape.back();
  const Dims sa = broadcast_strides(a.shape, a.strides, c.shape), sb = broadcast_strides(b.shape, b.strides, c.shape);
  const int64_t batches = m * n == 0 ? 0 : c.size() / (m * n);
  dispatch_float(a.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t batch = 0; batch < batches; ++batch) {
      const T *pa = a.data<T>(), *pb = b.data<T>();
      int64_t rest = batch;
      for (int d = c.shape.rank - 3; d >= 0; --d) {
        pa += rest % c.shape[d] * sa[d];
        pb += rest % c.shape[d] * sb[d];
        rest /= c.shape[d];
      }
      T *pc = c.data<T>() + batch * m * n;
      call.context.pool->parallel_for(m, [&](int64_t i, int) {
        for (int64_t j = 0; j < n; ++j) {
          Acc<T> total = 0;
          for (int64_t p = 0; p < k; ++p)
            total += static_cast<Acc<T>>(pa[i * a.strides.back(1) + p * a.strides.back()]) *
                     static_cast<Acc<T>>(pb[p * b.strides.back(1) + j * b.strides.back()]);
          pc[i * n + j] = static_cast<T>(total);
        }
      });
    }
  });
}

HRM_SCHEMA(matmul) {
  Schema s{{strided("a"), strided("b")}, {}};
  s.rule = &erase_rule<NoAttrs, ops::matmul::rule>;
  s.promotion = Promotion::kFloat;
  return s;
}

} // namespace hrm
