// Elementwise ops: one loop a shape of operands, one functor (numerics/elementwise.h) an op; the list is ops.def.
#include <algorithm>

#include "core/context.h"
#include "cpu/strided.h"
#include "numerics/elementwise.h"
#include "ops/op.h"

#include "cpu/simd/begin.h"

namespace hrm::cpu::HRM_ISA {
namespace {

template <class F, class T> void unary_loop(Call &call) {
  using A = Acc<T>;
  const Tensor &x = call.in[0], &y = call.out[0];
  const T *in = x.data<T>();
  T *out = y.data<T>();
  const F f;
  StridedLoop<2>(y.shape, {y.strides, x.strides})
      .run(*call.context.pool, [=](const int64_t *at, const int64_t *step, int64_t n) {
        const T *a = in + at[1];
        T *r = out + at[0];
        if (step[0] == 1 && step[1] == 1) {
      // In place means the very same element, so the iterations are independent.
#pragma GCC ivdep
          for (int64_t i = 0; i < n; ++i)
            r[i] = static_cast<T>(f(static_cast<A>(a[i])));
        } else {
          for (int64_t i = 0; i < n; ++i)
            r[i * step[0]] = static_cast<T>(f(static_cast<A>(a[i * step[1]])));
        }
      });
}

template <class F, class T, class R> void binary_loop(Call &call) {
  using A = Acc<T>;
  const Tensor &x = call.in[0], &y = call.in[1], &z = call.out[0];
  const T *left = x.data<T>(), *right = y.data<T>();
  R *out = z.data<R>();
  const F f;
  StridedLoop<3>(z.shape, {z.strides, broadcast_strides(x.shape, x.strides, z.shape),
                           broadcast_strides(y.shape, y.strides, z.shape)})
      .run(*call.context.pool, [=](const int64_t *at, const int64_t *step, int64_t n) {
        const T *a = left + at[1], *b = right + at[2];
        R *r = out + at[0];
        const int64_t sr = step[0], sa = step[1], sb = step[2];
        if (sr == 1 && sa == 1 && sb == 1) {
#pragma GCC ivdep
          for (int64_t i = 0; i < n; ++i)
            r[i] = static_cast<R>(f(static_cast<A>(a[i]), static_cast<A>(b[i])));
        } else if (sr == 1 && sa == 1 && sb == 0) {
          const A scalar = static_cast<A>(*b);
#pragma GCC ivdep
          for (int64_t i = 0; i < n; ++i)
            r[i] = static_cast<R>(f(static_cast<A>(a[i]), scalar));
        } else {
          for (int64_t i = 0; i < n; ++i)
            r[i * sr] = static_cast<R>(f(static_cast<A>(a[i * sa]), static_cast<A>(b[i * sb])));
        }
      });
}

template <class F> void unary_any(Call &call) {
  dispatch_all(call.in[0].dtype, [&](auto tag) { unary_loop<F, typename decltype(tag)::type>(call); });
}
template <class F> void unary_float(Call &call) {
  dispatch_float(call.in[0].dtype, [&](auto tag) { unary_loop<F, typename decltype(tag)::type>(call); });
}
template <class F> void binary_any(Call &call) {
  dispatch_all(call.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    binary_loop<F, T, T>(call);
  });
}
template <class F> void binary_float(Call &call) {
  dispatch_float(call.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    binary_loop<F, T, T>(call);
  });
}
template <class F> void compare_any(Call &call) {
  dispatch_all(call.in[0].dtype, [&](auto tag) { binary_loop<F, typename decltype(tag)::type, bool>(call); });
}

} // namespace

#define HRM_DOMAIN_kAny(kind) kind##_any
#define HRM_DOMAIN_kNumber(kind) kind##_any
#define HRM_DOMAIN_kFloat(kind) kind##_float
#define HRM_UNARY(name, domain)                                                                                        \
  void name(Call &call) { HRM_DOMAIN_##domain(unary)<numerics::name>(call); }
#define HRM_BINARY(name, domain)                                                                                       \
  void name(Call &call) { HRM_DOMAIN_##domain(binary)<numerics::name>(call); }
#define HRM_COMPARE(name)                                                                                              \
  void name(Call &call) { compare_any<numerics::name>(call); }
#include "ops/ops.def"

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
