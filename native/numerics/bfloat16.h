#pragma once
#include <cstdint>
#include <cstring>

#include "numerics/hd.h"

namespace hrm {

// Storage type only: arithmetic happens in float (Accumulator in core/dtype.h).
struct BFloat16 {
  uint16_t bits;

  BFloat16() = default;
  // Round to nearest even; NaN stays NaN (its payload is not kept).
  HRM_HD explicit BFloat16(float value) {
    uint32_t u;
    std::memcpy(&u, &value, 4);
    if ((u & 0x7fffffffu) > 0x7f800000u)
      bits = static_cast<uint16_t>((u >> 16) | 0x40u);
    else
      bits = static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
  HRM_HD explicit BFloat16(double value) : BFloat16(static_cast<float>(value)) {}
  HRM_HD explicit BFloat16(int32_t value) : BFloat16(static_cast<float>(value)) {}
  HRM_HD operator float() const {
    const uint32_t u = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &u, 4);
    return value;
  }
};

} // namespace hrm
