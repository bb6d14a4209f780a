// The vectorised functions against the C library in the next wider type, in ulps, and at the edges. Compiled once for
// each instruction set with -DHRM_ISA=...; runs only where the processor has it.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <type_traits>

#include "cpu/isa.h"

namespace {

int failures = 0;

template <class T> using Wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;

/** Distance of y from the exact value, in units of the last place of T there. */
template <class T> double ulps(T y, Wide<T> exact) {
  const T rounded = static_cast<T>(exact);
  if (std::isnan(rounded) || std::isnan(y))
    return std::isnan(rounded) && std::isnan(y) ? 0 : 1e30;
  if (std::isinf(rounded) || std::isinf(y))
    return rounded == y ? 0 : 1e30;
  const T size = std::max(std::fabs(rounded), std::numeric_limits<T>::min());
  const Wide<T> ulp = std::ldexp(Wide<T>(1), std::ilogb(size) - (std::numeric_limits<T>::digits - 1));
  return static_cast<double>(std::fabs(static_cast<Wide<T>>(y) - exact) / ulp);
}

template <class T, class F, class G>
void check(const char *name, F ours, G exact, double low, double high, double bound) {
  std::mt19937_64 rng(3);
  std::uniform_real_distribution<double> uniform(low, high), small(-30, 0);
  double worst = 0, worstAt = 0;
  const auto one = [&](T x) {
    const double error = ulps<T>(ours(x), exact(static_cast<Wide<T>>(x)));
    if (error > worst) {
      worst = error;
      worstAt = static_cast<double>(x);
    }
  };
  for (int i = 0; i < 200000; ++i)
    one(static_cast<T>(uniform(rng)));
  for (int i = 0; i < 50000; ++i)
    one(static_cast<T>((i % 2 && low < 0 ? -1 : 1) * std::exp2(small(rng))));
  using L = std::numeric_limits<T>;
  for (T x : {T(0),
              T(-0.0),
              T(1),
              T(-1),
              T(1e-30),
              L::min(),
              L::denorm_min(),
              -L::denorm_min(),
              L::min() / 8,
              L::max(),
              L::lowest(),
              L::infinity(),
              -L::infinity(),
              L::quiet_NaN(),
              T(88.72),
              T(-103.5),
              T(-87.5),
              T(709.7),
              T(-745),
              T(-708.9),
              T(1e5),
              T(1e9),
              T(0.625)})
    one(x);
  const bool ok = worst <= bound;
  failures += ok ? 0 : 1;
  std::printf("%-8s %-7s %.2f ulp at %.17g%s\n", name, sizeof(T) == 4 ? "float" : "double", worst, worstAt,
              ok ? "" : "  FAILED");
}

} // namespace

#include "cpu/simd/begin.h"

#include "cpu/simd/vec.h"

#include "cpu/simd/math.h"

namespace hrm::cpu::HRM_ISA {
namespace {

template <class T> void check_all(double bound) {
  using W = Wide<T>;
  const double big = sizeof(T) == 4 ? 88 : 709;
  check<T>("exp", [](T x) { return exp(x); }, [](W x) { return std::exp(x); }, -big * 1.2, big, bound);
  check<T>("log", [](T x) { return log(x); }, [](W x) { return std::log(x); }, 0, 100, bound);
  check<T>("tanh", [](T x) { return tanh(x); }, [](W x) { return std::tanh(x); }, -10, 10, bound);
  check<T>(
      "sigmoid", [](T x) { return sigmoid(x); },
      [](W x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }, -big, big, bound);
  // What would be denormal may be 0.
  const auto flushed = [](auto y) { return y < 4 * std::numeric_limits<T>::min() ? decltype(y)(0) : y; };
  check<T>(
      "logistic", [&](T x) { return flushed(logistic_of<T>(broadcast(x))[0]); },
      [&](W x) { return flushed(x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x))); }, -1.2 * big, big,
      bound);
  check<T>("sin", [](T x) { return sin(x); }, [](W x) { return std::sin(x); }, -1000, 1000, bound);
  check<T>("cos", [](T x) { return cos(x); }, [](W x) { return std::cos(x); }, -1000, 1000, bound);
}

void expect(bool ok, const char *what) {
  if (!ok)
    std::printf("FAILED %s\n", what);
  failures += ok ? 0 : 1;
}

void check_bf16() {
  for (uint32_t upper = 0; upper < 65536; ++upper)
    for (uint32_t lower : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      const uint32_t bits = (upper << 16) | lower;
      float x;
      std::memcpy(&x, &bits, sizeof x);
      uint16_t out[kLanes<float>];
      store_bf16(out, broadcast(x));
      const float back = load_bf16(out)[0];
      if (std::isnan(x)) {
        expect(std::isnan(back), "bf16 of NaN");
        continue;
      }
      const bool up = lower > 0x8000u || (lower == 0x8000u && (upper & 1));
      expect(out[0] == static_cast<uint16_t>(upper + (up ? 1 : 0)), "bf16 rounding");
    }
}

template <class T> void check_lanes() {
  constexpr int W = kLanes<T>;
  T in[2 * W], out[2 * W];
  for (int i = 0; i < 2 * W; ++i)
    in[i] = T(i * 7 % 5) - 2;
  for (int n = 0; n <= W; ++n) {
    const vec<T> v = load_partial(in, n);
    T sum = 0, most = 0;
    for (int i = 0; i < W; ++i) {
      expect(v[i] == (i < n ? in[i] : T(0)), "load_partial");
      sum += v[i];
      most = std::max(most, v[i]);
    }
    expect(hsum(v) == sum, "hsum");
    expect(hmax(v) == std::max(most, v[0]), "hmax");
    std::fill_n(out, 2 * W, T(9));
    store_partial(out, v, n);
    for (int i = 0; i < 2 * W; ++i)
      expect(out[i] == (i < n ? in[i] : T(9)), "store_partial");
  }
  expect(max(broadcast(T(1)), broadcast(T(2)))[0] == 2 && min(broadcast(T(1)), broadcast(T(2)))[0] == 1, "min, max");
  expect(fma(broadcast(T(2)), broadcast(T(3)), broadcast(T(4)))[0] == 10, "fma");
  expect(sqrt(broadcast(T(49)))[0] == 7 && abs(broadcast(T(-3)))[0] == 3, "sqrt, abs");
}

} // namespace

void run() {
  check_lanes<float>();
  check_lanes<double>();
  check_bf16();
  check_all<float>(2.5);
  check_all<double>(4);
}

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"

int main() {
  if (static_cast<int>(hrm::cpu::detected_isa()) < HRM_ISA_ID) {
    std::printf("skipped: this processor lacks the instruction set\n");
    return 0;
  }
  hrm::cpu::HRM_ISA::run();
  std::printf(failures ? "%d failures\n" : "ok\n", failures);
  return failures ? 1 : 0;
}
