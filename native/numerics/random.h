#pragma once
// From the four random words of a block to numbers of a distribution: float and bfloat16 take one word a number, double
// and integers two. T is the type of the result; formulas compute in double.
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "numerics/bfloat16.h"
#include "numerics/hd.h"
#include "numerics/philox.h"

namespace hrm::numerics {

// The engine's own stream: its upper half of the counter is one that ts/data never uses, so that a data sampler and a
// generator of one seed do not share numbers.
constexpr uint64_t kEngineStream = uint64_t{1} << 63;

// A generator's state, int32 [4] = seed (low, high word), counter (low, high word), as two numbers.
struct GeneratorState {
  uint64_t key, block;

  HRM_HD static uint64_t joined(int32_t low, int32_t high) {
    return (uint64_t{static_cast<uint32_t>(high)} << 32) | static_cast<uint32_t>(low);
  }
  // The counter's words behind n_blocks more.
  HRM_HD void counter_after(int64_t n_blocks, int32_t &low, int32_t &high) const {
    const uint64_t next = block + static_cast<uint64_t>(n_blocks);
    low = static_cast<int32_t>(static_cast<uint32_t>(next));
    high = static_cast<int32_t>(static_cast<uint32_t>(next >> 32));
  }
  // The words of block i from here on.
  HRM_HD void words(int64_t i, uint32_t (&w)[4]) const {
    philox4x32(block + static_cast<uint64_t>(i), kEngineStream, key, w);
  }
};

// What random_permutation sorts by: two keys a block.
HRM_HD uint64_t sort_key(const uint32_t (&w)[4], bool second) {
  return second ? (uint64_t{w[2]} << 32) | w[3] : (uint64_t{w[0]} << 32) | w[1];
}

template <class T> constexpr int kNumbersPerBlock = std::is_same_v<T, double> ? 2 : 4;

// 53 random bits from two words, split as in ts/data/philox.ts.
HRM_HD uint64_t bits53(uint32_t high, uint32_t low) { return (uint64_t{high >> 6} << 27) | (low >> 5); }

// Multiples of 2^-24 (float), 2^-8 (bfloat16) or 2^-53 (double) in [0, 1): all exact in T, so that 1 cannot appear.
struct uniform {
  HRM_HD void operator()(const uint32_t (&w)[4], float (&y)[4]) const {
    for (int i = 0; i < 4; ++i)
      y[i] = static_cast<float>(w[i] >> 8) * 0x1p-24f;
  }
  HRM_HD void operator()(const uint32_t (&w)[4], BFloat16 (&y)[4]) const {
    for (int i = 0; i < 4; ++i)
      y[i] = BFloat16(static_cast<float>(w[i] >> 24) * 0x1p-8f);
  }
  HRM_HD void operator()(const uint32_t (&w)[4], double (&y)[2]) const {
    for (int i = 0; i < 2; ++i)
      y[i] = static_cast<double>(bits53(w[2 * i], w[2 * i + 1])) * 0x1p-53;
  }
};

// Box-Muller: u1 in (0, 1], u2 in [0, 1) give two independent normal numbers.
struct normal {
  double mean, std;

  HRM_HD void pair(double u1, double u2, double &first, double &second) const {
    const double radius = std * std::sqrt(-2.0 * std::log(u1)), angle = 6.283185307179586 * u2;
    first = mean + radius * std::cos(angle);
    second = mean + radius * std::sin(angle);
  }
  template <class T> HRM_HD void operator()(const uint32_t (&w)[4], T (&y)[4]) const {
    for (int i = 0; i < 2; ++i) {
      double a, b;
      pair((static_cast<double>(w[2 * i]) + 1.0) * 0x1p-32, static_cast<double>(w[2 * i + 1]) * 0x1p-32, a, b);
      y[2 * i] = T(a);
      y[2 * i + 1] = T(b);
    }
  }
  HRM_HD void operator()(const uint32_t (&w)[4], double (&y)[2]) const {
    pair(static_cast<double>(bits53(w[0], w[1]) + 1) * 0x1p-53, static_cast<double>(bits53(w[2], w[3])) * 0x1p-53, y[0],
         y[1]);
  }
};

// A normal distribution cut at +-2 of its own standard deviations, then scaled to the standard deviation asked for (HRM
// section 1). By the inverse distribution function: x = sqrt(2) erfinv(u erf(sqrt(2))), u in (-1, 1), so that each
// number takes a fixed count of words.
struct trunc_normal {
  double mean, std;

  // Of a standard normal cut at +-2: sqrt(1 - 4 phi(2) / erf(sqrt(2))).
  static constexpr double kStdOfCut = 0.87962566103423975;

  // erfinv(u erf(sqrt(2))) for |u| < 1, relative error 3e-16. erfinv(y) / y is smooth in -log(1 - y^2), here scaled to
  // t in [-1, 1]: a polynomial of Chebyshev approximation, fitted with 50 digits.
  HRM_HD static double erfinv_of_cut(double u) {
    constexpr double kCoefficients[] = {
        3.0789950355278036e-12, -1.079260598156577e-11,  -8.178852316692493e-11, 5.175268280005436e-10,
        1.3818309603271161e-09, -1.8839153613826155e-08, -7.643545961849301e-10, 5.871391532405183e-07,
        -1.342121077723785e-06, -1.5537245231439577e-05, 8.390947775472009e-05,  0.00029412022942453697,
        -0.004032074284456377,  0.004075476310743083,    0.3016500579996353,     1.1795728489617108,
    };
    const double y = 0.9544997361036416 * u;
    const double t = -0.8264794488103757 * std::log1p(-y * y) - 1.0;
    double ratio = 0.0;
    for (const double c : kCoefficients)
      ratio = ratio * t + c;
    return ratio * y;
  }
  HRM_HD double scaled(double u) const { return mean + std * (1.4142135623730951 / kStdOfCut) * erfinv_of_cut(u); }

  template <class T> HRM_HD void operator()(const uint32_t (&w)[4], T (&y)[4]) const {
    for (int i = 0; i < 4; ++i)
      y[i] = T(scaled((static_cast<double>(w[i]) + 0.5) * 0x1p-31 - 1.0));
  }
  HRM_HD void operator()(const uint32_t (&w)[4], double (&y)[2]) const {
    for (int i = 0; i < 2; ++i) {
      const int64_t odd = static_cast<int64_t>(2 * bits53(w[2 * i], w[2 * i + 1]) + 1) - (int64_t{1} << 53);
      y[i] = scaled(static_cast<double>(odd) * 0x1p-53);
    }
  }
};

// low + floor(word64 * range / 2^64), 1 <= range <= 2^32: a value's probability is off by less than 2^-32 of itself.
struct random_integers {
  int64_t low;
  uint64_t range;

  HRM_HD void operator()(const uint32_t (&w)[4], int32_t (&y)[2]) const {
    for (int i = 0; i < 2; ++i) {
      const uint64_t scaled = (w[2 * i] * range + ((w[2 * i + 1] * range) >> 32)) >> 32;
      y[i] = static_cast<int32_t>(low + static_cast<int64_t>(scaled));
    }
  }
};

} // namespace hrm::numerics
