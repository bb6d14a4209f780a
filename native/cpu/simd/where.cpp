#include "ops/where.h"

#include "core/context.h"
#include "cpu/strided.h"

#include "cpu/simd/begin.h"

namespace hrm::cpu::HRM_ISA {
namespace {

// Bytes are moved, whatever they mean: B is an unsigned integer as wide as the dtype.
template <class B> void where_loop(Call &call) {
  const Tensor &condition = call.in[0], &x = call.in[1], &y = call.in[2], &z = call.out[0];
  const bool *chosen = condition.data<bool>();
  const B *left = x.data<B>(), *right = y.data<B>();
  B *out = z.data<B>();
  StridedLoop<4>(z.shape,
                 {z.strides, broadcast_strides(condition.shape, condition.strides, z.shape),
                  broadcast_strides(x.shape, x.strides, z.shape), broadcast_strides(y.shape, y.strides, z.shape)})
      .run(*call.context.pool, [=](const int64_t *at, const int64_t *step, int64_t n) {
        const bool *c = chosen + at[1];
        const B *a = left + at[2], *b = right + at[3];
        B *r = out + at[0];
        const int64_t sr = step[0], sc = step[1], sa = step[2], sb = step[3];
        if (sr == 1 && sc == 1 && sa == 1 && sb == 1) {
          for (int64_t i = 0; i < n; ++i) {
            const B p = a[i], q = b[i];
            r[i] = c[i] ? p : q;
          }
        } else if (sr == 1 && sc == 1 && sa == 1 && sb == 0) {
          const B q = *b;
          for (int64_t i = 0; i < n; ++i) {
            const B p = a[i];
            r[i] = c[i] ? p : q;
          }
        } else {
          for (int64_t i = 0; i < n; ++i)
            r[i * sr] = c[i * sc] ? a[i * sa] : b[i * sb];
        }
      });
}

} // namespace

void where(Call &call) {
  switch (item_size(call.in[1].dtype)) {
  case 1:
    return where_loop<uint8_t>(call);
  case 2:
    return where_loop<uint16_t>(call);
  case 4:
    return where_loop<uint32_t>(call);
  default:
    return where_loop<uint64_t>(call);
  }
}

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
