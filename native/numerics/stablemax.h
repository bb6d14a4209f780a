#pragma once
// Stablemax (arXiv 2501.04697; HRM section 3.4): like softmax, probabilities s(v) / sum(s), with s in place of exp. T
// and M as in elementwise.h.
#include "numerics/hd.h"

namespace HRM_NUMERICS {

// s(v) = v + 1 for v >= 0, else 1 / (1 - v). The 1e-30 that the reference adds to 1 - v is for the branch that its
// select does not take: here 1 - v > 1, where double does not see it.
struct stablemax {
  template <class M, class T> HRM_HD T of(T v) const {
    const T one = M::template splat<T>(1);
    return M::select(v < T{}, one / (one - v), one + v);
  }
};
// The derivative of log s(v): 1 / (1 + |v|) on both sides.
struct stablemax_log_slope {
  template <class M, class T> HRM_HD T of(T v) const {
    const T one = M::template splat<T>(1);
    return one / (one + M::select(v < T{}, -v, v));
  }
};

} // namespace HRM_NUMERICS
