#include "ops/clamp.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/context.h"
#include "cpu/strided.h"
#include "numerics/hd.h"

#include "cpu/simd/begin.h"

#include "cpu/simd/vec.h"

#include "cpu/simd/math.h"

#include "numerics/elementwise.h"

#include "cpu/simd/elementwise.h"

namespace hrm::cpu::HRM_ISA {
namespace {

struct Clamp {
  double min, max;
  template <class M, class T> HRM_INLINE T of(T x) const {
    const T low = M::template splat<T>(min), high = M::template splat<T>(max);
    // NaN compares false and passes.
    x = M::select(x < low, low, x);
    return M::select(x > high, high, x);
  }
};
struct ClampGrad {
  double min, max;
  template <class M, class T> HRM_INLINE T of(T dy, T x) const {
    return M::select((x < M::template splat<T>(min)) | (x > M::template splat<T>(max)), T{}, dy);
  }
};

} // namespace

void clamp(Call &call) {
  const auto &attrs = call.attrs<ops::ClampAttrs>();
  dispatch_all(call.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    Clamp f{attrs.min, attrs.max};
    if constexpr (std::is_integral_v<T>) {
      const double least = std::numeric_limits<T>::min(), greatest = std::numeric_limits<T>::max();
      f.min = std::min(std::max(f.min, least), greatest);
      f.max = std::min(std::max(f.max, least), greatest);
    }
    unary_loop<T>(call, f);
  });
}

void clamp_grad(Call &call) {
  const auto &attrs = call.attrs<ops::ClampAttrs>();
  dispatch_float(call.in[0].dtype,
                 [&](auto tag) { binary_loop<typename decltype(tag)::type>(call, ClampGrad{attrs.min, attrs.max}); });
}

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
