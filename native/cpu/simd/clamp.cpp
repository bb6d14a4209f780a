#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "core/context.h"
#include "cpu/elementwise_integer.h"
#include "numerics/hd.h"
#include "ops/clamp.h"

#include "cpu/simd/begin.h"

#include "cpu/simd/vec.h"

#include "cpu/simd/math.h"

#include "numerics/clamp.h"

#include "cpu/simd/lanes.h"

#include "cpu/simd/elementwise.h"

namespace hrm::cpu::HRM_ISA {

void clamp(Call &call) {
  if (!is_float(call.in[0].dtype))
    return integer::clamp(call);
  const auto &attrs = call.attrs<ops::ClampAttrs>();
  run_unary(call, numerics::clamp{attrs.min, attrs.max});
}

void clamp_grad(Call &call) {
  const auto &attrs = call.attrs<ops::ClampAttrs>();
  run_binary(call, numerics::clamp_grad{attrs.min, attrs.max});
}

} // namespace hrm::cpu::HRM_ISA

#include "cpu/simd/end.h"
