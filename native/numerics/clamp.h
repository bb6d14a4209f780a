#pragma once
// clamp and its gradient, with T and M as in numerics/elementwise.h; the bounds are representable in T.
#include "numerics/hd.h"

namespace HRM_NUMERICS {

struct clamp {
  double min, max;
  template <class M, class T> HRM_HD T of(T x) const {
    const T low = M::template splat<T>(min), high = M::template splat<T>(max);
    // NaN compares false and passes.
    x = M::select(x < low, low, x);
    return M::select(x > high, high, x);
  }
};
struct clamp_grad {
  double min, max;
  template <class M, class T> HRM_HD T of(T dy, T x) const {
    return M::select((x < M::template splat<T>(min)) | (x > M::template splat<T>(max)), T{}, dy);
  }
};

} // namespace HRM_NUMERICS
