#pragma once
#include <cstddef>
#include <cstdint>
#include <ostream>

#include "core/error.h"
#include "numerics/bfloat16.h"

namespace hrm {

// In promotion order: the result of mixing two dtypes is the larger (ARCHITECTURE: bool < uint8 < int32 < bfloat16 <
// float32 < float64). The numeric values cross the N-API boundary; ts/tensor/dtype.ts lists the names in this order.
enum class DType : uint8_t { kBool, kU8, kI32, kBF16, kF32, kF64 };
constexpr int kNumDTypes = 6;

constexpr const char *dtype_name(DType dtype) {
  constexpr const char *names[] = {"bool", "uint8", "int32", "bfloat16", "float32", "float64"};
  return names[static_cast<int>(dtype)];
}
constexpr size_t item_size(DType dtype) {
  constexpr size_t sizes[] = {1, 1, 4, 2, 4, 8};
  return sizes[static_cast<int>(dtype)];
}
constexpr bool is_float(DType dtype) { return dtype >= DType::kBF16; }
constexpr DType promote(DType a, DType b) { return a > b ? a : b; }

inline std::ostream &operator<<(std::ostream &out, DType dtype) { return out << dtype_name(dtype); }

// Carries an element type through a generic lambda: `using T = typename decltype(tag)::type`. bool is one byte, 0 or 1.
template <class T> struct Type {
  using type = T;
};

template <class F> decltype(auto) dispatch_all(DType dtype, F &&f) {
  switch (dtype) {
  case DType::kBool:
    return f(Type<bool>{});
  case DType::kU8:
    return f(Type<uint8_t>{});
  case DType::kI32:
    return f(Type<int32_t>{});
  case DType::kBF16:
    return f(Type<BFloat16>{});
  case DType::kF32:
    return f(Type<float>{});
  case DType::kF64:
    return f(Type<double>{});
  }
  fail(Code::kNative, "unknown dtype ", static_cast<int>(dtype));
}

// For the floating dtypes only; the op's rule has refused the others already.
template <class F> decltype(auto) dispatch_float(DType dtype, F &&f) {
  switch (dtype) {
  case DType::kBF16:
    return f(Type<BFloat16>{});
  case DType::kF32:
    return f(Type<float>{});
  case DType::kF64:
    return f(Type<double>{});
  default:
    fail(Code::kDType, "needs a floating dtype (bfloat16, float32, float64), got ", dtype);
  }
}

// The type a kernel computes and accumulates in: bfloat16 in float, uint8 and bool in int32.
template <class T> struct Accumulator {
  using type = T;
};
template <> struct Accumulator<BFloat16> {
  using type = float;
};
template <> struct Accumulator<uint8_t> {
  using type = int32_t;
};
template <> struct Accumulator<bool> {
  using type = int32_t;
};
template <class T> using Acc = typename Accumulator<T>::type;

} // namespace hrm
