#pragma once
// The formulas of the elementwise ops, one functor each, named as in ops.def. T is a number of the compute type
// (Acc<dtype>) or a vector of them; M has the functions of T: select, splat, exp, ... (ScalarMath here, VecMath on the
// CPU's vectors). Everything here holds for NaN as in PyTorch unless it says otherwise.
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "numerics/hd.h"

namespace HRM_NUMERICS {

/** M for single numbers. */
struct ScalarMath {
  template <class T> static HRM_HD T select(bool condition, T a, T b) { return condition ? a : b; }
  template <class T> static HRM_HD T splat(double value) { return static_cast<T>(value); }
  template <class T> static HRM_HD T exp(T x) { return std::exp(x); }
  template <class T> static HRM_HD T log(T x) { return std::log(x); }
  template <class T> static HRM_HD T sqrt(T x) { return std::sqrt(x); }
  template <class T> static HRM_HD T sin(T x) { return std::sin(x); }
  template <class T> static HRM_HD T cos(T x) { return std::cos(x); }
  template <class T> static HRM_HD T tanh(T x) { return std::tanh(x); }
  template <class T> static HRM_HD T sigmoid(T x) { return T(1) / (T(1) + std::exp(-x)); }
  template <class F, class T> static HRM_HD T each(F f, T a) { return static_cast<T>(f(static_cast<double>(a))); }
  template <class F, class T> static HRM_HD T each(F f, T a, T b) {
    return static_cast<T>(f(static_cast<double>(a), static_cast<double>(b)));
  }
};

// int32 wraps on overflow (ARCHITECTURE section 4); signed overflow would be undefined.
template <class T, class F> HRM_HD T wrapping(T a, T b, F f) {
  if constexpr (std::is_same_v<T, int32_t>)
    return static_cast<int32_t>(f(static_cast<uint32_t>(a), static_cast<uint32_t>(b)));
  else
    return f(a, b);
}

// ---- two operands ----------------------------------------------------------------------------------------------

struct add {
  template <class M, class T> HRM_HD T of(T a, T b) const {
    return wrapping(a, b, [](auto x, auto y) { return x + y; });
  }
};
struct sub {
  template <class M, class T> HRM_HD T of(T a, T b) const {
    return wrapping(a, b, [](auto x, auto y) { return x - y; });
  }
};
struct mul {
  template <class M, class T> HRM_HD T of(T a, T b) const {
    return wrapping(a, b, [](auto x, auto y) { return x * y; });
  }
};
struct div {
  template <class M, class T> HRM_HD T of(T a, T b) const { return a / b; }
};
// Of integers: by squaring, wrapping; a negative exponent leaves the integer part (0 but for bases 1 and -1).
struct pow {
  template <class M, class T> HRM_HD T of(T a, T b) const {
    if constexpr (std::is_integral_v<T>) {
      if (b < 0)
        return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
      uint32_t result = 1, square = static_cast<uint32_t>(a);
      for (uint32_t n = static_cast<uint32_t>(b); n > 0; n >>= 1, square *= square)
        if (n & 1)
          result *= square;
      return static_cast<T>(result);
    } else {
      return M::each([](double x, double y) { return std::pow(x, y); }, a, b);
    }
  }
};
// NaN where either is.
struct maximum {
  template <class M, class T> HRM_HD T of(T a, T b) const { return M::select((a > b) | (a != a), a, b); }
};
struct minimum {
  template <class M, class T> HRM_HD T of(T a, T b) const { return M::select((a < b) | (a != a), a, b); }
};

// ---- gradients: dy and what the function saved ------------------------------------------------------------------

struct relu_grad {
  template <class M, class T> HRM_HD T of(T dy, T y) const { return M::select(y <= T{}, T{}, dy); }
};
struct sigmoid_grad {
  template <class M, class T> HRM_HD T of(T dy, T y) const { return dy * (y * (1.0f - y)); }
};
struct tanh_grad {
  template <class M, class T> HRM_HD T of(T dy, T y) const { return dy * ((1.0f - y) * (1.0f + y)); }
};
struct silu_grad {
  template <class M, class T> HRM_HD T of(T dy, T x) const {
    const T s = M::sigmoid(x);
    return dy * (s * (1.0f + x * (1.0f - s)));
  }
};
// x Phi(x) has the derivative Phi(x) + x phi(x).
struct gelu_grad {
  template <class M, class T> HRM_HD T of(T dy, T x) const {
    return dy * M::each(
                    [](double v) {
                      constexpr double kSqrtHalf = 0.70710678118654752440, kInverseSqrt2Pi = 0.39894228040143267794;
                      return 0.5 * std::erfc(-v * kSqrtHalf) + v * kInverseSqrt2Pi * std::exp(-0.5 * v * v);
                    },
                    x);
  }
};

// gelu(x) ~ x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)), the tanh approximation (arXiv 1606.08415) without its
// cancellation.
constexpr double kGeluSlope = 1.59576912160573071176, kGeluCubic = 0.044715;
struct gelu_tanh_grad {
  template <class M, class T> HRM_HD T of(T dy, T x) const {
    const T slope = M::template splat<T>(kGeluSlope), cubic = M::template splat<T>(kGeluCubic);
    const T v = slope * (x + cubic * x * x * x);
    // 1 - s from the other side: for large v nothing would be left of it.
    const T s = M::sigmoid(v), rest = M::sigmoid(-v);
    return dy * (s + x * s * rest * slope * (1.0f + 3.0f * cubic * x * x));
  }
};

// ---- losses of a logit x and a probability t -----------------------------------------------------------------------

// max(x, 0) - x t + log(1 + exp(-|x|)), in double: there are few of these, and the parts cancel.
struct bce_with_logits {
  template <class M, class T> HRM_HD T of(T x, T t) const {
    return M::each(
        [](double v, double p) { return v * ((v >= 0 ? 1.0 : 0.0) - p) + std::log1p(std::exp(-std::fabs(v))); }, x, t);
  }
};
// Its derivative by x: sigmoid(x) - t.
struct bce_with_logits_slope {
  template <class M, class T> HRM_HD T of(T x, T t) const {
    return M::each([](double v, double p) { return 1.0 / (1.0 + std::exp(-v)) - p; }, x, t);
  }
};

// ---- one operand -----------------------------------------------------------------------------------------------

struct neg {
  template <class M, class T> HRM_HD T of(T x) const {
    if constexpr (std::is_same_v<T, int32_t>)
      return static_cast<int32_t>(0u - static_cast<uint32_t>(x));
    else
      return -x;
  }
};
struct abs {
  // Of -2^31: itself.
  template <class M, class T> HRM_HD T of(T x) const {
    if constexpr (std::is_same_v<T, int32_t>)
      return x < 0 ? static_cast<int32_t>(0u - static_cast<uint32_t>(x)) : x;
    else
      return M::select(x > T{}, x, T{} - x);
  }
};
// 0 of 0 and of NaN.
struct sign {
  template <class M, class T> HRM_HD T of(T x) const {
    return M::select(x > T{}, M::template splat<T>(1), M::select(x < T{}, M::template splat<T>(-1), T{}));
  }
};
// Integers are as they are.
struct floor {
  template <class M, class T> HRM_HD T of(T x) const {
    if constexpr (std::is_integral_v<T>)
      return x;
    else
      return M::each([](double v) { return std::floor(v); }, x);
  }
};
// Halves go to the even neighbour, the rounding mode that nobody changes.
struct round {
  template <class M, class T> HRM_HD T of(T x) const {
    if constexpr (std::is_integral_v<T>)
      return x;
    else
      return M::each([](double v) { return std::nearbyint(v); }, x);
  }
};
struct relu {
  template <class M, class T> HRM_HD T of(T x) const { return M::select(x < T{}, T{}, x); }
};
struct exp {
  template <class M, class T> HRM_HD T of(T x) const { return M::exp(x); }
};
struct log {
  template <class M, class T> HRM_HD T of(T x) const { return M::log(x); }
};
struct sqrt {
  template <class M, class T> HRM_HD T of(T x) const { return M::sqrt(x); }
};
struct rsqrt {
  template <class M, class T> HRM_HD T of(T x) const { return 1.0f / M::sqrt(x); }
};
struct sin {
  template <class M, class T> HRM_HD T of(T x) const { return M::sin(x); }
};
struct cos {
  template <class M, class T> HRM_HD T of(T x) const { return M::cos(x); }
};
struct tanh {
  template <class M, class T> HRM_HD T of(T x) const { return M::tanh(x); }
};
struct sigmoid {
  template <class M, class T> HRM_HD T of(T x) const { return M::sigmoid(x); }
};
struct silu {
  template <class M, class T> HRM_HD T of(T x) const { return x * M::sigmoid(x); }
};
// x Phi(x) = x erfc(-x / sqrt 2) / 2, in double: erfc keeps the digits of negative x that 1 + erf loses.
struct gelu {
  template <class M, class T> HRM_HD T of(T x) const {
    return M::each([](double v) { return 0.5 * v * std::erfc(-v * 0.70710678118654752440); }, x);
  }
};
struct gelu_tanh {
  template <class M, class T> HRM_HD T of(T x) const {
    const T cubic = M::template splat<T>(kGeluCubic);
    return x * M::sigmoid(M::template splat<T>(kGeluSlope) * (x + cubic * x * x * x));
  }
};

// ---- comparisons: bool from two numbers, masks from two vectors; false where either is NaN, ne true ----------------

struct eq {
  template <class T> HRM_HD auto operator()(T a, T b) const { return a == b; }
};
struct ne {
  template <class T> HRM_HD auto operator()(T a, T b) const { return a != b; }
};
struct lt {
  template <class T> HRM_HD auto operator()(T a, T b) const { return a < b; }
};
struct le {
  template <class T> HRM_HD auto operator()(T a, T b) const { return a <= b; }
};
struct gt {
  template <class T> HRM_HD auto operator()(T a, T b) const { return a > b; }
};
struct ge {
  template <class T> HRM_HD auto operator()(T a, T b) const { return a >= b; }
};
// Anything but 0 is true, NaN included.
struct logical_and {
  template <class T> HRM_HD auto operator()(T a, T b) const { return (a != T{}) & (b != T{}); }
};
struct logical_or {
  template <class T> HRM_HD auto operator()(T a, T b) const { return (a != T{}) | (b != T{}); }
};
struct logical_xor {
  template <class T> HRM_HD auto operator()(T a, T b) const { return (a != T{}) != (b != T{}); }
};

} // namespace HRM_NUMERICS
