// Reads 16 bytes and writes 12 an element in float32, with one square root, two divisions and an arctangent: about as
// long as the memory takes.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/context.h"
#include "ops/adam_atan2.h"

#include "cpu/simd/begin.h"

#include "cpu/simd/vec.h"

namespace hrm::cpu::HRM_ISA {
namespace {

/** atan2(y, x) for x >= 0 to 2 ulp: Cephes' atanf on min / max, reduced at tan(pi/8). atan2(0, 0) = 0, of NaN NaN. */
HRM_INLINE vf atan2_right(vf y, vf x) {
  const vf zero = broadcast(0.0f), one = broadcast(1.0f);
  const vf a = abs(y);
  const vi steep = a > x;
  const vf high = select(steep, a, x), low = select(steep, x, a);
  // Equal, so that infinities give pi/4 and zeros 0; NaN equals nothing, and the quotient keeps it from either side.
  const vf ratio = select(low == high, select(high > zero, one, zero), low / high);
  const vi large = ratio > broadcast(0.41421356f);
  const vf r = select(large, (ratio - one) / (ratio + one), ratio);
  const vf z = r * r;
  vf p = broadcast(8.05374449538e-2f);
  p = fma(p, z, broadcast(-1.38776856032e-1f));
  p = fma(p, z, broadcast(1.99777106478e-1f));
  p = fma(p, z, broadcast(-3.33329491539e-1f));
  vf angle = fma(p * z, r, r);
  angle = select(large, angle + broadcast(0.785398163397f), angle);
  angle = select(steep, broadcast(1.570796326795f) - angle, angle);
  return select(y < zero, zero - angle, angle);
}

/** Lane by lane: float64 serves as a reference, not for speed. */
HRM_INLINE vd atan2_right(vd y, vd x) {
  for (int i = 0; i < kLanes<double>; ++i)
    y[i] = std::atan2(y[i], x[i]);
  return y;
}

HRM_INLINE vf square_root(vf x) {
  for (int i = 0; i < kLanes<float>; ++i)
    x[i] = __builtin_sqrtf(x[i]);
  return x;
}
HRM_INLINE vd square_root(vd x) {
  for (int i = 0; i < kLanes<double>; ++i)
    x[i] = __builtin_sqrt(x[i]);
  return x;
}

template <class T> struct Factors {
  vec<T> keep, beta1, rest1, beta2, rest2, rate, scale;
};

template <class T> HRM_INLINE void update(T *p, T *m, T *v, const T *g, int n, const Factors<T> &f) {
  const bool whole = n == kLanes<T>;
  const auto read = [&](const T *at) { return whole ? load(at) : load_partial(at, n); };
  const auto write = [&](T *at, vec<T> value) { whole ? store(at, value) : store_partial(at, value, n); };
  const vec<T> gradient = read(g);
  const vec<T> first = f.beta1 * read(m) + f.rest1 * gradient;
  const vec<T> second = f.beta2 * read(v) + f.rest2 * gradient * gradient;
  write(m, first);
  write(v, second);
  write(p, f.keep * read(p) - f.rate * atan2_right(first, square_root(second) * f.scale));
}

constexpr int64_t kStepElements = 16384;

template <class T> void step(Call &call, int index, const Factors<T> &factors) {
  using Op = ops::adam_atan2;
  T *p = call.in.at(Op::kParameters, index).data<T>();
  T *m = call.in.at(Op::kM, index).data<T>();
  T *v = call.in.at(Op::kV, index).data<T>();
  const T *g = call.in.at(Op::kGradients, index).data<T>();
  const int64_t n = call.in.at(Op::kParameters, index).size();
  call.context.pool->parallel_for((n + kStepElements - 1) / kStepElements, [&](int64_t task, int) {
    const int64_t end = std::min(n, (task + 1) * kStepElements);
    for (int64_t i = task * kStepElements; i < end; i += kLanes<T>)
      update<T>(p + i, m + i, v + i, g + i, static_cast<int>(std::min<int64_t>(kLanes<T>, end - i)), factors);
  });
}

template <class T> Factors<T> factors_of(const ops::adam_atan2::Attrs &attrs, double lr, double t) {
  const auto all = [](double x) { return broadcast(static_cast<T>(x)); };
  return {all(1 - lr * attrs.weight_decay),
          all(attrs.beta1),
          all(1 - attrs.beta1),
          all(attrs.beta2),
          all(1 - attrs.beta2),
          all(lr / (1 - std::pow(attrs.beta1, t))),
          all(1 / std::sqrt(1 - std::pow(attrs.beta2, t)))};
}

} // namespace

void adam_atan2(Call &call) {
  using Op = ops::adam_atan2;
  if (!*call.in[Op::kFinite].data<bool>())
    return;
  const Op::Attrs &attrs = call.attrs<Op::Attrs>();
  const double lr = ops::scalar_of(call.in[Op::kLr]), t = *call.in[Op::kStep].data<int32_t>();
  for (int i = 0; i < call.in.count(Op::kParameters); ++i) {
    if (call.in.at(Op::kParameters, i).dtype == DType::kF64)
      step<double>(call, i, factors_of<double>(attrs, lr, t));
    else
      step<float>(call, i, factors_of<float>(attrs, lr, t));
  }
}

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
