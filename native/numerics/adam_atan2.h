#pragma once
// One element of AdamATan2 (HRM section 4). T and M as in numerics/elementwise.h; M also has abs and fma.
#include <cmath>

#include "numerics/hd.h"

namespace HRM_NUMERICS {

// What is the same for all elements of an update t with the learning rate lr.
template <class T> struct AdamFactors {
  T keep, beta1, rest1, beta2, rest2, rate, scale;
};
HRM_HD AdamFactors<double> adam_factors(double beta1, double beta2, double weight_decay, double lr, double t) {
  return {1 - lr * weight_decay,
          beta1,
          1 - beta1,
          beta2,
          1 - beta2,
          lr / (1 - std::pow(beta1, t)),
          1 / std::sqrt(1 - std::pow(beta2, t))};
}

/** atan2(y, x) in float for x >= 0 to 2 ulp: Cephes' atanf on min / max, reduced at tan(pi/8). atan2(0, 0) = 0, of NaN
 * NaN. */
struct atan2_right {
  template <class M, class T> HRM_HD T of(T y, T x) const {
    const T zero = M::template splat<T>(0), one = M::template splat<T>(1);
    const T a = M::abs(y);
    const auto steep = a > x;
    const T high = M::select(steep, a, x), low = M::select(steep, x, a);
    // Equal, so that infinities give pi/4 and zeros 0; NaN equals nothing, and the quotient keeps it from either side.
    const T ratio = M::select(low == high, M::select(high > zero, one, zero), low / high);
    const auto large = ratio > M::template splat<T>(0.41421356f);
    const T r = M::select(large, (ratio - one) / (ratio + one), ratio);
    const T z = r * r;
    T p = M::template splat<T>(8.05374449538e-2f);
    p = M::fma(p, z, M::template splat<T>(-1.38776856032e-1f));
    p = M::fma(p, z, M::template splat<T>(1.99777106478e-1f));
    p = M::fma(p, z, M::template splat<T>(-3.33329491539e-1f));
    T angle = M::fma(p * z, r, r);
    angle = M::select(large, angle + M::template splat<T>(0.785398163397f), angle);
    angle = M::select(steep, M::template splat<T>(1.570796326795f) - angle, angle);
    return M::select(y < zero, zero - angle, angle);
  }
};

// angle: atan2(y, x) for x >= 0.
template <class M, class T, class Angle>
HRM_HD void adam_atan2(T &p, T &m, T &v, T g, const AdamFactors<T> &f, Angle angle) {
  m = f.beta1 * m + f.rest1 * g;
  v = f.beta2 * v + f.rest2 * g * g;
  p = f.keep * p - f.rate * angle(m, M::sqrt(v) * f.scale);
}

} // namespace HRM_NUMERICS
