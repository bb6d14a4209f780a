#pragma once
// One element of SignSGD with decoupled weight decay (HRM section 4).
#include "numerics/hd.h"

namespace hrm::numerics {

template <class T> struct sign_sgd {
  T keep, lr;

  HRM_HD static sign_sgd of(T lr, double weight_decay) { return {T(1) - lr * static_cast<T>(weight_decay), lr}; }
  // sign(0) = 0, and a NaN stays visible.
  HRM_HD T operator()(T weight, T gradient) const {
    const T sign = gradient > 0 ? T(1) : gradient < 0 ? T(-1) : gradient;
    return weight * keep - lr * sign;
  }
};

} // namespace hrm::numerics
