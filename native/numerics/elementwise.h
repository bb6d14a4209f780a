#pragma once
// The formulas of the elementwise ops, one functor each, named as in ops.def. T is the compute type (Acc<dtype>).
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "numerics/hd.h"

namespace hrm::numerics {

// int32 wraps on overflow (ARCHITECTURE section 4); signed overflow would be undefined.
template <class T, class F> HRM_HD T wrapping(T a, T b, F f) {
  if constexpr (std::is_same_v<T, int32_t>)
    return static_cast<int32_t>(f(static_cast<uint32_t>(a), static_cast<uint32_t>(b)));
  else
    return f(a, b);
}

struct add {
  template <class T> HRM_HD T operator()(T a, T b) const {
    return wrapping(a, b, [](auto x, auto y) { return x + y; });
  }
};
struct sub {
  template <class T> HRM_HD T operator()(T a, T b) const {
    return wrapping(a, b, [](auto x, auto y) { return x - y; });
  }
};
struct mul {
  template <class T> HRM_HD T operator()(T a, T b) const {
    return wrapping(a, b, [](auto x, auto y) { return x * y; });
  }
};
struct div {
  template <class T> HRM_HD T operator()(T a, T b) const { return a / b; }
};

struct neg {
  template <class T> HRM_HD T operator()(T x) const {
    return wrapping(T(0), x, [](auto a, auto b) { return a - b; });
  }
};
struct exp {
  template <class T> HRM_HD T operator()(T x) const { return std::exp(x); }
};
struct log {
  template <class T> HRM_HD T operator()(T x) const { return std::log(x); }
};

} // namespace hrm::numerics
