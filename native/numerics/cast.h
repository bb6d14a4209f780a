#pragma once
// The value of one dtype in another: float to integer truncates toward zero and saturates, NaN gives 0; anything to
// bool is x != 0; bfloat16 goes through float.
#include <cstdint>
#include <limits>
#include <type_traits>

#include "numerics/bfloat16.h"
#include "numerics/hd.h"

namespace hrm::numerics {

template <class To, class From> HRM_HD To cast_value(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<To, bool>) {
    if constexpr (std::is_same_v<From, BFloat16>)
      return static_cast<float>(value) != 0.0f;
    else
      return value != From(0);
  } else if constexpr (std::is_same_v<From, BFloat16>) {
    return cast_value<To>(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return BFloat16(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if (value != value)
      return 0;
    if (value <= static_cast<From>(std::numeric_limits<To>::min()))
      return std::numeric_limits<To>::min();
    if (value >= static_cast<From>(std::numeric_limits<To>::max()))
      return std::numeric_limits<To>::max();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

} // namespace hrm::numerics
